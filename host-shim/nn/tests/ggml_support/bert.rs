//! A small BERT with random weights, as a GGUF file and computed in double precision.

use super::gguf::{Gguf, Tensor, Value};
use super::llama::{Draw, add, multiply};

const WIDTH: usize = 32;
const HEADS: usize = 2;
const FF: usize = 64;
const LAYERS: usize = 2;
const POSITIONS: usize = 48;
/// llama.cpp keeps epsilons in single precision.
const EPSILON: f32 = 1e-12;
/// Words; a piece that goes on with a word; one of another script.
const PIECES: [&str; 8] =
    ["[UNK]", "[CLS]", "[SEP]", "\u{2581}red", "\u{2581}cup", "s", "\u{2581}mug", "\u{2581}\u{e9}"];

/// Gains and shifts of a norm.
struct Norm(Vec<f32>, Vec<f32>);

struct Linear {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

struct Layer {
    q: Linear,
    k: Linear,
    v: Linear,
    output: Linear,
    output_norm: Norm,
    up: Linear,
    down: Linear,
    layer_norm: Norm,
}

/// The model as matrices, row-major, one row for each output.
pub(crate) struct Bert {
    tokens: Vec<f32>,
    positions: Vec<f32>,
    kinds: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    pub(crate) fn random(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let norm = |draw: &mut Draw| {
            let shifts = draw.gains(WIDTH).into_iter().map(|gain| gain - 1.0).collect();
            Norm(draw.gains(WIDTH), shifts)
        };
        let linear = |draw: &mut Draw, rows: usize, columns: usize| Linear {
            weights: draw.matrix(rows, columns),
            bias: draw.gains(rows).into_iter().map(|gain| gain - 1.0).collect(),
        };
        let layer = |draw: &mut Draw| Layer {
            q: linear(draw, WIDTH, WIDTH),
            k: linear(draw, WIDTH, WIDTH),
            v: linear(draw, WIDTH, WIDTH),
            output: linear(draw, WIDTH, WIDTH),
            output_norm: norm(draw),
            up: linear(draw, FF, WIDTH),
            down: linear(draw, WIDTH, FF),
            layer_norm: norm(draw),
        };
        Self {
            tokens: draw.matrix(PIECES.len(), WIDTH),
            positions: draw.matrix(POSITIONS, WIDTH),
            kinds: draw.matrix(2, WIDTH),
            norm: norm(&mut draw),
            layers: (0..LAYERS).map(|_| layer(&mut draw)).collect(),
        }
    }

    pub(crate) fn gguf(&self) -> Gguf {
        let mut values: Vec<(String, Value)> = Vec::new();
        let mut set = |key: &str, value| values.push((key.to_owned(), value));
        set("general.architecture", Value::Text("bert".to_owned()));
        set("bert.context_length", Value::U32(POSITIONS as u32));
        set("bert.embedding_length", Value::U32(WIDTH as u32));
        set("bert.block_count", Value::U32(LAYERS as u32));
        set("bert.feed_forward_length", Value::U32(FF as u32));
        set("bert.attention.head_count", Value::U32(HEADS as u32));
        set("bert.attention.layer_norm_epsilon", Value::F32(EPSILON));
        set("bert.attention.causal", Value::Bool(false));
        set("bert.pooling_type", Value::U32(1));
        set("tokenizer.ggml.model", Value::Text("bert".to_owned()));
        set("tokenizer.ggml.token_type_count", Value::U32(2));
        set("tokenizer.ggml.tokens", Value::Texts(PIECES.map(str::to_owned).to_vec()));
        set("tokenizer.ggml.token_type", Value::I32s(vec![3, 3, 3, 1, 1, 1, 1, 1]));
        set("tokenizer.ggml.unknown_token_id", Value::U32(0));
        set("tokenizer.ggml.bos_token_id", Value::U32(1));
        set("tokenizer.ggml.seperator_token_id", Value::U32(2));
        Gguf { version: 3, values, tensors: self.tensors() }
    }

    fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        let mut put = |name: String, columns: usize, values: &[f32]| {
            let rows = values.len() / columns;
            let sizes = if rows == 1 { vec![columns as u64] } else { vec![columns as u64, rows as u64] };
            let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push(Tensor { name, sizes, ty: 0, data });
        };
        put("token_embd.weight".to_owned(), WIDTH, &self.tokens);
        put("position_embd.weight".to_owned(), WIDTH, &self.positions);
        put("token_types.weight".to_owned(), WIDTH, &self.kinds);
        put("token_embd_norm.weight".to_owned(), WIDTH, &self.norm.0);
        put("token_embd_norm.bias".to_owned(), WIDTH, &self.norm.1);
        for (at, layer) in self.layers.iter().enumerate() {
            for (name, linear) in [
                ("attn_q", &layer.q),
                ("attn_k", &layer.k),
                ("attn_v", &layer.v),
                ("attn_output", &layer.output),
                ("ffn_up", &layer.up),
                ("ffn_down", &layer.down),
            ] {
                let rows = linear.bias.len();
                put(format!("blk.{at}.{name}.weight"), linear.weights.len() / rows, &linear.weights);
                put(format!("blk.{at}.{name}.bias"), rows, &linear.bias);
            }
            for (name, norm) in
                [("attn_output_norm", &layer.output_norm), ("layer_output_norm", &layer.layer_norm)]
            {
                put(format!("blk.{at}.{name}.weight"), WIDTH, &norm.0);
                put(format!("blk.{at}.{name}.bias"), WIDTH, &norm.1);
            }
        }
        tensors
    }

    /// Hidden states of all tokens.
    pub(crate) fn states(&self, tokens: &[i32]) -> Vec<Vec<f64>> {
        let row = |matrix: &[f32], at: usize| -> Vec<f64> {
            matrix[at * WIDTH..(at + 1) * WIDTH].iter().map(|value| f64::from(*value)).collect()
        };
        let mut states: Vec<Vec<f64>> = tokens
            .iter()
            .enumerate()
            .map(|(position, &token)| {
                let mut state = row(&self.tokens, token as usize);
                add(&mut state, &row(&self.positions, position));
                add(&mut state, &row(&self.kinds, 0));
                self.norm.of(&state)
            })
            .collect();
        for layer in &self.layers {
            let [q, k, v] = [&layer.q, &layer.k, &layer.v]
                .map(|linear| states.iter().map(|state| linear.of(state)).collect::<Vec<_>>());
            for (state, q) in states.iter_mut().zip(&q) {
                add(state, &layer.output.of(&attend(q, &k, &v)));
                let inner = layer.output_norm.of(state);
                let up: Vec<f64> = layer.up.of(&inner).into_iter().map(gelu).collect();
                let mut out = layer.down.of(&up);
                add(&mut out, &inner);
                *state = layer.layer_norm.of(&out);
            }
        }
        states
    }
}

impl Linear {
    fn of(&self, vector: &[f64]) -> Vec<f64> {
        let mut out = multiply(&self.weights, vector);
        out.iter_mut().zip(&self.bias).for_each(|(out, bias)| *out += f64::from(*bias));
        out
    }
}

impl Norm {
    fn of(&self, vector: &[f64]) -> Vec<f64> {
        let mean = vector.iter().sum::<f64>() / vector.len() as f64;
        let variance = vector.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / vector.len() as f64;
        let scale = 1.0 / (variance + f64::from(EPSILON)).sqrt();
        let parts = vector.iter().zip(&self.0).zip(&self.1);
        parts
            .map(|((value, gain), shift)| (value - mean) * scale * f64::from(*gain) + f64::from(*shift))
            .collect()
    }
}

/// Every token sees every other.
fn attend(q: &[f64], k: &[Vec<f64>], v: &[Vec<f64>]) -> Vec<f64> {
    let head = WIDTH / HEADS;
    let mut out = vec![0.0; WIDTH];
    for from in (0..WIDTH).step_by(head) {
        let part = from..from + head;
        let score = |k: &Vec<f64>| {
            let product: f64 = q[part.clone()].iter().zip(&k[part.clone()]).map(|(q, k)| q * k).sum();
            (product / (head as f64).sqrt()).exp()
        };
        let scores: Vec<f64> = k.iter().map(score).collect();
        let total: f64 = scores.iter().sum();
        for (score, v) in scores.iter().zip(v) {
            out[part.clone()].iter_mut().zip(&v[part.clone()]).for_each(|(out, v)| *out += score / total * v);
        }
    }
    out
}

/// By the hyperbolic tangent, as llama.cpp approximates it.
fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
}
