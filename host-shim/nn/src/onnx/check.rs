//! The second look: is the decoded model one that tract can be given?
//!
//! tract trusts its models: a name that nothing defines ends in a panic, a declared size is allocated before it is
//! compared with the data, an unknown operator is reported when the graph is typed and without its node's name. So
//! the rules of the ONNX specification that tract relies on are checked here, and what it lacks is named here.

use std::collections::HashSet;

use tract_onnx::model::OnnxOpRegister;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::types::onnx_size;
use crate::NnError;
use crate::limits::MAX_RANK;

/// Nodes and weights of a model: the largest language models have some 10,000 together. tract compares every one with
/// every other, by name and by value, which takes about a second here and grows with the square.
const MAX_NODES: usize = 16_384;
/// Operator sets of the default domain that are accepted. Before 7, broadcasting had other rules, which tract does
/// not have. tract is tested by its authors on 9 to 18; 19 to 22 mostly add types, and a transformer of each gives
/// ONNX Runtime's numbers in the tests. What comes later may change what an operator means.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=22;
/// Operators of the domain for classical machine learning, as far as they are there.
const ML_OPERATORS: [&str; 8] = [
    "ArrayFeatureExtractor",
    "CategoryMapper",
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "Scaler",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
];
/// Operators of ONNX Runtime's own domain, which its optimiser writes into models.
const MICROSOFT_OPERATORS: [&str; 13] = [
    "Attention",
    "BiasGelu",
    "FastGelu",
    "Gelu",
    "GatherBlockQuantized",
    "GroupQueryAttention",
    "MatMulNBits",
    "MultiHeadAttention",
    "QuickGelu",
    "RotaryEmbedding",
    "SimplifiedLayerNormalization",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
];

/// Refuses what tract must not see.
///
/// # Errors
/// [`NnError::Model`] for what the specification forbids, [`NnError::Unsupported`] for what tract lacks,
/// [`NnError::Limit`].
pub(super) fn check(model: &ModelProto, operators: &OnnxOpRegister) -> Result<(), NnError> {
    check_opset(model)?;
    let graph = model.graph.as_ref().ok_or_else(|| bad("there is no graph"))?;
    if graph.output.is_empty() {
        return Err(bad("the graph has no outputs"));
    }
    let mut check = Check { operators, defined: HashSet::new() };
    check.graph(graph)
}

fn check_opset(model: &ModelProto) -> Result<(), NnError> {
    for import in &model.opset_import {
        let default = matches!(import.domain.as_str(), "" | "ai.onnx");
        if default && !OPSETS.contains(&import.version) {
            let (first, last) = OPSETS.into_inner();
            return Err(unsupported(format!("operator set {} ({first} to {last} are)", import.version)));
        }
    }
    if model.opset_import.is_empty() {
        return Err(bad("no operator set is imported"));
    }
    Ok(())
}

struct Check<'a> {
    operators: &'a OnnxOpRegister,
    /// Names defined so far.
    defined: HashSet<&'a str>,
}

impl<'a> Check<'a> {
    fn graph(&mut self, graph: &'a GraphProto) -> Result<(), NnError> {
        let found = graph.node.len() + graph.initializer.len() + graph.input.len() + graph.output.len();
        if found > MAX_NODES {
            let (found, limit) = (found as u64, MAX_NODES as u64);
            return Err(NnError::Limit { what: "nodes and weights of a model", found, limit });
        }
        for input in &graph.input {
            self.define(&input.name, "input")?;
        }
        let mut initialised = HashSet::new();
        for tensor in &graph.initializer {
            check_tensor(tensor, || format!("initialiser `{}`", tensor.name))?;
            if !initialised.insert(tensor.name.as_str()) {
                return Err(bad(format!("two initialisers are named `{}`", tensor.name)));
            }
            // An input may have an initialiser, which is its default; then the name is defined already.
            self.defined.insert(&tensor.name);
        }
        for node in &graph.node {
            self.node(node)?;
        }
        match graph.output.iter().find(|output| !self.defined.contains(output.name.as_str())) {
            Some(output) => Err(bad(format!("nothing defines the output `{}`", output.name))),
            None => Ok(()),
        }
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<(), NnError> {
        self.operator(node)?;
        for input in node.input.iter().filter(|name| !name.is_empty()) {
            if !self.defined.contains(input.as_str()) {
                // The specification wants nodes sorted: a cycle cannot be sorted.
                let reason = "a weight is missing, or the graph has a cycle";
                return Err(bad(format!(
                    "{}: nothing before it defines its input `{input}`: {reason}",
                    shown(node)
                )));
            }
        }
        for attribute in &node.attribute {
            for tensor in attribute.t.iter().chain(&attribute.tensors) {
                check_tensor(tensor, || format!("attribute `{}` of {}", attribute.name, shown(node)))?;
            }
            if attribute.sparse_tensor.is_some() || !attribute.sparse_tensors.is_empty() {
                return Err(unsupported(format!("{}, which holds a sparse tensor,", shown(node))));
            }
            if attribute.g.is_some() || !attribute.graphs.is_empty() {
                // tract analyses them by itself, where nothing bounds what it computes.
                return Err(unsupported(format!("{}, which holds a graph of its own,", shown(node))));
            }
        }
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            self.define(output, "value")?;
        }
        Ok(())
    }

    fn operator(&self, node: &NodeProto) -> Result<(), NnError> {
        let name = node.op_type.as_str();
        let known = match node.domain.as_str() {
            "" | "ai.onnx" => !ML_OPERATORS.contains(&name),
            "ai.onnx.ml" => ML_OPERATORS.contains(&name),
            "com.microsoft" => MICROSOFT_OPERATORS.contains(&name),
            _ => false,
        };
        // tract looks operators up by name alone: one of a foreign domain would be taken for its namesake.
        if known && self.operators.0.contains_key(name) {
            return Ok(());
        }
        let domain = if node.domain.is_empty() { "" } else { " of domain " };
        Err(unsupported(format!("{}{domain}{}", shown(node), node.domain)))
    }

    fn define(&mut self, name: &'a str, what: &str) -> Result<(), NnError> {
        if self.defined.insert(name) {
            return Ok(());
        }
        Err(bad(format!("the {what} `{name}` is defined twice")))
    }
}

/// Checks that the data is there, and as long as type and dimensions say.
fn check_tensor(tensor: &TensorProto, name: impl Fn() -> String) -> Result<(), NnError> {
    if tensor.data_location == Some(DataLocation::External as i32) || !tensor.external_data.is_empty() {
        // A path of the model's own choice on the host's disk.
        return Err(unsupported(format!("{}, whose data lies in another file,", name())));
    }
    if tensor.segment.is_some() {
        return Err(unsupported(format!("{}, which is split into segments,", name())));
    }
    if tensor.dims.len() > MAX_RANK {
        let (found, limit) = (tensor.dims.len() as u64, MAX_RANK as u64);
        return Err(NnError::Limit { what: "axes of a tensor", found, limit });
    }
    let elements = tensor
        .dims
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(u64::try_from(size).ok()?))
        .ok_or_else(|| bad(format!("{}: dimensions {:?} are no sizes", name(), tensor.dims)))?;
    let fits = match onnx_size(tensor.data_type) {
        Some(size) if !tensor.raw_data.is_empty() => {
            elements.checked_mul(size) == Some(tensor.raw_data.len() as u64)
        }
        Some(_) => typed_data(tensor) == elements,
        None if tensor.data_type == DataType::String as i32 => tensor.string_data.len() as u64 == elements,
        None => return Err(unsupported(format!("{}: element type {}", name(), tensor.data_type))),
    };
    if !fits {
        let reason = format!("dimensions {:?} do not fit its data", tensor.dims);
        return Err(bad(format!("{}: {reason}", name())));
    }
    Ok(())
}

/// Elements in the field that the type uses when there is no raw data.
fn typed_data(tensor: &TensorProto) -> u64 {
    let elements = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => tensor.float_data.len(),
        Ok(DataType::Double) => tensor.double_data.len(),
        Ok(DataType::Int64) => tensor.int64_data.len(),
        // tract reads these two from other fields than the specification says, and so finds nothing.
        Ok(DataType::Uint32 | DataType::Uint64) => tensor.uint64_data.len(),
        _ => tensor.int32_data.len(),
    };
    elements as u64
}

/// As `operator Softmax (node /head/softmax)`.
pub(super) fn shown(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    format!("operator {} (node {})", node.op_type, name.map_or("without a name", String::as_str))
}

fn bad(reason: impl Into<String>) -> NnError {
    NnError::Model { engine: "onnx", reason: reason.into() }
}

fn unsupported(what: String) -> NnError {
    NnError::Unsupported { engine: "onnx", what }
}
