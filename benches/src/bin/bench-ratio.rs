//! The same prediction loop natively and under WasmEdge, in turns.
//!
//! What: `core-loop` (a crate of its own), built once for this machine and once for WASI, the latter compiled
//! ahead of time both for any x86-64 (as in an image) and for this processor. Corpora, settings: `corpus`;
//! every click of the sessions in their order, [`PREDICTIONS`] of them. How to run: `make bench-ratio`.
//!
//! The programs run in turns, [`ROUNDS`] times each, on one core; the median counts. Checksums over every item
//! and score must be the same everywhere. The goal: compiled Wasm reaches at least half of native speed.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use endcap_benches::corpus::{Corpus, LINEAR, Prepared, Setting};
use endcap_benches::machine;
use endcap_benches::turns::{self, Programs};
use serde_json::json;

/// Timed predictions of a run: a tenth of a second for the fastest, four seconds for the slowest.
const PREDICTIONS: u64 = 30_000;
/// Runs of each program.
const ROUNDS: usize = 5;
/// Least share of native speed.
const GOAL: f64 = 0.5;

/// Speed of the prediction path under WasmEdge, against native.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    programs: Programs,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (data, wasmedge) = (machine::data()?, machine::from_env("ENDCAP_WASMEDGE")?);
    let folder = machine::work_folder();
    let cores = machine::cores()?;
    println!("{}, {}", machine::now(), machine::describe());
    println!("median of {ROUNDS} runs of {PREDICTIONS} predictions, in turns");
    let mut lines = Vec::new();
    for corpus in Corpus::ALL {
        let log = corpus.read(&data)?;
        let mut made = Vec::new();
        for setting in Setting::ALL {
            made.push((setting.as_str(), Prepared::make(corpus, setting, &log, &folder)?));
        }
        made.push((LINEAR, Prepared::make_linear(corpus, &log, &folder)?));
        let sessions = folder.join(format!("{}.sessions.txt", corpus.as_str()));
        write_sessions(&made[0].1, &sessions)?;
        machine::pin(cores[cores.len() - 1])?;
        for (setting, prepared) in &made {
            lines.push(compare(&args, &wasmedge, corpus, setting, prepared, &sessions)?);
        }
    }
    turns::write_report(args.json.as_deref(), &lines)
}

fn write_sessions(prepared: &Prepared, path: &Path) -> anyhow::Result<()> {
    let mut text = String::new();
    for session in &prepared.sessions {
        for (at, item) in session.iter().enumerate() {
            write!(text, "{}{item}", if at == 0 { "" } else { " " })?;
        }
        text.push('\n');
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn compare(
    args: &Args,
    wasmedge: &Path,
    corpus: Corpus,
    setting: &str,
    prepared: &Prepared,
    sessions: &Path,
) -> anyhow::Result<serde_json::Value> {
    let folder = prepared.file.parent().context("the model has no folder")?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
    let mut programs = args.programs.commands(wasmedge, folder);
    for (_, command) in &mut programs {
        command.arg(name(&prepared.file)).arg(name(sessions)).arg(PREDICTIONS.to_string());
    }
    let mut nanos: Vec<Vec<f64>> = vec![Vec::new(); programs.len()];
    let mut expected: Option<String> = None;
    for _ in 0..ROUNDS {
        for ((program, command), nanos) in programs.iter_mut().zip(&mut nanos) {
            let (took, checksum) = run(command).with_context(|| format!("core-loop, {program}"))?;
            nanos.push(took);
            let expected = expected.get_or_insert_with(|| checksum.clone());
            ensure!(
                *expected == checksum,
                "{program} answered otherwise: checksum {checksum}, not {expected}"
            );
        }
    }
    let medians: Vec<f64> = nanos.into_iter().map(turns::median).collect();
    let mut line = format!("{:8} {setting:16}", corpus.as_str());
    let mut figures = serde_json::Map::new();
    for ((program, _), median) in programs.iter().zip(&medians) {
        let ratio = medians[0] / median;
        write!(line, "  {program} {:.1} µs", median / 1e3)?;
        if program != "native" {
            let verdict = if ratio >= GOAL { "goal met" } else { "GOAL MISSED" };
            write!(line, " = {ratio:.2} of native ({verdict})")?;
        }
        figures.insert(program.clone(), json!({"nanos": median, "of_native": ratio}));
    }
    println!("{line}");
    Ok(json!({
        "corpus": corpus.as_str(), "setting": setting, "checksum": expected, "programs": figures,
    }))
}

/// Nanoseconds a prediction, and the checksum.
fn run(command: &mut Command) -> anyhow::Result<(f64, String)> {
    let output = command.output().context("cannot start it")?;
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let (nanos, checksum) = text.trim().split_once(' ').with_context(|| format!("it printed `{text}`"))?;
    Ok((nanos.parse()?, checksum.to_owned()))
}
