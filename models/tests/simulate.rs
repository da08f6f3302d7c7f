//! The simulated shop: the same bytes for a seed, the counts asked for, and signal in them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod common;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use common::{Folder, endcap, json};
use endcap_models::dataset::{Dataset, Event};

const SMALL: [&str; 8] = ["--items", "300", "--users", "400", "--events", "20000", "--days", "90"];

fn simulate(folder: &Folder, name: &str, args: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let out = folder.path(name);
    let mut all = vec!["simulate", "--json", "--out", out.to_str().unwrap()];
    all.extend(args);
    let output = endcap(&all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (std::fs::read(out.join("events.csv.gz")).unwrap(), std::fs::read(out.join("items.csv")).unwrap())
}

#[test]
fn a_seed_decides_every_byte() {
    let folder = Folder::new();
    let first = simulate(&folder, "a", &SMALL);
    assert!(first == simulate(&folder, "b", &SMALL), "the same seed gave other bytes");
    let other = simulate(&folder, "c", &[&SMALL[..], &["--seed", "8"]].concat());
    assert!(first.0 != other.0 && first.1 != other.1, "another seed gave the same bytes");
}

#[test]
fn a_longer_log_has_the_same_catalogue() {
    let folder = Folder::new();
    let short = simulate(&folder, "a", &["--items", "300", "--events", "1000"]);
    let long = simulate(&folder, "b", &["--items", "300", "--events", "5000", "--users", "50"]);
    assert!(short.1 == long.1);
}

#[test]
fn the_smallest_shop() {
    let folder = Folder::new();
    simulate(&folder, "a", &["--items", "24", "--users", "1", "--events", "1", "--days", "1"]);
    assert_eq!(import(&folder, "a").report().rows_kept, 1);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let folder = Folder::new();
    for args in [["--items", "3"], ["--users", "0"], ["--days", "0"], ["--events", "0"]] {
        let out = folder.path("x");
        let output = endcap(&[&["simulate", "--out", out.to_str().unwrap()][..], &args].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(args[0]));
        assert!(!out.exists());
    }
}

/// Imports a simulation; nothing may be dropped.
fn import(folder: &Folder, name: &str) -> Dataset {
    let (out, to) = (folder.path(name), folder.path(&format!("{name}-dataset")));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (events, items) = (text(&out.join("events.csv.gz")), text(&out.join("items.csv")));
    let output = endcap(&["import", &events, "--catalog", &items, "--out", &text(&to), "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    assert_eq!(report["dropped"], serde_json::json!([]));
    assert_eq!(report["catalogue"]["dropped"], serde_json::json!([]));
    Dataset::open(to).unwrap()
}

#[test]
fn the_default_shop_imports_whole() {
    let folder = Folder::new();
    simulate(&folder, "a", &[]);
    let dataset = import(&folder, "a");
    let report = dataset.report();
    assert_eq!((report.rows_read, report.rows_kept, report.items), (200_000, 200_000, 2_400));
    assert!(report.users > 5_000 && report.users <= 6_000, "{}", report.users);
    let items = dataset.items().unwrap();
    let names: HashSet<_> = items.iter().map(|item| item.name.clone().unwrap()).collect();
    let categories: HashSet<_> = items.iter().map(|item| item.category.clone().unwrap()).collect();
    assert_eq!((names.len(), categories.len()), (2_400, 24));
    assert!(items.iter().any(|item| item.stock == Some(0.0)));
    assert!(items.iter().all(|item| item.price.unwrap() > 0.0));

    let events: Vec<Event> = dataset.events().unwrap().map(Result::unwrap).collect();
    assert!(events.is_sorted_by_key(|event| event.time));
    check_anonymous(&events);
    check_popularity(&events);
    check_order(&events);
    check_season(&events);
}

fn views_by_session(events: &[Event]) -> HashMap<&str, Vec<&str>> {
    let mut sessions: HashMap<&str, Vec<&str>> = HashMap::new();
    for event in events.iter().filter(|event| event.event == "view") {
        sessions.entry(event.session.as_deref().unwrap()).or_default().push(&event.item);
    }
    sessions
}

fn check_anonymous(events: &[Event]) {
    let share = events.iter().filter(|event| event.user.is_none()).count() as f64 / events.len() as f64;
    assert!((0.15..0.25).contains(&share), "{share}");
}

/// The most viewed tenth of the items has 35 to 75 % of the views.
fn check_popularity(events: &[Event]) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    events.iter().for_each(|event| *counts.entry(&event.item).or_default() += 1);
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let head: usize = counts.iter().take(240).sum();
    let share = head as f64 / events.len() as f64;
    assert!((0.35..0.75).contains(&share), "{share}");
}

/// The most frequent successor of an item, learnt on one half of the sessions, is hit in the other half many
/// times as often as the most popular item.
fn check_order(events: &[Event]) {
    let sessions = views_by_session(events);
    let half = |parity: usize| {
        let number = |session: &str| session[1..].parse::<usize>().unwrap();
        sessions.iter().filter(move |(session, _)| number(session) % 2 == parity).map(|(_, items)| items)
    };
    let mut next: HashMap<&str, HashMap<&str, usize>> = HashMap::new();
    let mut popular: HashMap<&str, usize> = HashMap::new();
    for items in half(0) {
        for pair in items.windows(2) {
            *next.entry(pair[0]).or_default().entry(pair[1]).or_default() += 1;
            *popular.entry(pair[1]).or_default() += 1;
        }
    }
    let top = |counts: &HashMap<&'_ str, usize>| {
        counts.iter().max_by_key(|(item, count)| (**count, **item)).map(|(item, _)| (*item).to_owned())
    };
    let best: HashMap<&str, String> =
        next.iter().map(|(item, counts)| (*item, top(counts).unwrap())).collect();
    let most = top(&popular).unwrap();
    let (mut pairs, mut by_order, mut by_popularity) = (0, 0, 0);
    for items in half(1) {
        for pair in items.windows(2) {
            pairs += 1;
            by_order += usize::from(best.get(pair[0]).is_some_and(|item| item == pair[1]));
            by_popularity += usize::from(pair[1] == most);
        }
    }
    assert!(by_order > 5 * by_popularity, "{by_order} against {by_popularity} of {pairs}");
    assert!(by_order * 20 > pairs, "{by_order} of {pairs}");
}

/// Christmas goods are looked at in December far more than in July.
fn check_season(events: &[Event]) {
    let share = |from: i64, to: i64| {
        let month: Vec<_> = events.iter().filter(|e| (from..to).contains(&(e.time / 1_000_000))).collect();
        month.iter().filter(|e| e.item.starts_with("FX")).count() as f64 / month.len() as f64
    };
    let july = share(1_719_792_000, 1_722_470_400);
    let december = share(1_733_011_200, 1_735_689_600);
    assert!(december > 4.0 * july, "{july} in July, {december} in December");
}
