//! One layer of the encoder: attention, then the gated layer, each added to the residual stream.

use super::kernels::{self, Panels, Rows};
use super::projection::Projection;
use super::shape::{EncoderShape, LANES};
use super::weights::EncoderWeights;

/// Rows of queries that are scored together; bounds the buffer of scores.
const QUERIES: usize = 4;

/// Rotary angles of every position, `[max_len x head_dim / 2]`.
#[derive(Debug)]
pub(super) struct Positions {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Positions {
    pub(super) fn new(weights: &EncoderWeights<'_>) -> Self {
        Self { cos: weights.cos.to_vec(), sin: weights.sin.to_vec() }
    }

    /// Turns every head of the rows of `x`, which are positions `first..`.
    fn rotate(&self, x: &mut [f32], width: usize, head_dim: usize, first: usize) {
        let angles = self.cos.chunks_exact(head_dim / 2).zip(self.sin.chunks_exact(head_dim / 2));
        for (row, (cos, sin)) in x.chunks_exact_mut(width).zip(angles.skip(first)) {
            for head in row.chunks_exact_mut(head_dim) {
                kernels::rotate(head, cos, sin);
            }
        }
    }
}

/// Weights of a layer, matrices in panels (see [`Panels`]).
#[derive(Debug)]
pub(super) struct Layer {
    attention_norm: Vec<f32>,
    mlp_norm: Vec<f32>,
    projections: [Vec<f32>; 7],
}

/// What the layers of one pass share. Rows are positions of the history.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    rows: usize,
    /// The residual stream, `[rows x dim]`.
    pub(super) residual: Vec<f32>,
    /// Its norm, `[rows x dim]`; then what a half of the layer adds.
    normed: Vec<f32>,
    /// Queries, `[rows x dim]`; then what the heads read.
    query: Vec<f32>,
    heads: Vec<f32>,
    /// Keys or values before they are put into panels, `[rows x kv_dim]`.
    projected: Vec<f32>,
    /// Keys: for each head a matrix `[rows x head_dim]` in panels of eight positions.
    keys: Vec<f32>,
    /// Values: for each head a matrix `[head_dim x rows]` in panels of eight components.
    values: Vec<f32>,
    /// Attention of [`QUERIES`] rows.
    scores: Vec<f32>,
    /// The gated layer, `[rows x hidden]`.
    gate: Vec<f32>,
    up: Vec<f32>,
}

impl Buffers {
    /// Makes room for `rows` positions.
    pub(super) fn reset(&mut self, shape: &EncoderShape, rows: usize) {
        let padded = rows.next_multiple_of(LANES);
        self.rows = rows;
        for buffer in [&mut self.residual, &mut self.normed, &mut self.query, &mut self.heads] {
            buffer.resize(rows * shape.dim, 0.0);
        }
        self.projected.resize(rows * shape.kv_dim(), 0.0);
        self.scores.resize(QUERIES * padded, 0.0);
        self.gate.resize(rows * shape.hidden, 0.0);
        self.up.resize(rows * shape.hidden, 0.0);
        // Positions that only fill the last panel have no weight, and 0 times an old infinity would be no number.
        for panels in [&mut self.keys, &mut self.values] {
            panels.clear();
            panels.resize(padded * shape.kv_dim(), 0.0);
        }
    }
}

impl Layer {
    pub(super) fn new(weights: &EncoderWeights<'_>, layer: usize) -> Self {
        let dim = weights.shape.dim;
        Self {
            attention_norm: weights.attention_norm[layer * dim..][..dim].to_vec(),
            mlp_norm: weights.mlp_norm[layer * dim..][..dim].to_vec(),
            projections: Projection::ALL.map(|projection| weights.panels(layer, projection)),
        }
    }

    /// Runs the layer over the residual stream. Only rows from `from` are brought up to date: keys and values are
    /// made of every row, and the last layer needs no more of the earlier ones.
    pub(super) fn run(
        &self,
        shape: &EncoderShape,
        positions: &Positions,
        from: usize,
        buffers: &mut Buffers,
    ) {
        let EncoderShape { dim, norm_eps, .. } = *shape;
        norm_rows(&buffers.residual, &self.attention_norm, norm_eps, &mut buffers.normed);
        self.project(shape, positions, from, buffers);
        attend(shape, from, buffers);
        let Buffers { rows, residual, normed, heads, gate, up, .. } = buffers;
        let (rows, at) = (*rows - from, from * dim);
        let (residual, normed) = (&mut residual[at..], &mut normed[at..]);
        self.apply(Projection::Output, shape, &heads[at..], rows, normed);
        kernels::add(residual, normed);

        norm_rows(residual, &self.mlp_norm, norm_eps, normed);
        let (gate, up) = (&mut gate[..rows * shape.hidden], &mut up[..rows * shape.hidden]);
        self.apply(Projection::Gate, shape, normed, rows, gate);
        self.apply(Projection::Up, shape, normed, rows, up);
        kernels::swiglu(gate, up);
        self.apply(Projection::Down, shape, gate, rows, normed);
        kernels::add(residual, normed);
    }

    /// `rows` rows of `x` through a matrix into `y`.
    fn apply(&self, projection: Projection, shape: &EncoderShape, x: &[f32], rows: usize, y: &mut [f32]) {
        let [outputs, inputs] = projection.size(shape);
        let matrix = Panels::new(&self.projections[projection as usize], inputs);
        kernels::matmul(Rows { data: x, stride: inputs }, rows, inputs, matrix, y, outputs);
    }

    /// Queries of the rows from `from`; keys and values of every row, in panels.
    fn project(&self, shape: &EncoderShape, positions: &Positions, from: usize, buffers: &mut Buffers) {
        let (dim, kv_dim, head_dim) = (shape.dim, shape.kv_dim(), shape.head_dim());
        let Buffers { rows, normed, query, projected, keys, values, .. } = buffers;
        let (rows, padded) = (*rows, rows.next_multiple_of(LANES));
        let query = &mut query[from * dim..];
        self.apply(Projection::Query, shape, &normed[from * dim..], rows - from, query);
        positions.rotate(query, dim, head_dim, from);

        self.apply(Projection::Key, shape, normed, rows, projected);
        positions.rotate(projected, kv_dim, head_dim, 0);
        for (row, projected) in projected.chunks_exact(kv_dim).enumerate() {
            let heads = projected.chunks_exact(head_dim).zip(keys.chunks_exact_mut(padded * head_dim));
            for (head, panels) in heads {
                let panel = &mut panels[row / LANES * LANES * head_dim..][..LANES * head_dim];
                for (lanes, &component) in panel.as_chunks_mut::<LANES>().0.iter_mut().zip(head) {
                    lanes[row % LANES] = component;
                }
            }
        }

        self.apply(Projection::Value, shape, normed, rows, projected);
        // Eight components stay together, whatever the head: head_dim is a multiple of eight.
        for (row, projected) in projected.chunks_exact(kv_dim).enumerate() {
            let panels = values.chunks_exact_mut(padded * LANES);
            for (lanes, panel) in projected.chunks_exact(LANES).zip(panels) {
                panel[row * LANES..][..LANES].copy_from_slice(lanes);
            }
        }
    }
}

/// Causal attention of the query rows from `from`, head by head, into `heads`.
fn attend(shape: &EncoderShape, from: usize, buffers: &mut Buffers) {
    let (dim, head_dim) = (shape.dim, shape.head_dim());
    let Buffers { rows, query, heads, keys, values, scores, .. } = buffers;
    let padded = rows.next_multiple_of(LANES);
    let scale = 1.0 / (head_dim as f32).sqrt();
    let group = shape.heads / shape.kv_heads;
    for head in 0..shape.heads {
        let of_head = head / group * padded * head_dim..(head / group + 1) * padded * head_dim;
        let (keys, values) = (&keys[of_head.clone()], &values[of_head]);
        for first in (from..*rows).step_by(QUERIES) {
            let count = QUERIES.min(*rows - first);
            // Later positions are not even scored, but for those that share a panel with the last of these rows.
            let live = (first + count).next_multiple_of(LANES);
            let at = first * dim + head * head_dim;
            let keys = Panels::new(&keys[..live * head_dim], head_dim);
            let queries = Rows { data: &query[at..], stride: dim };
            kernels::matmul(queries, count, head_dim, keys, scores, live);
            for (row, scores) in scores.chunks_exact_mut(live).take(count).enumerate() {
                kernels::softmax(scores, first + row + 1, scale);
            }
            let shares = Rows { data: scores, stride: live };
            kernels::matmul(shares, count, live, Panels::new(values, padded), &mut heads[at..], dim);
        }
    }
}

fn norm_rows(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    for (x, out) in x.chunks_exact(gain.len()).zip(out.chunks_exact_mut(gain.len())) {
        kernels::rms_norm(x, gain, eps, out);
    }
}
