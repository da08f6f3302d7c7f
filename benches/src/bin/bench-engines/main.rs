//! ONNX on tract, as endcap-nn serves it, against ONNX Runtime, in turns.
//!
//! What: a perceptron 128-256-128-1 of scikit-learn and 100 boosted trees of LightGBM at batch 1, 16, 100 and 500; this
//! project's encoder (width 64, 2 layers, 50 items) at batch 1. ONNX Runtime is PyPI's, called by its C interface in this
//! process, with one thread and all its optimisations; tract has one thread anyway. Load is from bytes to the first
//! answer, so it has tract's plan for the shape in it. How to run: `make bench-engines`.
//!
//! The engines run in turns, [`ROUNDS`] times each, on one core; the median counts. Both must give the same numbers.
//! The ratio is the speed of tract as a share of ONNX Runtime's.

mod engines;
mod models;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use endcap_benches::machine;
use endcap_benches::turns::{self, median};
use serde_json::{Value, json};

use engines::{Engine, OnnxRuntime, Tract};
use models::Case;

/// Turns of each engine.
const ROUNDS: usize = 21;
/// Length of a turn.
const TURN: Duration = Duration::from_millis(50);
/// Loads of each engine.
const LOADS: usize = 5;
/// Largest difference of two results, as a share of the largest result.
const TOLERANCE: f32 = 1e-4;

/// Speed of tract against ONNX Runtime.
#[derive(Debug, Parser)]
struct Args {
    /// libonnxruntime.so.
    #[arg(long)]
    onnx_runtime: PathBuf,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let cases = models::all(&machine::work_folder())?;
    let cores = machine::cores()?;
    machine::pin(cores[cores.len() - 1])?;
    engines::start(&args.onnx_runtime)?;
    println!("{}, {}", machine::now(), machine::describe());
    println!("median of {ROUNDS} turns of {} ms each; load: median of {LOADS}", TURN.as_millis());
    println!(
        "{:12} {:>5} {:>11} {:>11} {:>6}   {:>13} {:>13} {:>6}",
        "model", "batch", "tract µs", "ORT µs", "ratio", "tract load ms", "ORT load ms", "ratio"
    );
    let mut lines = Vec::new();
    for case in &cases {
        lines.push(compare(case).with_context(|| format!("{}, batch {}", case.name, case.batch))?);
    }
    turns::write_report(args.json.as_deref(), &lines)
}

fn compare(case: &Case) -> anyhow::Result<Value> {
    let (mut tract_loads, mut runtime_loads) = (Vec::new(), Vec::new());
    for _ in 0..LOADS {
        tract_loads.push(load::<Tract>(case)?);
        runtime_loads.push(load::<OnnxRuntime>(case)?);
    }
    let (mut tract, mut runtime) = (Tract::load(case)?, OnnxRuntime::load(case)?);
    let (expected, found) = (runtime.run()?, tract.run()?);
    ensure!(expected.len() == found.len(), "{} numbers and {}", expected.len(), found.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let off = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(off <= TOLERANCE * largest, "results differ by {off} of {largest}");
    let (mut tract_times, mut runtime_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        tract_times.push(turn(&mut tract)?);
        runtime_times.push(turn(&mut runtime)?);
    }
    let [tract, runtime, tract_load, runtime_load] =
        [tract_times, runtime_times, tract_loads, runtime_loads].map(median);
    println!(
        "{:12} {:>5} {:>11.1} {:>11.1} {:>6.2}   {:>13.2} {:>13.2} {:>6.2}",
        case.name,
        case.batch,
        tract * 1e6,
        runtime * 1e6,
        runtime / tract,
        tract_load * 1e3,
        runtime_load * 1e3,
        runtime_load / tract_load
    );
    Ok(json!({
        "model": case.name, "batch": case.batch, "tract_s": tract, "onnx_runtime_s": runtime,
        "tract_load_s": tract_load, "onnx_runtime_load_s": runtime_load,
    }))
}

/// Seconds from bytes to the first answer.
fn load<E: Engine>(case: &Case) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut engine = E::load(case)?;
    engine.run()?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Seconds of one run, over a turn.
fn turn(engine: &mut impl Engine) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut runs = 0;
    while begun.elapsed() < TURN {
        std::hint::black_box(engine.run()?);
        runs += 1;
    }
    Ok(begun.elapsed().as_secs_f64() / f64::from(runs))
}
