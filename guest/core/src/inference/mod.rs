//! The port to inference engines, and what this project asks of them.
//!
//! [`Runtime`] and [`Graph`] are the port: a graph takes tensors and gives single-precision numbers. Adapters stand
//! at the edges (wasi-nn by witx, wasi-nn by WIT, a native engine in tests). [`SequenceEncoder`] and [`Ranker`]
//! turn histories and shortlists into tensors, so that every engine is asked in the same way; the encoder also
//! runs on the executor of [`crate::encoder`], without any engine.

mod network;
mod ranker;
mod sequence;

pub use network::{HIDDEN, RankerNetwork};
pub use ranker::{
    HISTORY_LENGTH, MAX_RANKER_INPUTS, Ranker, RankerInput, RankerOutput, RankerScope, RankerSpec, SpecError,
};
pub use sequence::{Engine, FIRST_ITEM_TOKEN, SequenceEncoder};

/// What a model's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// ONNX.
    Onnx,
    /// GGUF, for llama.cpp.
    Ggml,
}

impl Encoding {
    /// Its word in messages and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Ggml => "ggml",
        }
    }
}

/// The elements of an input, row-major.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Signed 64 bits.
    I64(&'a [i64]),
    /// Signed 32 bits.
    I32(&'a [i32]),
    /// Bytes, such as text.
    U8(&'a [u8]),
}

/// An input of a graph. Its index is its place among the inputs of the call: witx knows indices, WIT names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input<'a> {
    /// Name in the model.
    pub name: &'a str,
    /// Sizes by axis.
    pub dimensions: &'a [u32],
    /// As many elements as the dimensions say.
    pub values: Values<'a>,
}

/// An output of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output<'a> {
    /// Place among the model's outputs.
    pub index: u32,
    /// Name in the model.
    pub name: &'a str,
    /// Elements that it must have: the caller knows, so a buffer is made once.
    pub elements: usize,
}

/// Loads models. One per process or instance.
pub trait Runtime {
    /// The adapter's name, such as `wasi-nn/witx`.
    fn name(&self) -> &'static str;

    /// Loads a model from its bytes, for the processor.
    ///
    /// # Errors
    /// [`InferenceError::Load`] with what the runtime said.
    fn load(&mut self, bytes: &[u8], encoding: Encoding) -> Result<Box<dyn Graph>, InferenceError>;
}

/// A loaded model with a context of its own.
pub trait Graph: std::fmt::Debug {
    /// Computes `inputs` and replaces `values` by the output's elements.
    ///
    /// # Errors
    /// [`InferenceError::Compute`] where the engine fails, [`InferenceError::Output`] where the output has another
    /// number of elements than asked for.
    fn compute(
        &mut self,
        inputs: &[Input<'_>],
        output: Output<'_>,
        values: &mut Vec<f32>,
    ) -> Result<(), InferenceError>;
}

/// Why a model does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferenceError {
    /// The file has no model in this form.
    #[error("the model file has no {what}")]
    Absent {
        /// Such as `encoder as onnx`.
        what: &'static str,
    },
    /// There is no runtime to ask.
    #[error("this build has no wasi-nn")]
    NoRuntime,
    /// The runtime does not load it.
    #[error("{encoding} model not loaded: {reason}", encoding = .encoding.as_str())]
    Load {
        /// What it is.
        encoding: Encoding,
        /// What the runtime said.
        reason: String,
    },
    /// The engine failed.
    #[error("{step}: {reason}")]
    Compute {
        /// Such as `set_input items`.
        step: &'static str,
        /// What the runtime said.
        reason: String,
    },
    /// The output is not what the model's specification says.
    #[error("output `{name}` has {found} elements where {expected} are expected")]
    Output {
        /// Its name.
        name: String,
        /// Elements found.
        found: usize,
        /// Elements expected.
        expected: usize,
    },
    /// The output holds a NaN or an infinity.
    #[error("output `{name}` has an element that is not finite")]
    NotFinite {
        /// Its name.
        name: String,
    },
    /// The model's specification cannot be served.
    #[error("ranker: {0}")]
    Spec(#[from] SpecError),
}

/// Refuses NaN and infinities: one of them would poison every comparison behind it.
fn check_finite(name: &str, values: &[f32]) -> Result<(), InferenceError> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(InferenceError::NotFinite { name: name.to_owned() })
}
