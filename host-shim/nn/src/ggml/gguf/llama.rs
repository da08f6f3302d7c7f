//! What the Llama architecture asks of metadata and tensors: where llama.cpp would assert, and abort the process,
//! this refuses.

use std::ops::RangeInclusive;

use super::GgufError;
use super::tensors::{F32, Tensors, tensor};
use super::values::{Value, Values, wrong};

/// The architecture that models must have. It stands for a family: Llama 1 to 3, Mistral, SmolLM, TinyLlama, Yi.
const ARCHITECTURE: &[u8] = b"llama";

/// Layers: llama.cpp's own bound.
const LAYERS: RangeInclusive<u32> = 1..=512;
/// Widths and counts of heads: 8 times those of the largest models, so that products stay far below 64 bits.
const WIDTH: RangeInclusive<u32> = 1..=1 << 17;
/// Positions trained on: the longest in use are 10 million.
const POSITIONS: RangeInclusive<u32> = 1..=1 << 24;

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
}

/// Widths that the tensors must have.
struct Widths {
    embd: u64,
    q: u64,
    kv: u64,
    ff: u64,
    rope: u64,
    vocab: u64,
}

/// Checks metadata and tensors of a model whose vocabulary has `n_vocab` tokens.
pub(super) fn check(
    values: &Values,
    tensors: &Tensors,
    n_vocab: u32,
    has_text: bool,
) -> Result<Outline, GgufError> {
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
    Ok(Outline { n_layer, n_head, n_ff, n_embd, n_embd_kv, n_ctx_train, n_vocab, has_text })
}

/// Checks that the architecture is known, and every key of it.
pub(super) fn check_architecture(values: &Values) -> Result<(), GgufError> {
    let key = "general.architecture";
    let name = values.text(key)?.ok_or_else(|| GgufError::MissingKey { key: key.to_owned() })?;
    if name != ARCHITECTURE {
        return Err(GgufError::Architecture { name: String::from_utf8_lossy(name).into_owned() });
    }
    for key in values.keys() {
        if let Some(rest) = key.strip_prefix("llama.")
            && !KEYS.contains(&rest)
        {
            return Err(GgufError::Feature { what: format!("metadata key {key}") });
        }
    }
    for key in ["llama.expert_count", "llama.expert_used_count"] {
        match values.get(key) {
            None | Some(Value::Integer(0)) => {}
            Some(_) => return Err(GgufError::Feature { what: "a mixture of experts".to_owned() }),
        }
    }
    if values.bool("llama.attention.causal")? == Some(false) {
        return Err(GgufError::Feature { what: "attention to later tokens".to_owned() });
    }
    // 0: none, 3: the last token; what an embedding is here. The others pool over all tokens.
    match values.get("llama.pooling_type") {
        None | Some(Value::Integer(0 | 3)) => {}
        Some(_) => return Err(GgufError::Feature { what: "pooling other than the last token's".to_owned() }),
    }
    match values.get("split.count") {
        None | Some(Value::Integer(0 | 1)) => Ok(()),
        Some(_) => Err(GgufError::Feature { what: "a model in several files".to_owned() }),
    }
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
    let mut known = 0;
    let mut matrix = |name: &str, rows: u64, columns: u64, required: bool| {
        known += usize::from(check_tensor(tensors, name, [columns, rows], false, required)?);
        Ok::<(), GgufError>(())
    };
    matrix("token_embd.weight", vocab, embd, true)?;
    matrix("output.weight", vocab, embd, false)?;
    for layer in 0..n_layer {
        matrix(&format!("blk.{layer}.attn_q.weight"), q, embd, true)?;
        matrix(&format!("blk.{layer}.attn_k.weight"), kv, embd, true)?;
        matrix(&format!("blk.{layer}.attn_v.weight"), kv, embd, true)?;
        matrix(&format!("blk.{layer}.attn_output.weight"), embd, q, true)?;
        matrix(&format!("blk.{layer}.ffn_gate.weight"), ff, embd, true)?;
        matrix(&format!("blk.{layer}.ffn_up.weight"), ff, embd, true)?;
        matrix(&format!("blk.{layer}.ffn_down.weight"), embd, ff, true)?;
    }
    // llama.cpp adds and multiplies by these in single precision, and aborts over any other.
    let mut vector = |name: &str, width: u64, required: bool| {
        known += usize::from(check_tensor(tensors, name, [width, 1], true, required)?);
        Ok::<(), GgufError>(())
    };
    vector("output_norm.weight", embd, true)?;
    vector("rope_freqs.weight", rope, false)?;
    for layer in 0..n_layer {
        vector(&format!("blk.{layer}.attn_norm.weight"), embd, true)?;
        vector(&format!("blk.{layer}.ffn_norm.weight"), embd, true)?;
        for (part, width) in
            [("attn_q", q), ("attn_k", kv), ("attn_v", kv), ("attn_output", embd), ("ffn_down", embd)]
        {
            vector(&format!("blk.{layer}.{part}.bias"), width, false)?;
        }
        vector(&format!("blk.{layer}.ffn_gate.bias"), ff, false)?;
        vector(&format!("blk.{layer}.ffn_up.bias"), ff, false)?;
    }
    if known == tensors.len() {
        return Ok(());
    }
    let unknown = tensors.names().find(|name| !is_known(name, n_layer)).unwrap_or_default();
    Err(GgufError::Feature { what: format!("tensor {unknown}") })
}

/// Whether it is there, and as it should be.
fn check_tensor(
    tensors: &Tensors,
    name: &str,
    sizes: [u64; 2],
    single: bool,
    required: bool,
) -> Result<bool, GgufError> {
    let Some(found) = tensors.get(name) else {
        let missing = || GgufError::MissingTensor { name: name.to_owned() };
        return if required { Err(missing()) } else { Ok(false) };
    };
    if found.sizes != [sizes[0], sizes[1], 1, 1] {
        return Err(tensor(name, format!("sizes {:?}, {sizes:?} expected", found.sizes)));
    }
    if single && found.ty.id != F32 {
        return Err(tensor(name, "not in single precision".to_owned()));
    }
    Ok(true)
}

/// For the message only: whether the name is one of those looked for.
fn is_known(name: &str, n_layer: u32) -> bool {
    const OF_A_LAYER: [&str; 16] = [
        "attn_q.weight",
        "attn_k.weight",
        "attn_v.weight",
        "attn_output.weight",
        "ffn_gate.weight",
        "ffn_up.weight",
        "ffn_down.weight",
        "attn_norm.weight",
        "ffn_norm.weight",
        "attn_q.bias",
        "attn_k.bias",
        "attn_v.bias",
        "attn_output.bias",
        "ffn_gate.bias",
        "ffn_up.bias",
        "ffn_down.bias",
    ];
    if let Some((layer, part)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        return layer.parse::<u32>().is_ok_and(|layer| layer < n_layer) && OF_A_LAYER.contains(&part);
    }
    ["token_embd.weight", "output.weight", "output_norm.weight", "rope_freqs.weight"].contains(&name)
}
