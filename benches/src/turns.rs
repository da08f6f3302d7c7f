//! Comparing in turns: the same loop as a native program and compiled for WasmEdge, medians, and the report.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use crate::machine;

/// One loop as several programs.
#[derive(Debug, clap::Args)]
pub struct Programs {
    /// The loop for this machine.
    #[arg(long)]
    native: PathBuf,
    /// The loop compiled ahead of time, as NAME=FILE; more than once.
    #[arg(long = "aot", value_name = "NAME=FILE", value_parser = parse_named)]
    aot: Vec<(String, PathBuf)>,
}

fn parse_named(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("give NAME=FILE")?;
    Ok((name.to_owned(), file.into()))
}

impl Programs {
    /// Each program by its name, `native` first, ready to run in `folder` with further arguments. The compiled ones
    /// may read it.
    pub fn commands(&self, wasmedge: &Path, folder: &Path) -> Vec<(String, Command)> {
        let mut native = Command::new(&self.native);
        native.current_dir(folder);
        let compiled = self.aot.iter().map(|(name, file)| {
            let mut command = Command::new(wasmedge);
            command.arg("--dir").arg(format!(".:{}:readonly", folder.display())).arg(file);
            (name.clone(), command)
        });
        std::iter::once(("native".to_owned(), native)).chain(compiled).collect()
    }
}

/// The middle of at least one figure; of an even number, the upper of the two.
pub fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_unstable_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// Writes the figures with date and machine, if a file is named.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_report(path: Option<&Path>, lines: &[Value]) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let report = json!({"date": machine::now(), "machine": machine::describe(), "lines": lines});
    std::fs::write(path, format!("{report:#}\n")).with_context(|| format!("cannot write {}", path.display()))
}
