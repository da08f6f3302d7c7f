//! The service without sockets: a request in, an answer out.

use endcap_core::format::Model;
use endcap_core::recommend::Source;
use endcap_core::store::EventStore;

use crate::aot::Speed;
use crate::api::ask::Lists;
use crate::api::{self, ApiError, Route, Told};
use crate::clock::{Clock, MILLISECOND, Nanos, Now};
use crate::http::{ContentType, Handler, HttpError, Reply, Request};
use crate::inference::{Choice, Inference};
use crate::log::{Level, Log};
use crate::net::{App, ConnectionEvent};
use crate::recommender::Recommender;
use crate::reload::{Finished, Reload, Step, Trial};

/// What the service tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// How fast the code runs.
    pub speed: Speed,
    /// SHA-256 of the model's manifest, which names the digest of everything else in the file.
    pub model_sha256: String,
    /// From the start of the program to ready.
    pub ready: Nanos,
    /// Start of the program.
    pub started_unix_ms: i64,
    /// How long the model's file took to read and validate.
    pub model_read: Nanos,
}

/// Work beside requests that is done at once: what a request may have to wait for it.
const SLICE: Nanos = MILLISECOND / 5;

/// How a service comes to another model.
#[derive(Debug)]
pub struct Reloads {
    /// Looks after the file.
    pub reload: Reload,
    /// What may run the models of the next one.
    pub inference: Choice,
    /// Where it is told.
    pub log: Log,
}

/// Serves one model.
#[derive(Debug)]
pub struct Service<C, S> {
    pub(crate) model: Model,
    pub(crate) lists: Lists,
    pub(crate) recommender: Recommender<C, S>,
    pub(crate) about: About,
    pub(crate) draining: bool,
    pub(crate) reloads: Option<Reloads>,
}

impl<C: Clock, S: EventStore> Service<C, S> {
    /// A service over `model`.
    pub fn new(model: Model, recommender: Recommender<C, S>, about: About) -> Self {
        Self { model, lists: Lists::default(), recommender, about, draining: false, reloads: None }
    }

    /// The same, looking after the model's file.
    pub fn with_reloads(self, reloads: Reloads) -> Self {
        Self { reloads: Some(reloads), ..self }
    }

    /// Tells what came of a file, and serves it where it is to serve.
    fn finish(&mut self, Finished { outcome, mut fields, trial }: Finished, now: Now) {
        let began = self.recommender.clock.nanos();
        if let Some(trial) = trial {
            self.replace(*trial);
        }
        let Some(Reloads { reload, log, .. }) = &mut self.reloads else { return };
        let manifest = self.model.manifest();
        reload.pause = reload.pause.max(self.recommender.clock.nanos().saturating_sub(began));
        fields["outcome"] = outcome.as_str().into();
        fields["serving"] = serde_json::json!({
            "model": manifest.name, "created": manifest.created, "sha256": self.about.model_sha256,
            "items": self.model.items().len(), "inference": self.recommender.inference.to_json(),
        });
        fields["pause_ms"] = (reload.pause as f64 / MILLISECOND as f64).into();
        let level = if outcome.is_refusal() { Level::Error } else { Level::Info };
        log.write(level, now.unix_ms, "reload", fields);
    }

    /// Serves another model from now on. What is remembered of sessions and users stays.
    fn replace(&mut self, trial: Trial) {
        let Trial { model, sha256, numbers, .. } = trial;
        let choice = self.reloads.as_ref().map_or(Choice::Off, |reloads| reloads.inference);
        let inference = Inference::of_process(&model, choice.again());
        self.recommender.change_model(inference, &|item| numbers.forward(item));
        self.model = model;
        self.about.model_sha256 = sha256;
    }

    fn dispatch(
        &mut self,
        route: Route,
        parameter: &str,
        request: &Request<'_>,
        began: Nanos,
        out: &mut Vec<u8>,
    ) -> Result<(), ApiError> {
        if route != Route::Unknown && !route.allows(request.method) {
            return Err(ApiError::Method);
        }
        match route {
            Route::SessionRecommend => api::session_recommend(self, request, began, out),
            Route::Recommend => api::recommend(self, request, began, out),
            Route::UserRecommend => api::user_recommend(self, request, parameter, began, out),
            Route::Neighbors => api::neighbors(self, request, parameter, out),
            Route::Popular => api::ranking(self, request, Source::Popular, out),
            Route::Trending => api::ranking(self, request, Source::Trending, out),
            Route::Latest => api::ranking(self, request, Source::Latest, out),
            Route::Events => api::post_events(self, request, out),
            Route::Feedback => api::post_feedback(self, request, out),
            Route::Ready => api::ready(self, out),
            Route::Live => {
                api::live(out);
                Ok(())
            }
            Route::Model => {
                api::model(self, out);
                Ok(())
            }
            Route::Metrics => {
                api::metrics(self, out);
                Ok(())
            }
            Route::Reload => api::reload(self, request, out),
            Route::Drain => {
                api::drain(self, out);
                Ok(())
            }
            Route::Unknown => Err(ApiError::NoSuchPath),
        }
    }
}

impl<C: Clock, S: EventStore> Handler for Service<C, S> {
    fn handle(&mut self, request: &Request<'_>, body: &mut Vec<u8>) -> Reply {
        let began = self.recommender.clock.nanos();
        let (route, parameter) = api::find(request.path, request.port);
        let mut reply = Reply::json(crate::http::Status::Ok);
        match self.dispatch(route, parameter, request, began, body) {
            Ok(()) if route == Route::Metrics => reply.content_type = ContentType::Metrics,
            Ok(()) => {}
            Err(error) => {
                body.clear();
                let told = error.told();
                told.write(body);
                reply.status = told.status;
                reply.allow = matches!(error, ApiError::Method).then(|| route.allow());
            }
        }
        let took = self.recommender.clock.nanos().saturating_sub(began);
        self.recommender.metrics.request(route, reply.status, took);
        reply
    }

    fn refuse(&mut self, error: &HttpError, body: &mut Vec<u8>) -> Reply {
        let told = Told::from(error);
        told.write(body);
        self.recommender.metrics.request(Route::Unknown, told.status, 0);
        Reply::json(told.status)
    }

    fn closing(&self) -> bool {
        self.draining
    }
}

impl<C: Clock, S: EventStore> App for Service<C, S> {
    fn connection(&mut self, event: ConnectionEvent) {
        let metrics = &mut self.recommender.metrics;
        match event {
            ConnectionEvent::Opened => {
                metrics.connections += 1;
                metrics.open_connections += 1;
            }
            ConnectionEvent::Rejected => {
                metrics.connections_rejected += 1;
                metrics.open_connections += 1;
            }
            ConnectionEvent::Closed => metrics.open_connections = metrics.open_connections.saturating_sub(1),
        }
    }

    fn background_due(&self) -> Nanos {
        self.reloads.as_ref().map_or(Nanos::MAX, |reloads| reloads.reload.due())
    }

    fn background(&mut self, now: Now) {
        let Self { model, about, recommender, reloads, .. } = self;
        let Some(Reloads { reload, .. }) = reloads else { return };
        let mut before = now.nanos;
        loop {
            let step = reload.step(model, &about.model_sha256, now.nanos);
            let after = recommender.clock.nanos();
            reload.pause = reload.pause.max(after.saturating_sub(before));
            match step {
                Step::More if after < now.nanos.saturating_add(SLICE) => before = after,
                Step::More | Step::Rest => return,
                Step::Done(finished) => return self.finish(finished, now),
            }
        }
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
