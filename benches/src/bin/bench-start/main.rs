//! Cold start of the service, inside one process.
//!
//! What: WasmEdge's library is loaded into this process, and the service is started and ended over and over:
//! program loaded and validated | instantiated | run until it is ready (model read and checked, address bound).
//! A container's own start, and that of a `wasmedge` process (some 15 ms of dynamic linking), are other
//! matters: the latter is measured beside it. Corpus: Online Retail, imported and trained as by the pipeline,
//! unless `--model` names another. No randomness. How to run: `make bench-start`.
//!
//! Every start must end with exit code 0. The first one is told apart, as its pages are not mapped yet. One
//! start under the interpreter shows that the others were not. The goal is a p50 below 10 ms.

mod capi;
mod start;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use endcap_benches::latency::Latencies;
use endcap_benches::machine::{self, Process};
use endcap_models::dataset::Dataset;
use endcap_models::import::{self, ColumnMap, Plan as ImportPlan, ReadOptions, Rules};
use endcap_models::progress::Progress;
use endcap_models::train::{Options, SESSION_GAP, records, train};
use serde_json::{Value, json};

use capi::Api;
use start::{Plan, Took, start};

/// Median of the sum.
const GOAL_MS: f64 = 10.0;
/// Whole processes that are started, for comparison.
const PROCESSES: usize = 20;

/// Cold start of the service under WasmEdge.
#[derive(Debug, Parser)]
struct Args {
    /// Model [default: one trained on Online Retail].
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Starts.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    starts: u32,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (library, app) = (machine::from_env("LIBWASMEDGE")?, machine::from_env("ENDCAP_APP")?);
    let app = app.canonicalize().with_context(|| format!("{}: make guest builds it", app.display()))?;
    let model = args.model.clone().map_or_else(online_retail, Ok)?;
    let model = model.canonicalize().with_context(|| model.display().to_string())?;
    let program_bytes = std::fs::metadata(&app)?.len();
    let cores = machine::cores()?;
    machine::pin(cores[cores.len() - 1])?;
    let api = Api::load(&library)?;
    api.load_plugin(&machine::from_env("ENDCAP_WASMEDGE_PLUGIN")?)?;
    let plan = Plan::new(&app, &model)?;
    println!("{}, {}", machine::now(), machine::describe());
    let bytes = std::fs::metadata(&model)?.len();
    println!("program {program_bytes} bytes, model {bytes} bytes ({})", model.display());
    let first = start(&api, &plan, false)?;
    let mut steps = Steps::new()?;
    for _ in 0..args.starts {
        steps.record(start(&api, &plan, false)?);
    }
    let memory = Process::this().resident_mib()?;
    let interpreted = start(&api, &plan, true)?;
    let processes = processes(&app, &model)?;
    println!("{} starts, ms {:>10} {:>8} {:>8} {:>8}", args.starts, "first", "p50", "p99", "max");
    for ((name, latencies), first) in
        steps.named().zip([first.load, first.instantiate, first.run, first.total()])
    {
        println!(
            "{name:16} {:8.2} {:8.2} {:8.2} {:8.2}",
            millis(first),
            latencies.micros(0.5) / 1e3,
            latencies.micros(0.99) / 1e3,
            latencies.max_micros() / 1e3
        );
    }
    let p50 = steps.total.micros(0.5) / 1e3;
    println!("goal p50 < {GOAL_MS} ms: {}", if p50 < GOAL_MS { "met" } else { "MISSED" });
    println!("run by the interpreter: {:.2} ms, so the others were machine code", millis(interpreted.run));
    println!("whole wasmedge process, {PROCESSES} runs: p50 {:.2} ms", processes.micros(0.5) / 1e3);
    println!("this process: resident {:.1} MiB, peak {:.1}", memory.0, memory.1);
    ensure!(interpreted.run > 2 * first.run, "the interpreter was as fast: the others were no machine code");
    if let Some(path) = &args.json {
        let report = json!({
            "date": machine::now(), "machine": machine::describe(), "starts": args.starts,
            "program_bytes": program_bytes, "model_bytes": bytes,
            "first_ms": millis(first.total()), "steps_ms": steps.json(),
            "interpreted_run_ms": millis(interpreted.run), "process_p50_ms": processes.micros(0.5) / 1e3,
            "resident_mib": memory.0, "peak_resident_mib": memory.1,
        });
        std::fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Latencies by step.
struct Steps {
    load: Latencies,
    instantiate: Latencies,
    run: Latencies,
    total: Latencies,
}

impl Steps {
    fn new() -> anyhow::Result<Self> {
        let new = Latencies::new;
        Ok(Self { load: new()?, instantiate: new()?, run: new()?, total: new()? })
    }

    fn record(&mut self, took: Took) {
        self.load.record(took.load);
        self.instantiate.record(took.instantiate);
        self.run.record(took.run);
        self.total.record(took.total());
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Latencies)> {
        [("load, validate", &self.load), ("instantiate", &self.instantiate), ("run until ready", &self.run)]
            .into_iter()
            .chain([("sum", &self.total)])
    }

    fn json(&self) -> Value {
        let quantiles = |latencies: &Latencies| json!({"p50": latencies.micros(0.5) / 1e3, "p99": latencies.micros(0.99) / 1e3});
        self.named()
            .map(|(name, latencies)| (name.to_owned(), quantiles(latencies)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// The same start as a process of its own, from spawn to end.
fn processes(app: &Path, model: &Path) -> anyhow::Result<Latencies> {
    let wasmedge = machine::from_env("ENDCAP_WASMEDGE")?;
    let folder = model.parent().context("the model has no folder")?;
    let name = model.file_name().unwrap_or_default().display();
    let mut latencies = Latencies::new()?;
    for _ in 0..PROCESSES {
        let begun = Instant::now();
        let status = Command::new(&wasmedge)
            .arg("--dir")
            .arg(format!("/:{}:readonly", folder.display()))
            .args(["--env", &format!("MODEL_PATH=/{name}"), "--env", "ENDCAP_LISTEN=127.0.0.1:0"])
            .args(["--env", "ENDCAP_CHECK=1", "--env", "ENDCAP_LOG=error"])
            .arg(app)
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot start {}", wasmedge.display()))?;
        latencies.record(begun.elapsed());
        ensure!(status.success(), "the service ended with {status}");
    }
    Ok(latencies)
}

/// A model of Online Retail with the pipeline's defaults.
fn online_retail() -> anyhow::Result<PathBuf> {
    let folder = machine::work_folder();
    let (dataset, model) = (folder.join("online-retail"), folder.join("online-retail.wasm"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    eprintln!("importing Online Retail");
    import::run(
        &ImportPlan {
            inputs: vec![machine::data()?.join("online_retail/online_retail.csv.gz")],
            catalogue: None,
            out: dataset.clone(),
            force: true,
            read: ReadOptions { format: None, delimiter: None, columns: ColumnMap::default() },
            rules: Rules {
                keep_cancellations: false,
                keep_non_products: false,
                event_name: None,
                max_bad_share: 0.01,
                now: jiff::Timestamp::now().as_microsecond(),
            },
        },
        &mut Progress::hidden(),
    )?;
    eprintln!("training");
    let log = records(&Dataset::open(&dataset)?, Some(SESSION_GAP), &mut |_| {})?;
    let options = Options { name: "online-retail".to_owned(), ..Options::default() };
    let bytes = train(&log, &options, &mut |_| {})?.pack()?;
    std::fs::write(&model, bytes).with_context(|| format!("cannot write {}", model.display()))?;
    Ok(model)
}
