//! A guest that calls everything with anything gets errnos; the runtime stands.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::Bench;

/// Calls per seed; `ENDCAP_NN_HOSTILE_CALLS` asks for more.
const CALLS: &str = "50000";

#[test]
fn random_calls() {
    let Some(bench) = Bench::new() else { return };
    let calls = std::env::var("ENDCAP_NN_HOSTILE_CALLS").unwrap_or_else(|_| CALLS.to_owned());
    for seed in ["1", "2"] {
        let lines = bench.answers(["hostile", "/m/mlp.onnx", seed, &calls]);
        let seen = lines[0]["seen"].as_object().unwrap();
        eprintln!("seed {seed}: {seen:?}");
        // Calls that reach the engine are among them, and calls of every function that fail.
        for function in
            ["load", "load_by_name", "init_execution_context", "set_input", "compute", "get_output"]
        {
            assert!(seen.contains_key(&format!("{function} 0")), "no {function} succeeded: {seen:?}");
            assert!(seen.contains_key(&format!("{function} 1")), "no {function} failed: {seen:?}");
        }
        // Every errno is one of the ABI's, and none says that a panic was caught.
        for key in seen.keys() {
            let errno: u32 = key.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(matches!(errno, 0..=4 | 6..=8), "{key}");
        }
    }
}
