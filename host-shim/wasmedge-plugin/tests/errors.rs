//! What a guest can do wrong, and what it is told. The cases are the probe's.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::Bench;
use endcap_nn::witx::errno::{
    INVALID_ARGUMENT, INVALID_ENCODING, NOT_FOUND, SUCCESS, TOO_LARGE, UNSUPPORTED_OPERATION,
};
use serde_json::Value;

/// In the probe's order.
const EXPECTED: [(&str, u32); 55] = [
    ("a truncated model", INVALID_ENCODING),
    ("a model of noise", INVALID_ENCODING),
    ("an empty model", INVALID_ARGUMENT),
    ("no builder", INVALID_ARGUMENT),
    ("an unknown encoding", INVALID_ENCODING),
    ("an encoding of another engine", INVALID_ENCODING),
    ("an unknown target", INVALID_ARGUMENT),
    ("a GPU that is not there", UNSUPPORTED_OPERATION),
    ("a path of the host as preload", NOT_FOUND),
    ("a name that is not registered", NOT_FOUND),
    ("an empty name", NOT_FOUND),
    ("a name that is no text", INVALID_ARGUMENT),
    ("a config that is no JSON", INVALID_ARGUMENT),
    ("a config for no model", NOT_FOUND),
    ("a wrong shape", INVALID_ARGUMENT),
    ("a wrong rank", INVALID_ARGUMENT),
    ("a wrong type", INVALID_ARGUMENT),
    ("an unknown type", INVALID_ARGUMENT),
    ("too few bytes", INVALID_ARGUMENT),
    ("a product that overflows", INVALID_ARGUMENT),
    ("an input that is not there", INVALID_ARGUMENT),
    ("a context of no inputs", INVALID_ARGUMENT),
    ("a good input after all that", SUCCESS),
    ("and its compute", SUCCESS),
    ("an output before compute", INVALID_ARGUMENT),
    ("an output that is not there", INVALID_ARGUMENT),
    ("a buffer too small", TOO_LARGE),
    ("a token of a model that has none", INVALID_ARGUMENT),
    ("a buffer that fits", SUCCESS),
    ("a context of an unknown graph", INVALID_ARGUMENT),
    ("an input of an unknown context", INVALID_ARGUMENT),
    ("a compute of an unknown context", INVALID_ARGUMENT),
    ("an output of an unknown context", INVALID_ARGUMENT),
    ("an unknown graph unloaded", INVALID_ARGUMENT),
    ("an unknown context finalized", INVALID_ARGUMENT),
    ("a context twice finalized", INVALID_ARGUMENT),
    ("a compute after finalize", INVALID_ARGUMENT),
    ("a graph twice unloaded", INVALID_ARGUMENT),
    ("a context after unload", INVALID_ARGUMENT),
    ("builders beyond memory", INVALID_ARGUMENT),
    ("builders without end", TOO_LARGE),
    ("a builder beyond memory", INVALID_ARGUMENT),
    ("a graph to beyond memory", INVALID_ARGUMENT),
    ("a name beyond memory", INVALID_ARGUMENT),
    ("a name without end", TOO_LARGE),
    ("a context to beyond memory", INVALID_ARGUMENT),
    ("a tensor beyond memory", INVALID_ARGUMENT),
    ("a shape beyond memory", INVALID_ARGUMENT),
    ("a shape without end", TOO_LARGE),
    ("data beyond memory", INVALID_ARGUMENT),
    ("data without end", INVALID_ARGUMENT),
    ("a buffer beyond memory", INVALID_ARGUMENT),
    ("a buffer without end", INVALID_ARGUMENT),
    ("a length to beyond memory", INVALID_ARGUMENT),
    ("the same output after all that", SUCCESS),
];

#[test]
fn each_has_its_errno() {
    let Some(bench) = Bench::new() else { return };
    let lines = bench.answers(["errors", "/m/mlp.onnx"]);
    let case =
        |line: &Value| (line["case"].as_str().unwrap().to_owned(), line["errno"].as_u64().unwrap() as u32);
    let found: Vec<_> = lines.iter().map(case).collect();
    let expected: Vec<_> = EXPECTED.iter().map(|(case, errno)| ((*case).to_owned(), *errno)).collect();
    assert_eq!(found, expected);
}

#[test]
fn reasons_are_in_the_log() {
    let Some(bench) = Bench::new() else { return };
    let ran = bench.variable("ENDCAP_NN_LOG", "error").probe(["errors", "/m/mlp.onnx"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = ran.told();
    assert!(told.iter().any(|line| line.contains("no GPU")), "{told:#?}");
    assert!(told.iter().any(|line| line.contains("no model is registered as `nobody`")), "{told:#?}");
}
