//! Small models for tests, Llamas and a BERT: a writer of GGUF files, random weights, and the same model computed
//! in plain Rust.

// Each test binary uses its part.
#![allow(dead_code)]

pub(crate) mod bert;
pub(crate) mod gguf;
pub(crate) mod llama;

use endcap_nn::{Context, Device, Encoding, Engine, Graph, Key, Limits, NnError, Registry, Tensor};

pub(crate) fn engine() -> Engine {
    Engine::new(Limits::default(), Registry::default())
}

pub(crate) fn load(model: &[u8]) -> Result<Graph, NnError> {
    engine().load(&[model], Encoding::Ggml, Device::Cpu)
}

pub(crate) fn load_with(model: &[u8], metadata: &str) -> Result<Graph, NnError> {
    engine().load(&[model, metadata.as_bytes()], Encoding::Ggml, Device::Cpu)
}

/// A context of a graph that the caller need not keep.
pub(crate) fn context(model: &[u8], metadata: &str) -> Context {
    load_with(model, metadata).unwrap().context().unwrap()
}

pub(crate) fn set_text(context: &mut Context, prompt: &str) -> Result<(), NnError> {
    context.set_input(Key::Index(0), Tensor::u8(prompt.as_bytes()).view())
}

pub(crate) fn set_tokens(context: &mut Context, tokens: &[i32]) -> Result<(), NnError> {
    context.set_input(Key::Index(0), Tensor::i32(&[tokens.len() as u32], tokens).view())
}

pub(crate) fn set_metadata(context: &mut Context, metadata: &str) -> Result<(), NnError> {
    context.set_input(Key::Index(1), Tensor::u8(metadata.as_bytes()).view())
}

/// An output as text.
pub(crate) fn text(context: &Context, index: u32) -> String {
    String::from_utf8(context.output(Key::Index(index)).unwrap().data.to_vec()).unwrap()
}

/// Output 2.
pub(crate) fn vector(context: &Context) -> Vec<f32> {
    context.output(Key::Index(2)).unwrap().to_tensor().to_f32().unwrap()
}

/// The whole text of a stream, its tokens apart, and the error that ended it.
pub(crate) fn stream(context: &mut Context) -> (Vec<String>, NnError) {
    let mut pieces = Vec::new();
    loop {
        if let Err(error) = context.compute_single() {
            return (pieces, error);
        }
        let piece = context.output_single(Key::Index(0)).unwrap().data.to_vec();
        pieces.push(String::from_utf8(piece).unwrap());
    }
}
