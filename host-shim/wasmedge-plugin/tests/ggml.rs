//! A language model through the plugin: SmolLM2-135M answers and embeds as it does natively.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::PathBuf;

use common::Bench;
use endcap_nn::{Context, Engine, Key, Limits, NnError, Registry, Tensor};
use serde_json::Value;

const PROMPT: &str = "<|im_start|>user\nName three fruits.<|im_end|>\n<|im_start|>assistant\n";
/// Greedy and short: one answer, the same on every machine with this build.
const ANSWER: &str = r#"{"ctx-size":256,"n-predict":24,"temp":0.0,"threads":1}"#;
const EMBEDDING: &str = r#"{"ctx-size":256,"embedding":true,"threads":1}"#;

fn bench() -> Option<(Bench, String)> {
    let model = common::tool("ENDCAP_SMOLLM2", ".cache/models/smollm2.gguf", "setup")?;
    let model: PathBuf = model.canonicalize().unwrap();
    let entry = format!("text:ggml:cpu:{}", model.display());
    Some((Bench::bare()?.option("--nn-preload", &entry), entry))
}

fn native(entry: &str, metadata: &str) -> Context {
    let registry = Registry::parse([entry]).unwrap();
    let graph = Engine::new(Limits::default(), registry).load_named("text", Some(metadata)).unwrap();
    let mut context = graph.context().unwrap();
    context.set_input(Key::Index(0), Tensor::u8(PROMPT.as_bytes()).view()).unwrap();
    context
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_prompt_is_answered() {
    let Some((bench, entry)) = bench() else { return };
    let mut context = native(&entry, ANSWER);
    context.compute().unwrap();
    let expected = text(context.output(Key::Index(0)).unwrap().data);
    assert!(expected.split_whitespace().count() > 3, "no answer: {expected}");
    let line = &bench.answers(["text", "text", PROMPT, ANSWER])[0];
    assert_eq!(line["text"], expected);
    eprintln!("{expected}");
    assert!(line["metadata"]["output_tokens"].as_u64().unwrap() > 3, "{line}");
}

#[test]
fn a_token_at_a_time_gives_the_same() {
    let Some((bench, entry)) = bench() else { return };
    let mut context = native(&entry, ANSWER);
    let mut expected = Vec::new();
    loop {
        match context.compute_single() {
            Ok(()) => expected.extend_from_slice(context.output_single(Key::Index(0)).unwrap().data),
            Err(NnError::EndOfSequence) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let line = &bench.answers(["stream", "text", PROMPT, ANSWER])[0];
    assert_eq!(line["text"], text(&expected));
    assert!(line["pieces"].as_array().unwrap().len() > 3, "{line}");
}

#[test]
fn an_embedding_is_the_native_one() {
    let Some((bench, entry)) = bench() else { return };
    let mut context = native(&entry, EMBEDDING);
    context.compute().unwrap();
    let expected: Value = serde_json::from_slice(context.output(Key::Index(0)).unwrap().data).unwrap();
    let line = &bench.answers(["text", "text", PROMPT, EMBEDDING])[0];
    let found: Value = serde_json::from_str(line["text"].as_str().unwrap()).unwrap();
    assert_eq!(found["n_embedding"], 576);
    assert_eq!(found, expected);
}
