//! The two engines, each with a loaded model and its input.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow};
use endcap_nn::{Context, Device, Encoding, Key, Limits, Registry, Tensor};
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};

use crate::models::{Case, Values};

static ONNX_RUNTIME: OnceLock<Environment> = OnceLock::new();

/// Loads ONNX Runtime's library.
pub(crate) fn start(library: &Path) -> anyhow::Result<()> {
    let builder = ort::init_from(library).map_err(|error| anyhow!("{}: {error}", library.display()))?;
    let environment = builder.build().map_err(|error| anyhow!("{error}"))?;
    ONNX_RUNTIME.set(environment).map_err(|_| anyhow!("started twice"))
}

pub(crate) trait Engine: Sized {
    /// Loads the model and makes its inputs.
    fn load(case: &Case) -> anyhow::Result<Self>;

    /// Hands the inputs over, computes, and copies the first output.
    fn run(&mut self) -> anyhow::Result<Vec<f32>>;
}

/// tract by endcap-nn.
pub(crate) struct Tract {
    context: Context,
    inputs: Vec<Tensor>,
}

impl Engine for Tract {
    fn load(case: &Case) -> anyhow::Result<Self> {
        let engine = endcap_nn::Engine::new(Limits::default(), Registry::default());
        let context = engine.load(&[&case.onnx], Encoding::Onnx, Device::Cpu)?.context()?;
        let inputs = case.inputs.iter().map(|(dimensions, values)| {
            let dimensions: Vec<u32> = dimensions.iter().map(|&size| size as u32).collect();
            match values {
                Values::F32(values) => Tensor::f32(&dimensions, values),
                Values::I64(values) => Tensor::i64(&dimensions, values),
            }
        });
        Ok(Self { context, inputs: inputs.collect() })
    }

    fn run(&mut self) -> anyhow::Result<Vec<f32>> {
        for (index, input) in self.inputs.iter().enumerate() {
            self.context.set_input(Key::Index(index as u32), input.view())?;
        }
        self.context.compute()?;
        self.context.output(Key::Index(0))?.to_tensor().to_f32().context("the output is not f32")
    }
}

/// ONNX Runtime.
pub(crate) struct OnnxRuntime {
    session: Session,
    inputs: Vec<(Vec<usize>, ValuesOwned)>,
}

enum ValuesOwned {
    F32(Vec<f32>),
    I64(Vec<i64>),
}

impl Engine for OnnxRuntime {
    fn load(case: &Case) -> anyhow::Result<Self> {
        let failed = |error: ort::Error| anyhow!("{error}");
        let environment = ONNX_RUNTIME.get().context("ONNX Runtime is not started")?;
        let session = Session::builder(environment)
            .and_then(|builder| Ok(builder.with_intra_threads(1)?))
            .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?))
            .and_then(|mut builder| builder.commit_from_memory(&case.onnx))
            .map_err(failed)?;
        let inputs = case.inputs.iter().map(|(dimensions, values)| {
            let values = match values {
                Values::F32(values) => ValuesOwned::F32(values.clone()),
                Values::I64(values) => ValuesOwned::I64(values.clone()),
            };
            (dimensions.clone(), values)
        });
        Ok(Self { session, inputs: inputs.collect() })
    }

    fn run(&mut self) -> anyhow::Result<Vec<f32>> {
        let failed = |error: ort::Error| anyhow!("{error}");
        let mut inputs: Vec<SessionInputValue<'_>> = Vec::with_capacity(self.inputs.len());
        for (dimensions, values) in &self.inputs {
            // A view, as ONNX Runtime is fastest: it copies nothing on the way in.
            inputs.push(match values {
                ValuesOwned::F32(values) => {
                    let view = (dimensions.as_slice(), values.as_slice());
                    ort::value::TensorRef::from_array_view(view).map_err(failed)?.into()
                }
                ValuesOwned::I64(values) => {
                    let view = (dimensions.as_slice(), values.as_slice());
                    ort::value::TensorRef::from_array_view(view).map_err(failed)?.into()
                }
            });
        }
        let outputs = self.session.run(inputs.as_slice()).map_err(failed)?;
        let (_, values) = outputs[0].try_extract_tensor::<f32>().map_err(failed)?;
        Ok(values.to_vec())
    }
}
