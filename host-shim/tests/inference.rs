//! wasi:nn for components: numbers, errors with number and reason, and the bounds of what a guest may hold.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use common::{ask, config, engine, guest, onnx};
use endcap_host::{Grants, Host, HostError, Service};
use endcap_nn::{Engine, Limits, Registry};
use serde_json::Value;

fn service(nn: Engine) -> Service {
    Host::new(config(), nn).unwrap().component(&guest("infer"), &Grants::default()).unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

/// Infers with models under these names.
fn infer(models: &[(&str, &[u8])], arguments: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let entries: Vec<String> = models
        .iter()
        .map(|(name, bytes)| format!("{name}:autodetect:cpu:{}", write(folder.path(), name, bytes)))
        .collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let service = service(engine(&entries));
    ask(&mut service.instantiate().unwrap(), &service, "infer", arguments)
}

/// The error's number in the WIT, and its text.
#[track_caller]
fn fails(models: &[(&str, &[u8])], arguments: &str, code: u64, text: &str) {
    let answer: Value = serde_json::from_str(&infer(models, arguments).unwrap()).unwrap();
    assert_eq!(answer[0], code, "{answer}");
    assert!(answer[1].as_str().unwrap().contains(text), "{answer}");
}

const INVALID_ARGUMENT: u64 = 0;
const INVALID_ENCODING: u64 = 1;
const NOT_FOUND: u64 = 6;

#[test]
fn a_component_computes_what_the_model_says() {
    let model = onnx::product([1.0, 0.5, 10.0, 0.0, 100.0, -1.0]);
    let answer = infer(&[("product", &model)], r#"["product", 3]"#);
    assert_eq!(answer.as_deref(), Ok("[321.0,-2.5,654.0,-4.0]"));
}

#[test]
fn errors_have_a_number_and_a_reason() {
    let model = onnx::product([0.0; 6]);
    fails(&[], r#"["product", 3]"#, NOT_FOUND, "no model is registered as `product`");
    fails(&[("product", &model)], r#"["product", 4]"#, INVALID_ARGUMENT, "`x`");
    let none = "neither an ONNX nor a GGUF file";
    fails(&[("product", b"neither the one nor the other")], r#"["product", 3]"#, INVALID_ARGUMENT, none);
    let cut = &model[..model.len() - 10];
    fails(&[("product", cut)], r#"["product", 3]"#, INVALID_ENCODING, "onnx: ");
}

#[test]
fn a_guest_cannot_fill_the_host_with_tensors() {
    let limits = Limits { tensor_bytes: 1 << 20, ..Limits::default() };
    let service = service(Engine::new(limits, Registry::default()));
    let mut instance = service.instantiate().unwrap();
    assert_eq!(ask(&mut instance, &service, "hold", "16").as_deref(), Ok("null"));
    let error = instance.invoke(service.function("hold").unwrap(), &Value::from(1)).unwrap_err();
    assert!(matches!(error, HostError::Call { .. }), "{error}");
    assert!(error.to_string().contains("the limit is 1048576"), "{error}");
}

#[test]
fn a_guest_that_ends_gives_everything_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "product", &onnx::product([1.0; 6]));
    let nn = engine(&[&format!("product:onnx:cpu:{path}")]);
    let service = service(nn.clone());
    let mut instance = service.instantiate().unwrap();
    ask(&mut instance, &service, "infer", r#"["product", 3]"#).unwrap();
    assert_eq!((nn.graphs_alive(), nn.contexts_alive()), (1, 1));
    drop(instance);
    assert_eq!((nn.graphs_alive(), nn.contexts_alive()), (0, 0));
}
