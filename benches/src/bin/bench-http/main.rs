//! HTTP load on the service under WasmEdge.
//!
//! What: `POST /api/session/recommend` with the items of a running session, 20 wanted; the session grows click
//! by click, then another random visitor comes. The service has core 0, this generator core 1. Corpora and
//! settings: `corpus`; visitors: `traffic`, with its fixed seed. How to run: `make bench-http`, for example
//! `make bench-http ARGS="--corpus example --seconds 3"`.
//!
//! Per corpus and setting: warm-up; saturation (closed loop, every connection asks again as soon as it is
//! answered); open loop at half of that rate, arrivals as a Poisson process, latency from the moment at which a
//! request was meant to be sent. Every answer is checked: status, length, exactly 20 items. One wrong answer
//! fails the run. Beside the figures stand those of native Serenade (Rust, Actix) on a machine of this kind.

mod canned;
mod connection;
mod load;
mod report;
mod requests;
mod service;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use endcap_benches::corpus::{Corpus, Prepared, Setting};
use endcap_benches::machine;

use load::{Generator, Phase};
use report::Shares;
use requests::Requests;
use service::Service;

/// Core of the service and core of the generator.
const CORES: [usize; 2] = [0, 1];
/// Requests a second of the open loop against canned answers: about half of what the service does at best, so
/// that its latencies have something to be compared with. What is late here is late by the machine.
const CEILING_RATE: f64 = 20_000.0;

/// HTTP load on the service under WasmEdge, beside the figures of native Serenade.
#[derive(Debug, Parser)]
struct Args {
    /// Sessions that are replayed; more than once. Default: both.
    #[arg(long, value_enum)]
    corpus: Vec<Corpus>,
    /// Parameters of session kNN; more than once. Default: both.
    #[arg(long, value_enum)]
    setting: Vec<Setting>,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Seconds of saturation; warm-up takes a fifth of it, the open loop twice as long.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Share of saturation at which the open loop runs.
    #[arg(long, default_value_t = 0.5, value_parser = parse_share)]
    load: f64,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure the generator and the machine instead: canned answers in the service's place.
    #[arg(long)]
    ceiling: bool,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "give a number above 0 and at most 1".to_owned())
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let cores = machine::cores()?;
    anyhow::ensure!(
        CORES.iter().all(|core| cores.contains(core)),
        "cores 0 and 1 are needed, there are {cores:?}"
    );
    let data = machine::data()?;
    let corpora = if args.corpus.is_empty() { Corpus::ALL.to_vec() } else { args.corpus.clone() };
    let settings = if args.setting.is_empty() { Setting::ALL.to_vec() } else { args.setting.clone() };
    println!("{}, {}", machine::now(), machine::describe());
    println!(
        "{} connections, service on core {}, generator on core {}",
        args.connections, CORES[0], CORES[1]
    );
    let mut lines = Vec::new();
    for corpus in corpora {
        let log = corpus.read(&data)?;
        for &setting in &settings {
            let prepared = Prepared::make(corpus, setting, &log, &machine::work_folder())?;
            let requests = Requests::new(&prepared);
            if args.ceiling {
                let canned = canned::Canned::start(CORES[0])?;
                machine::pin(CORES[1])?;
                eprintln!("canned answers instead of the service");
                let generator = &mut Generator::new(&requests, canned.address, args.connections)?;
                let saturation = generator.saturate(args.seconds)?;
                let open = generator.arrive(CEILING_RATE, args.seconds * 2)?;
                println!("{}", report::ceiling(&saturation, CEILING_RATE, &open));
                return Ok(ExitCode::SUCCESS);
            }
            machine::pin(CORES[0])?;
            let service = Service::start(&prepared.file)?;
            machine::pin(CORES[1])?;
            let line = measure(&args, corpus, setting, &requests, &service)?;
            println!("{line}");
            lines.push(line);
        }
    }
    if let Some(path) = &args.json {
        report::write(path, &lines)?;
    }
    let errors: u64 = lines.iter().map(|line| line.errors).sum();
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(
    args: &Args,
    corpus: Corpus,
    setting: Setting,
    requests: &Requests<'_>,
    service: &Service,
) -> anyhow::Result<report::Line> {
    let name = format!("{} {}", corpus.as_str(), setting.as_str());
    let generator = &mut Generator::new(requests, service.address(), args.connections)?;
    eprintln!("{name}: warm-up");
    let warm_up = generator.saturate(args.seconds.div_ceil(5))?;
    eprintln!("{name}: saturation, {} s", args.seconds);
    let watch = Watch::begin(service)?;
    let saturation = generator.saturate(args.seconds)?;
    let shares = watch.end(&saturation)?;
    let rate = saturation.rate() * args.load;
    eprintln!("{name}: open loop at {rate:.0}/s, {} s", args.seconds * 2);
    let watch = Watch::begin(service)?;
    let open = generator.arrive(rate, args.seconds * 2)?;
    let open_shares = watch.end(&open)?;
    let answers = [&warm_up, &saturation, &open];
    for wrong in answers.iter().filter_map(|phase| phase.first_wrong.as_deref()) {
        eprintln!("{name}: wrong answer: {wrong}");
    }
    let checked = answers.iter().map(|phase| phase.answers).sum();
    let errors = answers.iter().map(|phase| phase.wrong).sum();
    Ok(report::Line {
        corpus,
        setting,
        rate: saturation.rate(),
        shares,
        open_rate: rate,
        open,
        open_shares,
        checked,
        errors,
        memory: service.process().resident_mib()?,
    })
}

/// Who uses the processor during a phase.
struct Watch<'s> {
    service: &'s Service,
    service_before: f64,
    busy_before: f64,
}

impl<'s> Watch<'s> {
    fn begin(service: &'s Service) -> anyhow::Result<Self> {
        let (service_before, busy_before) = (service.process().cpu_seconds()?, machine::busy_seconds()?);
        Ok(Self { service, service_before, busy_before })
    }

    fn end(self, phase: &Phase) -> anyhow::Result<Shares> {
        let service = self.service.process().cpu_seconds()? - self.service_before;
        let others = machine::busy_seconds()? - self.busy_before - service - phase.cpu_seconds;
        Ok(Shares {
            service: service / phase.seconds,
            generator: phase.cpu_seconds / phase.seconds,
            others: others.max(0.0) / phase.seconds,
        })
    }
}
