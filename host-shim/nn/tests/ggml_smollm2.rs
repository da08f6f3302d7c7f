//! GGML on a text model as people use them: SmolLM2-135M-Instruct, 4 bits, 98 MB.
//!
//! `ENDCAP_SMOLLM2` names its file; without it these tests say so and pass, but not in CI.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod ggml_support;

use std::path::PathBuf;
use std::time::Instant;

use endcap_nn::{Context, Engine, Limits, NnError, Registry};
use ggml_support::{set_metadata, set_text, stream, text};

const PROMPT: &str = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n";
const GREEDY: &str = r#"{"temp": 0, "n-predict": 32, "ctx-size": 512}"#;

fn model() -> Option<PathBuf> {
    match std::env::var_os("ENDCAP_SMOLLM2") {
        Some(path) => Some(path.into()),
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("ENDCAP_SMOLLM2 is not set"),
        None => {
            println!("skipped: ENDCAP_SMOLLM2 does not name the model's file");
            None
        }
    }
}

fn context(metadata: &str) -> Option<Context> {
    let path = model()?;
    let entry = format!("smollm2:GGML:CPU:{}", path.display());
    let registry = Registry::parse([entry.as_str()]).unwrap();
    let engine = Engine::new(Limits::default(), registry);
    let started = Instant::now();
    let graph = engine.load_named("smollm2", Some(metadata)).unwrap();
    println!("loaded in {:?}", started.elapsed());
    Some(graph.context().unwrap())
}

#[test]
fn it_answers_the_same_twice_and_streamed() {
    let Some(mut context) = context(GREEDY) else { return };
    set_text(&mut context, PROMPT).unwrap();
    let started = Instant::now();
    context.compute().unwrap();
    let answer = text(&context, 0);
    println!("{answer:?} in {:?}: {}", started.elapsed(), text(&context, 1));
    assert!(answer.contains("Paris"), "{answer}");
    assert!(!answer.contains("<|im_end|>"), "{answer}");
    context.compute().unwrap();
    assert_eq!(text(&context, 0), answer);
    let (pieces, end) = stream(&mut context);
    assert_eq!((pieces.concat(), end), (answer, NnError::EndOfSequence));
}

#[test]
fn it_stops_at_a_word() {
    let Some(mut context) = context(GREEDY) else { return };
    set_text(&mut context, PROMPT).unwrap();
    set_metadata(&mut context, r#"{"reverse-prompt": "Paris"}"#).unwrap();
    context.compute().unwrap();
    assert!(text(&context, 0).ends_with("Paris"), "{}", text(&context, 0));
}

#[test]
fn a_seed_repeats() {
    let Some(mut context) = context(r#"{"temp": 1.2, "n-predict": 24, "repeat-penalty": 1.1}"#) else {
        return;
    };
    set_text(&mut context, "Once upon a time").unwrap();
    let mut draw = |seed: u32| {
        set_metadata(&mut context, &format!(r#"{{"seed": {seed}}}"#)).unwrap();
        context.compute().unwrap();
        text(&context, 0)
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn close_texts_have_close_vectors() {
    let Some(mut context) = context(r#"{"embedding": true}"#) else { return };
    let mut embed = |prompt: &str| {
        set_text(&mut context, prompt).unwrap();
        context.compute().unwrap();
        let json: serde_json::Value = serde_json::from_str(&text(&context, 0)).unwrap();
        assert_eq!(json["n_embedding"], 576);
        serde_json::from_value::<Vec<f32>>(json["embedding"].clone()).unwrap()
    };
    let (shoes, boots, law) = (
        embed("warm leather boots for the winter"),
        embed("lined leather shoes for cold days"),
        embed("the parliament passed a tax law"),
    );
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert!(cosine(&shoes, &boots) > cosine(&shoes, &law));
    assert!((cosine(&shoes, &shoes) - 1.0).abs() < 1e-5);
}
