//! One text under way: the prompt, then token after token.

use super::ENGINE;
use super::config::Config;
use super::graph::Loaded;
use super::lent::Lent;
use super::native::{Context, DecodeError};
use super::sampler::Sampler;
use crate::NnError;

/// Places of the context that a prompt must leave free, as in WasmEdge: for begin, end and a word of answer.
const RESERVED: usize = 4;

/// A text under way.
pub(super) struct Generation {
    sampler: Sampler,
    /// Tokens in the context.
    seen: usize,
    /// The last token drawn, which the context has yet to see.
    pending: Option<i32>,
    /// Tokens drawn, with the one that ended the text.
    pub(super) drawn: u64,
    /// The text so far, without what ends it; it may end within a character.
    pub(super) text: Lent<u8>,
    /// The last token's part of the text.
    pub(super) piece: Lent<u8>,
    ended: bool,
}

impl Generation {
    /// Shows the prompt to an empty context.
    pub(super) fn start(context: &mut Context, prompt: &[i32], config: &Config) -> Result<Self, NnError> {
        let limit = context.capacity();
        if prompt.len() > (limit as usize).saturating_sub(RESERVED) {
            return Err(NnError::PromptTooLong { tokens: prompt.len(), limit });
        }
        context.forget();
        let mut prompt = prompt.to_vec();
        for part in prompt.chunks_mut(context.shape().batch as usize) {
            context.decode(part).map_err(|error| failed(error, limit))?;
        }
        Ok(Self {
            sampler: Sampler::new(config.sampling.clone()),
            seen: prompt.len(),
            pending: None,
            drawn: 0,
            text: Lent::default(),
            piece: Lent::default(),
            ended: config.n_predict == Some(0),
        })
    }

    /// Draws one token and appends its text.
    ///
    /// The token that ends the text has none; the stop string has, as in WasmEdge.
    pub(super) fn step(
        &mut self,
        context: &mut Context,
        loaded: &Loaded,
        config: &Config,
    ) -> Result<(), NnError> {
        self.piece.set(&[]);
        if self.ended {
            return Err(NnError::EndOfSequence);
        }
        let limit = context.capacity();
        if let Some(token) = self.pending {
            if self.seen >= limit as usize {
                return Err(NnError::ContextFull { limit });
            }
            context.decode(&mut [token]).map_err(|error| failed(error, limit))?;
            self.pending = None;
            self.seen += 1;
        }
        let logits = context.logits().ok_or_else(|| compute("the model gave no logits".to_owned()))?;
        let token =
            self.sampler.draw(logits).map_err(|_| compute("a logit is infinite or no number".to_owned()))?;
        self.drawn += 1;
        if loaded.model.ends_text(token) {
            self.ended = true;
            return Err(NnError::EndOfSequence);
        }
        self.pending = Some(token);
        let piece = loaded.model.piece(token, config.echo).map_err(compute)?;
        self.text.append(&piece);
        self.piece.set(&piece);
        self.ended =
            config.n_predict.is_some_and(|tokens| self.drawn >= tokens) || self.has_stopped(&config.stop);
        Ok(())
    }

    /// Whether the stop string ends within the last token.
    fn has_stopped(&self, stop: &str) -> bool {
        if stop.is_empty() {
            return false;
        }
        let text = self.text.data();
        let from = (text.len() - self.piece.data().len() + 1).saturating_sub(stop.len());
        text.get(from..).is_some_and(|tail| tail.windows(stop.len()).any(|part| part == stop.as_bytes()))
    }
}

/// The engine failed.
pub(super) fn compute(reason: String) -> NnError {
    NnError::Compute { engine: ENGINE, reason }
}

pub(super) fn failed(error: DecodeError, limit: u32) -> NnError {
    match error {
        DecodeError::Full => NnError::ContextFull { limit },
        DecodeError::Failed(reason) => compute(reason),
    }
}
