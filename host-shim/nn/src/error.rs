//! Why a call failed.

use crate::TensorType;

/// What kind of failure it is: the part of an error that a guest can act on. Adapters map it to their ABI's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// The caller's fault: shape, type, length, index, handle, metadata.
    InvalidArgument,
    /// The model is not what its encoding says, or this build has no such engine.
    InvalidEncoding,
    /// The engine failed.
    Runtime,
    /// Well formed, and not something that this engine does.
    Unsupported,
    /// Above a limit.
    TooLarge,
    /// No such named model.
    NotFound,
    /// Too many at once, or in use.
    Busy,
    /// Streaming has come to its end.
    EndOfSequence,
    /// Text has filled the model's context.
    ContextFull,
    /// The prompt alone does not fit.
    PromptTooLong,
}

/// A failed call. Messages say what was found and what is allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NnError {
    /// Dimensions, type and bytes of a tensor contradict each other.
    #[error("a tensor of dimensions {dimensions:?} and type {} does not have {bytes} bytes", ty.as_str())]
    TensorLength {
        /// Dimensions given.
        dimensions: Vec<u32>,
        /// Type given.
        ty: TensorType,
        /// Bytes given.
        bytes: usize,
    },
    /// Something is above a limit.
    #[error("{what}: {found} is more than the limit of {limit}")]
    Limit {
        /// What was counted, such as `model bytes`.
        what: &'static str,
        /// The value.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The caller named something that is not there, or gave what does not fit.
    #[error("{0}")]
    Argument(#[from] ArgumentError),
    /// The model's bytes cannot be used.
    #[error("{engine}: {reason}")]
    Model {
        /// `onnx` or `ggml`.
        engine: &'static str,
        /// What the engine said.
        reason: String,
    },
    /// The model needs what the engine lacks.
    #[error("{engine}: {what} is not supported")]
    Unsupported {
        /// `onnx` or `ggml`.
        engine: &'static str,
        /// Such as `operator NonMaxSuppression (node /post/nms)`.
        what: String,
    },
    /// A GPU was asked for and this build or machine has none.
    #[error("no GPU: {reason}")]
    NoGpu {
        /// Why.
        reason: &'static str,
    },
    /// This build was made without the engine.
    #[error("built without the {engine} engine")]
    NoEngine {
        /// `onnx` or `ggml`.
        engine: &'static str,
    },
    /// The engine failed while computing.
    #[error("{engine}: {reason}")]
    Compute {
        /// `onnx` or `ggml`.
        engine: &'static str,
        /// What the engine said.
        reason: String,
    },
    /// No model is registered under this name.
    #[error("no model is registered as `{name}`")]
    NotRegistered {
        /// The name.
        name: String,
    },
    /// A registered model's file is not what was registered.
    #[error("model `{name}`: {reason}")]
    Registered {
        /// The name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Streaming has come to its end.
    #[error("end of sequence")]
    EndOfSequence,
    /// The context is full.
    #[error("the context of {limit} tokens is full")]
    ContextFull {
        /// Tokens that fit.
        limit: u32,
    },
    /// The prompt does not fit.
    #[error("a prompt of {tokens} tokens does not fit into a context of {limit}")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens that fit.
        limit: u32,
    },
}

/// Arguments that do not fit the model or the state of the context.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// An input or output that the model does not have.
    #[error("no {what} `{key}`; the model has {known}")]
    NoSuchTensor {
        /// `input` or `output`.
        what: &'static str,
        /// Index or name asked for.
        key: String,
        /// Names that exist.
        known: String,
    },
    /// An input's type or shape is not the model's.
    #[error("input `{input}`: {found} given, {expected} expected")]
    Mismatch {
        /// Name of the input.
        input: String,
        /// Type and shape given.
        found: String,
        /// Type and shape expected.
        expected: String,
    },
    /// An input was not set.
    #[error("input `{input}` is not set")]
    MissingInput {
        /// Name of the input.
        input: String,
    },
    /// An output was asked for before a successful compute.
    #[error("nothing has been computed since the inputs were set")]
    NotComputed,
    /// A token was asked of an engine that does not make text.
    #[error("the {engine} engine computes whole outputs, not one token at a time")]
    NoStreaming {
        /// `onnx`.
        engine: &'static str,
    },
    /// The metadata is not usable.
    #[error("metadata: {reason}")]
    Metadata {
        /// Field or position, and what is wrong.
        reason: String,
    },
    /// A wrong number of builders.
    #[error("{found} model parts given; {expected} expected")]
    Builders {
        /// Parts given.
        found: usize,
        /// Parts expected.
        expected: &'static str,
    },
    /// The encoding could not be told from the bytes.
    #[error("neither an ONNX nor a GGUF file: say the encoding, or check the file")]
    UnknownEncoding,
}

impl NnError {
    /// What kind of failure it is.
    pub fn category(&self) -> Category {
        match self {
            Self::TensorLength { .. } | Self::Argument(_) => Category::InvalidArgument,
            Self::Limit { .. } => Category::TooLarge,
            Self::Model { .. } | Self::NoEngine { .. } => Category::InvalidEncoding,
            Self::Unsupported { .. } | Self::NoGpu { .. } => Category::Unsupported,
            Self::Compute { .. } | Self::Registered { .. } => Category::Runtime,
            Self::NotRegistered { .. } => Category::NotFound,
            Self::EndOfSequence => Category::EndOfSequence,
            Self::ContextFull { .. } => Category::ContextFull,
            Self::PromptTooLong { .. } => Category::PromptTooLong,
        }
    }
}
