//! What the service counts: fixed arrays, so that counting is an addition, and their text for Prometheus.

mod histogram;
mod text;

pub use histogram::{Histogram, REQUEST_BOUNDS, STAGE_BOUNDS};
pub use text::Exposition;

use endcap_core::recommend::Source;
use endcap_core::store::EventKind;

use crate::api::Route;
use crate::clock::Nanos;
use crate::http::Status;
use crate::inference::Part;

/// The stages of a recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Body to request.
    Decode,
    /// Events of session and user.
    History,
    /// The sequence encoder, where it serves.
    Sequence,
    /// Candidates and their scores.
    Gather,
    /// Features and the ranker, where it serves.
    Rank,
    /// Filters and ranking.
    Select,
    /// Answer to body.
    Encode,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 7] =
        [Self::Decode, Self::History, Self::Sequence, Self::Gather, Self::Rank, Self::Select, Self::Encode];

    fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::History => "history",
            Self::Sequence => "sequence",
            Self::Gather => "gather",
            Self::Rank => "rank",
            Self::Select => "select",
            Self::Encode => "encode",
        }
    }
}

/// Why an answer is not what was asked for in the first place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing is known of the session or user.
    NoHistory,
    /// What is known gave fewer items than asked for.
    TooFew,
    /// A model of the file does not serve or failed: retrieval alone made the list.
    ModelUnavailable,
}

impl Fallback {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::NoHistory, Self::TooFew, Self::ModelUnavailable];

    /// Its word in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoHistory => "no_history",
            Self::TooFew => "too_few",
            Self::ModelUnavailable => "model_unavailable",
        }
    }
}

/// The word of an event kind in metrics.
fn kind_word(kind: EventKind) -> &'static str {
    match kind {
        EventKind::View => "view",
        EventKind::Cart => "cart",
        EventKind::Purchase => "purchase",
        EventKind::Like => "like",
        EventKind::Dislike => "dislike",
    }
}

const KINDS: [EventKind; 5] =
    [EventKind::View, EventKind::Cart, EventKind::Purchase, EventKind::Like, EventKind::Dislike];

/// Counters and histograms.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: [[u64; Status::ALL.len()]; Route::ALL.len()],
    durations: [Histogram; Route::ALL.len()],
    stages: [Histogram; Stage::ALL.len()],
    items: [u64; Source::ALL.len()],
    fallbacks: [u64; Fallback::ALL.len()],
    inferences: [[u64; 2]; Part::ALL.len()],
    events: [u64; KINDS.len()],
    /// Connections open now.
    pub open_connections: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections turned away for lack of room.
    pub connections_rejected: u64,
}

impl Metrics {
    /// Counts an answered request.
    #[inline]
    pub fn request(&mut self, route: Route, status: Status, took: Nanos) {
        self.requests[route.index()][status.index()] += 1;
        self.durations[route.index()].observe(&REQUEST_BOUNDS, took);
    }

    /// Counts a stage.
    #[inline]
    pub fn stage(&mut self, stage: Stage, took: Nanos) {
        self.stages[stage as usize].observe(&STAGE_BOUNDS, took);
    }

    /// Counts a recommended item.
    #[inline]
    pub fn item(&mut self, source: Source) {
        self.items[source.index()] += 1;
    }

    /// Counts an answer that fell back.
    pub fn fallback(&mut self, fallback: Fallback) {
        self.fallbacks[fallback as usize] += 1;
    }

    /// Counts a call of a model.
    pub fn inference(&mut self, part: Part, answered: bool) {
        self.inferences[part as usize][usize::from(answered)] += 1;
    }

    /// Counts a stored event.
    pub fn event(&mut self, kind: EventKind) {
        self.events[kind as usize] += 1;
    }

    /// Writes every counter. A route is listed once it was asked for; other labels always. Failures of this side are
    /// listed before the first, too: a counter that appears with a number has not risen, for Prometheus.
    pub fn write(&self, text: &mut Exposition<'_>) {
        text.family("endcap_http_requests_total", "counter", "Answered requests.");
        for (route, statuses) in Route::ALL.into_iter().zip(&self.requests) {
            // What never became a request is refused as unknown.
            let listed = route == Route::Unknown || statuses.iter().any(|&count| count > 0);
            for (status, &count) in Status::ALL.into_iter().zip(statuses) {
                let failure = matches!(status, Status::Internal | Status::ServiceUnavailable);
                if count > 0 || (listed && failure) {
                    text.sample(&[("route", route.as_str()), ("status", status.code())], count as f64);
                }
            }
        }
        let help = "Time from a whole request to its answer, ready to send.";
        text.family("endcap_http_request_duration_seconds", "histogram", help);
        for (route, histogram) in Route::ALL.into_iter().zip(&self.durations).filter(|(_, h)| h.count() > 0) {
            text.histogram(&[("route", route.as_str())], &REQUEST_BOUNDS, histogram);
        }
        text.family("endcap_stage_duration_seconds", "histogram", "Time in a stage of a recommendation.");
        for (stage, histogram) in Stage::ALL.into_iter().zip(&self.stages) {
            text.histogram(&[("stage", stage.as_str())], &STAGE_BOUNDS, histogram);
        }
        text.family("endcap_recommendations_total", "counter", "Recommended items by what they come from.");
        for (source, &count) in Source::ALL.into_iter().zip(&self.items) {
            text.sample(&[("source", source.as_str())], count as f64);
        }
        text.family("endcap_inferences_total", "counter", "Calls of the models of the file.");
        for (part, &[failed, answered]) in Part::ALL.into_iter().zip(&self.inferences) {
            text.sample(&[("model", part.as_str()), ("outcome", "answered")], answered as f64);
            text.sample(&[("model", part.as_str()), ("outcome", "failed")], failed as f64);
        }
        let help = "Answers that fell back on items that do not depend on who asks, or on retrieval alone.";
        text.family("endcap_fallback_answers_total", "counter", help);
        for (reason, &count) in Fallback::ALL.into_iter().zip(&self.fallbacks) {
            text.sample(&[("reason", reason.as_str())], count as f64);
        }
        text.family("endcap_events_total", "counter", "Events kept.");
        for (kind, &count) in KINDS.into_iter().zip(&self.events) {
            text.sample(&[("kind", kind_word(kind))], count as f64);
        }
        text.family("endcap_open_connections", "gauge", "Connections open now.");
        text.sample(&[], self.open_connections as f64);
        text.family("endcap_connections_total", "counter", "Connections accepted.");
        text.sample(&[], self.connections as f64);
        text.family(
            "endcap_connections_rejected_total",
            "counter",
            "Connections turned away for lack of room.",
        );
        text.sample(&[], self.connections_rejected as f64);
    }
}
