//! The built-in encoder natively and under WasmEdge against tract and llama.cpp, in turns.
//!
//! What: one encoder (random weights of seed 0, [`ITEMS`] items, width 64, 2 layers of 4 heads, gated width 176), stored as
//! int8, and the same weights as ONNX and GGUF. A user vector from histories of [`LENGTHS`] items: by tract and llama.cpp through
//! endcap-nn (the engines of the WasmEdge plugin, without the plugin), by a guest of WasmEdge through the plugin, and by
//! `encoder-loop` (a program of endcap-core-loop) natively and compiled ahead of time; then the exact choice of the best 200 of larger catalogues by a user vector
//! ([`CATALOGUES`]). How to run: `make bench-encoder`.
//!
//! The programs run in turns, [`ROUNDS`] times each, on one core; the median counts. The built-in executor must give
//! the same bits everywhere, and the same best items as the engines; what comes through the plugin must be what they give here. The goal: under WasmEdge at least half of tract's speed.

mod engines;
mod model;

use std::path::{Path, PathBuf};
use std::process::Command;

use engines::{Form, Native, Plugged};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use endcap_benches::machine;
use endcap_benches::turns::{self, Programs, median};
use endcap_core::recommend::SEQUENCE_CANDIDATES;
use serde_json::json;

/// Items of a history: a new visitor, a usual session, all that the service remembers.
const LENGTHS: [usize; 3] = [1, 8, 50];
/// Items of the catalogue in comparisons with tract.
const ITEMS: usize = 10_000;
/// Items of the catalogues whose best are chosen, and histories of a timed run over each.
const CATALOGUES: [(usize, u32); 3] = [(5_000, 2_000), (50_000, 400), (500_000, 40)];
/// Histories of a timed run: half a second for the slowest.
const RUNS: u32 = 2_000;
/// Runs of each program.
const ROUNDS: usize = 5;
/// Least share of tract's speed, under WasmEdge.
const GOAL: f64 = 0.5;

/// Speed of the built-in encoder against tract.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    programs: Programs,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What a program says of one run.
struct Outcome {
    /// Nanoseconds for a user vector.
    encoding: f64,
    /// The same where all but the newest item was read before.
    next: f64,
    /// Nanoseconds for the scores of all items and the choice of the best.
    scoring: f64,
    /// Over the bits of all user vectors.
    checksum: String,
    /// Best items of the last history.
    best: String,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wasmedge = machine::from_env("ENDCAP_WASMEDGE")?;
    let folder = machine::work_folder();
    let (file, model) = model::write(&folder, ITEMS, true)?;
    let cores = machine::cores()?;
    machine::pin(cores[cores.len() - 1])?;
    println!("{}, {}", machine::now(), machine::describe());
    println!("a user vector, median of {ROUNDS} runs of {RUNS} histories, in turns");
    let programs = args.programs.commands(&wasmedge, &folder);
    let mut engines = Engines {
        native: Form::ALL.map(|form| Native::load(&model, form)).into_iter().collect::<Result<_, _>>()?,
        plugged: Plugged::new(&wasmedge, &model, &folder)?,
    };
    let mut lines = Vec::new();
    for length in LENGTHS {
        lines.push(compare(length, &mut engines, &programs, &file)?);
    }
    println!("the best {SEQUENCE_CANDIDATES} of all items by a user vector, exact, median of {ROUNDS} runs");
    for (items, runs) in CATALOGUES {
        lines.push(choose(items, runs, &programs, &folder)?);
    }
    turns::write_report(args.json.as_deref(), &lines)
}

/// The encoder on what the plugin is made of, and through the plugin.
struct Engines<'m> {
    /// In the order of [`Form::ALL`].
    native: Vec<Native<'m>>,
    plugged: Plugged,
}

/// Largest difference of a component of a user vector that is 1 long or more: an engine may sum in another order for another length.
const TOLERANCE: f32 = 1e-4;

fn compare(
    length: usize,
    engines: &mut Engines<'_>,
    programs: &[(String, Command)],
    file: &Path,
) -> anyhow::Result<serde_json::Value> {
    let mut by_engine = Form::ALL.map(|_| (Vec::new(), Vec::new()));
    let mut outcomes: Vec<Vec<Outcome>> = programs.iter().map(|_| Vec::new()).collect();
    let mut best = String::new();
    for _ in 0..ROUNDS {
        for ((form, native), (alone, plugged)) in
            Form::ALL.into_iter().zip(&mut engines.native).zip(&mut by_engine)
        {
            let (nanos, expected, items) = native.run(RUNS, length)?;
            alone.push(nanos);
            ensure!(best.is_empty() || best == items, "{}: {items} is best, not {best}", form.engine());
            best = items;
            let (nanos, user) = engines.plugged.run(form, length)?;
            plugged.push(nanos);
            let same = user.len() == expected.len()
                && user.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= TOLERANCE);
            ensure!(same, "{} through the plugin: another user vector than natively", form.engine());
        }
        for ((name, command), outcomes) in programs.iter().zip(&mut outcomes) {
            outcomes.push(run(command, file, length, RUNS).with_context(|| format!("encoder-loop, {name}"))?);
        }
    }
    let by_engine = by_engine.map(|(alone, plugged)| [median(alone), median(plugged)]);
    for (form, [alone, plugged]) in Form::ALL.into_iter().zip(by_engine) {
        let (engine, alone, plugged) = (form.engine(), alone / 1e3, plugged / 1e3);
        println!(
            "{length:2} items  {engine:12} {alone:7.1} µs natively, {plugged:7.1} µs through the plugin"
        );
    }
    let [[by_tract, _], _] = by_engine;
    let checksum = outcomes[0][0].checksum.clone();
    let mut figures = serde_json::Map::new();
    for ((name, _), outcomes) in programs.iter().zip(outcomes) {
        for outcome in &outcomes {
            ensure!(outcome.checksum == checksum, "{name}, {length} items: other bits than native");
            ensure!(outcome.best == best, "{name}, {length} items: {} is best, not {best}", outcome.best);
        }
        let scoring = median(outcomes.iter().map(|outcome| outcome.scoring).collect());
        let encoding = median(outcomes.iter().map(|outcome| outcome.encoding).collect());
        let next = median(outcomes.iter().map(|outcome| outcome.next).collect());
        let ratio = by_tract / encoding;
        let verdict = match name.as_str() {
            "native" => "",
            _ if ratio >= GOAL => " (goal met)",
            _ => " (GOAL MISSED)",
        };
        let (micros, next_micros, scores) = (encoding / 1e3, next / 1e3, scoring / 1e3);
        println!(
            "{:8}  {name:12} {micros:7.1} µs = {ratio:.2} of tract{verdict}; one more item {next_micros:.1} µs; the best of all {scores:.1} µs",
            ""
        );
        figures.insert(
            name.clone(),
            json!({"encode_ns": encoding, "next_ns": next, "score_ns": scoring, "of_tract": ratio}),
        );
    }
    let [tract, llama] = by_engine;
    Ok(json!({"items": length, "tract_ns": tract, "llama_cpp_ns": llama, "builtin": figures}))
}

/// The time for the best of `items` items, by each program.
fn choose(
    items: usize,
    runs: u32,
    programs: &[(String, Command)],
    folder: &Path,
) -> anyhow::Result<serde_json::Value> {
    let (file, _) = model::write(folder, items, false)?;
    let mut outcomes: Vec<Vec<Outcome>> = programs.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((name, command), outcomes) in programs.iter().zip(&mut outcomes) {
            outcomes.push(run(command, &file, 1, runs).with_context(|| format!("encoder-loop, {name}"))?);
        }
    }
    let best = outcomes[0][0].best.clone();
    let mut figures = serde_json::Map::new();
    for ((name, _), outcomes) in programs.iter().zip(&outcomes) {
        ensure!(outcomes.iter().all(|outcome| outcome.best == best), "{name}, {items} items: another best");
        let scoring = median(outcomes.iter().map(|outcome| outcome.scoring).collect());
        println!("{items:7} items  {name:12} {:9.1} µs", scoring / 1e3);
        figures.insert(name.clone(), json!(scoring));
    }
    std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    Ok(json!({"catalogue": items, "choose_ns": figures}))
}

fn run(command: &Command, file: &Path, length: usize, runs: u32) -> anyhow::Result<Outcome> {
    let mut again = Command::new(command.get_program());
    again.args(command.get_args()).arg(file.file_name().context("the model has no name")?);
    again.arg(length.to_string()).arg(runs.to_string());
    if let Some(folder) = command.get_current_dir() {
        again.current_dir(folder);
    }
    let output = again.output().context("cannot start it")?;
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let [encoding, next, scoring, checksum, best] =
        text.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>()[..]
    else {
        bail!("it printed `{text}`");
    };
    Ok(Outcome {
        encoding: encoding.parse()?,
        next: next.parse()?,
        scoring: scoring.parse()?,
        checksum: checksum.to_owned(),
        best: best.to_owned(),
    })
}
