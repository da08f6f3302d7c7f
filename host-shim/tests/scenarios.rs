//! One list of scenarios on every host and engine: the same items, and scores within [`scenario::TOLERANCE`].
//!
//! Hosts: native code, the module under wasmtime (witx), the component under wasmtime (WIT), the module under WasmEdge
//! with the plugin (witx). Engines: ONNX, GGML, built-in. Native code on the built-in executor is the reference.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod scenario;

use scenario::hosts::{Hosts, native};
use scenario::{compare, model};

#[test]
fn every_host_and_engine_gives_the_same_answers() {
    let Some(hosts) = Hosts::find() else { return };
    let reference = native(&model("builtin"));
    // The scenarios say something: the encoder's own lists are full, and differ.
    assert_eq!(reference.answers[0]["items"].as_array().unwrap().len(), 20);
    assert_ne!(reference.answers[0]["items"], reference.answers[1]["items"]);
    for engine in ["builtin", "onnx", "ggml"] {
        for (host, said) in hosts.ask(&model(engine)) {
            assert_eq!(said.encoder.as_deref(), Some(engine), "{host}");
            compare(&(host, engine), &reference, &said);
            println!("{host}, {engine}: {} answers agree", said.answers.len());
        }
    }
}
