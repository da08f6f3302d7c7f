//! `endcap:recommender/events`.

use endcap_core::store::{EventKind, EventStore, Owner, StoredEvent};
use endcap_service::api::ask::MAX_ID_BYTES;
use endcap_service::api::error::Problem;
use endcap_service::api::json::check_length;
use endcap_service::api::{MAX_EVENTS, MAX_SKEW_MS};

use crate::Component;
use crate::bindings::endcap::recommender::types::EventKind as Kind;
use crate::bindings::exports::endcap::recommender::events::{Error, Event, Guest, Receipt};
use crate::error::refused;
use crate::state::{self, State};

/// The name of the list in messages.
const EVENTS: &str = "events";

impl Guest for Component {
    fn record_events(events: Vec<Event>) -> Result<Receipt, Error> {
        state::with(|state| record(state, &events))
    }
}

/// All that are well formed, or none.
fn record(state: &mut State, events: &[Event]) -> Result<Receipt, Error> {
    if events.is_empty() {
        let problem = Problem::Missing { what: "there are no events", name: EVENTS };
        return Err(refused(problem));
    }
    if events.len() > MAX_EVENTS {
        return Err(refused(Problem::TooMany { name: EVENTS, limit: MAX_EVENTS }));
    }
    let now_ms = state.unix_ms();
    let checked: Result<Vec<Option<EventKind>>, Error> = events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            check(event, now_ms)
                .map_err(|problem| refused(Problem::At { list: EVENTS, index, problem: Box::new(problem) }))
        })
        .collect();
    let mut receipt = Receipt { accepted: 0, missing: Vec::new() };
    for (event, kind) in events.iter().zip(checked?) {
        let Some(item) = state.model.items().find(&event.item) else {
            receipt.missing.push(event.item.clone());
            continue;
        };
        receipt.accepted += 1;
        // Impressions are not what a shopper did: they are counted and not remembered.
        let Some(kind) = kind else { continue };
        let stored = StoredEvent { item, kind, time_ms: event.time.unwrap_or(now_ms) };
        let user = event.user.as_deref().map(Owner::User);
        let session = event.session.as_deref().map(Owner::Session);
        for owner in [user, session].into_iter().flatten() {
            state.recommender.store.append(owner, stored);
        }
        state.recommender.metrics.event(kind);
    }
    Ok(receipt)
}

fn check(event: &Event, now_ms: i64) -> Result<Option<EventKind>, Problem> {
    check_length("item", &event.item, MAX_ID_BYTES)?;
    for (name, id) in [("user", &event.user), ("session", &event.session)] {
        id.as_ref().map_or(Ok(()), |id| check_length(name, id, MAX_ID_BYTES))?;
    }
    if event.user.is_none() && event.session.is_none() {
        return Err(Problem::Missing { what: "an event without a session or a user", name: "session" });
    }
    if let Some(time) = event.time.filter(|&time| time < 0 || time > now_ms.saturating_add(MAX_SKEW_MS)) {
        let expected = "from 1970 to at most 5 minutes ahead of the recommender's clock is allowed";
        return Err(Problem::Time { name: "time", got: time.to_string(), expected });
    }
    let unsupported = [
        ("quantity", event.quantity.is_some()),
        ("price", event.price.is_some()),
        ("recomm-id", event.recomm_id.is_some()),
    ];
    match unsupported.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(Problem::Unsupported { name }),
        None => Ok(kind(event.kind)),
    }
}

fn kind(kind: Kind) -> Option<EventKind> {
    Some(match kind {
        Kind::View | Kind::Click => EventKind::View,
        Kind::Cart => EventKind::Cart,
        Kind::Purchase => EventKind::Purchase,
        Kind::Like => EventKind::Like,
        Kind::Dislike => EventKind::Dislike,
        Kind::Impression => return None,
    })
}
