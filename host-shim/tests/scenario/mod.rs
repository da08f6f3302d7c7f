//! What every host is asked, and the model that it is asked with.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::fmt::Debug;

use endcap_core::encoder::{EncoderShape, Precision};
use endcap_core::format::{Manifest, section, sections, write_model};
use endcap_core::inference::RankerSpec;
use endcap_models::encoder::{Weights, gguf, onnx};
use serde_json::{Value, json};

pub mod hosts;

use hosts::Said;

#[path = "../../../guest/tests/common/model.rs"]
mod shop;

/// Largest difference of a relevance, which is in [0, 1]. The engines sum in different orders; int8 weights are
/// rounded once, before the three forms are written.
pub const TOLERANCE: f64 = 2e-3;
pub const ITEMS: u32 = 400;

/// Histories short, long and of every padded length; strategies; a list to rerank; what an answer may not have.
pub fn scenarios() -> Vec<Value> {
    let items =
        |count: u32, step: u32| (0..count).map(|at| format!("i{}", at * step % ITEMS)).collect::<Vec<_>>();
    let mut list: Vec<Value> = [1, 2, 7, 8, 9, 16, 33, 50, 60]
        .into_iter()
        .map(|length| json!({ "items": items(length, 37), "n": 20, "strategy": "sequence", "fallback": false }))
        .collect();
    list.extend([
        json!({ "items": items(5, 11), "n": 20 }),
        json!({ "items": items(3, 5), "n": 50, "exclude": items(20, 3) }),
        json!({ "items": items(3, 5), "candidates": items(30, 13), "n": 30, "strategy": "sequence" }),
        json!({ "items": items(4, 7), "repeat": true, "n": 10 }),
        json!({ "items": [], "n": 5 }),
        json!({ "items": ["no such item", "i3"], "n": 5, "strategy": "sequence", "minRelevance": 0.5 }),
    ]);
    list
}

/// The shop's model with an encoder in the built-in form and those of `engine`. Untrained: its numbers are as good as
/// any for comparing engines, and no good for shoppers.
pub fn model(engine: &str) -> Vec<u8> {
    with_models(engine, None)
}

/// The same with a ranker.
pub fn with_models(engine: &str, ranker: Option<(Vec<u8>, RankerSpec)>) -> Vec<u8> {
    let file = shop::build(ITEMS, 900, 4);
    let found = sections(&file).unwrap();
    let body = |name: &str| {
        let section = found.iter().find(|section| section.name == name).unwrap();
        file[section.body(&file).unwrap()].to_vec()
    };
    let mut manifest = Manifest::parse(&body(section::MANIFEST)).unwrap();
    let shape = EncoderShape {
        items: ITEMS as usize,
        dim: 64,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        hidden: 128,
        max_len: 50,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
    };
    let weights = Weights::random(&shape, 7).rounded(Precision::Int8);
    let mut bodies: Vec<(&str, Vec<u8>)> =
        [section::ITEMS, section::SESSIONS, section::TOGETHER, section::RANKINGS]
            .map(|name| (name, body(name)))
            .into();
    bodies.push((section::ENCODER_WEIGHTS, weights.section(Precision::Int8).unwrap()));
    match engine {
        "onnx" => bodies.push((section::ENCODER_ONNX, onnx::write(&weights).unwrap())),
        "ggml" => bodies.push((section::ENCODER_GGUF, gguf::write(&weights).unwrap())),
        _ => {}
    }
    if let Some((onnx, spec)) = ranker {
        bodies.push((section::RANKER_ONNX, onnx));
        manifest.parameters.ranker = Some(spec);
    }
    manifest.parameters.encoder = Some(shape);
    manifest.parameters.blend.sequence = 1.0;
    write_model(manifest, &bodies).unwrap()
}

/// The same items in the same order, where their relevance says which comes first: two items within the tolerance
/// of each other may change places.
#[track_caller]
pub fn compare(place: &impl Debug, expected: &Said, found: &Said) {
    assert_eq!(expected.answers.len(), found.answers.len(), "{place:?}");
    for (scenario, (expected, found)) in expected.answers.iter().zip(&found.answers).enumerate() {
        let list = |answer: &Value| -> Vec<(String, f64)> {
            let items =
                answer["items"].as_array().unwrap_or_else(|| panic!("{place:?} {scenario}: {answer}"));
            let pair =
                |item: &Value| (item["item"].as_str().unwrap().to_owned(), item["score"].as_f64().unwrap());
            items.iter().map(pair).collect()
        };
        let (expected, found) = (list(expected), list(found));
        assert_eq!(expected.len(), found.len(), "{place:?}, scenario {scenario}");
        for (at, (one, other)) in expected.iter().zip(&found).enumerate() {
            let near = (one.1 - other.1).abs() <= TOLERANCE;
            assert!(near, "{place:?}, scenario {scenario}, place {at}: {one:?} and {other:?}");
            if one.0 != other.0 {
                let tied = expected.iter().find(|item| item.0 == other.0).map_or(one.1, |item| item.1);
                let near = (tied - one.1).abs() <= TOLERANCE;
                assert!(near, "{place:?}, scenario {scenario}, place {at}: {one:?} and {other:?}");
            }
        }
    }
}
