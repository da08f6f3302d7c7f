//! What is changed in a decoded model before tract gets it.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value;
use tract_onnx::pb::{GraphProto, TensorProto, TypeProto, type_proto};

/// Renames nodes, clears symbolic sizes, and moves data into the fields that tract reads.
pub(super) fn prepare(graph: &mut GraphProto) {
    name_nodes(graph);
    graph.initializer.iter_mut().for_each(as_raw_data);
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        attribute.t.iter_mut().chain(&mut attribute.tensors).for_each(as_raw_data);
    }
    for input in &mut graph.input {
        clear_symbols(input.r#type.as_mut());
    }
}

/// Node names are for people in ONNX, and may be missing or repeat; to tract they are keys, of nodes, weights and
/// inputs alike.
fn name_nodes(graph: &mut GraphProto) {
    let weights = graph.initializer.iter().map(|tensor| &tensor.name);
    let mut taken: HashSet<String> =
        weights.chain(graph.input.iter().map(|input| &input.name)).cloned().collect();
    for node in &mut graph.node {
        if node.name.is_empty() {
            node.name.clone_from(node.output.first().unwrap_or(&node.op_type));
        }
        while !taken.insert(node.name.clone()) {
            node.name = format!("{}#{}", node.name, taken.len());
        }
    }
}

/// tract looks for unsigned integers of 32 and 64 bits in the fields of signed ones.
fn as_raw_data(tensor: &mut TensorProto) {
    if !tensor.raw_data.is_empty() {
        return;
    }
    let numbers = std::mem::take(&mut tensor.uint64_data);
    tensor.raw_data = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Uint32) => numbers.iter().flat_map(|n| (*n as u32).to_le_bytes()).collect(),
        Ok(DataType::Uint64) => numbers.iter().flat_map(|n| n.to_le_bytes()).collect(),
        _ => return,
    };
}

/// Sizes of inputs are set when a plan is made. The expressions that stand for them are not parsed: tract's parser
/// recurses as deep as they nest.
fn clear_symbols(ty: Option<&mut TypeProto>) {
    let Some(type_proto::Value::TensorType(tensor)) = ty.and_then(|ty| ty.value.as_mut()) else { return };
    for dimension in tensor.shape.iter_mut().flat_map(|shape| &mut shape.dim) {
        if matches!(dimension.value, Some(Value::DimParam(_))) {
            dimension.value = None;
        }
    }
}
