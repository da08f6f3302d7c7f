//! Rankers of other tools, on every host: the same lists everywhere, and other lists than without them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod scenario;

use std::path::Path;
use std::process::Command;

use endcap_models::inference::{RankerOptions, inspect_ranker};
use scenario::hosts::{Hosts, Said, native, tool};
use scenario::{ITEMS, compare, model, with_models};

/// Each with the features of its columns; all of them where none are named.
const RANKERS: [(&str, Option<&[&str]>); 6] = [
    ("mlp", None),
    ("boosted", None),
    ("boosted_classifier", None),
    ("lightgbm", Some(&["session", "together", "blended", "popularity_rank"])),
    ("transformer", None),
    ("listwise", None),
];

/// The packed shop with the ranker of this file.
fn packed(folder: &Path, name: &str, columns: Option<&[&str]>) -> Vec<u8> {
    let onnx = std::fs::read(folder.join(format!("{name}.onnx"))).unwrap();
    let columns = columns.map(|columns| columns.iter().map(ToString::to_string).collect());
    let options = RankerOptions { columns, ..RankerOptions::default() };
    let spec = inspect_ranker(&onnx, ITEMS as usize, &options).unwrap();
    with_models("builtin", Some((onnx, spec)))
}

/// The models that `models/tests/python/rankers.py` makes.
fn made_by_python(python: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/python/rankers.py");
    let made = Command::new(python).args(["-W", "ignore"]).arg(script).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

/// Numbers of the items of each list that was ranked.
fn lists(said: &Said) -> Vec<Vec<u32>> {
    let number = |item: &serde_json::Value| item["item"].as_str().unwrap()[1..].parse().unwrap();
    said.answers
        .iter()
        .map(|answer| answer["items"].as_array().unwrap().iter().map(number).collect())
        .collect()
}

#[test]
fn rankers_of_other_tools_rank_alike_on_every_host() {
    let Some(hosts) = Hosts::find() else { return };
    let Some(python) = tool("ENDCAP_PYTHON", "make setup-tests") else { return };
    let folder = made_by_python(&python);
    let without = lists(&native(&model("builtin")));
    for (name, columns) in RANKERS {
        let file = packed(folder.path(), name, columns);
        let reference = native(&file);
        assert_ne!(lists(&reference), without, "{name} changes nothing");
        for (host, said) in hosts.ask(&file) {
            assert_eq!(said.ranker.as_deref(), Some("onnx"), "{host}, {name}");
            compare(&(host, name), &reference, &said);
        }
        println!("{name}: {} answers agree on every host", reference.answers.len());
    }
}

#[test]
fn the_rankers_order_is_the_answers() {
    let Some(python) = tool("ENDCAP_PYTHON", "make setup-tests") else { return };
    let folder = made_by_python(&python);
    let found = lists(&native(&packed(folder.path(), "unpopular_first", None)));
    let without = lists(&native(&model("builtin")));
    let mut ranked = 0;
    for (found, without) in found.iter().zip(&without) {
        // Lists by a strategy other than `personal`, or of nothing known, are not ranked.
        if found != without {
            // Numbers are places by popularity, from the most popular.
            assert!(found.is_sorted_by(|one, next| one > next), "{found:?}");
            ranked += 1;
        }
    }
    assert_eq!(ranked, 3, "the scenarios with a history and the strategy `personal`");
}
