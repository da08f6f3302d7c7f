//! `endcap-host bench`.

mod calls;
mod program;
mod report;

use std::path::PathBuf;

use clap::value_parser;
use serde_json::Value;

use super::invoke::parse;
use super::options::{Guest, Options, read};
use super::{Failure, print};
use report::Report;

/// Time a guest: its start, and calls of one function of a component or lines given to a core module.
///
/// Every answer is held against the first one to the same request; an answer that differs is an error, unless
/// --changing says that the function is meant to. Arguments are read from JSON before the clock starts.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
    /// Function to call; none for a core module.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Requests, one JSON text a line, taken in turn; without it one call without arguments.
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Calls that are timed.
    #[arg(long, short, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    n: u32,
    /// Calls before that.
    #[arg(long, default_value_t = 200)]
    warm_up: u32,
    /// Field that may differ from answer to answer, in kebab-case. May be repeated.
    #[arg(long, value_name = "FIELD", default_value = "recomm-id")]
    ignore: Vec<String>,
    /// Do not compare answers.
    #[arg(long)]
    changing: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let host = args.options.host()?;
    let report = match args.options.guest(&host)? {
        Guest::Component(service) => calls::measure(args, &host, &service)?,
        Guest::Module(program) => program::measure(args, &program)?,
    };
    print(report.show(args.json).as_bytes())
}

/// The lines of --requests, not empty.
fn lines(args: &Args) -> Result<Vec<String>, Failure> {
    let Some(path) = &args.requests else { return Ok(vec!["null".to_owned()]) };
    let text = String::from_utf8(read(path)?).map_err(Failure::input)?;
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Failure::Input(anyhow::anyhow!("{}: no requests", path.display())));
    }
    Ok(lines)
}

/// The lines as JSON; a message names the line.
fn requests(args: &Args) -> Result<Vec<Value>, Failure> {
    let numbered = lines(args)?.into_iter().zip(1..);
    numbered
        .map(|(line, number)| {
            parse(line.as_bytes())
                .map_err(|failure| Failure::Input(anyhow::anyhow!("request {number}: {failure}")))
        })
        .collect()
}

fn differs(request: usize) -> Failure {
    Failure::System(anyhow::anyhow!(
        "request {} has had two different answers; --changing or --ignore FIELD where that is meant",
        request + 1
    ))
}
