//! ONNX by tract.
//!
//! ```text
//! bytes ── wire ──► decode ── check ──► prepare ──► InferenceModel            once per graph
//!                                                      │ input shapes
//!                                                   settle ──► Plan           once per set of shapes, cached
//!                                                                │
//!                                                             context         inputs, working memory, outputs
//! ```
//!
//! A plan is made from the untyped model for concrete shapes, not from a model with symbols in it: tract optimises
//! better where sizes are known, types models whose symbolic shapes it cannot reconcile, and every size can be held
//! against the limits before anything is allocated.

mod check;
mod contained;
mod context;
mod plan;
mod prepare;
mod scaler;
mod settle;
mod trees;
mod types;
mod wire;

use std::sync::Arc;

use tract_onnx::pb::tensor_shape_proto::dimension::Value;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto, type_proto};
use tract_onnx::prelude::*;

use self::contained::contained;
use self::context::OnnxContext;
use self::plan::{Plans, Shapes};
use crate::context::ContextBackend;
use crate::engine::GraphBackend;
use crate::{ArgumentError, Device, Limits, NnError, TensorSpec};

pub(crate) use self::wire::looks_like;

/// Axes of open size are given these sizes, one after another, in the plan that is made on loading: it shows what is
/// wrong with a model before its first use, and is kept for requests of one row. Eight for models that need more than
/// one of something.
const PROBE_SIZES: [u32; 2] = [1, 8];

/// A loaded ONNX model.
#[derive(Debug)]
struct OnnxGraph {
    plans: Arc<Plans>,
    inputs: Arc<[TensorSpec]>,
    outputs: Arc<[TensorSpec]>,
}

/// Loads a model from its only part.
///
/// # Errors
/// As [`crate::Engine::load`].
pub(crate) fn load(
    parts: &[&[u8]],
    device: Device,
    limits: &Limits,
) -> Result<Box<dyn GraphBackend>, NnError> {
    let [bytes] = parts else {
        return Err(ArgumentError::Builders { found: parts.len(), expected: "1" }.into());
    };
    if device == Device::Gpu {
        return Err(NnError::NoGpu { reason: "the onnx engine computes on the processor" });
    }
    wire::check(bytes, limits.model_bytes)?;
    let graph = contained(|| load_checked(bytes, limits))?;
    Ok(Box::new(graph))
}

/// Refuses settings: this engine has none.
///
/// # Errors
/// [`ArgumentError::Metadata`] unless there are none, or an empty object.
pub(crate) fn check_metadata(metadata: Option<&str>) -> Result<(), NnError> {
    let refused = |reason: String| Err(ArgumentError::Metadata { reason }.into());
    let Some(metadata) = metadata.filter(|metadata| !metadata.is_empty()) else { return Ok(()) };
    match serde_json::from_str::<serde_json::Map<_, _>>(metadata) {
        Err(error) => refused(error.to_string()),
        Ok(object) => match object.keys().next() {
            None => Ok(()),
            Some(key) => refused(format!("`{key}`: the onnx engine has no settings")),
        },
    }
}

fn load_checked(bytes: &[u8], limits: &Limits) -> Result<OnnxGraph, NnError> {
    use prost::Message;
    let mut framework = onnx();
    // Hints of the exporter, which tract would have to believe where they contradict its own rules.
    framework.ignore_value_info = true;
    trees::register(&mut framework.op_register);
    scaler::register(&mut framework.op_register);
    let mut proto = ModelProto::decode(bytes)
        .map_err(|error| NnError::Model { engine: "onnx", reason: error.to_string() })?;
    check::check(&proto, &framework.op_register)?;
    let Some(graph) = proto.graph.as_mut() else {
        return Err(NnError::Model { engine: "onnx", reason: "there is no graph".into() });
    };
    let inputs: Arc<[TensorSpec]> = inputs(graph)?.into();
    let outputs: Arc<[TensorSpec]> = graph.output.iter().map(spec).collect();
    prepare::prepare(graph);
    let parsed = framework.parse(&proto, None).map_err(failed)?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(NnError::Model { engine: "onnx", reason: format!("nothing defines `{name}`") });
    }
    let plans = Arc::new(Plans::new(parsed.model, Arc::clone(&inputs), limits));
    probe(&plans, &inputs)?;
    Ok(OnnxGraph { plans, inputs, outputs })
}

/// Makes a first plan, where the inputs' ranks are known.
fn probe(plans: &Plans, inputs: &[TensorSpec]) -> Result<(), NnError> {
    let mut first = Ok(());
    for size in PROBE_SIZES {
        let shapes: Option<Shapes> = inputs
            .iter()
            .map(|input| Some(input.dimensions.as_ref()?.iter().map(|own| own.unwrap_or(size)).collect()))
            .collect();
        let Some(shapes) = shapes else { return Ok(()) };
        match plans.get(&shapes) {
            Ok(_) => return Ok(()),
            Err(error) if first.is_ok() => first = Err(error),
            Err(_) => {}
        }
    }
    first
}

/// Inputs that a caller sets: those without a default.
fn inputs(graph: &GraphProto) -> Result<Vec<TensorSpec>, NnError> {
    let given = |input: &&ValueInfoProto| graph.initializer.iter().all(|tensor| tensor.name != input.name);
    let specs: Vec<TensorSpec> = graph.input.iter().filter(given).map(spec).collect();
    match specs.iter().find(|input| input.ty.is_none()) {
        Some(input) => {
            Err(unsupported(format!("input `{}`: a type other than f16, f32, f64, u8, i32, i64", input.name)))
        }
        None => Ok(specs),
    }
}

fn spec(value: &ValueInfoProto) -> TensorSpec {
    let ty = value.r#type.as_ref().and_then(|ty| ty.value.as_ref());
    let tensor = ty.map(|type_proto::Value::TensorType(tensor)| tensor);
    let size = |dimension: &Option<Value>| match dimension {
        Some(Value::DimValue(size)) => u32::try_from(*size).ok(),
        _ => None,
    };
    TensorSpec {
        name: value.name.clone(),
        ty: tensor.and_then(|tensor| types::from_onnx(tensor.elem_type)),
        dimensions: tensor
            .and_then(|tensor| tensor.shape.as_ref())
            .map(|shape| shape.dim.iter().map(|dimension| size(&dimension.value)).collect()),
    }
}

impl GraphBackend for OnnxGraph {
    fn context(&self) -> Result<Box<dyn ContextBackend>, NnError> {
        let (inputs, outputs) = (Arc::clone(&self.inputs), Arc::clone(&self.outputs));
        Ok(Box::new(OnnxContext::new(Arc::clone(&self.plans), inputs, outputs)))
    }

    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }
}

/// tract's error with its causes.
fn failed(error: TractError) -> NnError {
    NnError::Model { engine: "onnx", reason: format!("{error:#}") }
}

fn unsupported(what: String) -> NnError {
    NnError::Unsupported { engine: "onnx", what }
}
