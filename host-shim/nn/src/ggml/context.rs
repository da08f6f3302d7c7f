//! A context: a prompt or token ids in, text or a vector out.

use std::cell::OnceCell;
use std::sync::Arc;

use super::config::{Config, Pool, Pooling};
use super::generation::{Generation, compute, failed};
use super::gguf::Outline;
use super::graph::Loaded;
use super::lent::Lent;
use super::native::{Context, Shape};
use super::{ENGINE, outputs, prompt, text};
use crate::context::{ContextBackend, Key};
use crate::{ArgumentError, NnError, TensorType, TensorView};

/// Memory of one context: that of a model of a billion weights at 32,768 tokens, with room to spare.
const MAX_CONTEXT_BYTES: u64 = 4 << 30;

/// What the last call computed.
enum Output {
    Nothing,
    /// Also what was drawn before an error: a text that has filled its context can be read.
    Text(Box<Generation>),
    Embedding,
}

pub(super) struct TextContext {
    loaded: Arc<Loaded>,
    config: Config,
    /// llama.cpp's part, made at the first use and kept as long as its shape fits.
    native: Option<Context>,
    prompt: Vec<i32>,
    output: Output,
    /// Whether `output` is that of a stream, and the stream goes on.
    streaming: bool,
    vector: Lent<f32>,
    metadata: OnceCell<Lent<u8>>,
    /// The vector as JSON, made when it is asked for: most callers take the vector.
    json: OnceCell<Lent<u8>>,
}

impl TextContext {
    pub(super) fn new(loaded: Arc<Loaded>) -> Self {
        Self {
            config: loaded.config.clone(),
            loaded,
            native: None,
            prompt: Vec::new(),
            output: Output::Nothing,
            streaming: false,
            vector: Lent::default(),
            metadata: OnceCell::new(),
            json: OnceCell::new(),
        }
    }

    /// Outputs of before are gone.
    fn reset(&mut self) {
        self.output = Output::Nothing;
        self.streaming = false;
        self.metadata.take();
        self.json.take();
    }

    fn set_prompt(&mut self, tensor: TensorView<'_>) -> Result<(), NnError> {
        let prompt = match tensor.ty {
            TensorType::U8 => {
                prompt::tokenize(&self.loaded, self.context_tokens(), tensor.data, self.config.echo)?
            }
            TensorType::I32 => prompt::check_tokens(&self.loaded, tensor)?,
            other => {
                let expected = "u8 (text) or i32 (token ids)".to_owned();
                return Err(prompt::mismatch(other.as_str().to_owned(), expected));
            }
        };
        self.prompt = prompt;
        self.reset();
        Ok(())
    }

    fn set_metadata(&mut self, tensor: TensorView<'_>) -> Result<(), NnError> {
        let config = self.config.with(text(tensor.data)?, &self.loaded.limits)?;
        if config.model != self.loaded.config.model {
            let what =
                "n-gpu-layers, main-gpu, tensor-split or use-mmap other than when the model was loaded";
            return Err(NnError::Unsupported { engine: ENGINE, what: what.to_owned() });
        }
        self.config = config;
        self.reset();
        Ok(())
    }

    /// Tokens of the context as the metadata ask for them.
    fn context_tokens(&self) -> u32 {
        let outline = &self.loaded.outline;
        match self.config.ctx_size {
            0 => outline.n_ctx_train.min(self.loaded.limits.tokens),
            // An encoder has a vector for each position that it was trained on, and none for others.
            tokens if !outline.causal => tokens.min(outline.n_ctx_train),
            tokens => tokens,
        }
    }

    /// llama.cpp's context of the shape that the metadata ask for.
    fn native(&mut self) -> Result<&mut Context, NnError> {
        let shape = self.shape()?;
        if self.native.as_ref().is_none_or(|native| native.shape() != shape) {
            // The old one first: two would need the memory of both.
            self.native = None;
            let width = self.loaded.outline.n_embd as usize;
            let native = Context::new(Arc::clone(&self.loaded.model), shape, width, self.config.echo);
            self.native = Some(native.map_err(compute)?);
        }
        // Just made where it was not there.
        let native = self.native.as_mut().ok_or_else(|| compute("no context".to_owned()))?;
        native.set_echo(self.config.echo);
        Ok(native)
    }

    fn shape(&self) -> Result<Shape, NnError> {
        let Config { batch_size, ubatch_size, threads, .. } = self.config;
        let outline = &self.loaded.outline;
        let pooling = match (self.config.pooling, outline.pooling) {
            (Some(Pool::This(pooling)), _) | (None | Some(Pool::Auto), Some(pooling)) => pooling,
            (None, None) => Pooling::Last,
            (Some(Pool::Auto), None) => Pooling::Mean,
        };
        let embedding = self.config.embedding.then_some(pooling);
        let tokens = self.context_tokens();
        let batch = batch_size.min(tokens);
        // An encoder's tokens see each other, so all are computed at once.
        let micro_batch = if outline.causal { ubatch_size.min(batch) } else { batch };
        // An encoder's come out whatever is asked for.
        let all = !outline.causal || !matches!(embedding, None | Some(Pooling::Last));
        let outputs = if all { batch } else { 1 };
        let found = context_bytes(outline, tokens, micro_batch, outputs, embedding.is_some());
        if found > MAX_CONTEXT_BYTES {
            let what = "bytes of a context by ctx-size and ubatch-size";
            return Err(NnError::Limit { what, found, limit: MAX_CONTEXT_BYTES });
        }
        Ok(Shape {
            embedding,
            all,
            tokens,
            batch,
            micro_batch,
            // More threads than cores wait for each other.
            threads: threads.min(self.loaded.cores),
            gpu: self.loaded.gpu,
        })
    }

    fn embed(&mut self) -> Result<(), NnError> {
        let (mut prompt, mut vector) = (std::mem::take(&mut self.prompt), std::mem::take(&mut self.vector));
        let result = self.native().and_then(|native| embed(native, &mut prompt, &mut vector));
        (self.prompt, self.vector) = (prompt, vector);
        result?;
        self.output = Output::Embedding;
        Ok(())
    }

    fn start(&mut self) -> Result<Box<Generation>, NnError> {
        if !self.loaded.outline.causal {
            let what = "text from an encoder; `embedding` is".to_owned();
            return Err(NnError::Unsupported { engine: ENGINE, what });
        }
        if !self.loaded.outline.has_text {
            let what = "text from a model without a tokenizer; `embedding` is".to_owned();
            return Err(NnError::Unsupported { engine: ENGINE, what });
        }
        let prompt = std::mem::take(&mut self.prompt);
        let config = self.config.clone();
        let result =
            self.native().and_then(|native| Generation::start(native, &prompt, &config).map(Box::new));
        self.prompt = prompt;
        result
    }

    fn step(&mut self, generation: &mut Generation) -> Result<(), NnError> {
        let native = self.native.as_mut().ok_or_else(|| compute("no context".to_owned()))?;
        generation.step(native, &self.loaded, &self.config)
    }

    fn check_prompt(&self) -> Result<(), NnError> {
        if self.prompt.is_empty() {
            return Err(ArgumentError::MissingInput { input: "prompt".to_owned() }.into());
        }
        Ok(())
    }

    /// After a failure of llama.cpp's the state of its context is unknown.
    fn settle<T>(&mut self, result: Result<T, NnError>) -> Result<T, NnError> {
        if matches!(result, Err(NnError::Compute { .. })) {
            self.native = None;
        }
        result
    }

    fn metadata(&self) -> Result<TensorView<'_>, NnError> {
        let drawn = match &self.output {
            Output::Nothing => return Err(ArgumentError::NotComputed.into()),
            Output::Text(generation) => generation.drawn,
            Output::Embedding => 0,
        };
        let metadata = self.metadata.get_or_init(|| outputs::metadata(self.prompt.len(), drawn));
        Ok(metadata.view(TensorType::U8))
    }

    /// The vector at length 1, as JSON in WasmEdge's form.
    fn json(&self) -> TensorView<'_> {
        self.json.get_or_init(|| outputs::embedding(self.vector.data())).view(TensorType::U8)
    }
}

/// About what llama.cpp reserves: keys and values, scores of each head before and after the softmax, and the
/// activations of the widest layer.
fn context_bytes(outline: &Outline, tokens: u32, micro_batch: u32, outputs: u32, embedding: bool) -> u64 {
    let [tokens, micro_batch, outputs] = [tokens, micro_batch, outputs].map(u64::from);
    let bytes_of_a_value = if embedding { 4 } else { 2 };
    let row = 2 * u64::from(outline.n_embd_kv) * u64::from(outline.n_layer) * bytes_of_a_value;
    let scores = 2 * 4 * u64::from(outline.n_head) * tokens;
    let activations = 4 * 3 * u64::from(outline.n_ff);
    // Room for logits is made also where none are computed: of the output, and of the graph.
    let logits = 2 * 4 * u64::from(outline.n_vocab);
    row.saturating_mul(tokens)
        .saturating_add(scores.saturating_add(activations).saturating_mul(micro_batch))
        .saturating_add(logits.saturating_mul(outputs))
}

fn embed(native: &mut Context, prompt: &mut [i32], vector: &mut Lent<f32>) -> Result<(), NnError> {
    let limit = native.shape().batch;
    if prompt.len() > limit as usize {
        return Err(NnError::PromptTooLong { tokens: prompt.len(), limit });
    }
    native.forget();
    native.decode(prompt).map_err(|error| failed(error, limit))?;
    let found = native.embedding().ok_or_else(|| compute("the model gave no embedding".to_owned()))?;
    if found.iter().any(|value| !value.is_finite()) {
        return Err(compute("the embedding has an infinite value or one that is no number".to_owned()));
    }
    vector.set(found);
    Ok(())
}

impl ContextBackend for TextContext {
    fn set_input(&mut self, key: Key<'_>, tensor: TensorView<'_>) -> Result<(), NnError> {
        match outputs::position("input", key, &["prompt", "metadata"])? {
            0 => self.set_prompt(tensor),
            _ => self.set_metadata(tensor),
        }
    }

    fn compute(&mut self) -> Result<(), NnError> {
        self.reset();
        self.check_prompt()?;
        if self.config.embedding {
            let result = self.embed();
            return self.settle(result);
        }
        let result = self.start();
        let mut generation = self.settle(result)?;
        let result = loop {
            if let Err(error) = self.step(&mut generation) {
                break self.settle(Err(error));
            }
        };
        self.output = Output::Text(generation);
        match result {
            Err(NnError::EndOfSequence) => Ok(()),
            other => other,
        }
    }

    fn output(&self, key: Key<'_>) -> Result<TensorView<'_>, NnError> {
        let place = outputs::position("output", key, &["text", "metadata", "embedding"])?;
        match (place, &self.output) {
            (0, Output::Text(generation)) => Ok(generation.text.view(TensorType::U8)),
            (0, Output::Embedding) => Ok(self.json()),
            (1, Output::Text(_) | Output::Embedding) => self.metadata(),
            (2, Output::Embedding) => Ok(self.vector.view(TensorType::F32)),
            _ => Err(ArgumentError::NotComputed.into()),
        }
    }

    fn compute_single(&mut self) -> Result<(), NnError> {
        if self.config.embedding {
            let what = "streaming of an embedding".to_owned();
            return Err(NnError::Unsupported { engine: ENGINE, what });
        }
        let ongoing = std::mem::replace(&mut self.output, Output::Nothing);
        self.metadata.take();
        let mut generation = match ongoing {
            Output::Text(generation) if self.streaming => generation,
            _ => {
                self.reset();
                self.check_prompt()?;
                let result = self.start();
                self.settle(result)?
            }
        };
        let result = self.step(&mut generation);
        let result = self.settle(result);
        self.streaming = self.native.is_some();
        self.output = Output::Text(generation);
        result
    }

    fn output_single(&self, key: Key<'_>) -> Result<TensorView<'_>, NnError> {
        let place = outputs::position("output", key, &["text", "metadata"])?;
        match (place, &self.output) {
            (0, Output::Text(generation)) if self.streaming => Ok(generation.piece.view(TensorType::U8)),
            (1, Output::Text(_)) if self.streaming => self.metadata(),
            _ => Err(ArgumentError::NotComputed.into()),
        }
    }

    fn finish_single(&mut self) -> Result<(), NnError> {
        self.reset();
        Ok(())
    }
}
