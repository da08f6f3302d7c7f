//! The sequence encoder in its file forms: weights as safetensors, and from them the three forms that a packed model
//! carries for serving: sections for the built-in executor, ONNX, and GGUF.
//!
//! One set of [`Weights`] makes all three, so that they answer alike; `tests/encoder_engines.rs` asks them.
//!
//! Rotary positions turn interleaved pairs (components 0 and 1, 2 and 3, ...), as in the paper and in llama.cpp.
//! Checkpoints whose rotation works on halves need their query and key rows reordered before they fit here.

mod cells;
mod error;
pub mod gguf;
#[cfg(feature = "encoder")]
pub mod learn;
pub mod onnx;
pub(crate) mod products;
mod random;
mod safetensors;
mod sections;
mod weights;

pub use cells::CELLS_FROM;
pub use error::WeightsError;
pub use sections::EncoderForms;
pub use weights::{Layer, Weights};
