//! The sequence encoder: a Llama-style decoder over item ids, from a history to a user vector to item scores.
//!
//! [`EncoderShape`] states the dimensions, [`EncoderTensors`] is what gets packed, [`EncoderWeights`] views it in a
//! model file, [`Decoder`] computes the hidden state of the last item (the user vector), and [`ItemTable`] scores
//! items against it. The same model is also packed as ONNX and as GGUF for engines outside; this is what serves
//! where there is none.

mod cells;
mod decoder;
mod kernels;
mod layer;
mod projection;
pub mod shape;
mod table;
mod tensors;
mod weights;

pub use cells::{CellScratch, Cells};
pub use decoder::{Decoder, DecoderMemory, DecoderScratch, EncodeError};
pub use kernels::{dot, exp};
pub use projection::Projection;
pub use shape::{EncoderShape, ShapeError};
pub use table::ItemTable;
pub use tensors::{EncoderTensors, LayerTensors, Precision, TensorError, quantise_rows};
pub use weights::{EncoderWeights, Values};
