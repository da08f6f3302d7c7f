//! One layer of the encoder: attention, then the gated layer, each added to the residual stream.

use std::ops::Range;

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

/// Keys and values of a layer for the positions that were read, with room for the longest history.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// For each head a matrix `[positions x head_dim]` in panels of eight positions.
    keys: Vec<f32>,
    /// For each head a matrix `[head_dim x positions]` in panels of eight components.
    values: Vec<f32>,
}

impl Read {
    /// Makes room; what was read stays.
    pub(super) fn reserve(&mut self, shape: &EncoderShape) {
        for panels in [&mut self.keys, &mut self.values] {
            panels.resize(places(shape) * shape.kv_dim(), 0.0);
        }
    }

    /// Makes the panels zeros that begin with one of the positions. Those that only fill the last panel have no weight, and
    /// 0 times an old infinity would be no number.
    fn begin_panels(&mut self, shape: &EncoderShape, positions: Range<usize>) {
        let begin = positions.start.next_multiple_of(LANES);
        let end = positions.end.next_multiple_of(LANES);
        if begin < end {
            let width = shape.head_dim();
            for head in self.keys.chunks_exact_mut(places(shape) * width) {
                head[begin * width..end * width].fill(0.0);
            }
            for components in self.values.chunks_exact_mut(places(shape) * LANES) {
                components[begin * LANES..end * LANES].fill(0.0);
            }
        }
    }
}

/// Positions of the longest history, in whole panels.
fn places(shape: &EncoderShape) -> usize {
    shape.max_len.next_multiple_of(LANES)
}

/// What the layers of one pass share. Rows are the positions of the history that are new.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    rows: usize,
    /// Positions before them.
    known: usize,
    /// The residual stream, `[rows x dim]`.
    pub(super) residual: Vec<f32>,
    /// Its norm, `[rows x dim]`; then what a half of the layer adds.
    normed: Vec<f32>,
    /// Queries, `[rows x dim]`; then what the heads read.
    query: Vec<f32>,
    heads: Vec<f32>,
    /// Keys or values before they are put into panels, `[rows x kv_dim]`.
    projected: Vec<f32>,
    /// Attention of [`QUERIES`] rows.
    scores: Vec<f32>,
    /// The gated layer, `[rows x hidden]`.
    gate: Vec<f32>,
    up: Vec<f32>,
}

impl Buffers {
    /// Makes room for `rows` positions behind `known` ones.
    pub(super) fn reset(&mut self, shape: &EncoderShape, known: usize, rows: usize) {
        (self.known, self.rows) = (known, rows);
        for buffer in [&mut self.residual, &mut self.normed, &mut self.query, &mut self.heads] {
            buffer.resize(rows * shape.dim, 0.0);
        }
        self.projected.resize(rows * shape.kv_dim(), 0.0);
        self.scores.resize(QUERIES * places(shape), 0.0);
        self.gate.resize(rows * shape.hidden, 0.0);
        self.up.resize(rows * shape.hidden, 0.0);
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

    /// Runs the layer over the residual stream; `read` are the keys and values of the positions before it, to which those of
    /// its rows come. Only rows from `from` are brought up to date: the last layer needs no more of the earlier ones than
    /// keys and values.
    pub(super) fn run(
        &self,
        shape: &EncoderShape,
        positions: &Positions,
        from: usize,
        read: &mut Read,
        buffers: &mut Buffers,
    ) {
        let EncoderShape { dim, norm_eps, .. } = *shape;
        norm_rows(&buffers.residual, &self.attention_norm, norm_eps, &mut buffers.normed);
        self.project(shape, positions, from, read, buffers);
        attend(shape, from, read, buffers);
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
    fn project(
        &self,
        shape: &EncoderShape,
        positions: &Positions,
        from: usize,
        read: &mut Read,
        buffers: &mut Buffers,
    ) {
        let (dim, kv_dim, head_dim) = (shape.dim, shape.kv_dim(), shape.head_dim());
        let Buffers { rows, known, normed, query, projected, .. } = buffers;
        let (rows, known, places) = (*rows, *known, places(shape));
        read.begin_panels(shape, known..known + rows);
        let Read { keys, values } = read;
        let query = &mut query[from * dim..];
        self.apply(Projection::Query, shape, &normed[from * dim..], rows - from, query);
        positions.rotate(query, dim, head_dim, known + from);

        self.apply(Projection::Key, shape, normed, rows, projected);
        positions.rotate(projected, kv_dim, head_dim, known);
        for (row, projected) in (known..).zip(projected.chunks_exact(kv_dim)) {
            let heads = projected.chunks_exact(head_dim).zip(keys.chunks_exact_mut(places * head_dim));
            for (head, panels) in heads {
                let panel = &mut panels[row / LANES * LANES * head_dim..][..LANES * head_dim];
                for (lanes, &component) in panel.as_chunks_mut::<LANES>().0.iter_mut().zip(head) {
                    lanes[row % LANES] = component;
                }
            }
        }

        self.apply(Projection::Value, shape, normed, rows, projected);
        // Eight components stay together, whatever the head: head_dim is a multiple of eight.
        for (row, projected) in (known..).zip(projected.chunks_exact(kv_dim)) {
            let panels = values.chunks_exact_mut(places * LANES);
            for (lanes, panel) in projected.chunks_exact(LANES).zip(panels) {
                panel[row * LANES..][..LANES].copy_from_slice(lanes);
            }
        }
    }
}

/// Causal attention of the query rows from `from`, head by head, into `heads`.
fn attend(shape: &EncoderShape, from: usize, read: &Read, buffers: &mut Buffers) {
    let (dim, head_dim) = (shape.dim, shape.head_dim());
    let Buffers { rows, known, query, heads, scores, .. } = buffers;
    let (known, places) = (*known, places(shape));
    let scale = 1.0 / (head_dim as f32).sqrt();
    let group = shape.heads / shape.kv_heads;
    for head in 0..shape.heads {
        let of_head = head / group * places * head_dim..(head / group + 1) * places * head_dim;
        let (keys, values) = (&read.keys[of_head.clone()], &read.values[of_head]);
        for first in (from..*rows).step_by(QUERIES) {
            let count = QUERIES.min(*rows - first);
            // Later positions are not even scored, but for those that share a panel with the last of these rows.
            let live = (known + first + count).next_multiple_of(LANES);
            let at = first * dim + head * head_dim;
            let keys = Panels::new(&keys[..live * head_dim], head_dim);
            let queries = Rows { data: &query[at..], stride: dim };
            kernels::matmul(queries, count, head_dim, keys, scores, live);
            for (row, scores) in scores.chunks_exact_mut(live).take(count).enumerate() {
                kernels::softmax(scores, known + first + row + 1, scale);
            }
            let shares = Rows { data: scores, stride: live };
            kernels::matmul(shares, count, live, Panels::new(values, places), &mut heads[at..], dim);
        }
    }
}

fn norm_rows(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    for (x, out) in x.chunks_exact(gain.len()).zip(out.chunks_exact_mut(gain.len())) {
        kernels::rms_norm(x, gain, eps, out);
    }
}
