//! One list of scenarios on every host and engine: the same items, and scores within [`scenario::TOLERANCE`].
//!
//! Hosts: native code, the module under wasmtime (witx), the component under wasmtime (WIT), the module under WasmEdge
//! with the plugin (witx). Engines: ONNX, GGML, built-in. Native code on the built-in executor is the reference.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test")]

mod scenario;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify};
use endcap_core::store::MemoryStore;
use endcap_host::{Folder, Grants};
use endcap_models::inference::Native;
use endcap_service::aot::Speed;
use endcap_service::clock::{Clock, SystemClock};
use endcap_service::http::{Handler, Method, Port, Request};
use endcap_service::inference::{Choice, Inference};
use endcap_service::recommender::Recommender;
use endcap_service::service::{About, Service};
use scenario::{Said, compare, host, model, scenarios, tools, wasmtime_component};
use serde_json::{Value, json};

const ENGINES: [&str; 3] = ["builtin", "onnx", "ggml"];

fn native(model: &[u8]) -> Said {
    let clock = SystemClock::start();
    let model = Model::open(AlignedBytes::copy_from(model), Verify::Full).unwrap();
    let inference = Inference::load(&model, Choice::Auto, Some(&mut Native::default()));
    let engine = inference.to_json()["encoder"].as_str().unwrap().to_owned();
    let recommender = Recommender::new(clock, MemoryStore::new(10, 1000), 1, inference);
    let speed = Speed { nanos_per_step: 1.0 };
    let about = About { speed, model_sha256: String::new(), ready: 0, started_unix_ms: 0 };
    let mut service = Service::new(model, recommender, about);
    let mut ask = |body: &Value| {
        let text = body.to_string();
        let (mut out, now) = (Vec::new(), clock.now());
        let path = "/v1/recommend";
        let request =
            Request { method: Method::Post, path, query: "", body: text.as_bytes(), port: Port::Public, now };
        service.handle(&request, &mut out);
        serde_json::from_slice(&out).unwrap()
    };
    Said { engine, answers: scenarios().iter().map(&mut ask).collect() }
}

/// The lines that ask a module everything: the model first.
fn lines() -> String {
    let ask = |body: Value| json!({ "path": "/v1/recommend", "body": body }).to_string();
    let asked: Vec<String> = scenarios().into_iter().map(ask).collect();
    format!("{}\n{}\n", json!({ "path": "/v1/model" }), asked.join("\n"))
}

fn read_lines(output: &[u8]) -> Said {
    let mut answers = std::str::from_utf8(output).unwrap().lines().map(|line| {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["status"], 200, "{line}");
        answer["body"].clone()
    });
    let inference = answers.next().expect("the model")["inference"].clone();
    assert_eq!(inference["degraded"], json!([]));
    let engine = inference["encoder"].as_str().unwrap().to_owned();
    Said { engine, answers: answers.collect() }
}

fn wasmtime_module(folder: &Path, module: &Path) -> Said {
    let grants = Grants {
        env: vec![("MODEL_PATH".into(), "/m/model.wasm".into())],
        folders: vec![Folder { host: folder.into(), guest: "/m".into(), writable: false }],
        stderr: false,
    };
    let program = host().module(&std::fs::read(module).unwrap(), &grants).unwrap();
    let run = program.run(lines().as_bytes()).unwrap();
    assert_eq!((run.code, &run.last_nn_error), (0, &None));
    read_lines(&run.stdout)
}

fn wasmedge(folder: &Path, wasmedge: &Path, module: &Path, plugin: &Path) -> Said {
    let mut child = Command::new(wasmedge)
        .arg("--dir")
        .arg(format!("/m:{}:readonly", folder.display()))
        .args(["--env", "MODEL_PATH=/m/model.wasm"])
        .arg(module)
        .env("WASMEDGE_PLUGIN_PATH", plugin)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // On a thread of its own: with pipes full on both sides, each would wait for the other.
    let writer = std::thread::spawn(move || input.write_all(lines().as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read_lines(&output.stdout)
}

#[test]
fn every_host_and_engine_gives_the_same_answers() {
    let needed = [
        ("ENDCAP_LINES_PLAIN", "make guest"),
        ("ENDCAP_LINES", "make guest"),
        ("ENDCAP_COMPONENT_NN", "make component"),
        ("ENDCAP_WASMEDGE", "make setup"),
        ("ENDCAP_WASMEDGE_PLUGIN", "make plugin"),
    ];
    let Some(paths) = tools(&needed) else { return };
    let [plain, aot, component, runtime, plugin] = paths.as_slice() else { panic!("five tools") };
    let reference = native(&model("builtin"));
    // The scenarios say something: the encoder's own lists are full, and differ.
    assert_eq!(reference.answers[0]["items"].as_array().unwrap().len(), 20);
    assert_ne!(reference.answers[0]["items"], reference.answers[1]["items"]);
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        let file = model(engine);
        std::fs::write(folder.path().join("model.wasm"), &file).unwrap();
        let cells = [
            ("native", native(&file)),
            ("wasmtime, module by witx", wasmtime_module(folder.path(), plain)),
            ("wasmtime, component by WIT", wasmtime_component(folder.path(), component)),
            ("WasmEdge, module with the plugin", wasmedge(folder.path(), runtime, aot, plugin)),
        ];
        for (host, said) in cells {
            assert_eq!(said.engine, engine, "{host}");
            compare(&(host, engine), &reference, &said);
            println!("{host}, {engine}: {} answers agree", said.answers.len());
        }
    }
}
