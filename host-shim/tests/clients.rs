//! Clients of the component that are not ours: Python's wasmtime and Node through jco load the variant without wasi:nn
//! and ask the list of scenarios. Their answers are those of this project's host.

#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod scenario;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use scenario::hosts::{Said, tools, wasmtime_component};
use scenario::{compare, model, scenarios};
use serde_json::{Value, json};

/// A request that the contract refuses, after the scenarios.
const REFUSED: &str = r#"{"n": 0}"#;

/// What a client prints: the model, an answer to each scenario, an error.
fn said_by(client: &mut Command, problem: &str) -> Said {
    let mut child =
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let asked: Vec<String> = scenarios().iter().map(Value::to_string).collect();
    // Fits the pipe: the clients read before they write.
    writeln!(input, "{}\n{REFUSED}", asked.join("\n")).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<Value> = std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let refused = lines.pop().unwrap();
    assert_eq!(refused["tag"], "invalid-request");
    assert_eq!(
        (&refused[problem]["code"], &refused[problem]["field"]),
        (&json!("out_of_range"), &json!("n"))
    );
    let info = lines.remove(0);
    Said::of_component(&info, lines)
}

fn python(python: &Path, component: &Path, model: &Path) -> Said {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/client.py");
    said_by(Command::new(python).arg(script).arg(component).arg(model), "payload")
}

fn node(modules: &Path, component: &Path, model: &Path) -> Said {
    // Where Node finds the packages that jco's output imports: in a folder above it.
    let folder = tempfile::tempdir_in(modules.parent().unwrap()).unwrap();
    let transpiled = Command::new(modules.join(".bin/jco"))
        .args(["transpile", "--name", "recommender", "-o"])
        .arg(folder.path())
        .arg(component)
        .output()
        .unwrap();
    assert!(transpiled.status.success(), "{}", String::from_utf8_lossy(&transpiled.stderr));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/client.mjs");
    let mut client = Command::new("node");
    client.arg(script).arg(folder.path().join("recommender.js")).arg(model);
    said_by(&mut client, "val")
}

#[test]
fn foreign_clients_get_the_same_answers() {
    let needed = [
        ("ENDCAP_COMPONENT", "make component"),
        ("ENDCAP_PYTHON", "make setup-tests"),
        ("ENDCAP_NODE_MODULES", "make setup-tests"),
    ];
    let Some(paths) = tools(&needed) else { return };
    let [component, interpreter, modules] = paths.as_slice() else { panic!("three tools") };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.wasm");
    std::fs::write(&file, model("builtin")).unwrap();
    let reference = wasmtime_component(folder.path(), component);
    assert_eq!(reference.answers[0]["items"].as_array().unwrap().len(), 20);
    let clients =
        [("Python", python(interpreter, component, &file)), ("Node", node(modules, component, &file))];
    for (client, said) in clients {
        assert_eq!(said.encoder.as_deref(), Some("builtin"), "{client}");
        compare(&client, &reference, &said);
        println!("{client}: {} answers agree", said.answers.len());
    }
}
