//! The encoder as ONNX, operator set 17: what tract and ONNX Runtime run.
//!
//! | | name | type | shape | meaning |
//! |---|---|---|---|---|
//! | input | `items` | int64 | `[1, positions]` | items, oldest first, filled up behind the last with any item |
//! | input | `length` | int64 | `[1]` | how many of them are the history, 1 to `positions` |
//! | output | `user` | float | `[1, dim]` | the user vector |
//!
//! `positions` may be 1 to [`positions`]. An engine prepares one plan for each value, so callers fill histories up to
//! a few lengths; attention is causal and the last item is picked by `length`, so what stands behind it changes
//! nothing.
//!
//! The graph is written for plain engines. Turning by an angle is `x cos + x' sin`, where `x'` has the components of
//! each pair exchanged: rather than shuffling activations, a second matrix with exchanged rows makes `x'`. Shared
//! key and value heads are written out. The scale of attention is part of the query matrix. The last layer computes
//! what the last item needs and nothing else.

mod layer;

use endcap_core::encoder::TensorError;

use super::weights::Weights;
use crate::onnx::{Attribute, Element, GraphBuilder, Size, Value};

/// The fewest positions that a graph takes, so that callers can fill every history up to this many.
const FEWEST_POSITIONS: usize = 8;

/// Most positions that the graph of an encoder with this `max_len` takes: the next power of two, at least 8.
/// More than `max_len`, so that a history of that length can be filled up.
pub fn positions(max_len: usize) -> usize {
    max_len.next_power_of_two().max(FEWEST_POSITIONS)
}

/// Writes the file. O(weights); the same weights give the same bytes.
///
/// # Errors
/// Where the weights do not fit their shape or are not finite.
pub fn write(weights: &Weights) -> Result<Vec<u8>, TensorError> {
    weights.tensors().check()?;
    let mut graph = GraphBuilder::default();
    let user = encode(weights, &mut graph);
    let dims = vec![Size::Fixed(1), Size::Fixed(weights.shape.dim as i64)];
    Ok(graph.finish("encoder", "user", &user, dims))
}

/// From items to the user vector.
fn encode(weights: &Weights, graph: &mut GraphBuilder) -> Value {
    let shape = &weights.shape;
    let items =
        graph.input("items", Element::Int64, vec![Size::Fixed(1), Size::Named("positions".to_owned())]);
    let length = graph.input("length", Element::Int64, vec![Size::Fixed(1)]);
    let table = graph.floats("embedding", &[shape.items, shape.dim], &weights.embedding);
    let first_axis = graph.ints("axis.0", &[0]);
    let items = graph.op("Squeeze", &[&items, &first_axis], Vec::new());
    let mut stream = graph.op("Gather", &[&table, &items], vec![Attribute::int("axis", 0)]);

    let common = layer::Common::new(shape, graph, &items, &length);
    for (at, layer) in weights.layers.iter().enumerate() {
        let rows = if at + 1 == weights.layers.len() { &common.last } else { &common.all };
        stream = layer::layer(graph, &common, rows, &format!("layer{at}"), layer, &stream);
    }
    layer::norm(graph, &common, "norm", &weights.norm, &stream)
}
