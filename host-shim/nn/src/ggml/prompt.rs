//! A prompt as tokens: text through the model's tokenizer, or token ids as they are.

use super::ENGINE;
use super::generation::compute;
use super::graph::Loaded;
use super::log::Echo;
use crate::{ArgumentError, NnError, TensorView};

/// Bytes of a prompt for each token that fits into the context. A token has four on average and seldom more than
/// ten; a longer prompt would not fit, and its tokens are not even counted, because that takes time and, in some
/// tokenizers, stack with each of its bytes.
const MAX_BYTES_PER_TOKEN: usize = 64;

/// The tokens of a text, for a context of `context_tokens`.
pub(super) fn tokenize(
    loaded: &Loaded,
    context_tokens: u32,
    bytes: &[u8],
    echo: Echo,
) -> Result<Vec<i32>, NnError> {
    if !loaded.outline.has_text {
        let what = "text for a model without a tokenizer".to_owned();
        return Err(NnError::Unsupported { engine: ENGINE, what });
    }
    let limit = context_tokens as usize * MAX_BYTES_PER_TOKEN;
    if bytes.len() > limit {
        let (found, limit) = (bytes.len() as u64, limit as u64);
        return Err(NnError::Limit { what: "prompt bytes", found, limit });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| mismatch(format!("text that is no UTF-8: {error}"), "UTF-8".to_owned()))?;
    loaded.model.tokenize(text, echo).map_err(compute)
}

/// Token ids from a tensor of 32-bit integers.
pub(super) fn check_tokens(loaded: &Loaded, tensor: TensorView<'_>) -> Result<Vec<i32>, NnError> {
    tensor.elements()?;
    let tokens: Vec<i32> = tensor.data.as_chunks().0.iter().map(|token| i32::from_le_bytes(*token)).collect();
    let n_vocab = loaded.outline.n_vocab;
    match tokens.iter().find(|&&token| u32::try_from(token).map_or(true, |token| token >= n_vocab)) {
        None => Ok(tokens),
        Some(token) => Err(mismatch(format!("token {token}"), format!("tokens below {n_vocab}"))),
    }
}

pub(super) fn mismatch(found: String, expected: String) -> NnError {
    ArgumentError::Mismatch { input: "prompt".to_owned(), found, expected }.into()
}
