//! Models made by other tools give what ONNX Runtime gives: perceptrons, boosted trees and forests of scikit-learn,
//! LightGBM, and a transformer of several operator sets.
//!
//! `ENDCAP_PYTHON` names a Python with `onnx`, `onnxruntime`, `skl2onnx`, `lightgbm` and `onnxmltools`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

use std::path::Path;
use std::process::Command;

use endcap_nn::{Device, Encoding, Engine, Key, Limits, Registry, Tensor, TensorType};
use serde::Deserialize;

/// How far two engines may be apart: they add in another order.
const TOLERANCE: f64 = 1e-4;

#[derive(Debug, Deserialize)]
struct Run {
    inputs: Vec<Described>,
    outputs: Vec<Described>,
}

#[derive(Debug, Deserialize)]
struct Described {
    name: String,
    r#type: String,
    dims: Vec<u32>,
    values: Vec<f64>,
}

impl Described {
    fn tensor(&self) -> Tensor {
        match self.r#type.as_str() {
            "f32" => {
                Tensor::f32(&self.dims, &self.values.iter().map(|value| *value as f32).collect::<Vec<_>>())
            }
            "i64" => {
                Tensor::i64(&self.dims, &self.values.iter().map(|value| *value as i64).collect::<Vec<_>>())
            }
            other => panic!("type {other}"),
        }
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    match tensor.ty {
        TensorType::F32 => tensor.to_f32().unwrap().into_iter().map(f64::from).collect(),
        TensorType::I64 => {
            let (numbers, _) = tensor.data.as_chunks::<8>();
            numbers.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect()
        }
        other => panic!("{}", other.as_str()),
    }
}

#[test]
fn models_of_other_tools_give_the_numbers_of_another_engine() {
    let Ok(python) = std::env::var("ENDCAP_PYTHON") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "ENDCAP_PYTHON is not set");
        eprintln!("skipped: ENDCAP_PYTHON is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/foreign_models.py");
    let made = Command::new(python).args(["-W", "ignore"]).arg(script).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut cases = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            check(&path);
            cases += 1;
        }
    }
    assert_eq!(cases, 13);
}

fn check(path: &Path) {
    let name = path.file_stem().unwrap().display();
    let engine = Engine::new(Limits::default(), Registry::default());
    let graph = engine
        .load(&[&std::fs::read(path).unwrap()], Encoding::Onnx, Device::Cpu)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut context = graph.context().unwrap();
    // NaN, which stands for missing features, is not JSON; Python writes it nevertheless.
    let runs = std::fs::read_to_string(path.with_extension("json")).unwrap().replace("NaN", "1e99");
    let mut runs: Vec<Run> = serde_json::from_str(&runs).unwrap();
    for run in &mut runs {
        for value in run.inputs.iter_mut().flat_map(|input| &mut input.values).filter(|value| **value == 1e99)
        {
            *value = f64::NAN;
        }
        for input in &run.inputs {
            context
                .set_input(Key::Name(&input.name), input.tensor().view())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        context.compute().unwrap_or_else(|error| panic!("{name}: {error}"));
        for output in &run.outputs {
            let found = context.output(Key::Name(&output.name)).unwrap().to_tensor();
            assert_eq!(found.dimensions, output.dims, "{name}: {}", output.name);
            for (found, expected) in numbers(&found).iter().zip(&output.values) {
                let allowed = TOLERANCE * expected.abs().max(1.0);
                assert!((found - expected).abs() <= allowed, "{name}: {} {found} {expected}", output.name);
            }
        }
    }
}
