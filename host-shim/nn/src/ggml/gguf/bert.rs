//! What the BERT architecture asks of metadata and tensors, as `llama.rs` says it of Llama's.

use super::architecture::{LAYERS, POSITIONS, WIDTH, check_keys, pooling};
use super::tensors::Tensors;
use super::values::{Values, wrong};
use super::vocabulary::Vocabulary;
use super::{GgufError, Outline};

/// Keys of the architecture that are understood.
const KEYS: [&str; 10] = [
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_epsilon",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "pooling_type",
    "vocab_size",
];
/// Kinds of tokens: a first and a second sentence, in those in use.
const KINDS: std::ops::RangeInclusive<u32> = 1..=16;

/// Checks metadata and tensors of a model with this vocabulary.
pub(super) fn check(
    values: &Values,
    tensors: &Tensors,
    vocabulary: &Vocabulary,
) -> Result<Outline, GgufError> {
    let n_embd = values.required("bert.embedding_length", WIDTH)?;
    let n_layer = values.required("bert.block_count", LAYERS)?;
    let key = "bert.attention.head_count";
    let n_head = values.required(key, WIDTH)?;
    let n_ctx_train = values.required("bert.context_length", POSITIONS)?;
    let n_ff = values.required("bert.feed_forward_length", WIDTH)?;
    if !n_embd.is_multiple_of(n_head) {
        return Err(wrong(key, format!("{n_embd} is no multiple of {n_head}")));
    }
    let key = "bert.attention.head_count_kv";
    match values.size(key, WIDTH)? {
        None => {}
        Some(shared) if shared == n_head => {}
        Some(shared) => return Err(wrong(key, format!("{shared}, {n_head} expected"))),
    }
    let key = "bert.attention.layer_norm_epsilon";
    match values.float(key)? {
        Some(epsilon) if (0.0..1.0).contains(&epsilon) => {}
        Some(epsilon) => return Err(wrong(key, format!("{epsilon} is not in 0..1"))),
        None => return Err(GgufError::MissingKey { key: key.to_owned() }),
    }
    let n_kinds = values.required("tokenizer.ggml.token_type_count", KINDS)?;
    let sizes = [n_embd, n_ff, vocabulary.n_vocab, n_ctx_train, n_kinds].map(u64::from);
    check_tensors(tensors, n_layer, sizes)?;
    Ok(Outline {
        n_layer,
        n_head,
        n_ff,
        n_embd,
        n_embd_kv: n_embd,
        n_ctx_train,
        n_vocab: vocabulary.n_vocab,
        has_text: vocabulary.has_text,
        causal: false,
        pooling: pooling(values, "bert")?,
    })
}

/// Checks every key of the architecture.
pub(super) fn check_values(values: &Values) -> Result<(), GgufError> {
    check_keys(values, "bert", &KEYS)?;
    if values.bool("bert.attention.causal")? == Some(true) {
        return Err(GgufError::Feature {
            what: "an encoder with attention to earlier tokens alone".to_owned(),
        });
    }
    Ok(())
}

fn check_tensors(tensors: &Tensors, n_layer: u32, sizes: [u64; 5]) -> Result<(), GgufError> {
    let [embd, ff, vocab, positions, kinds] = sizes;
    let mut known = tensors.known();
    known.matrix("token_embd.weight", vocab, embd, true)?;
    known.matrix("position_embd.weight", positions, embd, true)?;
    // Added in single precision, of which llama.cpp asserts that it is.
    known.singles("token_types.weight", kinds, embd, false)?;
    for part in ["weight", "bias"] {
        known.singles(&format!("token_embd_norm.{part}"), 1, embd, true)?;
    }
    for layer in 0..n_layer {
        for (name, rows, columns) in [
            ("attn_q", embd, embd),
            ("attn_k", embd, embd),
            ("attn_v", embd, embd),
            ("attn_output", embd, embd),
            ("ffn_up", ff, embd),
            ("ffn_down", embd, ff),
        ] {
            known.matrix(&format!("blk.{layer}.{name}.weight"), rows, columns, true)?;
            known.singles(&format!("blk.{layer}.{name}.bias"), 1, rows, false)?;
        }
        for name in ["attn_output_norm", "layer_output_norm"] {
            for part in ["weight", "bias"] {
                known.singles(&format!("blk.{layer}.{name}.{part}"), 1, embd, true)?;
            }
        }
    }
    known.nothing_else()
}
