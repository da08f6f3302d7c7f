//! llama.cpp behind owning types. Every `unsafe` of this engine but the log callback is in this folder.

mod context;
mod guard;
mod model;

use std::ffi::CStr;
use std::sync::OnceLock;

use llama_cpp_sys_2 as sys;

pub(super) use context::{Context, DecodeError, Shape};
pub(super) use model::{Loading, Model};

use super::log;

/// Readies llama.cpp. It stays so until the process ends: another engine of the process may be using it.
fn init() {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        log::install();
        // SAFETY: called once, before any other call into llama.cpp.
        unsafe { guard::endcap_init() };
    });
}

/// Whether this build and machine have a GPU that llama.cpp can use.
pub(super) fn has_gpu() -> bool {
    init();
    // SAFETY: takes nothing; the back-ends are registered.
    unsafe { sys::llama_supports_gpu_offload() }
}

/// llama.cpp's version.
pub(super) fn version() -> String {
    // SAFETY: gives a string constant.
    unsafe { CStr::from_ptr(sys::llama_version()) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::log::Echo;
    use super::super::memory;
    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    /// A file that the check of `gguf` would refuse: two tokens have the same text, which llama.cpp asserts against.
    fn hostile() -> Vec<u8> {
        const TEXT: u32 = 8;
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(0_u64.to_le_bytes());
        out.extend(9_u64.to_le_bytes());
        for (key, value) in [("general.architecture", "llama"), ("tokenizer.ggml.model", "llama")] {
            text(&mut out, key);
            out.extend(TEXT.to_le_bytes());
            text(&mut out, value);
        }
        for key in ["context_length", "embedding_length", "block_count", "feed_forward_length"] {
            text(&mut out, &format!("llama.{key}"));
            out.extend([4_u32, 8].map(u32::to_le_bytes).concat());
        }
        text(&mut out, "llama.attention.head_count");
        out.extend([4_u32, 2].map(u32::to_le_bytes).concat());
        text(&mut out, "llama.attention.layer_norm_rms_epsilon");
        out.extend(6_u32.to_le_bytes());
        out.extend(1e-5_f32.to_le_bytes());
        text(&mut out, "tokenizer.ggml.tokens");
        out.extend([9, TEXT].map(u32::to_le_bytes).concat());
        out.extend(2_u64.to_le_bytes());
        text(&mut out, "twice");
        text(&mut out, "twice");
        out
    }

    #[test]
    fn an_assertion_of_llama_cpp_is_an_error() {
        let loading = Loading { map: false, gpu_layers: 0, main_gpu: 0, tensor_split: Vec::new() };
        let file = memory::file_of(&hostile()).unwrap();
        let reason = Model::load(file.into(), &loading, Echo::Nothing).err().unwrap();
        assert!(reason.contains("GGML_ASSERT(id_to_token.size() == token_to_id.size())"), "{reason}");
    }
}
