//! The core's inference port over `endcap-nn`, in process.

use endcap_core::inference::{Encoding, Graph, InferenceError, Input, Output, Runtime, Values};
use endcap_nn::{Context, Device, Engine, Key, Limits, NnError, Registry, TensorType, TensorView};

/// The engine that the WasmEdge plugin and the wasmtime host serve by.
#[derive(Debug, Clone)]
pub struct Native {
    engine: Engine,
}

impl Default for Native {
    fn default() -> Self {
        Self { engine: Engine::new(Limits::default(), Registry::default()) }
    }
}

impl Native {
    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl Runtime for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn load(&mut self, bytes: &[u8], encoding: Encoding) -> Result<Box<dyn Graph>, InferenceError> {
        let kind = match encoding {
            Encoding::Onnx => endcap_nn::Encoding::Onnx,
            Encoding::Ggml => endcap_nn::Encoding::Ggml,
        };
        let refused = |error: NnError| InferenceError::Load { encoding, reason: error.to_string() };
        let graph = self.engine.load(&[bytes], kind, Device::Cpu).map_err(refused)?;
        let context = graph.context().map_err(refused)?;
        Ok(Box::new(NativeGraph { context, encoding }))
    }
}

#[derive(Debug)]
struct NativeGraph {
    context: Context,
    encoding: Encoding,
}

impl Graph for NativeGraph {
    fn compute(
        &mut self,
        inputs: &[Input<'_>],
        output: Output<'_>,
        values: &mut Vec<f32>,
    ) -> Result<(), InferenceError> {
        let failed = |step| move |error: NnError| InferenceError::Compute { step, reason: error.to_string() };
        for (index, input) in inputs.iter().enumerate() {
            let (ty, data) = match input.values {
                Values::F32(values) => (TensorType::F32, bytemuck::cast_slice(values)),
                Values::I64(values) => (TensorType::I64, bytemuck::cast_slice(values)),
                Values::I32(values) => (TensorType::I32, bytemuck::cast_slice(values)),
                Values::U8(values) => (TensorType::U8, values),
            };
            // As the witx adapter: its ABI has indices only, and llama.cpp's inputs have no names.
            let tensor = TensorView { dimensions: input.dimensions, ty, data };
            self.context.set_input(Key::Index(index as u32), tensor).map_err(failed("set_input"))?;
        }
        self.context.compute().map_err(failed("compute"))?;
        let key = match self.encoding {
            Encoding::Onnx => Key::Name(output.name),
            Encoding::Ggml => Key::Index(output.index),
        };
        let found = self.context.output(key).map_err(failed("output"))?;
        let elements = found.data.len() / size_of::<f32>();
        if found.ty != TensorType::F32 || elements != output.elements {
            let name = output.name.to_owned();
            return Err(InferenceError::Output { name, found: elements, expected: output.elements });
        }
        values.clear();
        values.extend(found.data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        Ok(())
    }
}
