//! What the operator says, by the command line and by variables.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Bench;

/// `NotFound`.
const NOT_FOUND: &str = "errno 8";

fn bare() -> Option<(Bench, String)> {
    let bench = Bench::bare()?;
    let path = bench.path("mlp.onnx");
    Some((bench, path))
}

fn finds(bench: &Bench, name: &str) -> bool {
    let ran = bench.probe(["mlp-named", name, "1"]);
    assert!(ran.code == Some(0) || ran.stderr.contains(NOT_FOUND), "{}", ran.stderr);
    ran.code == Some(0)
}

#[test]
fn several_models_in_one_option() {
    let Some((bench, path)) = bare() else { return };
    let bench = bench.option("--nn-preload", &format!("a:onnx:cpu:{path},b:onnx:auto:{path}"));
    assert!(finds(&bench, "a") && finds(&bench, "b") && !finds(&bench, "c"));
}

#[test]
fn several_options() {
    let Some((bench, path)) = bare() else { return };
    let bench = bench
        .option("--nn-preload", &format!("a:onnx:cpu:{path}"))
        .option("--nn-preload", &format!("b:onnx:cpu:{path}"));
    assert!(finds(&bench, "a") && finds(&bench, "b"));
}

#[test]
fn models_by_variables() {
    let Some((bench, path)) = bare() else { return };
    let bench = bench
        .variable("WASMEDGE_WASINN_PRELOAD", &format!("a:ONNX:CPU:{path}"))
        .variable("ENDCAP_NN_PRELOAD", &format!("b:onnx:cpu:{path}\nc:onnx:cpu:{path}"))
        .option("--nn-preload", &format!("d:onnx:cpu:{path}"));
    assert!(["a", "b", "c", "d"].iter().all(|name| finds(&bench, name)));
}

#[test]
fn a_bad_entry_is_told_and_the_others_stand() {
    let Some((bench, path)) = bare() else { return };
    let bench = bench.option("--nn-preload", &format!("a:torch:cpu:{path},b:onnx:cpu:{path}"));
    let ran = bench.probe(["mlp-named", "b", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = format!(
        "--nn-preload: `a:torch:cpu:{path}`: encoding `torch` is none of onnx, ggml, autodetect; guests will not \
         find this model"
    );
    assert_eq!(ran.told(), [expected]);
}

#[test]
fn a_bad_limit_keeps_the_plugin_out() {
    let Some((bench, _)) = bare() else { return };
    let ran = bench.variable("ENDCAP_NN_MAX_GRAPHS", "many").probe(["mlp", "/m/mlp.onnx", "1"]);
    assert_ne!(ran.code, Some(0));
    let expected =
        "this plugin is not loaded: ENDCAP_NN_MAX_GRAPHS is `many`; allowed is a whole number above 0";
    assert_eq!(ran.told(), [expected]);
}

#[test]
fn limits_hold() {
    let Some((bench, _)) = bare() else { return };
    let bench =
        bench.variable("WASMEDGE_ENDCAP_NN_MAX_MODEL_BYTES", "1000").variable("ENDCAP_NN_LOG", "error");
    let ran = bench.probe(["mlp", "/m/mlp.onnx", "1"]);
    assert_ne!(ran.code, Some(0));
    // `TooLarge`.
    assert!(ran.stderr.contains("errno 7"), "{}", ran.stderr);
    assert!(ran.told()[0].contains("is more than the limit of 1000"), "{:?}", ran.told());
}

#[test]
fn the_log_is_silent_until_asked_and_never_long() {
    let Some((bench, _)) = bare() else { return };
    let hostile = ["hostile", "/m/mlp.onnx", "7", "20000"];
    assert_eq!(bench.probe(hostile).told(), [""; 0]);
    let bench = bench.variable("ENDCAP_NN_LOG", "debug");
    let ran = bench.probe(hostile);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines = ran.told().len();
    // The burst, and one more for each second that the run may have taken on a slow machine.
    assert!((20..200).contains(&lines), "{lines} lines");
}
