//! The store in memory: order, expiry, bounds.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

use endcap_core::store::{EventKind, EventStore, MemoryStore, Owner, StoredEvent};

fn event(item: u32, time_ms: i64) -> StoredEvent {
    StoredEvent { item, kind: EventKind::View, time_ms }
}

fn history(store: &mut MemoryStore, owner: Owner<'_>, now_ms: i64) -> Vec<u32> {
    let (mut history, mut disliked) = (Vec::new(), Vec::new());
    store.recent(owner, now_ms, &mut history, &mut disliked);
    history
}

#[test]
fn events_come_back_in_order_of_time() {
    let mut store = MemoryStore::new(10, 1_000);
    let owner = Owner::Session("a");
    for (item, time) in [(1, 10), (3, 30), (2, 20)] {
        store.append(owner, event(item, time));
    }
    assert_eq!(history(&mut store, owner, 40), [1, 2, 3]);
    assert_eq!(
        history(&mut store, Owner::User("a"), 40),
        [0_u32; 0],
        "a user is not the session of that name"
    );
}

#[test]
fn old_events_expire() {
    let mut store = MemoryStore::new(10, 1_000);
    store.append(Owner::User("u"), event(1, 0));
    store.append(Owner::User("u"), event(2, 900));
    assert_eq!(history(&mut store, Owner::User("u"), 1_500), [2]);
}

#[test]
fn only_the_newest_fifty_are_kept() {
    let mut store = MemoryStore::new(10, 1_000);
    for item in 0..80 {
        store.append(Owner::User("u"), event(item, i64::from(item)));
    }
    assert_eq!(history(&mut store, Owner::User("u"), 80), (30..80).collect::<Vec<u32>>());
}

#[test]
fn a_full_store_forgets_the_quietest_owner() {
    let mut store = MemoryStore::new(3, 1_000);
    for name in ["a", "b", "c"] {
        store.append(Owner::User(name), event(1, 0));
    }
    // The first newcomer takes one slot after a full round; those asked for since then are spared.
    store.append(Owner::User("d"), event(2, 1));
    assert_eq!(store.owners(), 3);
    assert!(!history(&mut store, Owner::User("c"), 1).is_empty());
    store.append(Owner::User("e"), event(3, 1));
    assert_eq!(store.owners(), 3);
    assert!(!history(&mut store, Owner::User("c"), 1).is_empty(), "just asked for");
    assert!(!history(&mut store, Owner::User("e"), 1).is_empty());
}

#[test]
fn dislikes_are_told_apart() {
    let mut store = MemoryStore::new(3, 1_000);
    store.append(Owner::User("u"), StoredEvent { item: 7, kind: EventKind::Dislike, time_ms: 0 });
    let (mut seen, mut disliked) = (Vec::new(), Vec::new());
    store.recent(Owner::User("u"), 1, &mut seen, &mut disliked);
    assert_eq!((seen, disliked), (vec![], vec![7]));
}
