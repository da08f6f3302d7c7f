//! The service over WasmEdge's sockets.

use std::process::ExitCode;

use endcap_core::store::MemoryStore;
use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::http::{Limits, Port};
use crate::log::Log;
use crate::net::{EventLoop, Settings, WasiNetwork};
use crate::reload::{self, Reload, Stamp};
use crate::service::{Reloads, Service};
use crate::start::StartError;

use super::{announce, open, refuse, settings};

/// Runs the service until it is drained. Exit code 2: the settings or the model are not usable.
pub fn run() -> ExitCode {
    let clock = SystemClock::start();
    let Some((config, log)) = settings(clock) else { return ExitCode::from(2) };
    match start(&config, clock, log) {
        Ok(Some(event_loop)) => event_loop.run(),
        Ok(None) => {}
        Err(error) => {
            refuse(&error, clock, log);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

type Loop = EventLoop<WasiNetwork, Service<SystemClock, MemoryStore>, SystemClock>;

/// Everything up to ready; `None` where only that was asked for.
fn start(config: &Config, clock: SystemClock, log: Log) -> Result<Option<Loop>, StartError> {
    // Before the file is read: what is written meanwhile is another one.
    let stamp = Stamp::of(&config.model_path).ok();
    let settings = reload::Settings {
        path: config.model_path.clone(),
        verify: config.verify,
        every: config.reload,
        margin: config.reload_margin,
    };
    let reload = Reload::new(settings, stamp);
    let reloads = Reloads { reload, inference: config.inference, log };
    let mut service = open(config, clock)?.with_reloads(reloads);
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
    let addresses = json!({ "listen": bound.first(), "admin_listen": bound.get(1) });
    announce(&mut service, clock.nanos(), log, addresses);
    if config.check {
        return Ok(None);
    }
    let settings = Settings {
        limits: Limits {
            max_body_bytes: config.max_body_bytes,
            request_timeout: config.request_timeout,
            idle_timeout: config.idle_timeout,
        },
        max_connections: config.max_connections,
        drain: config.drain,
        drain_delay: config.drain_delay,
    };
    Ok(Some(EventLoop::new(network, listeners, service, clock, log, settings)))
}
