//! The encoder as GGUF, version 3, architecture `llama`: what llama.cpp runs, one token an item.
//!
//! The tokenizer is `llama` with user-defined tokens `<i0>`, `<i1>`, ... behind the three that it cannot do
//! without, no begin or end token and no space in front, so that a prompt of item tokens is those items and
//! nothing else. Whoever can hand over token numbers spares the tokenizer: item `i` is token
//! [`FIRST_ITEM_TOKEN`]` + i`.

use endcap_core::encoder::{Projection, TensorError};
use endcap_core::inference::FIRST_ITEM_TOKEN;

use super::weights::Weights;

const MAGIC: [u8; 4] = *b"GGUF";
const VERSION: u32 = 3;
/// Tensors start at multiples of this: the format's default, so it need not be stated.
const ALIGN: usize = 32;
/// `ggml_type` of single precision.
const F32: u32 = 0;
/// llama.cpp's pooling type "last": the embedding of a prompt is its last position's, also for callers that do not ask.
const POOLING_LAST: u32 = 3;

/// Tokens before the items, with llama.cpp's token types unknown (2) and control (3).
const RESERVED: [(&str, i32); FIRST_ITEM_TOKEN as usize] = [("<unk>", 2), ("<s>", 3), ("</s>", 3)];
/// Token type of items: matched in a prompt as they stand, by no rules of the tokenizer.
const USER_DEFINED: i32 = 4;

/// Writes the file. O(weights); the same weights give the same bytes.
///
/// # Errors
/// Where the weights do not fit their shape or are not finite.
pub fn write(weights: &Weights) -> Result<Vec<u8>, TensorError> {
    weights.tensors().check()?;
    let tensors = tensors(weights);
    let mut file = MAGIC.to_vec();
    file.extend(VERSION.to_le_bytes());
    file.extend((tensors.len() as u64).to_le_bytes());
    let mut pairs = Pairs::default();
    describe(weights, &mut pairs);
    file.extend(pairs.count.to_le_bytes());
    file.extend(&pairs.bytes);
    let mut offset = 0;
    for tensor in &tensors {
        push_string(&mut file, &tensor.name);
        file.extend((tensor.shape.len() as u32).to_le_bytes());
        // ggml counts dimensions from the innermost.
        for &size in tensor.shape.iter().rev() {
            file.extend((size as u64).to_le_bytes());
        }
        file.extend(F32.to_le_bytes());
        file.extend((offset as u64).to_le_bytes());
        offset += (tensor.elements() * size_of::<f32>()).next_multiple_of(ALIGN);
    }
    for tensor in &tensors {
        file.resize(file.len().next_multiple_of(ALIGN), 0);
        // Tokens before the items are never asked for and have no vector.
        file.resize(file.len() + tensor.zeros * size_of::<f32>(), 0);
        file.extend(tensor.weights.iter().flat_map(|weight| weight.to_le_bytes()));
    }
    file.resize(file.len().next_multiple_of(ALIGN), 0);
    Ok(file)
}

fn describe(weights: &Weights, pairs: &mut Pairs) {
    let shape = &weights.shape;
    let tokens = RESERVED.len() + shape.items;
    pairs.string("general.architecture", "llama");
    pairs.string("general.name", "endcap sequence encoder");
    // Every number fits: the shape's ranges end far below 2^32.
    for (key, value) in [
        ("general.file_type", 0),
        ("llama.vocab_size", tokens),
        ("llama.context_length", shape.max_len),
        ("llama.embedding_length", shape.dim),
        ("llama.block_count", shape.layers),
        ("llama.feed_forward_length", shape.hidden),
        ("llama.attention.head_count", shape.heads),
        ("llama.attention.head_count_kv", shape.kv_heads),
        ("llama.rope.dimension_count", shape.head_dim()),
    ] {
        pairs.u32(key, value as u32);
    }
    pairs.u32("llama.pooling_type", POOLING_LAST);
    pairs.f32("llama.attention.layer_norm_rms_epsilon", shape.norm_eps);
    pairs.f32("llama.rope.freq_base", shape.rope_theta);
    pairs.string("tokenizer.ggml.model", "llama");
    let names = RESERVED.iter().map(|(name, _)| (*name).to_owned());
    pairs.strings(
        "tokenizer.ggml.tokens",
        tokens,
        names.chain((0..shape.items).map(|item| format!("<i{item}>"))),
    );
    pairs.numbers("tokenizer.ggml.scores", Kind::F32, vec![0.0_f32.to_le_bytes(); tokens]);
    let types = RESERVED.iter().map(|(_, kind)| *kind).chain(std::iter::repeat_n(USER_DEFINED, shape.items));
    pairs.numbers("tokenizer.ggml.token_type", Kind::I32, types.map(i32::to_le_bytes).collect());
    for (at, key) in ["unknown", "bos", "eos"].into_iter().enumerate() {
        pairs.u32(&format!("tokenizer.ggml.{key}_token_id"), at as u32);
    }
    for key in ["add_bos_token", "add_eos_token", "add_space_prefix"] {
        pairs.bool(&format!("tokenizer.ggml.{key}"), false);
    }
}

struct Tensor<'a> {
    name: String,
    /// Outermost dimension first.
    shape: Vec<usize>,
    /// Elements of 0 in front of the weights.
    zeros: usize,
    weights: &'a [f32],
}

impl Tensor<'_> {
    fn elements(&self) -> usize {
        self.zeros + self.weights.len()
    }
}

fn tensors(weights: &Weights) -> Vec<Tensor<'_>> {
    let shape = &weights.shape;
    let vector = |name: String, weights| Tensor { name, shape: vec![shape.dim], zeros: 0, weights };
    let table = |name: &str, weights| Tensor {
        name: name.to_owned(),
        shape: vec![RESERVED.len() + shape.items, shape.dim],
        zeros: RESERVED.len() * shape.dim,
        weights,
    };
    let mut tensors = vec![table("token_embd.weight", weights.embedding.as_slice())];
    for (at, layer) in weights.layers.iter().enumerate() {
        tensors.push(vector(format!("blk.{at}.attn_norm.weight"), layer.attention_norm.as_slice()));
        tensors.push(vector(format!("blk.{at}.ffn_norm.weight"), layer.mlp_norm.as_slice()));
        for projection in Projection::ALL {
            tensors.push(Tensor {
                name: format!("blk.{at}.{}.weight", part(projection)),
                shape: projection.size(shape).to_vec(),
                zeros: 0,
                weights: layer.projection(projection),
            });
        }
    }
    tensors.push(vector("output_norm.weight".to_owned(), weights.norm.as_slice()));
    tensors.extend(weights.output.as_deref().map(|output| table("output.weight", output)));
    tensors
}

fn part(projection: Projection) -> &'static str {
    match projection {
        Projection::Query => "attn_q",
        Projection::Key => "attn_k",
        Projection::Value => "attn_v",
        Projection::Output => "attn_output",
        Projection::Gate => "ffn_gate",
        Projection::Up => "ffn_up",
        Projection::Down => "ffn_down",
    }
}

/// Numbers of the value types in use.
#[derive(Debug, Clone, Copy)]
enum Kind {
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
}

/// Keys and values behind the header.
#[derive(Debug, Default)]
struct Pairs {
    count: u64,
    bytes: Vec<u8>,
}

impl Pairs {
    fn key(&mut self, key: &str, kind: Kind) {
        self.count += 1;
        push_string(&mut self.bytes, key);
        self.kind(kind);
    }

    fn kind(&mut self, kind: Kind) {
        self.bytes.extend((kind as u32).to_le_bytes());
    }

    fn u32(&mut self, key: &str, value: u32) {
        self.key(key, Kind::U32);
        self.bytes.extend(value.to_le_bytes());
    }

    fn f32(&mut self, key: &str, value: f32) {
        self.key(key, Kind::F32);
        self.bytes.extend(value.to_le_bytes());
    }

    fn bool(&mut self, key: &str, value: bool) {
        self.key(key, Kind::Bool);
        self.bytes.push(u8::from(value));
    }

    fn string(&mut self, key: &str, value: &str) {
        self.key(key, Kind::String);
        push_string(&mut self.bytes, value);
    }

    fn array(&mut self, key: &str, kind: Kind, len: usize) {
        self.key(key, Kind::Array);
        self.kind(kind);
        self.bytes.extend((len as u64).to_le_bytes());
    }

    fn strings(&mut self, key: &str, len: usize, values: impl Iterator<Item = String>) {
        self.array(key, Kind::String, len);
        for value in values {
            push_string(&mut self.bytes, &value);
        }
    }

    fn numbers(&mut self, key: &str, kind: Kind, values: Vec<[u8; 4]>) {
        self.array(key, kind, values.len());
        self.bytes.extend(values.as_flattened());
    }
}

fn push_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}
