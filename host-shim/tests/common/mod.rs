//! What the tests share: hosts, and guests from text.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part")]

pub mod onnx;
mod protobuf;

use std::time::Duration;

use endcap_host::{Grants, Host, HostConfig, Instance, Service};
use endcap_nn::{Engine, Limits, Registry};

/// Long enough for a busy machine, short enough to wait for.
pub const DEADLINE: Duration = Duration::from_millis(200);
/// Memory of a test's guest: small, so that a greedy one meets it at once.
pub const MEMORY: usize = 16 << 20;

pub fn config() -> HostConfig {
    HostConfig { memory_bytes: MEMORY, call_deadline: DEADLINE, instances: 4, ..HostConfig::default() }
}

pub fn engine(entries: &[&str]) -> Engine {
    Engine::new(Limits::default(), Registry::parse(entries.iter().copied()).unwrap())
}

pub fn host() -> Host {
    Host::new(config(), engine(&[])).unwrap()
}

/// A guest of `tests/guests` in binary form.
pub fn guest(name: &str) -> Vec<u8> {
    wat::parse_file(format!("{}/tests/guests/{name}.wat", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub fn shop() -> Service {
    host().component(&guest("shop"), &Grants::default()).unwrap()
}

/// Calls `function` with JSON text; the answer as JSON, or the error's text.
pub fn ask(instance: &mut Instance, service: &Service, function: &str, json: &str) -> Result<String, String> {
    let function = service.function(function).map_err(|error| error.to_string())?;
    let body = serde_json::from_str(json).unwrap();
    instance.invoke(function, &body).map(|answer| answer.json).map_err(|error| error.to_string())
}
