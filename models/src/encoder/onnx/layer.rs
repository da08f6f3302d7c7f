//! One layer as ONNX nodes.

use endcap_core::encoder::{EncoderShape, Projection};
use endcap_core::format::rotary_angles;

use super::positions;
use crate::encoder::weights::Layer;
use crate::onnx::{Attribute, GraphBuilder, Value};

/// Added to the scores of later positions: exp gives 0 for it, and no engine makes it infinite.
const MASKED: f32 = -1.0e9;

/// What all layers share.
pub(super) struct Common<'w> {
    shape: &'w EncoderShape,
    epsilon: Value,
    /// `[positions, heads, head_dim]` as a shape, and back.
    heads: Value,
    joined: Value,
    /// Every position: what all layers but the last compute.
    pub(super) all: Queries,
    /// The last item alone.
    pub(super) last: Queries,
}

/// Which positions ask, and what belongs to them.
pub(super) struct Queries {
    /// Picks the rows out of all; `None` for all.
    pick: Option<Value>,
    /// Angles of these rows, `[rows, dim]`.
    cos: Value,
    sin: Value,
    /// 0 or [`MASKED`], `[rows, positions]`.
    mask: Value,
}

impl<'w> Common<'w> {
    /// `items` are the positions as a list, `length` how many of them count.
    pub(super) fn new(
        shape: &'w EncoderShape,
        graph: &mut GraphBuilder,
        items: &Value,
        length: &Value,
    ) -> Self {
        let most = positions(shape.max_len);
        let (cos, sin) = wide_angles(shape, most);
        let cos = graph.floats("cos", &[most, shape.dim], &cos);
        let sin = graph.floats("sin", &[most, shape.dim], &sin);
        let mask: Vec<f32> =
            (0..most * most).map(|at| if at % most > at / most { MASKED } else { 0.0 }).collect();
        let mask = graph.floats("mask", &[most, most], &mask);
        let (zero, one) = (graph.ints("zero", &[0]), graph.ints("one", &[1]));

        // The tables are longer than most histories: cut to the positions at hand.
        let count = graph.op("Shape", &[items], Vec::new());
        let columns = graph.op("Slice", &[&mask, &zero, &count, &one], Vec::new());
        let mut cut = |table: &Value| graph.op("Slice", &[table, &zero, &count, &zero], Vec::new());
        let all = Queries { pick: None, cos: cut(&cos), sin: cut(&sin), mask: cut(&columns) };

        let place = graph.op("Sub", &[length, &one], Vec::new());
        let mut row = |table: &Value| graph.op("Gather", &[table, &place], vec![Attribute::int("axis", 0)]);
        let last = Queries { cos: row(&cos), sin: row(&sin), mask: row(&columns), pick: Some(place.clone()) };
        let [heads, head_dim, dim] = [shape.heads, shape.head_dim(), shape.dim].map(|size| size as i64);
        Self {
            shape,
            epsilon: graph.floats("epsilon", &[1], &[shape.norm_eps]),
            heads: graph.ints("heads", &[-1, heads, head_dim]),
            joined: graph.ints("joined", &[-1, dim]),
            all,
            last,
        }
    }
}

/// Angles for every component of a row rather than for every pair of a head, `[positions x dim]` each.
fn wide_angles(shape: &EncoderShape, positions: usize) -> (Vec<f32>, Vec<f32>) {
    let (cos, sin) = rotary_angles(&EncoderShape { max_len: positions, ..shape.clone() });
    let pairs = shape.head_dim() / 2;
    let wide = |table: &[f32]| {
        (0..positions * shape.dim)
            .map(|at| {
                let (position, component) = (at / shape.dim, at % shape.dim);
                table[position * pairs + component / 2 % pairs]
            })
            .collect()
    };
    (wide(&cos), wide(&sin))
}

/// Attention and the gated layer over `stream`, `[positions, dim]`; gives the rows that `rows` picks.
pub(super) fn layer(
    graph: &mut GraphBuilder,
    common: &Common<'_>,
    rows: &Queries,
    name: &str,
    layer: &Layer,
    stream: &Value,
) -> Value {
    let normed = norm(graph, common, &format!("{name}.attention_norm"), &layer.attention_norm, stream);
    let mut pick = |all: &Value| match &rows.pick {
        Some(place) => graph.op("Gather", &[all, place], vec![Attribute::int("axis", 0)]),
        None => all.clone(),
    };
    let (asking, stream) = (pick(&normed), pick(stream));
    let attended = attention(graph, common, rows, name, layer, &asking, &normed);
    let stream = graph.op("Add", &[&stream, &attended], Vec::new());
    let normed = norm(graph, common, &format!("{name}.mlp_norm"), &layer.mlp_norm, &stream);
    let added = gated(graph, common, name, layer, &normed);
    graph.op("Add", &[&stream, &added], Vec::new())
}

/// `x / sqrt(mean(x^2) + eps) * gain`.
pub(super) fn norm(
    graph: &mut GraphBuilder,
    common: &Common<'_>,
    name: &str,
    gain: &[f32],
    x: &Value,
) -> Value {
    let square = graph.op("Mul", &[x, x], Vec::new());
    let mean = graph.op(
        "ReduceMean",
        &[&square],
        vec![Attribute::ints("axes", &[-1]), Attribute::int("keepdims", 1)],
    );
    let mean = graph.op("Add", &[&mean, &common.epsilon], Vec::new());
    let root = graph.op("Sqrt", &[&mean], Vec::new());
    let unit = graph.op("Div", &[x, &root], Vec::new());
    let gain = graph.floats(name, &[gain.len()], gain);
    graph.op("Mul", &[&unit, &gain], Vec::new())
}

fn attention(
    graph: &mut GraphBuilder,
    common: &Common<'_>,
    rows: &Queries,
    name: &str,
    layer: &Layer,
    asking: &Value,
    normed: &Value,
) -> Value {
    let shape = common.shape;
    let scale = 1.0 / (shape.head_dim() as f32).sqrt();
    let query: Vec<f32> = layer.projection(Projection::Query).iter().map(|weight| weight * scale).collect();
    let key = every_head(layer.projection(Projection::Key), shape);
    let value = every_head(layer.projection(Projection::Value), shape);

    let query = turned(graph, shape, &format!("{name}.query"), &query, asking, rows);
    let key = turned(graph, shape, &format!("{name}.key"), &key, normed, &common.all);
    let value = linear(graph, &format!("{name}.value"), &value, [shape.dim, shape.dim], normed);
    let mut by_head = |x: &Value, order: &[i64]| {
        let x = graph.op("Reshape", &[x, &common.heads], Vec::new());
        graph.op("Transpose", &[&x], vec![Attribute::ints("perm", order)])
    };
    let query = by_head(&query, &[1, 0, 2]);
    let key = by_head(&key, &[1, 2, 0]);
    let value = by_head(&value, &[1, 0, 2]);
    let scores = graph.op("MatMul", &[&query, &key], Vec::new());
    let scores = graph.op("Add", &[&scores, &rows.mask], Vec::new());
    let shares = graph.op("Softmax", &[&scores], vec![Attribute::int("axis", -1)]);
    let heads = graph.op("MatMul", &[&shares, &value], Vec::new());
    let heads = graph.op("Transpose", &[&heads], vec![Attribute::ints("perm", &[1, 0, 2])]);
    let heads = graph.op("Reshape", &[&heads, &common.joined], Vec::new());
    let size = Projection::Output.size(shape);
    linear(graph, &format!("{name}.output"), layer.projection(Projection::Output), size, &heads)
}

fn gated(graph: &mut GraphBuilder, common: &Common<'_>, name: &str, layer: &Layer, normed: &Value) -> Value {
    let shape = common.shape;
    let size = Projection::Gate.size(shape);
    let gate = linear(graph, &format!("{name}.gate"), layer.projection(Projection::Gate), size, normed);
    let up = linear(graph, &format!("{name}.up"), layer.projection(Projection::Up), size, normed);
    let open = graph.op("Sigmoid", &[&gate], Vec::new());
    let gate = graph.op("Mul", &[&gate, &open], Vec::new());
    let gated = graph.op("Mul", &[&gate, &up], Vec::new());
    let size = Projection::Down.size(shape);
    linear(graph, &format!("{name}.down"), layer.projection(Projection::Down), size, &gated)
}

/// `x` through a matrix and turned by the angles of `rows`.
fn turned(
    graph: &mut GraphBuilder,
    shape: &EncoderShape,
    name: &str,
    matrix: &[f32],
    x: &Value,
    rows: &Queries,
) -> Value {
    let size = [shape.dim, shape.dim];
    let straight = linear(graph, name, matrix, size, x);
    let across = linear(graph, &format!("{name}.across"), &exchanged(matrix, shape.dim), size, x);
    let straight = graph.op("Mul", &[&straight, &rows.cos], Vec::new());
    let across = graph.op("Mul", &[&across, &rows.sin], Vec::new());
    graph.op("Add", &[&straight, &across], Vec::new())
}

/// The matrix whose outputs are `(-b, a)` where those of `matrix` are `(a, b)`.
fn exchanged(matrix: &[f32], inputs: usize) -> Vec<f32> {
    matrix
        .chunks_exact(2 * inputs)
        .flat_map(|pair| {
            let (a, b) = pair.split_at(inputs);
            b.iter().map(|weight| -weight).chain(a.iter().copied())
        })
        .collect()
}

/// Rows of shared key or value heads, once for every query head.
fn every_head(matrix: &[f32], shape: &EncoderShape) -> Vec<f32> {
    let head = shape.head_dim() * shape.dim;
    let group = shape.heads / shape.kv_heads;
    matrix.chunks_exact(head).flat_map(|rows| std::iter::repeat_n(rows, group)).flatten().copied().collect()
}

/// `x` through a matrix `[outputs x inputs]`.
fn linear(
    graph: &mut GraphBuilder,
    name: &str,
    matrix: &[f32],
    [outputs, inputs]: [usize; 2],
    x: &Value,
) -> Value {
    let transposed: Vec<f32> =
        (0..inputs).flat_map(|input| matrix.iter().skip(input).step_by(inputs).copied()).collect();
    let matrix = graph.floats(name, &[inputs, outputs], &transposed);
    graph.op("MatMul", &[x, &matrix], Vec::new())
}
