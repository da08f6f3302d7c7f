//! The encoder in double precision, position by position, straight from the papers.

use endcap_core::encoder::{EncoderShape, Projection};

use super::{Layer, Weights};

/// The user vector of `history`, which is not longer than `max_len`.
pub fn encode(weights: &Weights, history: &[u32]) -> Vec<f64> {
    let shape = &weights.shape;
    let row = |item: u32| &weights.embedding[item as usize * shape.dim..][..shape.dim];
    let mut stream: Vec<Vec<f64>> = history.iter().map(|&item| wide(row(item))).collect();
    for layer in &weights.layers {
        let normed: Vec<Vec<f64>> = stream.iter().map(|x| norm(x, &layer.attention_norm, shape)).collect();
        let heads = attention(&normed, layer, shape);
        for (x, heads) in stream.iter_mut().zip(heads) {
            add(x, &apply(layer, Projection::Output, &heads, shape));
            let normed = norm(x, &layer.mlp_norm, shape);
            let gate = apply(layer, Projection::Gate, &normed, shape);
            let up = apply(layer, Projection::Up, &normed, shape);
            let gated: Vec<f64> =
                gate.iter().zip(&up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect();
            add(x, &apply(layer, Projection::Down, &gated, shape));
        }
    }
    norm(stream.last().expect("a history"), &weights.norm, shape)
}

/// Scores of all items.
pub fn scores(weights: &Weights, user: &[f64]) -> Vec<f64> {
    let table = weights.output.as_ref().unwrap_or(&weights.embedding);
    table.chunks(weights.shape.dim).map(|row| dot(&wide(row), user)).collect()
}

fn attention(normed: &[Vec<f64>], layer: &Layer, shape: &EncoderShape) -> Vec<Vec<f64>> {
    let width = shape.dim / shape.heads;
    let project = |projection| normed.iter().map(move |x| apply(layer, projection, x, shape));
    let turned = |projection| -> Vec<Vec<f64>> {
        project(projection).enumerate().map(|(position, x)| rotate(&x, position, width, shape)).collect()
    };
    let (queries, keys) = (turned(Projection::Query), turned(Projection::Key));
    let values: Vec<Vec<f64>> = project(Projection::Value).collect();
    let mut out = vec![vec![0.0; shape.dim]; normed.len()];
    for (position, query) in queries.iter().enumerate() {
        for head in 0..shape.heads {
            let shared = head / (shape.heads / shape.kv_heads) * width;
            let query = &query[head * width..][..width];
            let weights: Vec<f64> = keys[..=position]
                .iter()
                .map(|key| (dot(query, &key[shared..][..width]) / (width as f64).sqrt()).exp())
                .collect();
            let total: f64 = weights.iter().sum();
            for (weight, value) in weights.iter().zip(&values) {
                for at in 0..width {
                    out[position][head * width + at] += weight / total * value[shared + at];
                }
            }
        }
    }
    out
}

fn rotate(x: &[f64], position: usize, width: usize, shape: &EncoderShape) -> Vec<f64> {
    let mut out = x.to_vec();
    for (at, pair) in out.chunks_mut(2).enumerate() {
        let exponent = -((2 * at % width) as f64) / width as f64;
        let angle = position as f64 * f64::from(shape.rope_theta).powf(exponent);
        let (a, b) = (pair[0], pair[1]);
        pair[0] = a * angle.cos() - b * angle.sin();
        pair[1] = a * angle.sin() + b * angle.cos();
    }
    out
}

fn apply(layer: &Layer, projection: Projection, x: &[f64], shape: &EncoderShape) -> Vec<f64> {
    let rows = layer.projections[projection as usize].chunks(projection.size(shape)[1]);
    rows.map(|row| dot(&wide(row), x)).collect()
}

fn norm(x: &[f64], gain: &[f32], shape: &EncoderShape) -> Vec<f64> {
    let root = (dot(x, x) / x.len() as f64 + f64::from(shape.norm_eps)).sqrt();
    x.iter().zip(gain).map(|(x, &gain)| x / root * f64::from(gain)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(a: &mut [f64], b: &[f64]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}
