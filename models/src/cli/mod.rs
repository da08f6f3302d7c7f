//! The command line: one file a subcommand, each with its arguments and its printing.
//!
//! A subcommand turns its raw arguments into the validated plan of its module, runs it, and prints. Exit codes:
//! 0 done, 1 the system failed (disk, memory, a bug), 2 the input or the arguments are at fault.

mod ask;
mod content;
mod evaluate;
mod failure;
mod fit;
mod gate;
#[cfg(feature = "image")]
mod image;
mod import;
mod inspect;
mod pack;
mod simulate;
mod train;
#[cfg(feature = "encoder")]
mod tune;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::Failure;

/// From a shop's logs to a model that an edge node serves.
#[derive(Debug, Parser)]
#[command(name = "endcap-model", version, arg_required_else_help = true)]
#[cfg_attr(
    not(all(feature = "encoder", feature = "image", feature = "ranker", feature = "text")),
    command(
        after_help = "A build for the demo, without `image`, `train --encoder`, `train --text-model`, `tune` and `pack --ranker`: `make tools` builds \
                      all of it."
    )
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::Args),
    Simulate(simulate::Args),
    Train(train::Args),
    #[cfg(feature = "encoder")]
    Tune(tune::Args),
    Evaluate(evaluate::Args),
    Pack(pack::Args),
    #[cfg(feature = "image")]
    Image(image::Args),
    Inspect(inspect::Args),
    Ask(ask::Args),
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Import(args) => import::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Train(args) => train::run(&args),
        #[cfg(feature = "encoder")]
        Command::Tune(args) => tune::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Pack(args) => pack::run(&args),
        #[cfg(feature = "image")]
        Command::Image(args) => image::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Ask(args) => ask::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            failure.exit_code()
        }
    }
}

/// The running command, for a model card: paths lose their folders, which are nobody's business.
fn command() -> String {
    let word = |argument: String| {
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (format!("{option}="), value.to_owned()),
            _ => (String::new(), argument),
        };
        let value = if value.contains('/') {
            std::path::Path::new(&value).file_name().unwrap_or_default().to_string_lossy().into_owned()
        } else {
            value
        };
        // As a shell takes it.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:=@%+".contains(c);
        let quoted = if !value.is_empty() && value.chars().all(plain) {
            value
        } else {
            format!("'{}'", value.replace('\'', "'\\''"))
        };
        option + &quoted
    };
    std::iter::once("endcap-model".to_owned())
        .chain(std::env::args().skip(1).map(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Prints to stdout. A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::internal(e)),
        _ => Ok(()),
    }
}

/// Prints one JSON object to stdout.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(Failure::internal)?;
    print(&format!("{json}\n"))
}
