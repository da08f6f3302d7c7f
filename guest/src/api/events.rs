//! `POST /v1/events`: what sessions and users did, kept for their next recommendation.

use std::borrow::Cow;

use endcap_core::store::{EventKind, EventStore, Owner, StoredEvent};
use serde::de::MapAccess;

use super::ask::MAX_ID_BYTES;
use super::encode::push_strings;
use super::error::{ApiError, Problem};
use super::json::{Entries, Field, Fields, NumberOrText, is_whole, read_object, shown};
use crate::calendar;
use crate::clock::Clock;
use crate::http::Request;
use crate::http::response::push_decimal;
use crate::service::Service;

/// Most events in one request: what a client that batches by the second needs, and a few milliseconds of work,
/// in which no other request is answered.
pub const MAX_EVENTS: usize = 1000;
/// How far ahead of this clock an event may lie. Clients' clocks are off by seconds to a few minutes; an event
/// far in the future would stay the newest for as long.
pub const MAX_SKEW_MS: i64 = 5 * 60 * 1000;

/// A checked event.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) item: Cow<'a, str>,
    pub(super) kind: EventKind,
    pub(super) time_ms: i64,
    pub(super) user: Option<Cow<'a, str>>,
    pub(super) session: Option<Cow<'a, str>>,
}

/// A time as given.
#[derive(Debug, Default)]
pub(super) struct Time<'a>(pub(super) Option<NumberOrText<'a>>);

/// The time of an event in milliseconds since 1970; now where none is given.
pub(super) fn event_time(name: &'static str, time: &Time<'_>, now_ms: i64) -> Result<i64, Problem> {
    const EXPECTED: &str = "RFC 3339 or milliseconds since 1970 are allowed";
    let (time_ms, got) = match &time.0 {
        None => return Ok(now_ms),
        Some(NumberOrText::Text(text)) if text.is_empty() => return Ok(now_ms),
        Some(NumberOrText::Text(text)) => (calendar::parse_rfc3339(text), shown(text)),
        Some(NumberOrText::Number(number)) => {
            (Some(*number as i64).filter(|_| is_whole(*number) && *number >= 0.0), number.to_string())
        }
    };
    let Some(time_ms) = time_ms else { return Err(Problem::Time { name, got, expected: EXPECTED }) };
    if time_ms > now_ms.saturating_add(MAX_SKEW_MS) {
        let expected = "at most 5 minutes ahead of the service's clock are allowed";
        return Err(Problem::Time { name, got, expected });
    }
    Ok(time_ms)
}

#[derive(Debug, Default)]
struct Entry<'a> {
    item: Option<Cow<'a, str>>,
    kind: Option<EventKind>,
    time: Time<'a>,
    user: Option<Cow<'a, str>>,
    session: Option<Cow<'a, str>>,
}

impl<'de> Fields<'de> for Entry<'de> {
    const KNOWN: &'static [&'static str] = &["item", "event", "session", "user", "time"];
    const UNSUPPORTED: &'static [&'static str] = &["recommId", "tenant", "consent", "context", "value"];

    fn take<A: MapAccess<'de>>(&mut self, mut field: Field<'_, A>) -> Result<(), A::Error> {
        match field.name {
            "item" => self.item = field.text(MAX_ID_BYTES)?,
            "event" => self.kind = field.word(EventKind::WORDS, EventKind::parse)?,
            "session" => self.session = field.text(MAX_ID_BYTES)?,
            "user" => self.user = field.text(MAX_ID_BYTES)?,
            _ => self.time = Time(field.number_or_text()?),
        }
        Ok(())
    }
}

/// The list in the body.
struct Events<'a> {
    now_ms: i64,
    events: Vec<Event<'a>>,
}

impl<'de> Entries<'de> for Events<'de> {
    type Entry = Entry<'de>;
    const LIST: &'static str = "events";
    const LIMIT: usize = MAX_EVENTS;

    fn push(&mut self, entry: Entry<'de>) -> Result<(), Problem> {
        let item = entry.item.ok_or(Problem::Missing { what: "an event without an item", name: "item" })?;
        let kind = entry.kind.ok_or(Problem::Missing { what: "an event without its kind", name: "event" })?;
        if entry.user.is_none() && entry.session.is_none() {
            return Err(Problem::Missing { what: "an event without a session or a user", name: "session" });
        }
        let time_ms = event_time("time", &entry.time, self.now_ms)?;
        self.events.push(Event { item, kind, time_ms, user: entry.user, session: entry.session });
        Ok(())
    }
}

/// The body.
struct Body<'a> {
    events: Events<'a>,
    found: bool,
}

impl<'de> Fields<'de> for Body<'de> {
    const KNOWN: &'static [&'static str] = &["events"];
    const UNSUPPORTED: &'static [&'static str] = &["cascadeCreate", "validateOnly", "tenant"];

    fn take<A: MapAccess<'de>>(&mut self, field: Field<'_, A>) -> Result<(), A::Error> {
        self.found = true;
        field.entries(&mut self.events)
    }
}

/// What became of a list of events.
pub(super) struct Stored<'e> {
    pub(super) accepted: usize,
    pub(super) missing: Vec<&'e str>,
}

/// Keeps the events of known items, with their session and with their user.
pub(super) fn store_events<'e, C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    events: &'e [Event<'_>],
) -> Stored<'e> {
    let catalogue = service.model.items();
    let recommender = &mut service.recommender;
    let mut stored = Stored { accepted: 0, missing: Vec::new() };
    for event in events {
        let Some(item) = catalogue.find(&event.item) else {
            stored.missing.push(&event.item);
            continue;
        };
        let kept = StoredEvent { item, kind: event.kind, time_ms: event.time_ms };
        let session = event.session.as_deref().map(Owner::Session);
        let user = event.user.as_deref().map(Owner::User);
        for owner in [session, user].into_iter().flatten() {
            recommender.store.append(owner, kept);
        }
        recommender.metrics.event(event.kind);
        stored.accepted += 1;
    }
    stored
}

/// Keeps all events of a valid body, or none of an invalid one.
pub(crate) fn post_events<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let events = Events { now_ms: request.now.unix_ms, events: Vec::new() };
    let mut body = Body { events, found: false };
    read_object(request.body, &mut body)?;
    if !body.found {
        return Err(ApiError::Missing { what: "the body has no events", field: "events" });
    }
    let stored = store_events(service, &body.events.events);
    out.extend_from_slice(b"{\"accepted\":");
    push_decimal(out, stored.accepted as u64);
    out.extend_from_slice(b",\"missing\":");
    push_strings(out, stored.missing);
    out.push(b'}');
    Ok(())
}
