//! Bounds on what a guest may ask for.

/// Largest model, bytes: 2 GiB. SmolLM-class text models have 100 MB to 1 GB; a wasm guest cannot hold more.
pub const MAX_MODEL_BYTES: u64 = 2 << 30;
/// Largest tensor, bytes: 256 MiB. A batch of 10,000 candidates with 1,024 features is 40 MB.
pub const MAX_TENSOR_BYTES: u64 = 256 << 20;
/// Most memory for the tensors between the operators of an ONNX model, bytes, per context: 1 GiB. A transformer of two
/// layers over 500 sequences of 50 items needs some 100 MB at a time.
pub const MAX_WORKING_BYTES: u64 = 1 << 30;
/// Axes of a tensor, fixed: exporters stay below 8, and shape rules take time in the square of it.
pub const MAX_RANK: usize = 16;
/// Graphs loaded at once: a service has an encoder, a ranker, a text model, and their successors during a change.
pub const MAX_GRAPHS: usize = 64;
/// Contexts open at once: one per request in flight on the largest box, several times over.
pub const MAX_CONTEXTS: usize = 1024;
/// Batch shapes for which a graph keeps an optimised plan. Callers with more shapes pad to buckets.
pub const MAX_PLANS: usize = 32;
/// Largest context of a text model, tokens: what a guest may ask memory for.
pub const MAX_TOKENS: u32 = 32_768;

/// The limits in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one model.
    pub model_bytes: u64,
    /// Bytes of one tensor.
    pub tensor_bytes: u64,
    /// Bytes that an ONNX context holds at a time while it computes, beside weights.
    pub working_bytes: u64,
    /// Graphs loaded at once, over all guests of an engine.
    pub graphs: usize,
    /// Contexts open at once, over all guests of an engine.
    pub contexts: usize,
    /// Optimised plans kept per graph.
    pub plans: usize,
    /// Tokens of one text context.
    pub tokens: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            model_bytes: MAX_MODEL_BYTES,
            tensor_bytes: MAX_TENSOR_BYTES,
            working_bytes: MAX_WORKING_BYTES,
            graphs: MAX_GRAPHS,
            contexts: MAX_CONTEXTS,
            plans: MAX_PLANS,
            tokens: MAX_TOKENS,
        }
    }
}
