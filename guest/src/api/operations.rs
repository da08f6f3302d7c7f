//! What operators ask: health, readiness, the model, metrics, drain.

use endcap_core::inference::Engine;
use endcap_core::store::EventStore;

use super::error::{ApiError, Problem};
use super::json::{shown, unknown_field};
use crate::calendar::parse_rfc3339;
use crate::clock::{Clock, SECOND};
use crate::http::{Request, target};
use crate::inference::Part;
use crate::metrics::Exposition;
use crate::reload::{Outcome, Reload};
use crate::service::{Reloads, Service};

/// The process answers.
pub(crate) fn live(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"status\":\"ok\"}");
}

/// The process wants requests.
pub(crate) fn ready<C: Clock, S: EventStore>(
    service: &Service<C, S>,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    if service.draining {
        return Err(ApiError::Draining);
    }
    out.extend_from_slice(b"{\"status\":\"ready\"}");
    Ok(())
}

/// Begins the end: the event loop sees the flag after this turn.
pub(crate) fn drain<C: Clock, S: EventStore>(service: &mut Service<C, S>, out: &mut Vec<u8>) {
    service.draining = true;
    out.extend_from_slice(b"{\"status\":\"draining\"}");
}

/// Looks at the model's file at once: the event loop goes on with it after this turn, and the log tells what came of it.
pub(crate) fn reload<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let mut force = false;
    for (name, value) in target::pairs(request.query) {
        let problem = match (name, value) {
            ("force", "true") => {
                force = true;
                continue;
            }
            ("force", "false") => continue,
            ("force", _) => Problem::Range { name: "force", got: shown(value), allowed: "true or false" },
            _ => unknown_field(name, &["force"]),
        };
        return Err(ApiError::Field { problem, place: None });
    }
    let Some(reloads) = &mut service.reloads else { return Err(ApiError::NoSuchPath) };
    reloads.reload.ask(force);
    out.extend_from_slice(b"{\"status\":\"reloading\"}");
    Ok(())
}

/// What the model file says of itself, and how it runs.
pub(crate) fn model<C: Clock, S: EventStore>(service: &Service<C, S>, out: &mut Vec<u8>) {
    let Service { model, about, reloads, .. } = service;
    let refused = reloads.as_ref().and_then(|reloads| reloads.reload.refused());
    let answer = serde_json::json!({
        "name": model.manifest().name,
        "bytes": model.bytes(),
        "items": model.items().len(),
        "sessions": model.sessions().sessions(),
        "aot": about.speed.is_compiled(),
        "inference": service.recommender.inference.to_json(),
        "refused": refused.map(Outcome::as_str),
        "manifest": model.manifest(),
    });
    out.extend_from_slice(answer.to_string().as_bytes());
}

/// Every metric as Prometheus text.
pub(crate) fn metrics<C: Clock, S: EventStore>(service: &Service<C, S>, out: &mut Vec<u8>) {
    let Service { model, about, recommender, .. } = service;
    let text = &mut Exposition::new(out);
    recommender.metrics.write(text);
    text.family("endcap_session_owners", "gauge", "Sessions and users whose events are remembered.");
    text.sample(&[], recommender.store.owners() as f64);
    let manifest = model.manifest();
    let version = manifest.format_version.to_string();
    text.family("endcap_model_info", "gauge", "The model that is served.").sample(
        &[
            ("name", &manifest.name),
            ("format_version", &version),
            ("created", &manifest.created),
            ("sha256", &about.model_sha256),
        ],
        1.0,
    );
    text.family("endcap_model_bytes", "gauge", "Size of the model file.").sample(&[], model.bytes() as f64);
    if let Some(created) = parse_rfc3339(&manifest.created) {
        text.family(
            "endcap_model_created_timestamp_seconds",
            "gauge",
            "When the model was made, by its manifest.",
        )
        .sample(&[], created as f64 / 1000.0);
    }
    text.family("endcap_model_items", "gauge", "Items of the model.").sample(&[], model.items().len() as f64);
    let inference = &recommender.inference;
    text.family("endcap_inference_engine", "gauge", "What runs a model of the file.");
    for part in Part::ALL {
        if let Some(engine) = inference.engine(part) {
            let runtime = if engine == Engine::Builtin { None } else { inference.runtime };
            let labels = [
                ("model", part.as_str()),
                ("engine", engine.as_str()),
                ("runtime", runtime.unwrap_or("endcap")),
            ];
            text.sample(&labels, 1.0);
        }
    }
    let help = "1 where the file has this model and it does not serve: /v1/model says why.";
    text.family("endcap_inference_degraded", "gauge", help);
    for part in Part::ALL {
        text.sample(&[("model", part.as_str())], f64::from(u8::from(inference.is_missing(part))));
    }
    let help = "1 where the file has this model and ENDCAP_INFERENCE lets it serve.";
    text.family("endcap_inference_expected", "gauge", help);
    for part in Part::ALL {
        text.sample(&[("model", part.as_str())], f64::from(u8::from(inference.is_expected(part))));
    }
    let help =
        "1 for an engine that was tried in vain at the start, with the kind of reason; the log has it whole.";
    text.family("endcap_inference_engine_failed", "gauge", help);
    for degraded in &inference.degraded {
        let labels = [
            ("model", degraded.part.as_str()),
            ("engine", degraded.engine.as_str()),
            ("reason", degraded.reason()),
        ];
        text.sample(&labels, 1.0);
    }
    if let Some(Reloads { reload, .. }) = &service.reloads {
        reload_metrics(reload, text);
    }
    let target = std::env::consts::ARCH;
    text.family("endcap_build_info", "gauge", "This program.")
        .sample(&[("version", env!("CARGO_PKG_VERSION")), ("target", target)], 1.0);
    text.family("endcap_aot", "gauge", "1 where the code runs compiled ahead of time, 0 where interpreted.")
        .sample(&[], f64::from(u8::from(about.speed.is_compiled())));
    text.family("endcap_draining", "gauge", "1 once a drain has begun.")
        .sample(&[], f64::from(u8::from(service.draining)));
    text.family("endcap_memory_bytes", "gauge", "Linear memory of the guest.")
        .sample(&[], memory_bytes() as f64);
    text.family("endcap_ready_seconds", "gauge", "Time from the start of the program to ready.")
        .sample(&[], about.ready as f64 / SECOND as f64);
    text.family("endcap_start_time_seconds", "gauge", "Start of the program, seconds since 1970.")
        .sample(&[], about.started_unix_ms as f64 / 1000.0);
}

fn reload_metrics(reload: &Reload, text: &mut Exposition<'_>) {
    text.family("endcap_reloads_total", "counter", "Files at the model's path, by what came of them.");
    for (outcome, count) in reload.counts() {
        text.sample(&[("outcome", outcome.as_str())], count as f64);
    }
    let help = "1 where what lies at the model's path does not serve: the log says why.";
    text.family("endcap_reload_refused", "gauge", help)
        .sample(&[], f64::from(u8::from(reload.refused().is_some())));
    let help = "Longest time for which a reload kept requests waiting.";
    text.family("endcap_reload_pause_seconds", "gauge", help)
        .sample(&[], reload.pause as f64 / SECOND as f64);
}

/// Linear memory never shrinks, so this is also its peak. Unknown, hence 0, in a native build.
fn memory_bytes() -> usize {
    /// Size of a page of linear memory.
    #[cfg(target_family = "wasm")]
    const PAGE: usize = 64 * 1024;
    #[cfg(target_family = "wasm")]
    return core::arch::wasm32::memory_size::<0>() * PAGE;
    #[cfg(not(target_family = "wasm"))]
    0
}
