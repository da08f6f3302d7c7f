//! The host's wasi-nn, by its WIT interface.

use endcap_core::inference::{Encoding, Graph, InferenceError, Input, Output, Runtime, Values};

use crate::bindings::wasi::nn::errors::Error;
use crate::bindings::wasi::nn::graph::{self, ExecutionTarget, GraphEncoding};
use crate::bindings::wasi::nn::inference::GraphExecutionContext;
use crate::bindings::wasi::nn::tensor::{Tensor, TensorType};

/// The host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host;

fn reason(error: &Error) -> String {
    format!("{:?}: {}", error.code(), error.data())
}

impl Runtime for Host {
    fn name(&self) -> &'static str {
        "wasi-nn/wit"
    }

    fn load(&mut self, bytes: &[u8], encoding: Encoding) -> Result<Box<dyn Graph>, InferenceError> {
        let number = match encoding {
            Encoding::Onnx => GraphEncoding::Onnx,
            Encoding::Ggml => GraphEncoding::Ggml,
        };
        let refused = |error: Error| InferenceError::Load { encoding, reason: reason(&error) };
        let graph = graph::load(&[bytes.to_vec()], number, ExecutionTarget::Cpu).map_err(refused)?;
        let context = graph.init_execution_context().map_err(refused)?;
        Ok(Box::new(HostGraph { _graph: graph, context }))
    }
}

/// A graph of the host and its context, which must not outlive it.
#[derive(Debug)]
struct HostGraph {
    context: GraphExecutionContext,
    _graph: graph::Graph,
}

impl Graph for HostGraph {
    fn compute(
        &mut self,
        inputs: &[Input<'_>],
        output: Output<'_>,
        values: &mut Vec<f32>,
    ) -> Result<(), InferenceError> {
        let tensors = inputs.iter().map(|input| (input.name.to_owned(), tensor(input))).collect();
        let outputs = self
            .context
            .compute(tensors)
            .map_err(|error| InferenceError::Compute { step: "compute", reason: reason(&error) })?;
        let found = outputs.into_iter().find(|(name, _)| name == output.name);
        let data = found.map_or(Vec::new(), |(_, tensor)| tensor.data());
        if data.len() != output.elements * size_of::<f32>() {
            return Err(InferenceError::Output {
                name: output.name.to_owned(),
                found: data.len() / size_of::<f32>(),
                expected: output.elements,
            });
        }
        values.clear();
        values.extend(data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        Ok(())
    }
}

fn tensor(input: &Input<'_>) -> Tensor {
    let (ty, data) = match input.values {
        Values::F32(values) => (TensorType::Fp32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Values::I64(values) => (TensorType::I64, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Values::I32(values) => (TensorType::I32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Values::U8(values) => (TensorType::U8, values.to_vec()),
    };
    Tensor::new(input.dimensions, ty, &data)
}
