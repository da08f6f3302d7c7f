//! A program that embeds WasmEdge, as container runtimes do: it announces models through the C API, and runs several
//! machines at once.
//!
//! The library may belong to another release of the system than this test program. So the program starts itself
//! again under that release's dynamic loader: each test is a parent and, told so by a variable, its own child.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
mod runtime;

use std::process::Command;

use endcap_nn::{Device, Encoding, Engine, Key, Limits, Registry, Tensor};
use runtime::{Machine, Runtime};

/// Set in the child: the path of the model.
const CHILD: &str = "ENDCAP_NN_EMBED_MODEL";

/// Loads `mlp` by its name, and computes one row of zeros: the bits of the result, or the errno.
const GUEST: &str = r#"(module
    (import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
    (import "wasi_ephemeral_nn" "init_execution_context" (func $init (param i32 i32) (result i32)))
    (import "wasi_ephemeral_nn" "set_input" (func $input (param i32 i32 i32) (result i32)))
    (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
    (import "wasi_ephemeral_nn" "get_output" (func $output (param i32 i32 i32 i32 i32) (result i32)))
    (memory 1)
    (data (i32.const 0) "mlp")
    ;; The tensor: shape at 48, rank 2, f32, data at 1024, 512 bytes.
    (data (i32.const 16) "\30\00\00\00\02\00\00\00\01\00\00\00\00\04\00\00\00\02\00\00")
    (data (i32.const 48) "\01\00\00\00\80\00\00\00")
    (func (export "open") (result i32)
        (i32.or
            (call $load (i32.const 0) (i32.const 3) (i32.const 64))
            (call $init (i32.load (i32.const 64)) (i32.const 68))))
    (func (export "run") (result i32)
        (i32.or
            (i32.or
                (call $input (i32.load (i32.const 68)) (i32.const 0) (i32.const 16))
                (call $compute (i32.load (i32.const 68))))
            (call $output (i32.load (i32.const 68)) (i32.const 0) (i32.const 72) (i32.const 4) (i32.const 76))))
    (func (export "result") (result i32) (i32.load (i32.const 72))))"#;

/// Runs the test `name` of this program in a child, or, in the child, `body` with the runtime and the model's path.
fn embedded(name: &str, body: impl FnOnce(&Runtime, &str)) {
    if let Ok(model) = std::env::var(CHILD) {
        return body(&Runtime::load(), &model);
    }
    let Some(loader) = common::tool("WASMEDGE_LD", ".cache/bin/wasmedge-ld", "setup") else { return };
    let default = ".cache/debian/trixie/usr/lib/x86_64-linux-gnu/libwasmedge.so.0";
    let Some(library) = common::tool("LIBWASMEDGE", default, "setup") else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("mlp.onnx");
    std::fs::write(&model, common::model::mlp()).unwrap();
    let child = Command::new(loader)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(CHILD, model)
        // The child's own program is the loader, in another folder.
        .env(common::PLUGIN_VARIABLE, common::plugin())
        .env(runtime::LIBRARY, library)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{}: {told}", child.status);
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "the child ran no test {name}");
}

/// The bits of what the engine gives for a row of zeros.
fn native(model: &str) -> u32 {
    let engine = Engine::new(Limits::default(), Registry::default());
    let graph = engine.load(&[&std::fs::read(model).unwrap()], Encoding::Onnx, Device::Cpu).unwrap();
    let mut context = graph.context().unwrap();
    context.set_input(Key::Index(0), Tensor::f32(&[1, 128], &[0.0; 128]).view()).unwrap();
    context.compute().unwrap();
    context.output(Key::Index(0)).unwrap().to_tensor().to_f32().unwrap()[0].to_bits()
}

#[test]
fn models_that_the_program_announces() {
    embedded("models_that_the_program_announces", |runtime, model| {
        // One is too long for a short C++ string, which lies elsewhere in memory.
        let entries = [format!("mlp:onnx:cpu:{model}"), "b:onnx:cpu:/b".to_owned()];
        runtime.announce(&entries);
        // Once more, over the list that is there.
        runtime.announce(&entries);
        let machine = Machine::new(runtime, GUEST);
        assert_eq!((machine.call("open"), machine.call("run")), (0, 0));
        assert_eq!(machine.call("result"), native(model));
    });
}

#[test]
fn machines_have_models_of_their_time_and_handles_of_their_own() {
    embedded("machines_have_models_of_their_time_and_handles_of_their_own", |runtime, model| {
        let before = Machine::new(runtime, GUEST);
        runtime.announce(&[format!("mlp:onnx:cpu:{model}")]);
        let (first, second) = (Machine::new(runtime, GUEST), Machine::new(runtime, GUEST));
        assert_ne!(before.call("open"), 0);
        assert_eq!(first.call("open"), 0);
        // The first machine's context is not the second's.
        assert_ne!(second.call("run"), 0);
        assert_eq!(second.call("open"), 0);
        drop(first);
        assert_eq!(second.call("run"), 0);
        assert_eq!(second.call("result"), native(model));
    });
}

#[test]
fn machines_on_several_threads() {
    embedded("machines_on_several_threads", |runtime, model| {
        runtime.announce(&[format!("mlp:onnx:cpu:{model}")]);
        let expected = native(model);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let machine = Machine::new(runtime, GUEST);
                        assert_eq!(machine.call("open"), 0);
                        for _ in 0..100 {
                            assert_eq!(machine.call("run"), 0);
                            assert_eq!(machine.call("result"), expected);
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn one_plugin_module_for_guests_on_several_threads() {
    embedded("one_plugin_module_for_guests_on_several_threads", |runtime, model| {
        runtime.announce(&[format!("mlp:onnx:cpu:{model}")]);
        let expected = native(model);
        let module = runtime.plugin_module();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let machine = Machine::with(runtime, GUEST, &module);
                    assert_eq!(machine.call("open"), 0);
                    for _ in 0..200 {
                        assert_eq!(machine.call("run"), 0);
                        assert_eq!(machine.call("result"), expected);
                    }
                });
            }
        });
    });
}
