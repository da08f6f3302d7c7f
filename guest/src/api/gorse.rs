//! Gorse's feedback objects: `POST /api/feedback`, and the array form of `POST /api/session/recommend`.

use std::borrow::Cow;

use endcap_core::store::{EventKind, EventStore};
use serde::de::MapAccess;

use super::ask::{Ask, MAX_ID_BYTES};
use super::error::{ApiError, Problem};
use super::events::{Event, MAX_EVENTS, Time, event_time, store_events};
use super::json::{Entries, Field, Fields, read_array, shown};
use crate::clock::Clock;
use crate::http::Request;
use crate::service::Service;

/// `{"FeedbackType", "UserId", "ItemId", "Timestamp"}`. `Value`, `Updated` and `Comment` are read past: Gorse's
/// own clients always send them, and nothing here depends on them.
#[derive(Debug, Default)]
pub(super) struct Feedback<'a> {
    kind: Option<EventKind>,
    user: Option<Cow<'a, str>>,
    item: Option<Cow<'a, str>>,
    time: Time<'a>,
}

impl<'de> Fields<'de> for Feedback<'de> {
    const KNOWN: &'static [&'static str] =
        &["FeedbackType", "UserId", "ItemId", "Timestamp", "Value", "Updated", "Comment"];

    fn take<A: MapAccess<'de>>(&mut self, mut field: Field<'_, A>) -> Result<(), A::Error> {
        match field.name {
            "FeedbackType" => self.kind = field.word(EventKind::WORDS, EventKind::parse)?,
            "ItemId" => self.item = field.text(MAX_ID_BYTES)?,
            // Empty for an anonymous visitor.
            "UserId" => match field.free_text()? {
                Some(user) if user.len() > MAX_ID_BYTES => {
                    let problem = Problem::Length { name: "UserId", bytes: user.len(), limit: MAX_ID_BYTES };
                    return Err(field.refuse(problem));
                }
                user => self.user = user.filter(|user| !user.is_empty()),
            },
            "Timestamp" => self.time = Time(field.number_or_text()?),
            _ => field.ignore()?,
        }
        Ok(())
    }
}

impl<'a> Feedback<'a> {
    fn event(self, now_ms: i64) -> Result<Event<'a>, Problem> {
        let item = self.item.ok_or(Problem::Missing { what: "feedback without an item", name: "ItemId" })?;
        let kind =
            self.kind.ok_or(Problem::Missing { what: "feedback without a type", name: "FeedbackType" })?;
        let time_ms = event_time("Timestamp", &self.time, now_ms)?;
        Ok(Event { item, kind, time_ms, user: self.user, session: None })
    }
}

/// The events of a session in Gorse's form.
pub(super) struct SessionFeedback<'a> {
    now_ms: i64,
    events: Vec<Event<'a>>,
}

impl<'a> SessionFeedback<'a> {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { now_ms, events: Vec::new() }
    }

    /// Makes them the session of `ask`, by time; what was disliked is excluded instead.
    pub(super) fn finish(mut self, ask: &mut Ask<'a, '_>) {
        self.events.sort_by_key(|event| event.time_ms);
        for event in self.events {
            ask.add_item(event.item);
            if event.kind == EventKind::Dislike && ask.missing.len() < MAX_EVENTS {
                ask.lists.exclude.extend(ask.lists.items.pop());
            }
        }
    }
}

impl<'de> Entries<'de> for SessionFeedback<'de> {
    type Entry = Feedback<'de>;
    const LIST: &'static str = "feedback";
    const LIMIT: usize = MAX_EVENTS;

    fn push(&mut self, entry: Feedback<'de>) -> Result<(), Problem> {
        self.events.push(entry.event(self.now_ms)?);
        Ok(())
    }
}

/// Feedback to keep.
struct UserFeedback<'a>(SessionFeedback<'a>);

impl<'de> Entries<'de> for UserFeedback<'de> {
    type Entry = Feedback<'de>;
    const LIST: &'static str = "feedback";
    const LIMIT: usize = MAX_EVENTS;

    fn push(&mut self, entry: Feedback<'de>) -> Result<(), Problem> {
        if entry.user.is_none() {
            return Err(Problem::Missing { what: "feedback without a user", name: "UserId" });
        }
        self.0.push(entry)
    }
}

/// Keeps feedback; answers with the number of rows, as Gorse does.
pub(crate) fn post_feedback<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let mut feedback = UserFeedback(SessionFeedback::new(request.now.unix_ms));
    read_array(request.body, &mut feedback)?;
    let stored = store_events(service, &feedback.0.events);
    let missing: Vec<String> = stored.missing.iter().map(|id| shown(id)).collect();
    let answer = serde_json::json!({ "RowAffected": stored.accepted, "Missing": missing });
    out.extend_from_slice(answer.to_string().as_bytes());
    Ok(())
}
