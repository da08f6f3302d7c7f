//! The hosts, each asked all scenarios.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify};
use endcap_core::store::MemoryStore;
use endcap_host::{Folder, Grants, Host, HostConfig};
use endcap_models::inference::Native;
use endcap_nn::{Engine, Limits, Registry};
use endcap_service::aot::Speed;
use endcap_service::clock::{Clock, SystemClock};
use endcap_service::http::{Handler, Method, Port, Request};
use endcap_service::inference::{Choice, Inference};
use endcap_service::recommender::Recommender;
use endcap_service::service::{About, Service};
use serde_json::{Value, json};

use super::scenarios;

/// What one host says: the engines that run its models, and an answer to each scenario.
pub struct Said {
    pub encoder: Option<String>,
    pub ranker: Option<String>,
    pub answers: Vec<Value>,
}

impl Said {
    /// From `/v1/model` and the answers.
    fn of_service(inference: &Value, answers: Vec<Value>) -> Self {
        assert_eq!(inference["degraded"], json!([]));
        let engine = |model: &str| inference[model].as_str().map(str::to_owned);
        Self { encoder: engine("encoder"), ranker: engine("ranker"), answers }
    }

    /// From the contract's `model-info` and the answers.
    pub fn of_component(info: &Value, answers: Vec<Value>) -> Self {
        assert_eq!(info["degraded"], json!([]));
        let engine = |model: &str| {
            let engines = info["engines"].as_array().unwrap();
            engines.iter().find(|pair| pair[0] == model).map(|pair| pair[1].as_str().unwrap().to_owned())
        };
        Self { encoder: engine("encoder"), ranker: engine("ranker"), answers }
    }
}

/// A built file; where it is missing the test ends, with the reason printed, and fails in CI.
pub fn tool(variable: &str, made_by: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        let reason = format!("{variable} names no file: run `{made_by}`, and the tests by `make test`");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
        eprintln!("skipped: {reason}");
    }
    path
}

/// Several of them, or none.
pub fn tools(needed: &[(&str, &str)]) -> Option<Vec<PathBuf>> {
    needed.iter().map(|(variable, made_by)| tool(variable, made_by)).collect()
}

/// What it takes to run every host.
pub struct Hosts {
    lines: PathBuf,
    lines_aot: PathBuf,
    component: PathBuf,
    wasmedge: PathBuf,
    plugin: PathBuf,
}

impl Hosts {
    /// `None` where something is missing and the test is skipped.
    pub fn find() -> Option<Self> {
        Some(Self {
            lines: tool("ENDCAP_LINES_PLAIN", "make guest")?,
            lines_aot: tool("ENDCAP_LINES", "make guest")?,
            component: tool("ENDCAP_COMPONENT_NN", "make component")?,
            wasmedge: tool("ENDCAP_WASMEDGE", "make setup")?,
            plugin: tool("ENDCAP_WASMEDGE_PLUGIN", "make plugin")?,
        })
    }

    /// Asks each of them about the model in `file`.
    pub fn ask(&self, file: &[u8]) -> [(&'static str, Said); 4] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("model.wasm"), file).unwrap();
        [
            ("native", native(file)),
            ("wasmtime, module by witx", wasmtime_module(folder, &self.lines)),
            ("wasmtime, component by WIT", wasmtime_component(folder, &self.component)),
            (
                "WasmEdge, module with the plugin",
                wasmedge(folder, &self.wasmedge, &self.lines_aot, &self.plugin),
            ),
        ]
    }
}

/// In this process, with the engines in it too.
pub fn native(model: &[u8]) -> Said {
    let clock = SystemClock::start();
    let model = Model::open(AlignedBytes::copy_from(model), Verify::Full).unwrap();
    let inference = Inference::load(&model, Choice::Auto, Some(&mut Native::default()));
    let engines = inference.to_json();
    let recommender = Recommender::new(clock, MemoryStore::new(10, 1000), 1, inference);
    let speed = Speed { nanos_per_step: 1.0 };
    let about = About { speed, model_sha256: String::new(), ready: 0, started_unix_ms: 0, model_read: 0 };
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
    Said::of_service(&engines, scenarios().iter().map(&mut ask).collect())
}

fn host() -> Host {
    let nn = Engine::new(Limits::default(), Registry::default());
    Host::new(HostConfig::default(), nn).unwrap()
}

pub fn wasmtime_component(folder: &Path, component: &Path) -> Said {
    let service = host().component(&std::fs::read(component).unwrap(), &Grants::default()).unwrap();
    let mut instance = service.instantiate().unwrap();
    let model = std::fs::read(folder.join("model.wasm")).unwrap();
    instance.load_model(&model).unwrap();
    let mut ask = |function: &str, body: &Value| -> Value {
        let function = service.function(function).unwrap();
        let answer = instance.invoke(function, body).unwrap();
        assert!(answer.is_ok, "{}", answer.json);
        serde_json::from_str(&answer.json).unwrap()
    };
    let info = ask("info", &Value::Null);
    Said::of_component(&info, scenarios().iter().map(|body| ask("recommend", body)).collect())
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
    Said::of_service(&inference, answers.collect())
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
