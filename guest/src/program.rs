//! The WASI program: environment in, exit code out.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;

use endcap_core::store::MemoryStore;
use serde_json::json;

use crate::aot::Speed;
use crate::clock::{Clock, SECOND, SystemClock};
use crate::config::{self, Config, ProcessEnvironment};
use crate::http::{Limits, Port};
use crate::log::{Level, Log};
use crate::net::{EventLoop, Settings, WasiNetwork};
use crate::recommender::Recommender;
use crate::service::{About, Service};
use crate::start::{StartError, load_model};

/// Runs the service until it is drained. Exit code 2: the settings or the model are not usable.
pub fn run() -> ExitCode {
    let clock = SystemClock::start();
    let (config, warnings) = match config::read(&ProcessEnvironment) {
        Ok(read) => read,
        Err(error) => {
            let fields = json!({ "error": error.to_string(), "help": "guest/README.md lists the variables" });
            Log::new(Level::Error).write(Level::Error, clock.unix_ms(), "bad_configuration", fields);
            return ExitCode::from(2);
        }
    };
    let log = Log::new(config.log);
    for warning in warnings {
        log.write(Level::Info, clock.unix_ms(), "warning", json!({ "warning": warning }));
    }
    match start(&config, clock, log) {
        Ok(Some(event_loop)) => event_loop.run(),
        Ok(None) => {}
        Err(error) => {
            let fields = json!({ "error": error.to_string(), "help": error.remedy() });
            log.write(Level::Error, clock.unix_ms(), "start_failed", fields);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

type Loop = EventLoop<WasiNetwork, Service<SystemClock, MemoryStore>, SystemClock>;

/// Everything up to ready; `None` where only that was asked for.
fn start(config: &Config, clock: SystemClock, log: Log) -> Result<Option<Loop>, StartError> {
    let started_unix_ms = clock.unix_ms();
    let speed = Speed::measure(&clock);
    let (model, model_sha256) = load_model(&config.model_path, config.verify)?;
    let network = WasiNetwork::default();
    let mut listeners = Vec::new();
    let mut bound = Vec::new();
    let wanted = [
        ("ENDCAP_LISTEN", Port::Public, Some(config.listen)),
        ("ENDCAP_ADMIN_LISTEN", Port::Admin, config.admin_listen),
    ];
    for (variable, port, address) in wanted {
        let Some(address) = address else { continue };
        let (listener, at) =
            network.listen(address).map_err(|source| StartError::Listen { variable, address, source })?;
        listeners.push((port, listener));
        bound.push(at.to_string());
    }
    let ready = clock.nanos();
    log.write(
        Level::Info,
        clock.unix_ms(),
        "ready",
        json!({
            "listen": bound.first(),
            "admin_listen": bound.get(1),
            "ready_ms": ready as f64 / (SECOND / 1000) as f64,
            "model": model.manifest().name,
            "model_bytes": model.bytes(),
            "items": model.items().len(),
            "sessions": model.sessions().sessions(),
            "aot": speed.is_compiled(),
            "version": env!("CARGO_PKG_VERSION"),
        }),
    );
    if !speed.is_compiled() {
        let help =
            "compile with `wasmedge compile` of the very version that runs it; see endcap_aot in /metrics";
        let fields = json!({ "warning": "the code runs interpreted, tens of times slower", "help": help });
        log.write(Level::Error, clock.unix_ms(), "interpreted", fields);
    }
    if config.check {
        return Ok(None);
    }
    // Different in every process, which is all that recommendation ids need.
    let seed = RandomState::new().hash_one(started_unix_ms);
    let store = MemoryStore::new(config.max_owners, config.session_ttl_ms);
    let about = About { speed, model_sha256, ready, started_unix_ms };
    let service = Service::new(model, Recommender::new(clock, store, seed), about);
    let settings = Settings {
        limits: Limits {
            max_body_bytes: config.max_body_bytes,
            request_timeout: config.request_timeout,
            idle_timeout: config.idle_timeout,
        },
        max_connections: config.max_connections,
        drain: config.drain,
    };
    Ok(Some(EventLoop::new(network, listeners, service, clock, log, settings)))
}
