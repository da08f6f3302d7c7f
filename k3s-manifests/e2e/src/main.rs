//! Runs the pods of the rendered manifests on real containerd, by a real kubelet, under load: see README.md.
//!
//! `scripts/e2e.sh` calls it inside a machine of its own (`scripts/cluster/enter.sh`).

#![allow(
    clippy::disallowed_methods,
    reason = "processes of other programs say nothing when they change: they are asked, with a deadline"
)]

mod balancer;
mod container;
mod http;
mod kubelet;
mod load;
mod manifest;
mod node;
mod pause;
mod report;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// End-to-end checks on containerd.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the image of the sandboxes' program.
    Pause {
        /// The program, linked statically.
        program: PathBuf,
        /// Archive to write.
        out: PathBuf,
    },
    /// Run all steps.
    Run(Box<steps::Settings>),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Pause { program, out } => pause::write(&program, &out).map(|()| true),
        Command::Run(settings) => steps::run(&settings),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("e2e: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
