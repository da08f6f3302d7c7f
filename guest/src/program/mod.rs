//! The WASI programs: environment in, exit code out.

mod lines;
mod serve;

pub use lines::run as lines;
pub use serve::run as serve;

use std::hash::{BuildHasher, RandomState};

use endcap_core::store::MemoryStore;
use serde_json::{Value, json};

use crate::aot::Speed;
use crate::clock::{Clock, Nanos, SECOND, SystemClock};
use crate::config::{self, Config, ProcessEnvironment};
use crate::inference::Inference;
use crate::log::{Level, Log};
use crate::recommender::Recommender;
use crate::service::{About, Service};
use crate::start::{StartError, load_model};

type Wasi = Service<SystemClock, MemoryStore>;

/// The settings and the log that they ask for. `None`, logged, where they are not usable.
fn settings(clock: SystemClock) -> Option<(Config, Log)> {
    let (config, warnings) = match config::read(&ProcessEnvironment) {
        Ok(read) => read,
        Err(error) => {
            let fields = json!({ "error": error.to_string(), "help": "guest/README.md lists the variables" });
            Log::new(Level::Error).write(Level::Error, clock.unix_ms(), "bad_configuration", fields);
            return None;
        }
    };
    let log = Log::new(config.log);
    for warning in warnings {
        log.write(Level::Info, clock.unix_ms(), "warning", json!({ "warning": warning }));
    }
    Some((config, log))
}

/// Says why there is no service.
fn refuse(error: &StartError, clock: SystemClock, log: Log) {
    let fields = json!({ "error": error.to_string(), "help": error.remedy() });
    log.write(Level::Error, clock.unix_ms(), "start_failed", fields);
}

/// The model and everything that answers with it.
fn open(config: &Config, clock: SystemClock) -> Result<Wasi, StartError> {
    let started_unix_ms = clock.unix_ms();
    let speed = Speed::measure(&clock);
    let before = clock.nanos();
    let (model, model_sha256) = load_model(&config.model_path, config.verify)?;
    let model_read = clock.nanos() - before;
    let inference = Inference::of_process(&model, config.inference);
    // Different in every process, which is all that recommendation ids need.
    let seed = RandomState::new().hash_one(started_unix_ms);
    let store = MemoryStore::new(config.max_owners, config.session_ttl_ms);
    let about = About { speed, model_sha256, ready: 0, started_unix_ms, model_read };
    Ok(Service::new(model, Recommender::new(clock, store, seed, inference), about))
}

/// Notes the time at which `service` is ready and logs what it serves; `more` joins the line.
fn announce(service: &mut Wasi, ready: Nanos, log: Log, more: Value) {
    service.about.ready = ready;
    let Service { model, about, recommender, .. } = service;
    let unix_ms = recommender.clock.unix_ms();
    let mut fields = json!({
        "ready_ms": ready as f64 / (SECOND / 1000) as f64,
        "model_read_ms": about.model_read as f64 / (SECOND / 1000) as f64,
        "model": model.manifest().name,
        "model_bytes": model.bytes(),
        "items": model.items().len(),
        "sessions": model.sessions().sessions(),
        "inference": recommender.inference.to_json(),
        "aot": about.speed.is_compiled(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    log.write(Level::Info, unix_ms, "ready", fields);
    for degraded in &recommender.inference.degraded {
        let fields = json!({
            "warning": "a model of the file does not run here",
            "model": degraded.part.as_str(),
            "engine": degraded.engine.as_str(),
            "reason": degraded.error.to_string(),
        });
        log.write(Level::Error, unix_ms, "degraded", fields);
    }
    if !about.speed.is_compiled() {
        let help =
            "compile with `wasmedge compile` of the very version that runs it; see endcap_aot in /metrics";
        let fields = json!({ "warning": "the code runs interpreted, tens of times slower", "help": help });
        log.write(Level::Error, unix_ms, "interpreted", fields);
    }
}
