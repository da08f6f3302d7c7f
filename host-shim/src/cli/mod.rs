//! The command line: one file a subcommand, each with its arguments and its printing.
//!
//! Exit codes: 0 done, 1 the guest or the system failed (trap, deadline, memory, disk), 2 the arguments or the
//! input are at fault, 3 the guest's function returned its error, which is printed.

mod bench;
mod failure;
mod invoke;
mod options;
mod serve;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::Failure;

/// Run endcap's guests under wasmtime: for local work, tests and benchmarks, not for production.
#[derive(Debug, Parser)]
#[command(name = "endcap-host", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Invoke(invoke::Args),
    Serve(serve::Args),
    Bench(bench::Args),
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Invoke(args) => invoke::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure);
            failure.exit_code()
        }
    }
}

/// Prints to stdout. A reader that has gone away (`| head`) is no failure.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::System(error.into())),
        _ => Ok(()),
    }
}

/// Prints a line to stderr. Where that is closed there is nobody to tell.
fn tell(line: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
