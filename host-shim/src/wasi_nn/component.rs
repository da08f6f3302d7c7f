//! wasi-nn for components: generate, wire, convert.

use endcap_nn::{
    ArgumentError, Category, Context, Device, Encoding, Engine, Graph, Key, NnError, TensorType, TensorView,
};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use crate::component::State;

mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]
    wasmtime::component::bindgen!({
        path: "wit",
        world: "ml",
        imports: { default: trappable },
        with: {
            "wasi:nn/graph.graph": endcap_nn::Graph,
            "wasi:nn/tensor.tensor": super::HostTensor,
            "wasi:nn/inference.graph-execution-context": endcap_nn::Context,
            "wasi:nn/errors.error": endcap_nn::NnError,
        },
    });
}

use generated::wasi::nn::{errors, graph, inference, tensor};

/// What the host keeps of one guest's inference.
#[derive(Debug)]
pub(crate) struct WasiNn {
    engine: Engine,
    /// Bytes of the tensors that the guest holds.
    tensor_bytes: u64,
}

impl WasiNn {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, tensor_bytes: 0 }
    }
}

/// A guest's tensor. The guest reads and writes it by copies, so that it owns its bytes.
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct HostTensor {
    dimensions: Vec<u32>,
    ty: tensor::TensorType,
    data: Vec<u8>,
}

/// More tensors than an instance may hold. A constructor cannot fail in WIT: it traps.
#[derive(Debug, thiserror::Error)]
#[error("the tensors of this instance would have {wanted} bytes; the limit is {limit}")]
struct TooManyTensors {
    wanted: u64,
    limit: u64,
}

/// What the generated traits are implemented on: a guest's state for the time of one call.
pub(crate) struct View<'a> {
    nn: &'a mut WasiNn,
    table: &'a mut ResourceTable,
}

struct HasView;

impl HasData for HasView {
    type Data<'a> = View<'a>;
}

/// Gives a component all of wasi-nn.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    fn view(state: &mut State) -> View<'_> {
        View { nn: &mut state.nn, table: &mut state.table }
    }
    graph::add_to_linker::<_, HasView>(linker, view)?;
    tensor::add_to_linker::<_, HasView>(linker, view)?;
    inference::add_to_linker::<_, HasView>(linker, view)?;
    errors::add_to_linker::<_, HasView>(linker, view)
}

/// A failure that the guest sees as an error; the outer result is a trap.
type Fallible<T> = wasmtime::Result<Result<Resource<T>, Resource<NnError>>>;

impl View<'_> {
    fn keep<T: Send + 'static>(&mut self, made: Result<T, NnError>) -> Fallible<T> {
        Ok(match made {
            Ok(made) => Ok(self.table.push(made)?),
            Err(error) => Err(self.table.push(error)?),
        })
    }

    fn keep_tensor(&mut self, tensor: HostTensor) -> wasmtime::Result<Resource<HostTensor>> {
        let limit = self.nn.engine.limits().tensor_bytes;
        let wanted = self.nn.tensor_bytes + tensor.data.len() as u64;
        if wanted > limit {
            return Err(TooManyTensors { wanted, limit }.into());
        }
        let kept = self.table.push(tensor)?;
        self.nn.tensor_bytes = wanted;
        Ok(kept)
    }

    fn take_tensor(&mut self, tensor: Resource<HostTensor>) -> wasmtime::Result<HostTensor> {
        let tensor = self.table.delete(tensor)?;
        self.nn.tensor_bytes -= tensor.data.len() as u64;
        Ok(tensor)
    }
}

impl graph::Host for View<'_> {
    fn load(
        &mut self,
        parts: Vec<Vec<u8>>,
        encoding: graph::GraphEncoding,
        target: graph::ExecutionTarget,
    ) -> Fallible<Graph> {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let loaded = to_encoding(encoding)
            .and_then(|encoding| Ok((encoding, to_device(target)?)))
            .and_then(|(encoding, device)| self.nn.engine.load(&parts, encoding, device));
        self.keep(loaded)
    }

    fn load_by_name(&mut self, name: String) -> Fallible<Graph> {
        let loaded = self.nn.engine.load_named(&name, None);
        self.keep(loaded)
    }
}

impl graph::HostGraph for View<'_> {
    fn init_execution_context(&mut self, graph: Resource<Graph>) -> Fallible<Context> {
        let context = self.table.get(&graph)?.context();
        self.keep(context)
    }

    fn drop(&mut self, graph: Resource<Graph>) -> wasmtime::Result<()> {
        self.table.delete(graph)?;
        Ok(())
    }
}

impl inference::Host for View<'_> {}

impl inference::HostGraphExecutionContext for View<'_> {
    fn compute(
        &mut self,
        context: Resource<Context>,
        inputs: Vec<inference::NamedTensor>,
    ) -> wasmtime::Result<Result<Vec<inference::NamedTensor>, Resource<NnError>>> {
        let inputs: Vec<(String, HostTensor)> = inputs
            .into_iter()
            .map(|(name, tensor)| Ok((name, self.take_tensor(tensor)?)))
            .collect::<wasmtime::Result<_>>()?;
        match compute(self.table.get_mut(&context)?, &inputs) {
            Ok(outputs) => {
                let kept = outputs.into_iter().map(|(name, tensor)| Ok((name, self.keep_tensor(tensor)?)));
                Ok(Ok(kept.collect::<wasmtime::Result<_>>()?))
            }
            Err(error) => Ok(Err(self.table.push(error)?)),
        }
    }

    fn drop(&mut self, context: Resource<Context>) -> wasmtime::Result<()> {
        self.table.delete(context)?;
        Ok(())
    }
}

impl tensor::Host for View<'_> {}

impl tensor::HostTensor for View<'_> {
    fn new(
        &mut self,
        dimensions: Vec<u32>,
        ty: tensor::TensorType,
        data: Vec<u8>,
    ) -> wasmtime::Result<Resource<HostTensor>> {
        self.keep_tensor(HostTensor { dimensions, ty, data })
    }

    fn dimensions(&mut self, tensor: Resource<HostTensor>) -> wasmtime::Result<Vec<u32>> {
        Ok(self.table.get(&tensor)?.dimensions.clone())
    }

    fn ty(&mut self, tensor: Resource<HostTensor>) -> wasmtime::Result<tensor::TensorType> {
        Ok(self.table.get(&tensor)?.ty)
    }

    fn data(&mut self, tensor: Resource<HostTensor>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&tensor)?.data.clone())
    }

    fn drop(&mut self, tensor: Resource<HostTensor>) -> wasmtime::Result<()> {
        self.take_tensor(tensor)?;
        Ok(())
    }
}

impl errors::Host for View<'_> {}

impl errors::HostError for View<'_> {
    fn code(&mut self, error: Resource<NnError>) -> wasmtime::Result<errors::ErrorCode> {
        Ok(to_code(self.table.get(&error)?.category()))
    }

    fn data(&mut self, error: Resource<NnError>) -> wasmtime::Result<String> {
        Ok(self.table.get(&error)?.to_string())
    }

    fn drop(&mut self, error: Resource<NnError>) -> wasmtime::Result<()> {
        self.table.delete(error)?;
        Ok(())
    }
}

fn compute(
    context: &mut Context,
    inputs: &[(String, HostTensor)],
) -> Result<Vec<(String, HostTensor)>, NnError> {
    for (name, tensor) in inputs {
        let view = TensorView { dimensions: &tensor.dimensions, ty: to_type(tensor.ty), data: &tensor.data };
        context.set_input(to_key(context.graph(), name), view)?;
    }
    context.compute()?;
    let mut outputs = Vec::new();
    for (output, index) in context.graph().outputs().iter().zip(0..) {
        match context.output(Key::Index(index)) {
            Ok(TensorView { dimensions, ty, data }) => {
                let tensor =
                    HostTensor { dimensions: dimensions.to_vec(), ty: from_type(ty), data: data.to_vec() };
                outputs.push((output.name.clone(), tensor));
            }
            // A text model has an output for each of its modes.
            Err(NnError::Argument(ArgumentError::NotComputed)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(outputs)
}

/// An input by its name, or by its position in decimal, as guests write it that know no names.
fn to_key<'n>(graph: &Graph, name: &'n str) -> Key<'n> {
    match name.parse() {
        Ok(index) if graph.inputs().iter().all(|input| input.name != name) => Key::Index(index),
        _ => Key::Name(name),
    }
}

fn to_encoding(encoding: graph::GraphEncoding) -> Result<Encoding, NnError> {
    use graph::GraphEncoding as Given;
    let engine = match encoding {
        Given::Onnx => return Ok(Encoding::Onnx),
        Given::Ggml => return Ok(Encoding::Ggml),
        Given::Autodetect => return Ok(Encoding::Autodetect),
        Given::Openvino => "openvino",
        Given::Tensorflow => "tensorflow",
        Given::Pytorch => "pytorch",
        Given::Tensorflowlite => "tensorflowlite",
    };
    Err(NnError::NoEngine { engine })
}

fn to_device(target: graph::ExecutionTarget) -> Result<Device, NnError> {
    match target {
        graph::ExecutionTarget::Cpu => Ok(Device::Cpu),
        graph::ExecutionTarget::Gpu => Ok(Device::Gpu),
        graph::ExecutionTarget::Tpu => {
            Err(NnError::Unsupported { engine: "wasi-nn", what: "the target tpu".to_owned() })
        }
    }
}

fn to_type(ty: tensor::TensorType) -> TensorType {
    match ty {
        tensor::TensorType::Fp16 => TensorType::F16,
        tensor::TensorType::Fp32 => TensorType::F32,
        tensor::TensorType::Fp64 => TensorType::F64,
        tensor::TensorType::Bf16 => TensorType::Bf16,
        tensor::TensorType::U8 => TensorType::U8,
        tensor::TensorType::I32 => TensorType::I32,
        tensor::TensorType::I64 => TensorType::I64,
    }
}

fn from_type(ty: TensorType) -> tensor::TensorType {
    match ty {
        TensorType::F16 => tensor::TensorType::Fp16,
        TensorType::F32 => tensor::TensorType::Fp32,
        TensorType::F64 => tensor::TensorType::Fp64,
        TensorType::Bf16 => tensor::TensorType::Bf16,
        TensorType::U8 => tensor::TensorType::U8,
        TensorType::I32 => tensor::TensorType::I32,
        TensorType::I64 => tensor::TensorType::I64,
    }
}

/// The WIT has no word for the ends of a text, which only streaming meets, nor for "busy".
fn to_code(category: Category) -> errors::ErrorCode {
    match category {
        Category::InvalidArgument => errors::ErrorCode::InvalidArgument,
        Category::InvalidEncoding => errors::ErrorCode::InvalidEncoding,
        Category::Unsupported => errors::ErrorCode::UnsupportedOperation,
        Category::TooLarge | Category::ContextFull | Category::PromptTooLong => errors::ErrorCode::TooLarge,
        Category::NotFound => errors::ErrorCode::NotFound,
        Category::Runtime | Category::Busy | Category::EndOfSequence => errors::ErrorCode::RuntimeError,
    }
}
