//! A guest for the tests and benchmarks of the plugin. Each command prints JSON lines, which the caller compares with
//! what it computes natively.
//!
//! ```text
//! mlp FILE BATCH               an ONNX model from bytes
//! mlp-named NAME BATCH         the same from the registry
//! mlp-crate FILE BATCH         the same through the crate wasi-nn
//! errors FILE                  bad input of every kind, with the errno of each
//! text NAME PROMPT METADATA    a GGML model: the whole answer
//! stream NAME PROMPT METADATA  the same, a token at a time
//! hostile FILE SEED CALLS      random calls
//! bench FILE BATCH SECONDS     nanoseconds per set_input, compute, get_output
//! encoder FILE onnx|ggml LENGTH ITEMS SECONDS
//!                              nanoseconds per user vector of a history, and the first vector
//! load-loop FILE ROUNDS        load, compute, unload again and again
//! ```
#![cfg_attr(target_os = "wasi", expect(unsafe_code, reason = "host functions are called by pointer"))]

#[cfg(target_os = "wasi")]
mod abi;
#[cfg(target_os = "wasi")]
mod bench;
#[cfg(target_os = "wasi")]
mod errors;
#[cfg(target_os = "wasi")]
mod hostile;
#[cfg(target_os = "wasi")]
mod onnx;
#[cfg(target_os = "wasi")]
mod text;

#[cfg(target_os = "wasi")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["mlp", file, batch] => onnx::from_bytes(file, batch.parse()?),
        ["mlp-named", name, batch] => onnx::by_name(name, batch.parse()?),
        ["mlp-crate", file, batch] => onnx::by_crate(file, batch.parse()?),
        ["load-loop", file, rounds] => onnx::load_loop(file, rounds.parse()?),
        ["errors", file] => errors::all(file),
        ["text", name, prompt, metadata] => text::whole(name, prompt, metadata),
        ["stream", name, prompt, metadata] => text::streamed(name, prompt, metadata),
        ["hostile", file, seed, calls] => hostile::calls(file, seed.parse()?, calls.parse()?),
        ["bench", file, batch, seconds] => bench::loop_for(file, batch.parse()?, seconds.parse()?),
        ["encoder", file, encoding, length, items, seconds] => {
            bench::encoder(file, encoding, length.parse()?, items.parse()?, seconds.parse()?)
        }
        _ => anyhow::bail!("not a command of this guest: {arguments:?}"),
    }
}

#[cfg(not(target_os = "wasi"))]
fn main() -> anyhow::Result<()> {
    anyhow::bail!("this is a guest: build it for wasm32-wasip1 and run it under WasmEdge")
}
