//! The model pipeline: from what a shop hands over to what an edge node serves.
//!
//! The crate is a library with a thin binary, `endcap-model`. Data flows one way: [`simulate`] (or a real shop)
//! writes logs, [`import`] turns logs into a [`dataset`], and every later stage reads the dataset and nothing
//! else, so that a rule about dirty input has one home. [`cli`] holds the argument parsing and the printing;
//! no other module writes to stdout.

pub mod ask;
pub mod cli;
pub mod dataset;
pub mod encoder;
pub mod evaluate;
pub mod fit;
pub mod gate;
#[cfg(feature = "image")]
pub mod image;
pub mod import;
#[cfg(feature = "ranker")]
pub mod inference;
pub mod progress;
pub mod ranker;
pub mod report;
pub mod simulate;
pub mod text;
pub mod train;

mod adamw;
mod onnx;
mod staging;

pub use staging::StagingError;
