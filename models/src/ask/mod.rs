//! A client of a running service: replays what some users did and asks what it would show them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::dataset::{Dataset, DatasetError};

/// How long one answer may take before the service counts as gone.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Events of a user that are replayed: what the service keeps.
const REPLAYED: usize = 50;
/// Times an answer is asked for; the median latency is given, because the first meets cold caches.
const REPEATS: usize = 21;
/// Users with fewer events say little about personal lists.
const MIN_EVENTS: usize = 5;

/// Why there are no answers.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// No user has enough events.
    #[error("the dataset has no user with at least {MIN_EVENTS} events to replay")]
    NoUsers,
    /// The service cannot be reached, or broke the connection.
    #[error("{url}: {source}; is the service running there?")]
    Http {
        /// What was asked.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The service refused.
    #[error("{url} answered {status}: {body}")]
    Refused {
        /// What was asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
}

/// A user and what the service recommends.
#[derive(Debug, Serialize)]
pub struct Asked {
    /// The user's id.
    pub user: String,
    /// The newest replayed items, newest first: id and name.
    pub history: Vec<(String, String)>,
    /// The answer.
    pub answer: Answer,
    /// Median seconds from request to answer, on one connection.
    pub seconds: f64,
}

/// The parts of an answer that are shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Recommended items, best first.
    pub items: Vec<AnsweredItem>,
    /// Sources used.
    pub used: Vec<String>,
}

/// A recommended item.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnsweredItem {
    /// Its id.
    pub item: String,
    /// Relevance, 0 to 1.
    pub score: f64,
    /// The source that contributed most.
    pub reason: String,
    /// The item of the history that it goes with.
    #[serde(default)]
    pub because: Option<String>,
    /// Display name.
    #[serde(default)]
    pub name: String,
}

/// Replays the newest events of the last `users` users of `dataset` to the service at `url`, and asks for `n`
/// items for each.
///
/// # Errors
/// Where the dataset has no such users, or the service does not answer 200.
pub fn ask(dataset: &Dataset, url: &str, users: usize, n: usize) -> Result<Vec<Asked>, AskError> {
    let names: HashMap<String, String> =
        dataset.items()?.into_iter().map(|item| (item.item, item.name.unwrap_or_default())).collect();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .build()
        .into();
    let chosen = last_users(dataset, users)?;
    let mut asked = Vec::new();
    for (user, items) in chosen {
        // Without times: they count as happening now, and a log from last year is not expired at once.
        let events: Vec<_> =
            items.iter().map(|(item, event)| json!({"user": user, "item": item, "event": event})).collect();
        let events_url = format!("{url}/v1/events");
        read(&events_url, agent.post(&events_url).send_json(json!({ "events": events })))?;
        let ask_url = format!("{url}/api/recommend/{}?n={n}&include=name", escape(&user));
        let mut seconds = Vec::new();
        let mut body = String::new();
        for _ in 0..REPEATS {
            let begun = Instant::now();
            body = read(&ask_url, agent.get(&ask_url).call())?;
            seconds.push(begun.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let answer = serde_json::from_str(&body).map_err(|error| AskError::Refused {
            url: ask_url.clone(),
            status: 200,
            body: format!("{error} in {body}"),
        })?;
        let history =
            items.iter().rev().map(|(item, _)| (item.clone(), names.get(item).cloned().unwrap_or_default()));
        asked.push(Asked { history: history.collect(), user, answer, seconds: seconds[REPEATS / 2] });
    }
    Ok(asked)
}

/// A user's id and newest events, oldest first: item, and event as the service names it.
type Replay = (String, Vec<(String, &'static str)>);

/// The users with the newest events, each with enough of them.
fn last_users(dataset: &Dataset, users: usize) -> Result<Vec<Replay>, AskError> {
    /// Time of the newest event, and all events: time, item, kind.
    type Seen = (i64, Vec<(i64, String, &'static str)>);
    let mut last: HashMap<String, Seen> = HashMap::new();
    for event in dataset.events()? {
        let event = event?;
        let Some(user) = event.user else { continue };
        let kind = match event.event.as_str() {
            "purchase" => "purchase",
            "cart" => "cart",
            "cancel" => continue,
            _ => "view",
        };
        let (newest, events) = last.entry(user).or_default();
        *newest = (*newest).max(event.time);
        events.push((event.time, event.item, kind));
    }
    let mut chosen: Vec<_> = last.into_iter().filter(|(_, (_, events))| events.len() >= MIN_EVENTS).collect();
    chosen.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(&b.0)));
    chosen.truncate(users);
    if chosen.is_empty() {
        return Err(AskError::NoUsers);
    }
    let replay = |(user, (_, mut events)): (String, Seen)| {
        events.sort_by_key(|(time, ..)| *time);
        let newest = events.split_off(events.len().saturating_sub(REPLAYED));
        (user, newest.into_iter().map(|(_, item, kind)| (item, kind)).collect())
    };
    Ok(chosen.into_iter().map(replay).collect())
}

fn read(
    url: &str,
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<String, AskError> {
    let http = |source| AskError::Http { url: url.to_owned(), source: Box::new(source) };
    let mut response = response.map_err(http)?;
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_string().map_err(http)?;
    if status == 200 { Ok(body) } else { Err(AskError::Refused { url: url.to_owned(), status, body }) }
}

/// Percent-encodes a path segment.
fn escape(segment: &str) -> String {
    let mut escaped = String::new();
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
