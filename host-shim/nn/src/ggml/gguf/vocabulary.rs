//! What llama.cpp's tokenizers ask of a vocabulary.

use std::collections::HashSet;

use super::GgufError;
use super::values::{Value, Values, wrong};

const MODEL: &str = "tokenizer.ggml.model";
const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const SPLITTER: &str = "tokenizer.ggml.pre";

/// How byte-pair tokenizers may split a text first. For these llama.cpp has loops; the others go through the C++
/// library's regular expressions, whose stack grows with the text until the process ends.
const SPLITTERS: [&[u8]; 13] = [
    b"command-r",
    b"dbrx",
    b"falcon3",
    b"gpt-2",
    b"llama-bpe",
    b"llama-v3",
    b"llama3",
    b"olmo",
    b"qwen2",
    b"refact",
    b"smollm",
    b"stablelm2",
    b"starcoder",
];

/// Longest token, bytes: those in use have up to 256, runs of blanks.
const MAX_TOKEN_BYTES: usize = 1024;
/// Tokens of a vocabulary without texts.
const MAX_TOKENS: u32 = 4 << 20;
/// A token of bytes, as its type says.
const BYTE: i32 = 6;

/// What the vocabulary is.
pub(super) struct Vocabulary {
    pub(super) n_vocab: u32,
    /// Whether it has a tokenizer.
    pub(super) has_text: bool,
}

/// Checks the vocabulary of a model of the architecture whose keys begin with `prefix`.
pub(super) fn check(values: &Values, prefix: &str) -> Result<Vocabulary, GgufError> {
    let model = values.text(MODEL)?.ok_or_else(|| GgufError::MissingKey { key: MODEL.to_owned() })?;
    // Where llama.cpp takes the begin-of-text and end-of-text tokens from if the file does not say.
    let (begin, end, adds_begin) = match model {
        b"llama" => (1, 2, true),
        b"gpt2" => (11, 11, false),
        // Ends a text by its separator, see `check_pieces`.
        b"bert" => (101, 102, true),
        b"none" | b"no_vocab" => {
            let n_vocab = values.required(&format!("{prefix}.vocab_size"), 1..=MAX_TOKENS)?;
            return Ok(Vocabulary { n_vocab, has_text: false });
        }
        other => {
            let what = format!("tokenizer {}", String::from_utf8_lossy(other));
            return Err(GgufError::Feature { what });
        }
    };
    let tokens = match values.get(TOKENS) {
        Some(Value::Texts(tokens)) if !tokens.is_empty() => tokens,
        Some(_) => return Err(wrong(TOKENS, "not an array of strings, or empty".to_owned())),
        None => return Err(GgufError::MissingKey { key: TOKENS.to_owned() }),
    };
    check_unique(tokens)?;
    check_types(values, tokens)?;
    match values.get(SCORES) {
        None => {}
        Some(Value::Floats32(count)) if *count == tokens.len() as u64 => {}
        Some(_) => return Err(wrong(SCORES, "not a score for each token".to_owned())),
    }
    if model == b"gpt2" {
        check_pairs(values)?;
    }
    // Below the limit of array elements.
    let n_vocab = tokens.len() as u32;
    check_ends(values, n_vocab, begin, end, adds_begin)?;
    if model == b"bert" {
        check_pieces(values, n_vocab)?;
    }
    Ok(Vocabulary { n_vocab, has_text: true })
}

/// What a byte-pair tokenizer has beside tokens.
fn check_pairs(values: &Values) -> Result<(), GgufError> {
    match values.text(SPLITTER)? {
        Some(splitter) if SPLITTERS.contains(&splitter) => {}
        other => {
            let name = String::from_utf8_lossy(other.unwrap_or(b"default")).into_owned();
            return Err(GgufError::Feature { what: format!("pre-tokenizer {name}") });
        }
    }
    match values.get(MERGES) {
        Some(Value::Texts(_)) => Ok(()),
        Some(_) => Err(wrong(MERGES, "not an array of strings".to_owned())),
        None => Err(GgufError::MissingKey { key: MERGES.to_owned() }),
    }
}

/// A tokenizer of word pieces puts a begin before every text and a separator behind it, of which llama.cpp asserts that
/// they are there, and an unknown token in the place of what it does not know.
fn check_pieces(values: &Values, n_vocab: u32) -> Result<(), GgufError> {
    for (which, own) in [("bos", 101), ("seperator", 102), ("unknown", 100)] {
        let key = format!("tokenizer.ggml.{which}_token_id");
        let token = values.size(&key, 0..=u32::MAX)?.filter(|&token| token < n_vocab).unwrap_or(own);
        if token >= n_vocab {
            return Err(wrong(&key, format!("the tokenizer uses token {token}, and there are {n_vocab}")));
        }
    }
    Ok(())
}

/// llama.cpp asserts that no two tokens have the same text; an empty one becomes `[EMPTY_n]`.
fn check_unique(tokens: &[Vec<u8>]) -> Result<(), GgufError> {
    let mut seen = HashSet::with_capacity(tokens.len());
    for (index, token) in tokens.iter().enumerate() {
        let name = || format!("{:.64}", String::from_utf8_lossy(token));
        if token.len() > MAX_TOKEN_BYTES {
            return Err(wrong(TOKENS, format!("token {index} has {} bytes", token.len())));
        }
        if token.is_empty() || token.starts_with(b"[EMPTY_") {
            return Err(wrong(TOKENS, format!("token {index} is empty, or named as llama.cpp names those")));
        }
        if !seen.insert(token.as_slice()) {
            return Err(GgufError::Twice { what: "token", name: name() });
        }
    }
    Ok(())
}

/// llama.cpp reads two digits out of the text of a token of bytes, `<0x0A>`.
fn check_types(values: &Values, tokens: &[Vec<u8>]) -> Result<(), GgufError> {
    let types = match values.get(TYPES) {
        None => return Ok(()),
        Some(Value::Integers32(types)) if types.len() == tokens.len() => types,
        Some(_) => return Err(wrong(TYPES, "not a type for each token".to_owned())),
    };
    for (index, (token, ty)) in tokens.iter().zip(types).enumerate() {
        let is_byte = || {
            token.len() == 6
                && token.starts_with(b"<0x")
                && token.ends_with(b">")
                && token[3..5].iter().all(u8::is_ascii_hexdigit)
        };
        if *ty == BYTE && !is_byte() {
            return Err(wrong(TYPES, format!("token {index} is no byte")));
        }
    }
    Ok(())
}

/// llama.cpp asserts that a text's begin and end have a token if the tokenizer adds them. It falls back to the
/// tokenizer's own where the file names none, or one that is out of range.
fn check_ends(
    values: &Values,
    n_vocab: u32,
    begin: u32,
    end: u32,
    adds_begin: bool,
) -> Result<(), GgufError> {
    for (which, own, adds) in [("bos", begin, adds_begin), ("eos", end, false)] {
        let key = format!("tokenizer.ggml.{which}_token_id");
        let token = values.size(&key, 0..=u32::MAX)?.filter(|&token| token < n_vocab).unwrap_or(own);
        let adds = match values.bool(&format!("tokenizer.ggml.add_{which}_token"))? {
            Some(adds) => adds,
            // Some pre-tokenizers add the begin.
            None => adds || (which == "bos" && values.get(SPLITTER).is_some()),
        };
        if adds && token >= n_vocab {
            return Err(wrong(&key, format!("the tokenizer adds token {token}, and there are {n_vocab}")));
        }
    }
    Ok(())
}
