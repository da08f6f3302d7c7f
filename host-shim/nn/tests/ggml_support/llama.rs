//! A small Llama with random weights, as a GGUF file and computed in double precision.

use super::gguf::{Gguf, Tensor, Value};

/// Sizes of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) ff: usize,
    pub(crate) items: usize,
}

/// What most tests use: two layers, heads that share keys, few hundred items.
pub(crate) const SMALL: Sizes = Sizes { layers: 2, width: 64, heads: 4, kv_heads: 2, ff: 128, items: 300 };

const EPSILON: f64 = 1e-5;
const FREQ_BASE: f64 = 10_000.0;
/// Tokens before the items: unknown, begin, end.
pub(crate) const SPECIALS: usize = 3;

/// The model as matrices, row-major, one row for each output.
pub(crate) struct Llama {
    pub(crate) sizes: Sizes,
    embeddings: Vec<f32>,
    output_norm: Vec<f32>,
    layers: Vec<Layer>,
}

struct Layer {
    attn_norm: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    output: Vec<f32>,
    ffn_norm: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    down: Vec<f32>,
}

/// SplitMix64: a fixed stream of weights on every machine.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform around 0 with variance 1 / `fan_in`.
    pub(crate) fn matrix(&mut self, rows: usize, fan_in: usize) -> Vec<f32> {
        let scale = (3.0 / fan_in as f64).sqrt();
        let unit = |bits: u64| (bits >> 11) as f64 / (1_u64 << 53) as f64;
        (0..rows * fan_in).map(|_| ((unit(self.next()) * 2.0 - 1.0) * scale) as f32).collect()
    }

    /// Around 1, as gains are.
    pub(crate) fn gains(&mut self, width: usize) -> Vec<f32> {
        self.matrix(width, 1).into_iter().map(|value| 1.0 + value / 10.0).collect()
    }
}

impl Llama {
    pub(crate) fn random(sizes: Sizes, seed: u64) -> Self {
        let mut draw = Draw(seed);
        let Sizes { width, ff, .. } = sizes;
        let kv = width / sizes.heads * sizes.kv_heads;
        let layer = |draw: &mut Draw| Layer {
            attn_norm: draw.gains(width),
            q: draw.matrix(width, width),
            k: draw.matrix(kv, width),
            v: draw.matrix(kv, width),
            output: draw.matrix(width, width),
            ffn_norm: draw.gains(width),
            gate: draw.matrix(ff, width),
            up: draw.matrix(ff, width),
            down: draw.matrix(width, ff),
        };
        Self {
            sizes,
            embeddings: draw.matrix(SPECIALS + sizes.items, width),
            output_norm: draw.gains(width),
            layers: (0..sizes.layers).map(|_| layer(&mut draw)).collect(),
        }
    }

    /// The file, with a token `<i7>` for item 7.
    pub(crate) fn gguf(&self) -> Gguf {
        let Sizes { layers, width, heads, kv_heads, ff, items } = self.sizes;
        let mut tokens: Vec<_> = ["<unk>", "<s>", "</s>"].map(str::to_owned).into();
        tokens.extend((0..items).map(|item| format!("<i{item}>")));
        let mut types = vec![2, 3, 3];
        types.resize(tokens.len(), 4);
        let mut values: Vec<(String, Value)> = Vec::new();
        let mut set = |key: &str, value| values.push((key.to_owned(), value));
        set("general.architecture", Value::Text("llama".to_owned()));
        set("llama.context_length", Value::U32(512));
        set("llama.embedding_length", Value::U32(width as u32));
        set("llama.block_count", Value::U32(layers as u32));
        set("llama.feed_forward_length", Value::U32(ff as u32));
        set("llama.attention.head_count", Value::U32(heads as u32));
        set("llama.attention.head_count_kv", Value::U32(kv_heads as u32));
        set("llama.attention.layer_norm_rms_epsilon", Value::F32(EPSILON as f32));
        set("llama.rope.freq_base", Value::F32(FREQ_BASE as f32));
        set("tokenizer.ggml.model", Value::Text("llama".to_owned()));
        set("tokenizer.ggml.scores", Value::F32s(vec![0.0; tokens.len()]));
        set("tokenizer.ggml.tokens", Value::Texts(tokens));
        set("tokenizer.ggml.token_type", Value::I32s(types));
        set("tokenizer.ggml.add_bos_token", Value::Bool(false));
        set("tokenizer.ggml.add_eos_token", Value::Bool(false));
        set("tokenizer.ggml.add_space_prefix", Value::Bool(false));
        Gguf { version: 3, values, tensors: self.tensors() }
    }

    /// The same model without a tokenizer.
    pub(crate) fn gguf_without_text(&self) -> Gguf {
        let mut gguf = self.gguf();
        gguf.values.retain(|(key, _)| !key.starts_with("tokenizer."));
        gguf.set("tokenizer.ggml.model", Value::Text("none".to_owned()));
        gguf.set("llama.vocab_size", Value::U32((SPECIALS + self.sizes.items) as u32));
        gguf
    }

    fn tensors(&self) -> Vec<Tensor> {
        let Sizes { width, ff, .. } = self.sizes;
        let mut tensors = Vec::new();
        let mut add = |name: String, fan_in: usize, values: &[f32]| {
            let rows = values.len() / fan_in;
            let sizes = if rows == 1 { vec![fan_in as u64] } else { vec![fan_in as u64, rows as u64] };
            let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push(Tensor { name, sizes, ty: 0, data });
        };
        add("token_embd.weight".to_owned(), width, &self.embeddings);
        add("output_norm.weight".to_owned(), width, &self.output_norm);
        for (index, layer) in self.layers.iter().enumerate() {
            let mut part = |name: &str, fan_in, values: &[f32]| {
                add(format!("blk.{index}.{name}.weight"), fan_in, values);
            };
            part("attn_norm", width, &layer.attn_norm);
            part("attn_q", width, &layer.q);
            part("attn_k", width, &layer.k);
            part("attn_v", width, &layer.v);
            part("attn_output", width, &layer.output);
            part("ffn_norm", width, &layer.ffn_norm);
            part("ffn_gate", width, &layer.gate);
            part("ffn_up", width, &layer.up);
            part("ffn_down", ff, &layer.down);
        }
        tensors
    }

    /// Hidden state of the last token after the final norm.
    pub(crate) fn embed(&self, tokens: &[i32]) -> Vec<f64> {
        self.states(tokens).pop().unwrap()
    }

    /// Of every token.
    pub(crate) fn states(&self, tokens: &[i32]) -> Vec<Vec<f64>> {
        let Sizes { width, heads, kv_heads, .. } = self.sizes;
        let row = |token: i32| {
            let start = token as usize * width;
            self.embeddings[start..start + width].iter().map(|value| f64::from(*value)).collect::<Vec<_>>()
        };
        let mut states: Vec<_> = tokens.iter().map(|&token| row(token)).collect();
        for layer in &self.layers {
            let normed: Vec<_> = states.iter().map(|state| norm(state, &layer.attn_norm)).collect();
            let turned = |weights: &[f32], heads| -> Vec<Vec<f64>> {
                let turn =
                    |(position, state): (usize, &Vec<f64>)| rotate(multiply(weights, state), position, heads);
                normed.iter().enumerate().map(turn).collect()
            };
            let (q, k) = (turned(&layer.q, heads), turned(&layer.k, kv_heads));
            let v: Vec<_> = normed.iter().map(|state| multiply(&layer.v, state)).collect();
            for (position, state) in states.iter_mut().enumerate() {
                let attended = attend(&q[position], &k[..=position], &v[..=position], heads, kv_heads);
                add(state, &multiply(&layer.output, &attended));
                let normed = norm(state, &layer.ffn_norm);
                let gate = multiply(&layer.gate, &normed).into_iter().map(|x| x / (1.0 + (-x).exp()));
                let up = multiply(&layer.up, &normed);
                let inner: Vec<_> = gate.zip(up).map(|(gate, up)| gate * up).collect();
                add(state, &multiply(&layer.down, &inner));
            }
        }
        states.iter().map(|state| norm(state, &self.output_norm)).collect()
    }
}

pub(crate) fn multiply(weights: &[f32], vector: &[f64]) -> Vec<f64> {
    let dot = |row: &[f32]| row.iter().zip(vector).map(|(weight, value)| f64::from(*weight) * value).sum();
    weights.chunks(vector.len()).map(dot).collect()
}

pub(crate) fn add(to: &mut [f64], what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what);
}

fn norm(vector: &[f64], gains: &[f32]) -> Vec<f64> {
    let square = vector.iter().map(|value| value * value).sum::<f64>() / vector.len() as f64;
    let scale = 1.0 / (square + EPSILON).sqrt();
    vector.iter().zip(gains).map(|(value, gain)| value * scale * f64::from(*gain)).collect()
}

/// Turns neighbours of each head as a pair.
fn rotate(mut vector: Vec<f64>, position: usize, heads: usize) -> Vec<f64> {
    let width = vector.len() / heads;
    for head in vector.chunks_mut(width) {
        for (index, pair) in head.chunks_mut(2).enumerate() {
            let angle = position as f64 * FREQ_BASE.powf(-2.0 * index as f64 / width as f64);
            let (a, b) = (pair[0], pair[1]);
            pair[0] = a * angle.cos() - b * angle.sin();
            pair[1] = a * angle.sin() + b * angle.cos();
        }
    }
    vector
}

fn attend(q: &[f64], k: &[Vec<f64>], v: &[Vec<f64>], heads: usize, kv_heads: usize) -> Vec<f64> {
    let width = q.len() / heads;
    let mut out = vec![0.0; q.len()];
    for head in 0..heads {
        let own = head * width..(head + 1) * width;
        let shared = head / (heads / kv_heads);
        let shared = shared * width..(shared + 1) * width;
        let dot = |key: &Vec<f64>| -> f64 {
            q[own.clone()].iter().zip(&key[shared.clone()]).map(|(q, k)| q * k).sum::<f64>()
                / (width as f64).sqrt()
        };
        let scores: Vec<_> = k.iter().map(dot).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<_> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for (weight, value) in weights.iter().zip(v) {
            for (out, value) in out[own.clone()].iter_mut().zip(&value[shared.clone()]) {
                *out += weight / total * value;
            }
        }
    }
    out
}
