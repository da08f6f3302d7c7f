//! Pure recommendation logic of endcap: the `model.wasm` format, linear model, session kNN, co-occurrence, ranking.
//!
//! Nothing here performs I/O, reads a clock, draws a random number or looks at the environment: time comes in
//! as a parameter and bytes come in as a buffer, so every function gives the same answer natively, under
//! WasmEdge and in a component. There is no `unsafe`; zero-copy views are checked casts (`bytemuck`).
//!
//! The way of a request: [`store`] gives the recent items of a session or user, [`recommend`] gathers
//! candidates from [`linear`], [`knn`], [`together`] and the packed rankings of [`format`], and [`topn`] selects.
#![forbid(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("model.wasm is little-endian and read in place: big-endian targets are not supported");

mod bytes;
pub mod content;
pub mod encoder;
pub mod format;
pub mod gate;
pub mod inference;
pub mod knn;
pub mod linear;
pub mod recommend;
pub mod store;
pub mod together;
pub mod topn;
pub mod transitions;

pub use bytes::AlignedBytes;

/// Dense item number: `0..n_items`, assigned when a model is trained, by falling popularity and then by id.
///
/// Valid for one model file only; outside the process an item is always its string id.
pub type ItemIx = u32;
