//! The sequence encoder on whichever engine runs it: history in, the items that it proposes out.

use crate::ItemIx;
use crate::encoder::{
    CellScratch, Decoder, DecoderMemory, DecoderScratch, EncodeError, EncoderShape, EncoderWeights,
};
use crate::recommend::SEQUENCE_CANDIDATES;
use crate::topn::TopN;

use super::{Encoding, Graph, InferenceError, Input, Output, Values, check_finite};

/// Lengths to which a history is filled up for ONNX: engines prepare a plan per shape, so few shapes are wanted.
/// The encoder is causal, so that what stands behind the last item changes nothing.
const LENGTHS: [usize; 4] = [8, 16, 32, 64];
/// The token of item 0 in the GGUF form; llama.cpp's tokenizer keeps the ones before it (unknown, begin, end).
pub const FIRST_ITEM_TOKEN: i32 = 3;
/// Where endcap's wasi-nn back-end gives an embedding as plain f32 (upstream's has JSON at output 0 only).
const EMBEDDING_OUTPUT: u32 = 2;
/// What llama.cpp is told: give the last position's hidden state. One thread, as a node has few cores and many
/// requests.
const GGML_METADATA: &[u8] = br#"{"embedding":true,"threads":1}"#;

/// What runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// A wasi-nn engine for ONNX.
    Onnx,
    /// A wasi-nn engine for GGML.
    Ggml,
    /// The executor in [`crate::encoder`].
    Builtin,
}

impl Engine {
    /// Every engine, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Onnx, Self::Ggml, Self::Builtin];

    /// Its word in settings, answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Ggml => "ggml",
            Self::Builtin => "builtin",
        }
    }
}

/// The loaded encoder.
#[derive(Debug)]
pub struct SequenceEncoder {
    running: Running,
    user: Vec<f32>,
    cells: CellScratch,
    top: TopN,
}

#[derive(Debug)]
enum Running {
    Builtin { decoder: Decoder, scratch: Box<DecoderScratch>, recent: Recent },
    Onnx { graph: Box<dyn Graph>, items: Vec<i64> },
    Ggml { graph: Box<dyn Graph>, tokens: Vec<i32> },
}

impl SequenceEncoder {
    /// The encoder on the built-in executor.
    pub fn builtin(weights: &EncoderWeights<'_>) -> Self {
        Self::new(Running::Builtin {
            decoder: Decoder::new(weights),
            scratch: Box::default(),
            recent: Recent::default(),
        })
    }

    /// The encoder on a graph that was loaded from its form of this encoding.
    pub fn on_graph(graph: Box<dyn Graph>, encoding: Encoding) -> Self {
        Self::new(match encoding {
            Encoding::Onnx => Running::Onnx { graph, items: Vec::new() },
            Encoding::Ggml => Running::Ggml { graph, tokens: Vec::new() },
        })
    }

    fn new(running: Running) -> Self {
        Self { running, user: Vec::new(), cells: CellScratch::default(), top: TopN::default() }
    }

    /// What runs it.
    pub fn engine(&self) -> Engine {
        match self.running {
            Running::Builtin { .. } => Engine::Builtin,
            Running::Onnx { .. } => Engine::Onnx,
            Running::Ggml { .. } => Engine::Ggml,
        }
    }

    /// The [`SEQUENCE_CANDIDATES`] items that follow `history` most likely, best first, with their finite logits: of all, or
    /// of those in the cells that are searched where the model has [`EncoderWeights::cells`]. `weights` are those of the model
    /// that this encoder was loaded from; `history` is oldest first, and its newest `max_len` items count.
    ///
    /// # Errors
    /// Where the history is empty, or the engine fails or gives something else than a user vector, or no logit is finite.
    pub fn propose(
        &mut self,
        weights: &EncoderWeights<'_>,
        history: &[ItemIx],
    ) -> Result<&[(f32, ItemIx)], InferenceError> {
        self.encode(weights, history)?;
        self.top.reset(SEQUENCE_CANDIDATES);
        match &weights.cells {
            Some(cells) => cells.offer_near(&self.user, &mut self.cells, &mut self.top),
            None => weights.output.offer_all(&self.user, &mut self.top),
        }
        let proposed = self.top.finish();
        if proposed.is_empty() {
            return Err(InferenceError::NotFinite { name: "logits".to_owned() });
        }
        Ok(proposed)
    }

    /// The user vector `[dim]`, for parity tests and similarity.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub fn user_vector(
        &mut self,
        weights: &EncoderWeights<'_>,
        history: &[ItemIx],
    ) -> Result<&[f32], InferenceError> {
        self.encode(weights, history)?;
        Ok(&self.user)
    }

    fn encode(&mut self, weights: &EncoderWeights<'_>, history: &[ItemIx]) -> Result<(), InferenceError> {
        let EncoderShape { dim, max_len, .. } = *weights.shape;
        let history = &history[history.len().saturating_sub(max_len)..];
        let user = &mut self.user;
        match &mut self.running {
            Running::Builtin { decoder, scratch, recent } => {
                let memory = recent.of(history);
                let found = decoder.encode_more(weights.embedding, history, memory, scratch);
                let found = found.map_err(builtin)?;
                user.clear();
                user.extend_from_slice(found);
                return Ok(());
            }
            _ if history.is_empty() => return Err(builtin(EncodeError::Empty)),
            Running::Onnx { graph, items } => {
                items.clear();
                items.extend(history.iter().map(|&item| i64::from(item)));
                let padded = LENGTHS.into_iter().find(|&length| length >= history.len());
                items.resize(padded.unwrap_or(history.len()), 0);
                let length = [history.len() as i64];
                let inputs = [
                    Input { name: "items", dimensions: &[1, items.len() as u32], values: Values::I64(items) },
                    Input { name: "length", dimensions: &[1], values: Values::I64(&length) },
                ];
                graph.compute(&inputs, Output { index: 0, name: "user", elements: dim }, user)?;
            }
            Running::Ggml { graph, tokens } => {
                tokens.clear();
                tokens.extend(history.iter().map(|&item| item as i32 + FIRST_ITEM_TOKEN));
                let metadata = GGML_METADATA;
                let inputs = [
                    Input { name: "prompt", dimensions: &[tokens.len() as u32], values: Values::I32(tokens) },
                    Input {
                        name: "metadata",
                        dimensions: &[metadata.len() as u32],
                        values: Values::U8(metadata),
                    },
                ];
                let output = Output { index: EMBEDDING_OUTPUT, name: "embedding", elements: dim };
                graph.compute(&inputs, output, user)?;
            }
        }
        check_finite("user vector", user)
    }
}

/// Histories that were asked about last, newest first: the next click of one of those visitors costs the reading of one item.
#[derive(Debug, Default)]
struct Recent(Vec<DecoderMemory>);

impl Recent {
    /// Histories that are known at most: 57 KB each at the default size of an encoder, so 3.6 MB.
    const MOST: usize = 64;

    /// What is known of the longest beginning of `history`, or else of the one that was asked about longest ago.
    fn of(&mut self, history: &[ItemIx]) -> &mut DecoderMemory {
        let known = self.0.iter().enumerate().filter(|(_, memory)| history.starts_with(memory.items()));
        let longest = known.max_by_key(|(at, memory)| (memory.items().len(), std::cmp::Reverse(*at)));
        let at = match longest {
            Some((at, memory)) if !memory.items().is_empty() => at,
            _ if self.0.len() < Self::MOST => {
                self.0.push(DecoderMemory::default());
                self.0.len() - 1
            }
            _ => self.0.len() - 1,
        };
        self.0[..=at].rotate_right(1);
        &mut self.0[0]
    }
}

fn builtin(error: EncodeError) -> InferenceError {
    InferenceError::Compute { step: "built-in encoder", reason: error.to_string() }
}
