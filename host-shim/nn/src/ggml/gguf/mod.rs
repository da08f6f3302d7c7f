//! A strict check of GGUF files.
//!
//! llama.cpp trusts its input: it asserts what it expects, and a failed assertion ends the process; it also reserves
//! memory by counts that the file states. A model may come from a guest, so it is read here first. Only what is
//! known to be sound passes: two architectures, the keys and tensors that belong to it, sizes that agree with each
//! other and with the length of the file. It reads the metadata and the directory of tensors, never the weights.

mod architecture;
mod bert;
mod llama;
mod reader;
mod tensors;
mod values;
mod vocabulary;

use std::io::Read;

pub(crate) use architecture::Outline;

use architecture::Architecture;
use reader::Reader;
use tensors::Tensors;
use values::{Value, Values, wrong};

/// Versions that llama.cpp reads: 1 had other counts.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
/// Places of tensors: multiples of 32 at least, because llama.cpp computes on mapped files with vector instructions;
/// of a page at most, because more is only padding.
const ALIGNMENTS: std::ops::RangeInclusive<u32> = 32..=4096;

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GgufError {
    #[error("not a GGUF file: it begins with {0:02x?}")]
    Magic([u8; 4]),
    #[error("GGUF version {0}; 2 and 3 are known")]
    Version(u32),
    #[error("the file ends too early: more was expected at byte {at}")]
    Truncated { at: u64 },
    #[error("{found} {what}, more than {limit}")]
    Count { what: &'static str, found: u64, limit: u64 },
    #[error("a string of {length} bytes at byte {at}, longer than {limit}")]
    StringLength { at: u64, length: u64, limit: u64 },
    #[error("the name at byte {at} is empty or not text")]
    Name { at: u64 },
    #[error("{what} `{name}` is there twice")]
    Twice { what: &'static str, name: String },
    #[error("metadata key {key} is missing")]
    MissingKey { key: String },
    #[error("metadata key {key}: {reason}")]
    Value { key: String, reason: String },
    #[error("tensor {name} is missing")]
    MissingTensor { name: String },
    #[error("tensor {name}: {reason}")]
    Tensor { name: String, reason: String },
    #[error("architecture `{name}`")]
    Architecture { name: String },
    #[error("{what}")]
    Feature { what: String },
}

impl GgufError {
    /// Whether the file may be sound, and only not for this engine.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(self, Self::Architecture { .. } | Self::Feature { .. })
    }
}

/// Checks a model of `length` bytes and says what it is.
pub(crate) fn check<R: Read>(model: R, length: u64) -> Result<Outline, GgufError> {
    let mut reader = Reader::new(model, length);
    let magic = reader.magic()?;
    if magic != *b"GGUF" {
        return Err(GgufError::Magic(magic));
    }
    let version = reader.u32()?;
    if !VERSIONS.contains(&version) {
        return Err(GgufError::Version(version));
    }
    let (n_tensors, n_keys) = (reader.u64()?, reader.u64()?);
    let values = Values::read(&mut reader, n_keys)?;
    let architecture = Architecture::of(&values)?;
    let vocabulary = vocabulary::check(&values, architecture.prefix())?;
    let tensors = Tensors::read(&mut reader, n_tensors, alignment(&values)?)?;
    architecture.check(&values, &tensors, &vocabulary)
}

fn alignment(values: &Values) -> Result<u64, GgufError> {
    const KEY: &str = "general.alignment";
    match values.get(KEY) {
        None => Ok((*ALIGNMENTS.start()).into()),
        Some(Value::Integer(_)) => {
            let alignment = values.required(KEY, ALIGNMENTS)?;
            if !alignment.is_power_of_two() {
                return Err(wrong(KEY, format!("{alignment} is no power of two")));
            }
            Ok(alignment.into())
        }
        Some(_) => Err(wrong(KEY, "not an integer".to_owned())),
    }
}
