//! The check of GGUF files: whatever the bytes, an answer, within the memory that the bytes could fill.
//!
//! Half of the inputs are taken as they are, half as changes to a model that is sound: random bytes alone seldom
//! get past the magic number.

#![no_main]

// What the engine does with the check's answers is not needed here.
#[allow(dead_code)]
#[path = "../../src/ggml/gguf/mod.rs"]
mod gguf;

#[allow(dead_code)]
#[path = "../../tests/ggml_support"]
mod support {
    pub mod gguf;
    pub mod llama;
}

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use support::llama::{Llama, Sizes};

const TINY: Sizes = Sizes { layers: 1, width: 32, heads: 2, kv_heads: 1, ff: 32, items: 8 };

static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| Llama::random(TINY, 3).gguf().bytes());

fuzz_target!(|data: &[u8]| {
    let Some((kind, changes)) = data.split_first() else { return };
    if kind % 2 == 0 {
        run(changes);
        return;
    }
    let mut bytes = SOUND.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    run(&bytes);
});

fn run(bytes: &[u8]) {
    if let Ok(outline) = gguf::check(bytes, bytes.len() as u64) {
        // What passes holds its weights: an eighth of a byte at least for each of the tokens.
        let embeddings = u64::from(outline.n_vocab) * u64::from(outline.n_embd);
        assert!(embeddings / 8 <= bytes.len() as u64, "{outline:?} in {} bytes", bytes.len());
    }
}
