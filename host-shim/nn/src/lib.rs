//! Inference without a Wasm runtime: models become [`Graph`]s, a graph gives [`Context`]s, a context takes
//! tensors, computes and gives tensors.
//!
//! Two engines stand behind it: ONNX by tract ([`Encoding::Onnx`]) and GGML by llama.cpp ([`Encoding::Ggml`]).
//! The words are those of wasi-nn, because every caller is a wasi-nn host; what an ABI adds (numbers, pointers,
//! handles) lies in [`witx`], which the WasmEdge plugin and the wasmtime host share.
//!
//! ```text
//! Engine ── load ──► Graph ── context ──► Context ── set_input, compute, output
//!   │ limits, registry   (shared, immutable)   (one thread at a time)
//! ```
//!
//! Ownership: a [`Graph`] is a counted reference; contexts keep the graph's weights alive, so that a graph may be
//! dropped first. Dropping the last of them frees everything.

mod context;
mod counters;
mod engine;
mod error;
#[cfg(feature = "ggml")]
mod ggml;
pub mod limits;
mod named;
mod onnx;
mod registry;
mod spec;
mod tensor;
pub mod witx;

pub use context::{Context, Key};
pub use engine::{Device, Encoding, Engine, Graph};
pub use error::{ArgumentError, Category, NnError};
pub use limits::Limits;
pub use registry::{Registered, Registry, RegistryError};
pub use spec::TensorSpec;
pub use tensor::{Tensor, TensorType, TensorView};
