//! A model that shall replace another: through the program, on simulated shops.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod common;

use std::path::{Path, PathBuf};

use common::{Folder, ok, refused, text};
use serde_json::Value;

/// A simulated shop of this many days, imported; the longer log begins with the shorter one's shoppers and items.
fn dataset(folder: &Folder, name: &str, days: &str) -> PathBuf {
    let (shop, dataset) = (folder.path(&format!("shop-{name}")), folder.path(&format!("dataset-{name}")));
    let size = ["--items", "400", "--users", "600", "--events", "40000", "--days", days];
    ok(&[&["simulate", "--out", text(&shop)], &size[..]].concat());
    ok(&[
        "import",
        text(&shop.join("events.csv.gz")),
        "--catalog",
        text(&shop.join("items.csv")),
        "--out",
        text(&dataset),
    ]);
    dataset
}

fn train(folder: &Folder, dataset: &Path, name: &str, more: &[&str]) -> PathBuf {
    let trained = folder.path(name);
    ok(&[&["train", text(dataset), "--out", text(&trained)], more].concat());
    trained
}

/// A list of what is popular, whoever asks.
const BROKEN: [&str; 6] = ["--blend-knn", "0", "--blend-linear", "0", "--blend-together", "0"];

#[test]
fn a_worse_model_is_refused_unless_forced_and_leaves_the_old_one() {
    let folder = Folder::new();
    let dataset = dataset(&folder, "a", "60");
    let (good, broken) = (train(&folder, &dataset, "good", &[]), train(&folder, &dataset, "broken", &BROKEN));
    let file = folder.path("model.wasm");
    let first = ok(&["pack", text(&good), "--out", text(&file)]);
    assert!(first.starts_with("packed"), "there is nothing to compare with: {first}");
    let before = std::fs::read(&file).unwrap();
    let words = ["worse than", "NDCG@10", "questions", "--force"];
    refused(&["pack", text(&broken), "--out", text(&file)], 2, &words);
    assert!(std::fs::read(&file).unwrap() == before, "the old model is whole");
    let told = ok(&["pack", text(&broken), "--out", text(&file), "--force"]);
    assert!(told.contains("compared with") && told.contains("items 0.000 apart"), "{told}");
    assert!(std::fs::read(&file).unwrap() != before);
    let told = ok(&["pack", text(&good), "--out", text(&file)]);
    assert!(told.contains("that neither has learned from"), "a better one is welcome: {told}");
    // An equal one as well, elsewhere too, and with no margin at all.
    let other = folder.path("other.wasm");
    ok(&["pack", text(&good), "--out", text(&other), "--replaces", text(&file), "--margin", "0"]);
}

#[test]
fn the_card_says_how_good_the_model_is_and_how_it_was_made() {
    let folder = Folder::new();
    let dataset = dataset(&folder, "a", "60");
    let file = folder.path("model.wasm");
    let metric = |more: &[&str]| {
        let trained = train(&folder, &dataset, "trained", more);
        let args = ["pack", text(&trained), "--out", text(&file), "--json", "--force"];
        let shown: Value = serde_json::from_str(&ok(&args)).unwrap();
        let commands: Vec<&str> = shown["card"]["commands"]
            .as_array()
            .unwrap()
            .iter()
            .map(|command| command.as_str().unwrap())
            .collect();
        assert_eq!(commands.len(), 2, "{commands:?}");
        assert!(commands[0].starts_with("endcap-model train dataset-a --out trained"), "{commands:?}");
        assert!(commands[1].starts_with("endcap-model pack trained --out model.wasm"), "{commands:?}");
        shown["card"]["metrics"]["kept_back_ndcg@10"].as_f64()
    };
    let (good, broken) = (metric(&[]).unwrap(), metric(&BROKEN).unwrap());
    assert!(good > 1.2 * broken, "{good} by all sources, {broken} by popularity");
    assert!(ok(&["inspect", text(&file)]).contains("kept_back_ndcg@10"));
    assert_eq!(metric(&["--keep-nothing-back"]), None);
    assert!(ok(&["pack", text(&folder.path("trained")), "--out", text(&file)]).contains("not compared"));
}

#[test]
fn another_catalogue_is_told_apart() {
    let folder = Folder::new();
    let dataset = dataset(&folder, "a", "60");
    let file = folder.path("model.wasm");
    ok(&["pack", text(&train(&folder, &dataset, "one", &[])), "--out", text(&file)]);
    // The same shop with ids that are written otherwise.
    let events = folder.path("renamed.csv");
    let header = "user,session,item,event,timestamp\n";
    let rows: String = (0..4_000)
        .map(|at| {
            let (user, item) = (at / 8, (at * 7 + at / 8) % 200);
            format!(
                "u{user},s{user},NEW-{item},view,2026-01-{:02}T{:02}:{:02}:00Z\n",
                1 + at / 200,
                at / 8 % 24,
                at % 60
            )
        })
        .collect();
    std::fs::write(&events, format!("{header}{rows}")).unwrap();
    let renamed = folder.path("dataset-renamed");
    ok(&["import", text(&events), "--out", text(&renamed)]);
    let trained = train(&folder, &renamed, "two", &[]);
    let args = ["pack", text(&trained), "--out", text(&file), "--max-drift", "0.6", "--margin", "1"];
    refused(&args, 2, &["1.000 apart", "--max-drift"]);
    let told = ok(&["pack", text(&trained), "--out", text(&file), "--force"]);
    assert!(told.contains("items 1.000 apart") && told.contains("ids that are written otherwise"), "{told}");
}

#[test]
fn what_is_no_model_is_refused_where_it_is_named() {
    let folder = Folder::new();
    let dataset = dataset(&folder, "a", "60");
    let trained = train(&folder, &dataset, "trained", &[]);
    let (file, text_file) = (folder.path("model.wasm"), folder.path("notes.txt"));
    std::fs::write(&text_file, "no model").unwrap();
    let pack = ["pack", text(&trained), "--out", text(&file)];
    let with = |option, value: &str, words: &[&str]| {
        refused(&[&pack[..], &[option, value]].concat(), 2, words);
    };
    with("--replaces", text(&text_file), &["notes.txt is no model"]);
    with("--replaces", text(&folder.path("gone.wasm")), &["gone.wasm"]);
    assert!(!file.exists());
    with("--margin", "5", &["0 to 1"]);
}
