//! Which architectures there are, and what they have in common.

use std::ops::RangeInclusive;

use super::tensors::Tensors;
use super::values::{Value, Values, wrong};
use super::vocabulary::Vocabulary;
use super::{GgufError, bert, llama};
use crate::ggml::config::Pooling;

/// Layers: llama.cpp's own bound.
pub(super) const LAYERS: RangeInclusive<u32> = 1..=512;
/// Widths and counts of heads: 8 times those of the largest models, so that products stay far below 64 bits.
pub(super) const WIDTH: RangeInclusive<u32> = 1..=1 << 17;
/// Positions trained on: the longest in use are 10 million.
pub(super) const POSITIONS: RangeInclusive<u32> = 1..=1 << 24;

/// What a checked model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Layers.
    pub(crate) n_layer: u32,
    /// Heads of a layer.
    pub(crate) n_head: u32,
    /// Width of the feed-forward part.
    pub(crate) n_ff: u32,
    /// Width of the hidden state, and so of an embedding.
    pub(crate) n_embd: u32,
    /// Width of the keys of all heads of a layer, and so of the values.
    pub(crate) n_embd_kv: u32,
    /// Positions that it was trained on.
    pub(crate) n_ctx_train: u32,
    /// Tokens of the vocabulary.
    pub(crate) n_vocab: u32,
    /// Whether it has a tokenizer; else it only takes token ids.
    pub(crate) has_text: bool,
    /// Whether a token sees earlier ones alone: a decoder, which writes texts.
    pub(crate) causal: bool,
    /// What the file says that a vector is made of.
    pub(crate) pooling: Option<Pooling>,
}

/// An architecture that is known. Llama stands for a family: Llama 1 to 3, Mistral, SmolLM, TinyLlama, Yi; BERT for the
/// sentence encoders made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    Llama,
    Bert,
}

impl Architecture {
    /// Which it is; every key of it is checked.
    pub(super) fn of(values: &Values) -> Result<Self, GgufError> {
        let key = "general.architecture";
        let name = values.text(key)?.ok_or_else(|| GgufError::MissingKey { key: key.to_owned() })?;
        let architecture = match name {
            b"llama" => Self::Llama,
            b"bert" => Self::Bert,
            other => {
                return Err(GgufError::Architecture { name: String::from_utf8_lossy(other).into_owned() });
            }
        };
        match architecture {
            Self::Llama => llama::check_values(values)?,
            Self::Bert => bert::check_values(values)?,
        }
        match values.get("split.count") {
            None | Some(Value::Integer(0 | 1)) => Ok(architecture),
            Some(_) => Err(GgufError::Feature { what: "a model in several files".to_owned() }),
        }
    }

    /// What its keys begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Bert => "bert",
        }
    }

    /// Checks metadata and tensors of a model with this vocabulary.
    pub(super) fn check(
        self,
        values: &Values,
        tensors: &Tensors,
        vocabulary: &Vocabulary,
    ) -> Result<Outline, GgufError> {
        match self {
            Self::Llama => llama::check(values, tensors, vocabulary),
            Self::Bert => bert::check(values, tensors, vocabulary),
        }
    }
}

/// Refuses a key of the architecture that is not known: it would make a model that this check knows nothing of.
pub(super) fn check_keys(values: &Values, prefix: &str, known: &[&str]) -> Result<(), GgufError> {
    for key in values.keys() {
        if let Some(rest) = key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'))
            && !known.contains(&rest)
        {
            return Err(GgufError::Feature { what: format!("metadata key {key}") });
        }
    }
    Ok(())
}

/// What the file says that a vector is made of, as llama.cpp numbers it.
pub(super) fn pooling(values: &Values, prefix: &str) -> Result<Option<Pooling>, GgufError> {
    let key = format!("{prefix}.pooling_type");
    match values.get(&key) {
        None | Some(Value::Integer(0)) => Ok(None),
        Some(Value::Integer(1)) => Ok(Some(Pooling::Mean)),
        Some(Value::Integer(2)) => Ok(Some(Pooling::First)),
        Some(Value::Integer(3)) => Ok(Some(Pooling::Last)),
        Some(Value::Integer(4)) => {
            Err(GgufError::Feature { what: "a model that scores pairs of texts".to_owned() })
        }
        Some(_) => Err(wrong(&key, "none of 0 to 4".to_owned())),
    }
}
