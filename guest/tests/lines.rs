//! The API on standard input and output, under the real runtime.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test program")]

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// What `endcap-lines` answers to `input`; `None` where tests are skipped.
fn answers(input: &str) -> Option<Vec<Value>> {
    let (wasmedge, app) = common::tools()?;
    let lines = app.with_file_name("endcap-lines-aot.wasm");
    assert!(lines.exists(), "{} is not there: run `make guest`", lines.display());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.wasm"), common::model::small()).unwrap();
    let mut child = Command::new(wasmedge)
        .arg("--dir")
        .arg(format!("/m:{}:readonly", folder.path().display()))
        .args(["--env", "MODEL_PATH=/m/model.wasm"])
        .arg(lines)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn every_line_has_its_answer() {
    let body = json!({ "items": ["i3"], "n": 2 });
    let input = format!(
        "{}\n\nnot json\n{}\n{}\n{}\n",
        json!({ "path": "/v1/recommend", "body": body }),
        json!({ "path": "/v1/recommend", "body": { "n": 0 } }),
        json!({ "path": "/v1/model" }),
        json!({ "path": "/metrics" }),
    );
    let Some(found) = answers(&input) else { return };
    let statuses: Vec<_> = found.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 400, 400, 200, 200]);
    assert_eq!(found[0]["body"]["items"].as_array().unwrap().len(), 2);
    assert_eq!(found[2]["body"]["error"]["code"], "out_of_range");
    // The small model has no models for an engine: nothing runs, and nothing is missing.
    let inference = &found[3]["body"]["inference"];
    assert_eq!((&inference["encoder"], &inference["degraded"]), (&Value::Null, &json!([])));
    assert!(found[4]["body"].as_str().unwrap().contains("endcap_inference_degraded{model=\"encoder\"} 0"));
}
