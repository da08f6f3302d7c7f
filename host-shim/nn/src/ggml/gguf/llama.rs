//! What the Llama architecture asks of metadata and tensors: where llama.cpp would assert, and abort the process,
//! this refuses.

use super::architecture::{LAYERS, POSITIONS, WIDTH, check_keys, pooling};
use super::tensors::Tensors;
use super::values::{Value, Values, wrong};
use super::vocabulary::Vocabulary;
use super::{GgufError, Outline};

/// Keys of the architecture that are understood. Any other would make a model that this check knows nothing of, such
/// as a mixture of experts or a sliding window.
const KEYS: [&str; 22] = [
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "expert_count",
    "expert_used_count",
    "feed_forward_length",
    "pooling_type",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "vocab_size",
];

/// Widths that the tensors must have.
struct Widths {
    embd: u64,
    q: u64,
    kv: u64,
    ff: u64,
    rope: u64,
    vocab: u64,
}

/// Checks metadata and tensors of a model with this vocabulary.
pub(super) fn check(
    values: &Values,
    tensors: &Tensors,
    vocabulary: &Vocabulary,
) -> Result<Outline, GgufError> {
    let &Vocabulary { n_vocab, has_text } = vocabulary;
    let n_embd = values.required("llama.embedding_length", WIDTH)?;
    let n_layer = values.required("llama.block_count", LAYERS)?;
    let n_head = values.required("llama.attention.head_count", WIDTH)?;
    let n_head_kv = values.size("llama.attention.head_count_kv", WIDTH)?.unwrap_or(n_head);
    let n_ctx_train = values.required("llama.context_length", POSITIONS)?;
    let n_ff = values.required("llama.feed_forward_length", WIDTH)?;
    if !n_head.is_multiple_of(n_head_kv) {
        return Err(wrong(
            "llama.attention.head_count_kv",
            format!("{n_head} heads do not share {n_head_kv} evenly"),
        ));
    }
    let head = head_width(values, n_embd, n_head)?;
    check_numbers(values)?;
    let widths = Widths {
        embd: n_embd.into(),
        q: u64::from(head) * u64::from(n_head),
        kv: u64::from(head) * u64::from(n_head_kv),
        ff: n_ff.into(),
        rope: u64::from(head / 2),
        vocab: n_vocab.into(),
    };
    check_tensors(tensors, n_layer, &widths)?;
    // Within the sizes of the tensors, and so of the file.
    let n_embd_kv = widths.kv as u32;
    Ok(Outline {
        n_layer,
        n_head,
        n_ff,
        n_embd,
        n_embd_kv,
        n_ctx_train,
        n_vocab,
        has_text,
        causal: true,
        pooling: pooling(values, "llama")?,
    })
}

/// Checks every key of the architecture.
pub(super) fn check_values(values: &Values) -> Result<(), GgufError> {
    check_keys(values, "llama", &KEYS)?;
    for key in ["llama.expert_count", "llama.expert_used_count"] {
        match values.get(key) {
            None | Some(Value::Integer(0)) => {}
            Some(_) => return Err(GgufError::Feature { what: "a mixture of experts".to_owned() }),
        }
    }
    if values.bool("llama.attention.causal")? == Some(false) {
        return Err(GgufError::Feature { what: "attention to later tokens".to_owned() });
    }
    Ok(())
}

/// Width of a head's keys, values and rotation, which must be the same.
fn head_width(values: &Values, n_embd: u32, n_head: u32) -> Result<u32, GgufError> {
    let key = "llama.attention.key_length";
    let width = match values.size(key, WIDTH)? {
        Some(width) => width,
        None if n_embd.is_multiple_of(n_head) => n_embd / n_head,
        None => {
            return Err(wrong("llama.attention.head_count", format!("{n_embd} is no multiple of {n_head}")));
        }
    };
    // Rotation turns pairs.
    if !width.is_multiple_of(2) {
        return Err(wrong(key, format!("a head of {width} has no pairs")));
    }
    // Absent, both fall back to the width that the heads share, whatever the keys are.
    let shared = n_embd / n_head;
    let value_length = values.size("llama.attention.value_length", WIDTH)?.unwrap_or(shared);
    if value_length != width {
        return Err(wrong("llama.attention.value_length", format!("{value_length}, {width} expected")));
    }
    let rotated = values.size("llama.rope.dimension_count", WIDTH)?.unwrap_or(width);
    if rotated != width {
        return Err(wrong("llama.rope.dimension_count", format!("{rotated}, {width} expected")));
    }
    Ok(width)
}

/// Checks the numbers that llama.cpp divides by, takes logarithms of, or names an enumeration with.
fn check_numbers(values: &Values) -> Result<(), GgufError> {
    let key = "llama.attention.layer_norm_rms_epsilon";
    match values.float(key)? {
        Some(epsilon) if (0.0..1.0).contains(&epsilon) => {}
        Some(epsilon) => return Err(wrong(key, format!("{epsilon} is not in 0..1"))),
        None => return Err(GgufError::MissingKey { key: key.to_owned() }),
    }
    for key in [
        "llama.rope.freq_base",
        "llama.rope.scale_linear",
        "llama.rope.scaling.factor",
        "llama.rope.scaling.attn_factor",
    ] {
        if let Some(value) = values.float(key)?
            && !(value > 0.0 && value < 1e12)
        {
            return Err(wrong(key, format!("{value} is not in 0..1e12")));
        }
    }
    values.size("llama.rope.scaling.original_context_length", POSITIONS)?;
    values.bool("llama.rope.scaling.finetuned")?;
    match values.text("llama.rope.scaling.type")? {
        None | Some(b"none" | b"linear" | b"yarn") => Ok(()),
        Some(other) => {
            let what = format!("rope scaling {}", String::from_utf8_lossy(other));
            Err(GgufError::Feature { what })
        }
    }
}

fn check_tensors(tensors: &Tensors, n_layer: u32, widths: &Widths) -> Result<(), GgufError> {
    let &Widths { embd, q, kv, ff, rope, vocab } = widths;
    let mut known = tensors.known();
    known.matrix("token_embd.weight", vocab, embd, true)?;
    known.matrix("output.weight", vocab, embd, false)?;
    // llama.cpp adds and multiplies by these in single precision, and aborts over any other.
    known.singles("output_norm.weight", 1, embd, true)?;
    known.singles("rope_freqs.weight", 1, rope, false)?;
    for layer in 0..n_layer {
        for (name, rows, columns) in [
            ("attn_q", q, embd),
            ("attn_k", kv, embd),
            ("attn_v", kv, embd),
            ("attn_output", embd, q),
            ("ffn_gate", ff, embd),
            ("ffn_up", ff, embd),
            ("ffn_down", embd, ff),
        ] {
            known.matrix(&format!("blk.{layer}.{name}.weight"), rows, columns, true)?;
            known.singles(&format!("blk.{layer}.{name}.bias"), 1, rows, false)?;
        }
        for name in ["attn_norm", "ffn_norm"] {
            known.singles(&format!("blk.{layer}.{name}.weight"), 1, embd, true)?;
        }
    }
    known.nothing_else()
}
