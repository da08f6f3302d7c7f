//! ONNX through the plugin: what a guest gets is what the engine gives.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Bench, model};
use endcap_nn::{Device, Encoding, Engine, Key, Limits, Registry, Tensor};
use serde_json::Value;

const FEATURES: u32 = 128;

fn native(batch: u32) -> Vec<f32> {
    let engine = Engine::new(Limits::default(), Registry::default());
    let graph = engine.load(&[&model::mlp()], Encoding::Onnx, Device::Cpu).unwrap();
    let mut context = graph.context().unwrap();
    // The probe's rule.
    let input: Vec<f32> = (0..batch * FEATURES).map(|i| (i * 37 % 129) as f32 / 64.0 - 1.0).collect();
    context.set_input(Key::Index(0), Tensor::f32(&[batch, FEATURES], &input).view()).unwrap();
    context.compute().unwrap();
    context.output(Key::Index(0)).unwrap().to_tensor().to_f32().unwrap()
}

fn output(line: &Value) -> Vec<f32> {
    line["output"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn check(command: &str, model: &str) {
    let Some(bench) = Bench::new() else { return };
    for batch in [1, 3, 100] {
        let lines = bench.answers([command, model, &batch.to_string()]);
        assert_eq!(output(&lines[0]), native(batch), "batch {batch}");
    }
}

#[test]
fn a_model_from_bytes() {
    check("mlp", "/m/mlp.onnx");
}

#[test]
fn a_model_by_name() {
    check("mlp-named", "mlp");
}

#[test]
fn a_model_by_the_crate_that_guests_use() {
    check("mlp-crate", "/m/mlp.onnx");
}

#[test]
fn the_outputs_are_not_all_alike() {
    let outputs = native(3);
    assert!(outputs[0] != outputs[1] && outputs[1] != outputs[2], "{outputs:?}");
}

#[test]
fn models_come_and_go() {
    // More rounds than graphs and contexts may be open at once: a leak of either ends in an errno.
    let Some(bench) = Bench::new() else { return };
    let bench = bench.variable("ENDCAP_NN_MAX_GRAPHS", "2").variable("ENDCAP_NN_MAX_CONTEXTS", "2");
    bench.answers(["load-loop", "/m/mlp.onnx", "200"]);
}
