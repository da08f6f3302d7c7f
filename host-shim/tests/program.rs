//! Core modules: standard input to standard output, inference by witx, and programs that misbehave.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use common::{DEADLINE, MEMORY, config, engine, guest, onnx};
use endcap_host::{Grants, Host, HostConfig, HostError, Program, Run};

fn program() -> Program {
    let config = HostConfig { load_deadline: DEADLINE, ..config() };
    Host::new(config, engine(&[])).unwrap().module(&guest("programs"), &Grants::default()).unwrap()
}

fn infer(entry: &str) -> Run {
    let host = Host::new(config(), engine(&[entry])).unwrap();
    host.module(&guest("product"), &Grants::default()).unwrap().run(b"").unwrap()
}

fn model(folder: &Path) -> String {
    let path = folder.join("product.onnx");
    std::fs::write(&path, onnx::product([1.0, 0.5, 10.0, 0.0, 100.0, -1.0])).unwrap();
    path.display().to_string()
}

#[test]
fn input_comes_out_and_nothing_else() {
    let program = program();
    let run = program.run(b"copy {\"n\":1}\n").unwrap();
    assert_eq!(run, Run { stdout: b"copy {\"n\":1}\n".to_vec(), code: 0, last_nn_error: None });
    // Every run begins anew.
    assert_eq!(program.run(b"").unwrap().stdout, b"");
}

#[test]
fn an_exit_code_is_told() {
    assert_eq!(program().run(b"x").unwrap().code, 5);
}

#[test]
fn programs_have_deadlines_and_limits() {
    let program = program();
    let error = program.run(b"l\nsecond line").unwrap_err();
    assert!(matches!(error, HostError::Deadline { limit } if limit == 3 * DEADLINE), "{error}");
    let error = program.run(b"g").unwrap_err();
    assert!(matches!(error, HostError::Memory { limit: MEMORY, .. }), "{error}");
    let error = program.run(b"w").unwrap_err();
    assert!(matches!(error, HostError::Output { .. }), "{error}");
}

#[test]
fn witx_computes_what_the_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let run = infer(&format!("product:onnx:cpu:{}", model(folder.path())));
    assert_eq!((run.code, &run.last_nn_error), (0, &None));
    let numbers: Vec<f32> =
        run.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    // [1, 2, 3] and [4, 5, 6], each times the two columns of the weights.
    assert_eq!(numbers, [321.0, -2.5, 654.0, -4.0]);
}

#[test]
fn a_failed_inference_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let run = infer(&format!("other:onnx:cpu:{}", model(folder.path())));
    // "Not found" of wasi-nn as WasmEdge numbers it.
    assert_eq!(run.code, 8);
    assert_eq!(run.last_nn_error.as_deref(), Some("no model is registered as `product`"));
    let run = infer(&format!("product:onnx:cpu:{}@sha256:{}", model(folder.path()), "00".repeat(32)));
    assert_eq!(run.code, 5);
    assert!(run.last_nn_error.unwrap().contains("sha256"));
}

#[test]
fn a_module_with_unknown_imports_is_refused() {
    let socket = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32))))"#,
    );
    let host = Host::new(config(), engine(&[])).unwrap();
    let error = host.module(&socket.unwrap(), &Grants::default()).unwrap_err();
    assert!(matches!(error, HostError::Link { .. }), "{error}");
    assert!(error.to_string().contains("sock_open"), "{error}");
}
