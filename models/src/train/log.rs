//! The log, grouped: sessions of clicks over densely numbered items.

use std::collections::HashMap;
use std::time::Duration;

use endcap_core::ItemIx;
use endcap_core::format::ItemRecord;

use super::TrainError;

/// A pause that ends the session of a user whose log has no session ids: 30 minutes, the customary bound of web
/// analytics.
pub const SESSION_GAP: Duration = Duration::from_secs(30 * 60);

/// One event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Click {
    /// The item.
    pub item: ItemIx,
    /// Microseconds since 1970.
    pub time: i64,
    /// [`event_weight`] of what happened.
    pub weight: f32,
}

/// The events of one visit, oldest first; ties in time stay in the order of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The user's number, if known.
    pub user: Option<u32>,
    /// Never empty.
    pub clicks: Vec<Click>,
}

impl Session {
    /// Time of the last click, microseconds since 1970.
    pub fn end(&self) -> i64 {
        self.clicks.last().map_or(i64::MIN, |click| click.time)
    }

    /// Whether its events have an order: the lines of an invoice, all of one moment, have that of a file, which means nothing.
    pub fn has_order(&self) -> bool {
        self.clicks.first().map(|click| click.time) != self.clicks.last().map(|click| click.time)
    }

    /// Distinct items in the order of their first click.
    pub fn distinct(&self) -> Vec<ItemIx> {
        let mut seen = std::collections::HashSet::with_capacity(self.clicks.len());
        self.clicks.iter().map(|click| click.item).filter(|&item| seen.insert(item)).collect()
    }
}

/// A grouped log: sessions by rising time of their last click, items by falling weight and then by id.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Records in the order of [`ItemIx`].
    pub items: Vec<ItemRecord>,
    /// Sessions by rising end; ties stay in the order of the log.
    pub sessions: Vec<Session>,
    /// Distinct users.
    pub users: u64,
    /// Microseconds since 1970 of the first event.
    pub first_event: i64,
    /// Microseconds since 1970 of the last event.
    pub last_event: i64,
}

impl Log {
    /// Number of clicks.
    pub fn events(&self) -> u64 {
        self.sessions.iter().map(|session| session.clicks.len() as u64).sum()
    }

    /// Summed click weights by item.
    pub fn weights(&self) -> Vec<f64> {
        let mut weights = vec![0.0; self.items.len()];
        for click in self.sessions.iter().flat_map(|session| &session.clicks) {
            weights[click.item as usize] += f64::from(click.weight);
        }
        weights
    }

    /// The same log with its items in order again, by falling weight and then by id, and the new number of each: after
    /// sessions were taken away, their old order still tells what those were about.
    #[must_use]
    pub fn in_order(mut self) -> (Self, Vec<ItemIx>) {
        let weights = self.weights();
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_unstable_by(|&a, &b| {
            weights[b].total_cmp(&weights[a]).then_with(|| self.items[a].id.cmp(&self.items[b].id))
        });
        let mut renumbered = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            renumbered[old] = new as ItemIx;
        }
        self.items = order.iter().map(|&old| std::mem::take(&mut self.items[old])).collect();
        for click in self.sessions.iter_mut().flat_map(|session| &mut session.clicks) {
            click.item = renumbered[click.item as usize];
        }
        (self, renumbered)
    }

    /// The same items with only the sessions that `keep` accepts: how protocols split without renumbering. Dates of items are
    /// those of what is left, and 0 where that is nothing: others would tell of what was taken away.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(&Session) -> bool) -> Self {
        let sessions: Vec<Session> = self.sessions.iter().filter(|session| keep(session)).cloned().collect();
        let mut items = self.items.clone();
        for click in self.sessions.iter().flat_map(|session| &session.clicks) {
            let item = &mut items[click.item as usize];
            (item.first_seen, item.last_seen) = (0, 0);
        }
        date(&mut items, &sessions);
        let times = || sessions.iter().flat_map(|session| &session.clicks).map(|click| click.time);
        Self {
            items,
            users: sessions
                .iter()
                .filter_map(|session| session.user)
                .collect::<std::collections::HashSet<_>>()
                .len() as u64,
            first_event: times().min().unwrap_or_default(),
            last_event: times().max().unwrap_or_default(),
            sessions,
        }
    }
}

/// Widens the dates of `items`, 0 where there are none, by the clicks of `sessions`.
fn date(items: &mut [ItemRecord], sessions: &[Session]) {
    for click in sessions.iter().flat_map(|session| &session.clicks) {
        let item = &mut items[click.item as usize];
        let seconds = click.time.div_euclid(1_000_000);
        if item.first_seen == 0 && item.last_seen == 0 {
            (item.first_seen, item.last_seen) = (seconds, seconds);
        }
        item.first_seen = item.first_seen.min(seconds);
        item.last_seen = item.last_seen.max(seconds);
    }
}

/// How much an event counts in popularity and trends; `None`: not a sign of interest, and not learned from.
///
/// A purchase says more than a look. Unknown words count as a look.
pub fn event_weight(event: &str) -> Option<f32> {
    match event {
        "purchase" | "buy" | "transaction" | "order" => Some(1.0),
        "cart" | "add-to-cart" | "addtocart" | "basket" => Some(0.5),
        "like" | "star" | "save" | "wishlist" => Some(0.5),
        "cancel" | "return" | "dislike" | "hide" | "remove_from_cart" => None,
        _ => Some(0.2),
    }
}

/// Strings numbered in the order of their first appearance.
#[derive(Debug, Default)]
struct Interner {
    numbers: HashMap<String, u32>,
}

impl Interner {
    fn number(&mut self, key: &str, what: &'static str) -> Result<u32, TrainError> {
        if let Some(&number) = self.numbers.get(key) {
            return Ok(number);
        }
        let number = u32::try_from(self.numbers.len()).map_err(|_| TrainError::TooMany { what })?;
        self.numbers.insert(key.to_owned(), number);
        Ok(number)
    }
}

/// Collects events in any order.
#[derive(Debug)]
pub struct LogBuilder {
    /// Pause that ends a visit of a user without session ids, microseconds.
    gap: i64,
    items: Interner,
    users: Interner,
    sessions: Interner,
    /// Clicks by session number, and the user of each session.
    by_session: Vec<(Option<u32>, Vec<Click>)>,
    /// Clicks by user number, for events without a session.
    by_user: Vec<Vec<Click>>,
}

impl Default for LogBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl LogBuilder {
    /// An empty log, whose users' visits end after [`SESSION_GAP`] where they have no ids.
    pub fn new() -> Self {
        Self::with_gap(Some(SESSION_GAP))
    }

    /// The same with another pause; `None`: all of a user's events are one visit.
    pub fn with_gap(gap: Option<Duration>) -> Self {
        Self {
            gap: gap.map_or(i64::MAX, |gap| i64::try_from(gap.as_micros()).unwrap_or(i64::MAX)),
            items: Interner::default(),
            users: Interner::default(),
            sessions: Interner::default(),
            by_session: Vec::new(),
            by_user: Vec::new(),
        }
    }

    /// Adds an event. An event with neither user nor session is one nobody can be recognised by: it is ignored.
    ///
    /// # Errors
    /// [`TrainError::TooMany`] beyond 32-bit numbers.
    pub fn push(
        &mut self,
        user: Option<&str>,
        session: Option<&str>,
        item: &str,
        time: i64,
        weight: f32,
    ) -> Result<(), TrainError> {
        if user.is_none() && session.is_none() {
            return Ok(());
        }
        let click = Click { item: self.items.number(item, "items")?, time, weight };
        let user = user.map(|user| self.users.number(user, "users")).transpose()?;
        match (session, user) {
            (Some(session), user) => {
                let at = self.sessions.number(session, "sessions")? as usize;
                if at == self.by_session.len() {
                    self.by_session.push((user, Vec::new()));
                }
                let (owner, clicks) = &mut self.by_session[at];
                *owner = owner.or(user);
                clicks.push(click);
            }
            (None, Some(user)) => {
                let at = user as usize;
                if at >= self.by_user.len() {
                    self.by_user.resize_with(at + 1, Vec::new);
                }
                self.by_user[at].push(click);
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Groups, orders and numbers. `describe` gives the record of an item id (dates are filled in from clicks);
    /// `silent` are ids of catalogue items without events, which come last.
    ///
    /// # Errors
    /// [`TrainError::TooMany`] beyond 32-bit numbers.
    pub fn finish(
        self,
        mut describe: impl FnMut(&str) -> ItemRecord,
        silent: impl IntoIterator<Item = String>,
    ) -> Result<Log, TrainError> {
        let users = self.users.numbers.len() as u64;
        let mut sessions: Vec<Session> = Vec::with_capacity(self.by_session.len());
        for (user, mut clicks) in self.by_session {
            clicks.sort_by_key(|click| click.time);
            sessions.push(Session { user, clicks });
        }
        for (user, mut clicks) in self.by_user.into_iter().enumerate() {
            clicks.sort_by_key(|click| click.time);
            for visit in clicks.chunk_by(|a, b| b.time.saturating_sub(a.time) <= self.gap) {
                sessions.push(Session { user: Some(user as u32), clicks: visit.to_vec() });
            }
        }
        sessions.sort_by_key(Session::end);
        let mut log = Log { sessions, users, ..Log::default() };
        log.items.resize(self.items.numbers.len(), ItemRecord::default());
        for (id, &number) in &self.items.numbers {
            log.items[number as usize] = ItemRecord { first_seen: 0, last_seen: 0, ..describe(id) };
        }
        let (mut log, _) = log.in_order();
        log.first_event = i64::MAX;
        log.last_event = i64::MIN;
        date(&mut log.items, &log.sessions);
        for click in log.sessions.iter().flat_map(|session| &session.clicks) {
            log.first_event = log.first_event.min(click.time);
            log.last_event = log.last_event.max(click.time);
        }
        let known = self.items.numbers;
        let mut silent: Vec<String> = silent.into_iter().filter(|id| !known.contains_key(id)).collect();
        silent.sort_unstable();
        silent.dedup();
        log.items.extend(silent.iter().map(|id| describe(id)));
        u32::try_from(log.items.len() + 1).map_err(|_| TrainError::TooMany { what: "items" })?;
        Ok(log)
    }
}
