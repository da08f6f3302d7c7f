//! Unloading frees everything. In a binary of its own, because memory is counted for the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod ggml_support;

use ggml_support::llama::{Llama, Sizes};
use ggml_support::{load_with, set_metadata, set_text, set_tokens};

/// Gives what is free back to the system, so that the measure is of what is in use. Without it glibc keeps a few
/// megabytes in one round and not in the next.
fn trim() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> i32;
        }
        // SAFETY: a function of glibc that may be called at any time.
        unsafe { malloc_trim(0) };
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    trim();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    // Pages of 4 KiB: every machine that this runs on.
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn round(bytes: &[u8]) {
    let graph = load_with(bytes, r#"{"temp": 0, "n-predict": 4}"#).unwrap();
    let mut context = graph.context().unwrap();
    set_text(&mut context, "<i1><i2>").unwrap();
    context.compute().unwrap();
    context.compute_single().unwrap();
    set_metadata(&mut context, r#"{"embedding": true}"#).unwrap();
    set_tokens(&mut context, &[5, 6]).unwrap();
    context.compute().unwrap();
    // What fails must be freed as well.
    assert!(load_with(&bytes[..bytes.len() - 1], "{}").is_err());
}

#[test]
fn rounds_of_loading_leave_the_memory_as_it_was() {
    let sizes = Sizes { layers: 2, width: 64, heads: 4, kv_heads: 4, ff: 128, items: 2000 };
    let bytes = Llama::random(sizes, 5).gguf().bytes();
    // The least of the last rounds: fragments and threads' stacks differ from round to round, and what leaks is in
    // every later one. The allocator's own pools grow for some hundred rounds and then stand still: 22 MB from round
    // 700 to 2,000.
    let least_of_last = |rounds: usize| {
        let resident = (0..rounds).map(|_| {
            round(&bytes);
            resident()
        });
        resident.skip(rounds - 50).min().unwrap()
    };
    let measured = [300, 200, 200].map(least_of_last);
    println!("resident after 300, 500 and 700 rounds: {measured:?} bytes");
    // The allocator's pools jump by a megabyte in one run of ten; what leaks in two hundred rounds leaks in the next as well.
    let grown = measured.windows(2).all(|pair| pair[1] as f64 > pair[0] as f64 * 1.05);
    assert!(!grown, "it grows and grows: {measured:?} bytes");
}
