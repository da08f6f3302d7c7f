//! The functions of `guard.cpp`, and the buffer for what went wrong in them.

use std::ffi::{CStr, c_char};

use llama_cpp_sys_2 as sys;

/// Bytes for the reason of a failed call.
pub(super) const MESSAGE_BYTES: usize = 512;
/// What the guard gives for an exception; no count and no code of llama.cpp.
pub(super) const THROWN: i32 = i32::MIN;

/// Where a context puts the vector of a sequence.
#[repr(C)]
pub(super) struct Tap {
    pub(super) vector: *mut f32,
    pub(super) length: i64,
    /// As the guard numbers them: 0 last, 1 the sum of all, 2 first.
    pub(super) pooling: i32,
    /// Hidden states that are in the vector, or among which it was; 0: none of this batch.
    pub(super) rows: i64,
}

unsafe extern "C" {
    pub(super) fn endcap_init();
    pub(super) fn endcap_model_load(
        file: i32,
        params: sys::llama_model_params,
        message: *mut c_char,
        size: usize,
    ) -> *mut sys::llama_model;
    pub(super) fn endcap_context_new(
        model: *mut sys::llama_model,
        params: sys::llama_context_params,
        tap: *mut Tap,
        message: *mut c_char,
        size: usize,
    ) -> *mut sys::llama_context;
    pub(super) fn endcap_decode(
        context: *mut sys::llama_context,
        tokens: *mut i32,
        count: i32,
        all: bool,
        message: *mut c_char,
        size: usize,
    ) -> i32;
    pub(super) fn endcap_forget(context: *mut sys::llama_context);
    pub(super) fn endcap_tokenize(
        vocab: *const sys::llama_vocab,
        text: *const c_char,
        length: i32,
        tokens: *mut i32,
        capacity: i32,
        message: *mut c_char,
        size: usize,
    ) -> i32;
    pub(super) fn endcap_piece(
        vocab: *const sys::llama_vocab,
        token: i32,
        text: *mut c_char,
        capacity: i32,
        message: *mut c_char,
        size: usize,
    ) -> i32;
}

/// The reason of a failed call, as a buffer for the guard.
pub(super) struct Message([u8; MESSAGE_BYTES]);

impl Message {
    pub(super) fn new() -> Self {
        Self([0; MESSAGE_BYTES])
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut c_char {
        self.0.as_mut_ptr().cast()
    }

    /// It, or else what llama.cpp logged, or else `otherwise`.
    pub(super) fn or(&self, logged: String, otherwise: &str) -> String {
        match CStr::from_bytes_until_nul(&self.0) {
            Ok(text) if !text.is_empty() => text.to_string_lossy().into_owned(),
            _ if !logged.is_empty() => logged,
            _ => otherwise.to_owned(),
        }
    }
}
