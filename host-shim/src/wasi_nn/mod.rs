//! wasi-nn for guests, by both ABIs, over one [`endcap_nn::Engine`].
//!
//! Core modules share the WasmEdge plugin's code: [`endcap_nn::witx`] does everything over a slice of guest memory.
//! Components are served by bindings of this crate, generated from `wit/wasi-nn.wit`. `wasmtime-wasi-nn` has
//! bindings as well, and ports for engines; it is not used because its port loses what a guest needs: every failure
//! arrives there as `runtime-error` with the text "Failed while accessing backend", a named model has to be loaded
//! before anyone asks for it, and the bytes of a guest's tensors are not counted.

pub(crate) mod component;
pub(crate) mod module;
