//! The functions of `wasi_ephemeral_nn`, with every argument a plain number, so that wrong ones can be given too.

/// witx's number of the encoding.
pub(crate) const ONNX: u32 = 1;
/// As above; WasmEdge's alone.
pub(crate) const GGML: u32 = 6;
/// As above.
pub(crate) const CPU: u32 = 0;
/// As above.
pub(crate) const GPU: u32 = 1;
/// witx's numbers of tensor types.
pub(crate) const F32: u32 = 1;
/// As above.
pub(crate) const U8: u32 = 3;
/// As above.
pub(crate) const I32: u32 = 4;
/// As above.
pub(crate) const I64: u32 = 5;
/// The errno of success.
pub(crate) const OK: u32 = 0;

/// The functions as they are: numbers in, errno out.
pub(crate) mod raw {
    #[link(wasm_import_module = "wasi_ephemeral_nn")]
    unsafe extern "C" {
        pub(crate) safe fn load(builders: u32, count: u32, encoding: u32, target: u32, graph: u32) -> u32;
        pub(crate) safe fn load_by_name(name: u32, length: u32, graph: u32) -> u32;
        pub(crate) safe fn load_by_name_with_config(
            name: u32,
            length: u32,
            config: u32,
            config_length: u32,
            graph: u32,
        ) -> u32;
        pub(crate) safe fn init_execution_context(graph: u32, context: u32) -> u32;
        pub(crate) safe fn set_input(context: u32, index: u32, tensor: u32) -> u32;
        pub(crate) safe fn compute(context: u32) -> u32;
        pub(crate) safe fn compute_single(context: u32) -> u32;
        pub(crate) safe fn fini_single(context: u32) -> u32;
        pub(crate) safe fn get_output(context: u32, index: u32, buffer: u32, size: u32, written: u32) -> u32;
        pub(crate) safe fn get_output_single(
            context: u32,
            index: u32,
            buffer: u32,
            size: u32,
            written: u32,
        ) -> u32;
        pub(crate) safe fn unload(graph: u32) -> u32;
        pub(crate) safe fn finalize_execution_context(context: u32) -> u32;
    }
}

/// A failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) u32);

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "errno {}", self.0)
    }
}

impl std::error::Error for Errno {}

fn check(errno: u32) -> Result<(), Errno> {
    if errno == OK { Ok(()) } else { Err(Errno(errno)) }
}

/// The address of something that lives until after the call.
pub(crate) fn address<T: ?Sized>(value: &T) -> u32 {
    std::ptr::from_ref(value).cast::<u8>().expose_provenance() as u32
}

/// The same of what a call writes to.
pub(crate) fn address_mut<T: ?Sized>(value: &mut T) -> u32 {
    std::ptr::from_mut(value).cast::<u8>().expose_provenance() as u32
}

/// Calls a function that stores a number.
pub(crate) fn stored(call: impl FnOnce(u32) -> u32) -> Result<u32, Errno> {
    let mut number = u32::MAX;
    check(call(address_mut(&mut number)))?;
    Ok(number)
}

/// Loads a model of one part.
pub(crate) fn load(model: &[u8], encoding: u32, target: u32) -> Result<u32, Errno> {
    let builders = [address(model), model.len() as u32];
    stored(|graph| raw::load(address(&builders), 1, encoding, target, graph))
}

/// Loads a registered model.
pub(crate) fn load_by_name(name: &str) -> Result<u32, Errno> {
    stored(|graph| raw::load_by_name(address(name), name.len() as u32, graph))
}

/// Loads a registered model with metadata of its engine.
pub(crate) fn load_with_config(name: &str, config: &str) -> Result<u32, Errno> {
    stored(|graph| {
        raw::load_by_name_with_config(
            address(name),
            name.len() as u32,
            address(config),
            config.len() as u32,
            graph,
        )
    })
}

/// Opens a context.
pub(crate) fn context(graph: u32) -> Result<u32, Errno> {
    stored(|context| raw::init_execution_context(graph, context))
}

/// Sets an input from its parts.
pub(crate) fn set_input(context: u32, index: u32, shape: &[u32], ty: u32, data: &[u8]) -> Result<(), Errno> {
    let tensor = [address(shape), shape.len() as u32, ty, address(data), data.len() as u32];
    check(raw::set_input(context, index, address(&tensor)))
}

/// The bytes of numbers.
pub(crate) fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Computes.
pub(crate) fn compute(context: u32) -> Result<(), Errno> {
    check(raw::compute(context))
}

/// Computes a token.
pub(crate) fn compute_single(context: u32) -> Result<(), Errno> {
    check(raw::compute_single(context))
}

/// Ends streaming.
pub(crate) fn fini_single(context: u32) -> Result<(), Errno> {
    check(raw::fini_single(context))
}

/// Copies an output into `buffer` and says how many bytes it has.
pub(crate) fn get_output(context: u32, index: u32, buffer: &mut [u8]) -> Result<u32, Errno> {
    let size = buffer.len() as u32;
    let buffer = address_mut(buffer);
    stored(|written| raw::get_output(context, index, buffer, size, written))
}

/// The same for a token.
pub(crate) fn get_output_single(context: u32, index: u32, buffer: &mut [u8]) -> Result<u32, Errno> {
    let size = buffer.len() as u32;
    let buffer = address_mut(buffer);
    stored(|written| raw::get_output_single(context, index, buffer, size, written))
}

/// Frees a graph.
pub(crate) fn unload(graph: u32) -> Result<(), Errno> {
    check(raw::unload(graph))
}

/// Frees a context.
pub(crate) fn finalize(context: u32) -> Result<(), Errno> {
    check(raw::finalize_execution_context(context))
}
