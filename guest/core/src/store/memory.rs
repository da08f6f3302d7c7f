//! Events in memory: bounded in owners and in events per owner, with expiry.

use std::collections::{HashMap, VecDeque};

use crate::ItemIx;
use crate::recommend::MAX_HISTORY;

use super::{EventKind, EventStore, Owner, StoredEvent};

/// Keeps the newest [`MAX_HISTORY`] events of each of the owners heard of last.
///
/// When it is full, the owner that was quiet longest (to within a second chance: a clock hand walks the owners
/// and spares those touched since its last round) makes room. About 16 bytes per event and 200 per owner.
#[derive(Debug)]
pub struct MemoryStore {
    max_owners: usize,
    ttl_ms: i64,
    by_owner: HashMap<Box<str>, usize>,
    entries: Vec<Entry>,
    hand: usize,
    key: String,
}

#[derive(Debug)]
struct Entry {
    key: Box<str>,
    events: VecDeque<StoredEvent>,
    touched: bool,
}

impl MemoryStore {
    /// A store for at most `max_owners` (at least 1) sessions and users, forgetting events after `ttl_ms`.
    pub fn new(max_owners: usize, ttl_ms: i64) -> Self {
        Self {
            max_owners: max_owners.max(1),
            ttl_ms,
            by_owner: HashMap::new(),
            entries: Vec::new(),
            hand: 0,
            key: String::new(),
        }
    }

    /// Sessions and users live in one map; the first byte tells them apart.
    fn write_key(&mut self, owner: Owner<'_>) {
        let (tag, id) = match owner {
            Owner::Session(id) => ('s', id),
            Owner::User(id) => ('u', id),
        };
        self.key.clear();
        self.key.push(tag);
        self.key.push_str(id);
    }

    fn entry_for(&mut self, owner: Owner<'_>) -> &mut Entry {
        self.write_key(owner);
        let at = match self.by_owner.get(self.key.as_str()) {
            Some(&at) => at,
            None => self.make_room(),
        };
        let entry = &mut self.entries[at];
        entry.touched = true;
        entry
    }

    /// A slot for `self.key`.
    fn make_room(&mut self) -> usize {
        let key: Box<str> = self.key.as_str().into();
        let entry = Entry { key: key.clone(), events: VecDeque::new(), touched: true };
        let at = if self.entries.len() < self.max_owners {
            self.entries.push(entry);
            self.entries.len() - 1
        } else {
            while std::mem::take(&mut self.entries[self.hand].touched) {
                self.hand = (self.hand + 1) % self.entries.len();
            }
            let at = self.hand;
            self.hand = (self.hand + 1) % self.entries.len();
            self.by_owner.remove(&self.entries[at].key);
            self.entries[at] = entry;
            at
        };
        self.by_owner.insert(key, at);
        at
    }
}

impl EventStore for MemoryStore {
    fn append(&mut self, owner: Owner<'_>, event: StoredEvent) {
        let events = &mut self.entry_for(owner).events;
        // Nearly always the newest; a late one goes behind those that are not later.
        let at = events.iter().rposition(|earlier| earlier.time_ms <= event.time_ms).map_or(0, |at| at + 1);
        events.insert(at, event);
        if events.len() > MAX_HISTORY {
            events.pop_front();
        }
    }

    fn recent(
        &mut self,
        owner: Owner<'_>,
        now_ms: i64,
        history: &mut Vec<ItemIx>,
        disliked: &mut Vec<ItemIx>,
    ) {
        self.write_key(owner);
        let Some(&at) = self.by_owner.get(self.key.as_str()) else { return };
        let oldest = now_ms.saturating_sub(self.ttl_ms);
        let entry = &mut self.entries[at];
        entry.touched = true;
        while entry.events.front().is_some_and(|event| event.time_ms < oldest) {
            entry.events.pop_front();
        }
        for event in &entry.events {
            match event.kind {
                EventKind::Dislike => disliked.push(event.item),
                _ => history.push(event.item),
            }
        }
    }

    fn renumber(&mut self, number: &dyn Fn(ItemIx) -> Option<ItemIx>) {
        for entry in &mut self.entries {
            entry.events.retain_mut(|event| {
                let found = number(event.item);
                event.item = found.unwrap_or(event.item);
                found.is_some()
            });
        }
    }

    fn owners(&self) -> usize {
        self.by_owner.len()
    }
}
