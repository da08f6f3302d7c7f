//! wasi-nn by its witx ABI: the import `wasi_ephemeral_nn` of core modules, under WasmEdge and wasmtime.
//!
//! The functions are declared here and not taken from the `wasi-nn` crate: its enum of encodings has no GGML (6),
//! and its safe wrapper allocates for every call. Only functions that every host has are imported; what a host
//! adds would not link on the others.

use endcap_core::inference::{Encoding, Graph, InferenceError, Input, Output, Runtime, Values};

/// `wasi_ephemeral_nn.graph_encoding`.
const ENCODING_ONNX: u32 = 1;
/// The same; WasmEdge's number.
const ENCODING_GGML: u32 = 6;
/// `wasi_ephemeral_nn.execution_target`.
const TARGET_CPU: u32 = 0;
/// `wasi_ephemeral_nn.tensor_type`.
const TYPE_F32: u32 = 1;
const TYPE_U8: u32 = 3;
const TYPE_I32: u32 = 4;
const TYPE_I64: u32 = 5;

/// A pointer and a count, as the ABI lays out a list.
#[repr(C)]
struct List {
    start: *const u8,
    count: usize,
}

/// `wasi_ephemeral_nn.tensor`.
#[repr(C)]
struct Tensor {
    dimensions: List,
    // A byte in the ABI, and hosts that read its padding with it find zeros.
    ty: u32,
    data: List,
}

#[link(wasm_import_module = "wasi_ephemeral_nn")]
unsafe extern "C" {
    fn load(parts: *const List, count: usize, encoding: u32, target: u32, graph: *mut u32) -> u32;
    fn init_execution_context(graph: u32, context: *mut u32) -> u32;
    fn set_input(context: u32, index: u32, tensor: *const Tensor) -> u32;
    fn compute(context: u32) -> u32;
    fn get_output(context: u32, index: u32, buffer: *mut u8, bytes: usize, written: *mut usize) -> u32;
}

/// What an error number means; WasmEdge's, of which wasmtime has the first nine.
fn meaning(errno: u32) -> String {
    let known = match errno {
        1 => "invalid argument",
        2 => "invalid encoding: the runtime has no engine for it, or the bytes are no such model",
        3 => "missing memory",
        4 => "busy",
        5 => "runtime error",
        6 => "unsupported operation",
        7 => "too large",
        8 => "not found",
        _ => return format!("error {errno}"),
    };
    format!("{known} (error {errno})")
}

fn check(step: &'static str, errno: u32) -> Result<(), InferenceError> {
    if errno == 0 { Ok(()) } else { Err(InferenceError::Compute { step, reason: meaning(errno) }) }
}

/// The host's wasi-nn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Witx;

impl Runtime for Witx {
    fn name(&self) -> &'static str {
        "wasi-nn/witx"
    }

    fn load(&mut self, bytes: &[u8], encoding: Encoding) -> Result<Box<dyn Graph>, InferenceError> {
        let parts = [List { start: bytes.as_ptr(), count: bytes.len() }];
        let number = match encoding {
            Encoding::Onnx => ENCODING_ONNX,
            Encoding::Ggml => ENCODING_GGML,
        };
        let refused = |errno| InferenceError::Load { encoding, reason: meaning(errno) };
        let mut graph = 0;
        // SAFETY: `parts` is one list of `bytes`, alive during the call; `graph` takes the handle.
        let errno = unsafe { load(parts.as_ptr(), parts.len(), number, TARGET_CPU, &mut graph) };
        if errno != 0 {
            return Err(refused(errno));
        }
        let mut context = 0;
        // SAFETY: `context` takes the handle.
        let errno = unsafe { init_execution_context(graph, &mut context) };
        if errno != 0 {
            return Err(refused(errno));
        }
        Ok(Box::new(WitxGraph { context }))
    }
}

/// A context of the host. It lives as long as the process: the witx functions that every host has free nothing.
#[derive(Debug)]
struct WitxGraph {
    context: u32,
}

impl Graph for WitxGraph {
    fn compute(
        &mut self,
        inputs: &[Input<'_>],
        output: Output<'_>,
        values: &mut Vec<f32>,
    ) -> Result<(), InferenceError> {
        for (index, input) in inputs.iter().enumerate() {
            let (ty, data) = match input.values {
                Values::F32(values) => (TYPE_F32, bytes_of(values)),
                Values::I64(values) => (TYPE_I64, bytes_of(values)),
                Values::I32(values) => (TYPE_I32, bytes_of(values)),
                Values::U8(values) => (TYPE_U8, bytes_of(values)),
            };
            let dimensions = List { start: input.dimensions.as_ptr().cast(), count: input.dimensions.len() };
            let tensor = Tensor { dimensions, ty, data };
            // SAFETY: the tensor's lists lie in `input`, which outlives the call; the host copies.
            check("set_input", unsafe { set_input(self.context, index as u32, &tensor) })?;
        }
        // SAFETY: no pointers.
        check("compute", unsafe { compute(self.context) })?;
        values.clear();
        values.resize(output.elements, 0.0);
        let room = size_of_val(values.as_slice());
        let mut written = 0;
        // SAFETY: the host writes at most `room` bytes, the length of `values`; any bytes are valid floats.
        let errno =
            unsafe { get_output(self.context, output.index, values.as_mut_ptr().cast(), room, &mut written) };
        check("get_output", errno)?;
        if written != room {
            return Err(InferenceError::Output {
                name: output.name.to_owned(),
                found: written / size_of::<f32>(),
                expected: output.elements,
            });
        }
        Ok(())
    }
}

/// The bytes of a slice of plain numbers.
fn bytes_of<T: Copy>(values: &[T]) -> List {
    List { start: values.as_ptr().cast(), count: size_of_val(values) }
}
