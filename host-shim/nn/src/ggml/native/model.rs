//! A loaded model and its tokenizer.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;
use parking_lot::Mutex;

use super::guard::{MESSAGE_BYTES, Message, THROWN, endcap_model_load, endcap_piece, endcap_tokenize};
use crate::ggml::log::{self, Echo};

/// How to load a model.
#[derive(Debug, Clone)]
pub(in crate::ggml) struct Loading {
    /// Map the file; else read it.
    pub(in crate::ggml) map: bool,
    /// Layers on the GPU; negative: all.
    pub(in crate::ggml) gpu_layers: i32,
    pub(in crate::ggml) main_gpu: i32,
    /// Share of each GPU; empty: by free memory.
    pub(in crate::ggml) tensor_split: Vec<f32>,
}

/// A loaded model.
pub(in crate::ggml) struct Model {
    pub(super) model: NonNull<sys::llama_model>,
    vocab: NonNull<sys::llama_vocab>,
    /// Held while a context is made, which may change the model.
    pub(super) making: Mutex<()>,
}

// SAFETY: llama.cpp only reads a loaded model, but for `llama_init_from_model`, which `making` serialises.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Model {
    /// Loads a file that has passed the check of [`crate::ggml::gguf`].
    pub(in crate::ggml) fn load(file: OwnedFd, loading: &Loading, echo: Echo) -> Result<Self, String> {
        super::init();
        // SAFETY: gives a plain structure.
        let mut params = unsafe { sys::llama_model_default_params() };
        params.load_mode = if loading.map { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
        // Nothing is read later: the file is closed by then.
        params.lazy_mode = sys::LLAMA_LAZY_MODE_OFF;
        params.n_gpu_layers = loading.gpu_layers;
        params.main_gpu = loading.main_gpu;
        let mut split = loading.tensor_split.clone();
        if !split.is_empty() {
            // SAFETY: takes nothing.
            split.resize(unsafe { sys::llama_max_devices() }, 0.0);
            params.tensor_split = split.as_ptr();
        }
        let mut message = Message::new();
        // SAFETY: the descriptor is open and given away; `params` points to `split`, which outlives the call and has
        // as many elements as there may be devices; the buffer has the size told.
        let (model, logged) = log::capture(echo, || unsafe {
            endcap_model_load(file.into_raw_fd(), params, message.as_mut_ptr(), MESSAGE_BYTES)
        });
        let model = NonNull::new(model).ok_or_else(|| message.or(logged, "llama.cpp gives no reason"))?;
        // SAFETY: the model is alive; its vocabulary is a part of it.
        let vocab = unsafe { sys::llama_model_get_vocab(model.as_ptr()) }.cast_mut();
        let Some(vocab) = NonNull::new(vocab) else {
            // SAFETY: the model is alive and nobody else has it.
            unsafe { sys::llama_model_free(model.as_ptr()) };
            return Err("no vocabulary".to_owned());
        };
        Ok(Self { model, vocab, making: Mutex::new(()) })
    }

    /// Number of tokens of the vocabulary.
    pub(in crate::ggml) fn n_vocab(&self) -> usize {
        // SAFETY: the vocabulary lives as long as the model.
        unsafe { sys::llama_vocab_n_tokens(self.vocab.as_ptr()) }.max(0) as usize
    }

    /// Whether a text ends with this token.
    pub(in crate::ggml) fn ends_text(&self, token: i32) -> bool {
        // SAFETY: the vocabulary lives as long as the model; any token may be asked for.
        unsafe { sys::llama_vocab_is_eog(self.vocab.as_ptr(), token) }
    }

    /// The tokens of a text, with those that the model wants at its begin or end.
    pub(in crate::ggml) fn tokenize(&self, text: &str, echo: Echo) -> Result<Vec<i32>, String> {
        let length = i32::try_from(text.len()).map_err(|_| "text of 2 GiB or more".to_owned())?;
        // Seldom is a token less than a byte; two are for begin and end.
        let mut tokens = vec![0_i32; text.len() + 2];
        loop {
            let mut message = Message::new();
            let capacity = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
            // SAFETY: the vocabulary lives as long as the model; text and buffers have the sizes told.
            let (count, logged) = log::capture(echo, || unsafe {
                endcap_tokenize(
                    self.vocab.as_ptr(),
                    text.as_ptr().cast(),
                    length,
                    tokens.as_mut_ptr(),
                    capacity,
                    message.as_mut_ptr(),
                    MESSAGE_BYTES,
                )
            });
            match count {
                THROWN => return Err(message.or(logged, "the tokenizer failed")),
                0.. => {
                    tokens.truncate(count as usize);
                    return Ok(tokens);
                }
                needed if needed.unsigned_abs() as usize > tokens.len() => {
                    tokens.resize(needed.unsigned_abs() as usize, 0);
                }
                _ => return Err(message.or(logged, "the tokenizer contradicts itself")),
            }
        }
    }

    /// The text of a token; a part of a character where the token is one.
    pub(in crate::ggml) fn piece(&self, token: i32, echo: Echo) -> Result<Vec<u8>, String> {
        // Longer than nearly every token; the loop serves the rest.
        let mut piece = vec![0_u8; 64];
        loop {
            let mut message = Message::new();
            let capacity = i32::try_from(piece.len()).unwrap_or(i32::MAX);
            // SAFETY: the vocabulary lives as long as the model; the buffers have the sizes told.
            let (length, logged) = log::capture(echo, || unsafe {
                endcap_piece(
                    self.vocab.as_ptr(),
                    token,
                    piece.as_mut_ptr().cast(),
                    capacity,
                    message.as_mut_ptr(),
                    MESSAGE_BYTES,
                )
            });
            match length {
                THROWN => return Err(message.or(logged, "the token has no text")),
                0.. => {
                    piece.truncate(length as usize);
                    return Ok(piece);
                }
                needed if needed.unsigned_abs() as usize > piece.len() => {
                    piece.resize(needed.unsigned_abs() as usize, 0);
                }
                _ => return Err(message.or(logged, "the token's text contradicts itself")),
            }
        }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: contexts keep the model alive, so that this is its last use.
        unsafe { sys::llama_model_free(self.model.as_ptr()) };
    }
}
