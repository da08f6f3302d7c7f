//! GGML models of the Llama family and sentence encoders, by llama.cpp. What guests see is written in `README.md` beside this file.

mod config;
mod context;
mod generation;
mod gguf;
mod graph;
mod lent;
mod log;
mod memory;
mod native;
mod outputs;
mod prompt;
mod sampler;

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

use config::Config;
use gguf::GgufError;

use crate::engine::GraphBackend;
use crate::{ArgumentError, Device, Limits, NnError};

/// The name of this engine in errors.
const ENGINE: &str = "ggml";

/// Loads a model from its bytes, and optionally its metadata as a second part, as WasmEdge has it. `metadata` comes
/// first where both are given.
pub(crate) fn load(
    parts: &[&[u8]],
    device: Device,
    limits: &Limits,
    metadata: Option<&str>,
) -> Result<Box<dyn GraphBackend>, NnError> {
    let (model, part) = match *parts {
        [model] => (model, None),
        [model, part] => (model, Some(text(part)?)),
        _ => {
            let (found, expected) = (parts.len(), "a model, and optionally its metadata");
            return Err(ArgumentError::Builders { found, expected }.into());
        }
    };
    let config = configure(limits, [metadata, part])?;
    // Before the copy: what is refused should cost little.
    let outline = gguf::check(model, model.len() as u64)?;
    let file = memory::file_of(model).map_err(|error| failed(format!("no memory for the model: {error}")))?;
    graph::load(file, outline, config, device, limits)
}

/// Loads a model from its file, which is mapped. Whoever may write to the file may crash the process as long as the
/// model is loaded; replace such files by renaming, or say `"use-mmap": false`.
pub(crate) fn load_file(
    path: &Path,
    device: Device,
    limits: &Limits,
    metadata: Option<&str>,
) -> Result<Box<dyn GraphBackend>, NnError> {
    let config = configure(limits, [metadata, None])?;
    let unreadable = |error: std::io::Error| failed(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let outline = gguf::check(BufReader::new(&file), length)?;
    file.rewind().map_err(unreadable)?;
    graph::load(file, outline, config, device, limits)
}

fn configure(limits: &Limits, metadata: [Option<&str>; 2]) -> Result<Config, NnError> {
    metadata.into_iter().flatten().try_fold(Config::default(), |config, json| config.with(json, limits))
}

/// Metadata as text.
fn text(bytes: &[u8]) -> Result<&str, NnError> {
    std::str::from_utf8(bytes)
        .map_err(|error| ArgumentError::Metadata { reason: format!("no UTF-8: {error}") }.into())
}

/// The model cannot be used.
fn failed(reason: String) -> NnError {
    NnError::Model { engine: ENGINE, reason }
}

impl From<GgufError> for NnError {
    fn from(error: GgufError) -> Self {
        if error.is_unsupported() {
            Self::Unsupported { engine: ENGINE, what: error.to_string() }
        } else {
            failed(error.to_string())
        }
    }
}
