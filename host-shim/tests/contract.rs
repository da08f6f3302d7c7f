//! The real component behind the contract: `make component` builds it, and the core's golden file is its model.
//!
//! Where it is not built, the tests say so and pass; with `CI=true` they fail.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::{Path, PathBuf};

use common::{ask, config, engine};
use endcap_host::{Grants, Host, HostError, Instance, Service};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The component; `None`, with the reason printed, where it is not built.
fn component() -> Option<Service> {
    let path = std::env::var_os("ENDCAP_COMPONENT")
        .map_or_else(|| root().join("dist/endcap.component.wasm"), PathBuf::from);
    let Ok(wasm) = std::fs::read(&path) else {
        let reason = format!("{} is not there: run `make component`", path.display());
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
        eprintln!("skipped: {reason}");
        return None;
    };
    // Its own memory; the other tests have theirs small.
    let config = endcap_host::HostConfig { memory_bytes: 256 << 20, ..config() };
    Some(Host::new(config, engine(&[])).unwrap().component(&wasm, &Grants::default()).unwrap())
}

fn model() -> Vec<u8> {
    std::fs::read(root().join("guest/core/tests/golden/v1.model.wasm")).unwrap()
}

fn with_model(service: &Service) -> Instance {
    let mut instance = service.instantiate().unwrap();
    instance.load_model(&model()).unwrap();
    instance
}

/// Ids of the items of an answer.
fn items(answer: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
    items.iter().map(|item| item["item"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_model_loads_and_is_described() {
    let Some(service) = component() else { return };
    let mut instance = service.instantiate().unwrap();
    let before = ask(&mut instance, &service, "info", "null").unwrap();
    assert!(before.starts_with(r#"{"not_ready":{"code":"#), "{before}");
    let loaded = instance.load_model(&model()).unwrap();
    assert_eq!((loaded.items, loaded.size), (12, model().len() as u64));
    let info: Value = serde_json::from_str(&ask(&mut instance, &service, "info", "null").unwrap()).unwrap();
    assert_eq!(info["digest"], loaded.digest);
}

#[test]
fn a_damaged_model_is_refused_and_the_old_one_stays() {
    let Some(service) = component() else { return };
    let mut instance = with_model(&service);
    let mut damaged = model();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let error = instance.load_model(&damaged).unwrap_err();
    assert!(matches!(error, HostError::ModelRefused { code: "invalid-request", .. }), "{error}");
    let answer = ask(&mut instance, &service, "recommend", r#"{"n":3}"#).unwrap();
    assert_eq!(items(&answer).len(), 3);
}

#[test]
fn missing_fields_take_the_defaults_of_the_contract() {
    let Some(service) = component() else { return };
    let mut instance = with_model(&service);
    let defaults = ask(&mut instance, &service, "default-request", "null").unwrap();
    let short = ask(&mut instance, &service, "recommend", "{}").unwrap();
    let whole = ask(&mut instance, &service, "recommend", &defaults).unwrap();
    assert_eq!(items(&short), items(&whole));
    // The batch takes a list of the same record.
    let batch = ask(&mut instance, &service, "recommendBatch", r#"[{"n":2},{"n":0}]"#).unwrap();
    let batch: Value = serde_json::from_str(&batch).unwrap();
    assert_eq!(batch[0]["ok"]["items"].as_array().unwrap().len(), 2);
    assert_eq!(batch[1]["err"]["invalid_request"]["field"], "n");
}

#[test]
fn recorded_events_count_in_the_next_call() {
    let Some(service) = component() else { return };
    let mut instance = with_model(&service);
    let popular = items(&ask(&mut instance, &service, "recommend", r#"{"user":"ann","n":12}"#).unwrap());
    let seen = &popular[0];
    let event = json!([{ "kind": "view", "item": seen, "user": "ann" }]).to_string();
    let receipt = ask(&mut instance, &service, "record-events", &event).unwrap();
    assert_eq!(receipt, r#"{"accepted":1,"missing":[]}"#);
    let next = items(&ask(&mut instance, &service, "recommend", r#"{"user":"ann","n":12}"#).unwrap());
    assert!(!next.contains(seen), "{next:?}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    let Some(service) = component() else { return };
    let mut instance = with_model(&service);
    let mut refused = |json| ask(&mut instance, &service, "recommend", json).unwrap_err();
    let message = refused(r#"{"itms":[]}"#);
    assert!(
        message.starts_with("itms: no such field, did you mean `items`?; the record has user,"),
        "{message}"
    );
    assert_eq!(refused(r#"{"items":["a",2]}"#), "items[1]: the number 2 given, string expected");
    assert_eq!(refused(r#"{"boosts":[{"filter":"x"}]}"#), "boosts[0].factor: missing, f32 expected");
}
