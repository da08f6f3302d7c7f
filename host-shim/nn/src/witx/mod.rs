//! The wasi-nn witx ABI over a guest's memory, without a runtime: the WasmEdge plugin and the wasmtime host both lend
//! a [`Session`] the guest's bytes, and return what it returns.
//!
//! The functions, their parameters and their numbers are those of the module `wasi_ephemeral_nn` of WasmEdge 0.14.1,
//! and `finalize_execution_context`, which it lacks. Records in memory:
//!
//! ```text
//! builder   u32 ptr, u32 len
//! tensor    u32 dimensions ptr, u32 dimensions len, u32 type, u32 data ptr, u32 data len
//! ```
//!
//! Where this differs from upstream's plugin:
//! - An output that does not fit its buffer is an error ([`errno::TOO_LARGE`]), with the size needed in `written` and
//!   nothing in the buffer.
//! - `unload` works for every engine, and ends the graph's contexts: upstream's guests have no other way to free them.
//! - A handle is not given twice, so that use after `unload` is an error.
//! - `load` with `preload:PATH` reaches registered models only ([`crate::Engine::load`]).

pub mod errno;
mod error;
mod memory;
mod numbers;
mod session;
mod table;

pub use self::errno::MISSING_MEMORY;
pub use self::error::WitxError;
pub use self::session::Session;
