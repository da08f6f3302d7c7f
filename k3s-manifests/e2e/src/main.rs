//! Runs the pods of the rendered manifests on real containerd, by a real kubelet, under load: see README.md.
//!
//! `scripts/e2e.sh` calls it inside a machine of its own (`scripts/cluster/enter.sh`).

#![allow(
    clippy::disallowed_methods,
    reason = "processes of other programs say nothing when they change: they are asked, with a deadline"
)]

mod balancer;
mod cluster;
mod container;
mod http;
mod images;
mod kubelet;
mod load;
mod manifest;
mod node;
mod registry;
mod report;
mod runtime;
mod speed;
mod starts;
mod steps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
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
    /// Write the image of a program that does nothing.
    Empty {
        /// Archive to write.
        out: PathBuf,
    },
    /// Copy a compiled program as another version of WasmEdge would have compiled it: 0.14.1 interprets it.
    OtherAot {
        /// The program.
        program: PathBuf,
        /// File to write.
        out: PathBuf,
    },
    /// Run the pods by a kubelet alone.
    Run(Box<steps::Settings>),
    /// Run a whole cluster on one node, as an operator does.
    Cluster(Box<cluster::Settings>),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Pause { program, out } => images::pause(&program, &out).map(|()| true),
        Command::Empty { out } => images::empty(&out).map(|()| true),
        Command::OtherAot { program, out } => other_aot(&program, &out).map(|()| true),
        Command::Run(settings) => steps::run(&settings),
        Command::Cluster(settings) => cluster::run(&settings),
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

/// Sets the version of the section of compiled code to the one that follows.
fn other_aot(program: &Path, out: &Path) -> anyhow::Result<()> {
    const SECTION: &[u8] = b"\x08wasmedge\x01";
    let mut bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    let at = bytes.windows(SECTION.len()).rposition(|window| window == SECTION);
    let at = at.with_context(|| format!("{} holds no compiled code of version 1", program.display()))?;
    bytes[at + SECTION.len() - 1] = 2;
    std::fs::write(out, bytes).with_context(|| out.display().to_string())
}
