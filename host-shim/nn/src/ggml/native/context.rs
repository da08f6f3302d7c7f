//! llama.cpp's context: what a model has seen of a sequence of tokens, and what it made of the last one.

use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::guard::{MESSAGE_BYTES, Message, Tap, endcap_context_new, endcap_decode, endcap_forget};
use super::model::Model;
use crate::ggml::config::Pooling;
use crate::ggml::log::{self, Echo};

/// What a context is for, and how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ggml) struct Shape {
    /// A vector made of hidden states so instead of logits.
    pub(in crate::ggml) embedding: Option<Pooling>,
    /// Hidden states of all tokens come out, and not of the last alone.
    pub(in crate::ggml) all: bool,
    /// Tokens remembered. llama.cpp rounds up to a multiple of 256.
    pub(in crate::ggml) tokens: u32,
    /// Tokens of one [`Context::decode`].
    pub(in crate::ggml) batch: u32,
    /// Tokens computed at once.
    pub(in crate::ggml) micro_batch: u32,
    pub(in crate::ggml) threads: i32,
    /// Compute on the GPU what the model has there.
    pub(in crate::ggml) gpu: bool,
}

/// Why a batch was not computed.
#[derive(Debug)]
pub(in crate::ggml) enum DecodeError {
    /// No room for it.
    Full,
    /// Anything else; the context is no longer to be used.
    Failed(String),
}

/// llama.cpp's memory of a sequence of tokens, and its last output.
pub(in crate::ggml) struct Context {
    context: NonNull<sys::llama_context>,
    tap: NonNull<Tap>,
    /// Where the tap points; empty for a context for text.
    vector: Vec<f32>,
    shape: Shape,
    echo: Echo,
    model: Arc<Model>,
}

// SAFETY: llama.cpp binds a context to no thread; methods that change it take `&mut`.
unsafe impl Send for Context {}

impl Context {
    /// A context without tokens. `n_embd` is the model's width.
    pub(in crate::ggml) fn new(
        model: Arc<Model>,
        shape: Shape,
        n_embd: usize,
        echo: Echo,
    ) -> Result<Self, String> {
        // SAFETY: gives a plain structure.
        let mut params = unsafe { sys::llama_context_default_params() };
        params.n_ctx = shape.tokens;
        params.n_batch = shape.batch;
        params.n_ubatch = shape.micro_batch;
        params.n_seq_max = 1;
        // llama.cpp reserves logits for every output.
        params.n_outputs_max = if shape.all { shape.batch } else { 1 };
        params.n_threads = shape.threads;
        params.n_threads_batch = shape.threads;
        params.pooling_type = sys::LLAMA_POOLING_TYPE_NONE;
        params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_DISABLED;
        params.offload_kqv = shape.gpu;
        params.op_offload = shape.gpu;
        params.no_perf = true;
        if shape.embedding.is_some() {
            // Half precision would cost a thousandth of the vector's length against the other engines.
            params.type_k = sys::GGML_TYPE_F32;
            params.type_v = sys::GGML_TYPE_F32;
        }
        let mut vector = vec![0.0; if shape.embedding.is_some() { n_embd } else { 0 }];
        let pooling = match shape.embedding {
            None | Some(Pooling::Last) => 0,
            Some(Pooling::Mean) => 1,
            Some(Pooling::First) => 2,
        };
        let tap = Tap { vector: vector.as_mut_ptr(), length: vector.len() as i64, pooling, rows: 0 };
        let tap = NonNull::from(Box::leak(Box::new(tap)));
        let hook = if shape.embedding.is_some() { tap.as_ptr() } else { std::ptr::null_mut() };
        let mut message = Message::new();
        let (context, logged) = {
            let _making = model.making.lock();
            // SAFETY: the model is alive, and the lock makes this its only use that may change it; the tap and its
            // vector live until the context has been freed; the buffer has the size told.
            log::capture(echo, || unsafe {
                endcap_context_new(model.model.as_ptr(), params, hook, message.as_mut_ptr(), MESSAGE_BYTES)
            })
        };
        let Some(context) = NonNull::new(context) else {
            // SAFETY: it came from a box and nobody else has it.
            drop(unsafe { Box::from_raw(tap.as_ptr()) });
            return Err(message.or(logged, "llama.cpp gives no reason"));
        };
        Ok(Self { context, tap, vector, shape, echo, model })
    }

    /// What it was made for.
    pub(in crate::ggml) fn shape(&self) -> Shape {
        self.shape
    }

    /// Tokens that fit, at least as many as asked for.
    pub(in crate::ggml) fn capacity(&self) -> u32 {
        // SAFETY: the context is alive.
        unsafe { sys::llama_n_ctx(self.context.as_ptr()) }
    }

    /// Which of llama.cpp's lines to print from here on.
    pub(in crate::ggml) fn set_echo(&mut self, echo: Echo) {
        self.echo = echo;
    }

    /// Forgets every token.
    pub(in crate::ggml) fn forget(&mut self) {
        // SAFETY: the context is alive and not computing.
        unsafe { endcap_forget(self.context.as_ptr()) };
    }

    /// Computes tokens after those that it has seen. At most [`Shape::batch`] of them, all below the vocabulary's
    /// size.
    pub(in crate::ggml) fn decode(&mut self, tokens: &mut [i32]) -> Result<(), DecodeError> {
        // llama.cpp asserts both.
        let n_vocab = self.model.n_vocab();
        if tokens.len() > self.shape.batch as usize
            || tokens.iter().any(|&token| usize::try_from(token).map_or(true, |token| token >= n_vocab))
        {
            return Err(DecodeError::Failed("a batch that the context was not made for".to_owned()));
        }
        // SAFETY: the tap lives until the context has been freed, and is only used inside of `endcap_decode`.
        unsafe { (*self.tap.as_ptr()).rows = 0 };
        let mut message = Message::new();
        let count = tokens.len() as i32;
        // SAFETY: the context is alive and borrowed mutably; the tokens are as many as told, and read only; the
        // vector behind the tap is not borrowed.
        let (code, logged) = log::capture(self.echo, || unsafe {
            endcap_decode(
                self.context.as_ptr(),
                tokens.as_mut_ptr(),
                count,
                self.shape.all,
                message.as_mut_ptr(),
                MESSAGE_BYTES,
            )
        });
        match code {
            0 => {
                self.divide();
                Ok(())
            }
            1 => Err(DecodeError::Full),
            code => Err(DecodeError::Failed(message.or(logged, &format!("llama_decode gave {code}")))),
        }
    }

    /// A sum of hidden states to their mean.
    fn divide(&mut self) {
        if self.shape.embedding == Some(Pooling::Mean) {
            // SAFETY: as in `decode`.
            let rows = unsafe { (*self.tap.as_ptr()).rows }.max(1) as f32;
            self.vector.iter_mut().for_each(|value| *value /= rows);
        }
    }

    /// What the hidden states of the tokens last decoded, after the final norm, make; `None` on a context for text, or
    /// where the model's graph has no such node.
    pub(in crate::ggml) fn embedding(&self) -> Option<&[f32]> {
        // SAFETY: as in `decode`.
        (unsafe { (*self.tap.as_ptr()).rows } > 0).then_some(&self.vector)
    }

    /// Logits of the last token decoded, by token; `None` on a context for embeddings.
    pub(in crate::ggml) fn logits(&mut self) -> Option<&[f32]> {
        if self.shape.embedding.is_some() {
            return None;
        }
        // SAFETY: the context is alive; -1 is the last output.
        let logits = NonNull::new(unsafe { sys::llama_get_logits_ith(self.context.as_ptr(), -1) })?;
        // SAFETY: an output has a logit for each token of the vocabulary, and stays until the next decode, which
        // needs the borrow back.
        Some(unsafe { std::slice::from_raw_parts(logits.as_ptr(), self.model.n_vocab()) })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is alive and this is its last use; the tap came from a box and has no other user once
        // the context is gone.
        unsafe {
            sys::llama_free(self.context.as_ptr());
            drop(Box::from_raw(self.tap.as_ptr()));
        }
    }
}
