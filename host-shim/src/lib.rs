//! A thin wasmtime host for local runs, tests and benchmarks. It runs the same guests that WasmEdge runs on a
//! node, and the component, which WasmEdge cannot run yet.
//!
//! ```text
//! Host ─ component(bytes) ─► Service ─ instantiate ─► Instance ─ invoke(function, JSON) ─► Answer
//!  │                         (compiled, linked)       (one store: state, limits, deadline)
//!  └──── module(bytes) ────► Program ─ run(stdin) ─► Run   (a core wasip1 module, start to exit)
//! ```
//!
//! Functions of a component are found and called by reflection on its types, so that any component works; only
//! loading a model is typed ([`contract`]), because it moves megabytes. wasi-nn of both ABIs ends in one
//! [`endcap_nn::Engine`]: core modules by [`endcap_nn::witx`], components by the standard's WIT.
//!
//! Invariants: nothing of the machine is visible to a guest that its [`Grants`] do not name; every call has a
//! deadline and every store a memory limit; a guest that traps gives an error and never ends the host.

mod cache;
pub mod cli;
mod component;
mod config;
pub mod contract;
mod epoch;
mod error;
mod grants;
mod host;
mod json;
mod limiter;
mod load;
mod module;
pub mod serve;
mod wasi_nn;

pub use cache::CacheError;
pub use component::{Answer, Function, FunctionError, Instance, Outcome, Prepared, Service};
pub use config::HostConfig;
pub use error::HostError;
pub use grants::{Folder, GrantError, Grants};
pub use host::Host;
pub use json::{Json, JsonError};
pub use load::{Origin, WasmKind};
pub use module::{Program, Run};
