//! Train, pack, inspect: through the program, on a simulated shop and on files that are not what they should be.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod common;

use common::{Folder, endcap, ok, refused, text};
use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify, sections};
use endcap_core::recommend::{Engine, Request, Scratch, Source, Strategy};
use serde_json::Value;

/// A small simulated shop, imported.
fn dataset(folder: &Folder) -> std::path::PathBuf {
    let (shop, dataset) = (folder.path("shop"), folder.path("dataset"));
    ok(&[
        "simulate",
        "--out",
        text(&shop),
        "--items",
        "300",
        "--users",
        "200",
        "--events",
        "8000",
        "--days",
        "60",
    ]);
    let (events, items) = (shop.join("events.csv.gz"), shop.join("items.csv"));
    ok(&["import", text(&events), "--catalog", text(&items), "--out", text(&dataset)]);
    dataset
}

#[test]
fn from_a_shop_to_a_model_that_answers() {
    let folder = Folder::new();
    let (dataset, trained, file) = (dataset(&folder), folder.path("trained"), folder.path("model.wasm"));
    let summary = ok(&["train", text(&dataset), "--out", text(&trained), "--name", "north"]);
    assert!(summary.contains("sessions in the kNN index"), "{summary}");
    ok(&["pack", text(&trained), "--out", text(&file)]);
    let bytes = std::fs::read(&file).unwrap();
    wasmparser::validate(&bytes).expect("a valid Wasm module");
    let model = Model::open(AlignedBytes::copy_from(&bytes), Verify::Full).unwrap();
    assert_eq!(model.manifest().name, "north");
    assert_eq!(model.items().len(), 300, "items without events are in the catalogue as well");
    assert!((0..300).all(|item| !model.items().get(item).name.is_empty()));
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    let request = Request { n: 10, history: &[0, 1], strategy: Strategy::Session, ..Request::default() };
    Engine::new(&model).recommend(&request, &mut scratch, &mut out);
    assert_eq!(out.len(), 10);
    let shown: Value = serde_json::from_str(&ok(&["inspect", text(&file), "--json"])).unwrap();
    assert_eq!(shown["name"], "north");
    assert_eq!(shown["data"]["items"], 300);
    let shown = ok(&["inspect", text(&file)]);
    assert!(shown.contains("endcap.sessions") && shown.contains("endcap.linear"), "{shown}");
    assert!(shown.contains("local, "), "how the linear model was made: {shown}");
    let request = Request { strategy: Strategy::Linear, fallback: false, ..request };
    out.clear();
    Engine::new(&model).recommend(&request, &mut scratch, &mut out);
    assert!(!out.is_empty(), "the linear model is made by default");
}

#[test]
fn a_model_without_a_linear_part_is_what_it_was() {
    let folder = Folder::new();
    let (dataset, trained, file) = (dataset(&folder), folder.path("trained"), folder.path("model.wasm"));
    // Into the folder of a training that had one: its section must not come back.
    ok(&["train", text(&dataset), "--out", text(&trained)]);
    ok(&["train", text(&dataset), "--out", text(&trained), "--linear-method", "none"]);
    ok(&["pack", text(&trained), "--out", text(&file)]);
    let shown = ok(&["inspect", text(&file)]);
    assert!(!shown.contains("endcap.linear") && shown.contains("linear model"), "{shown}");
}

#[test]
fn the_same_log_gives_the_same_sections() {
    let folder = Folder::new();
    let dataset = dataset(&folder);
    let digests = |out: &str| -> Value {
        let trained = folder.path(out);
        ok(&["train", text(&dataset), "--out", text(&trained)]);
        let manifest = ok(&["pack", text(&trained), "--out", text(&folder.path("m.wasm")), "--json"]);
        serde_json::from_str::<Value>(&manifest).unwrap()["sections"].clone()
    };
    assert_eq!(digests("a"), digests("b"));
}

#[test]
fn a_damaged_model_is_refused_by_name() {
    let folder = Folder::new();
    let (trained, file) = (folder.path("trained"), folder.path("model.wasm"));
    ok(&["train", text(&dataset(&folder)), "--out", text(&trained)]);
    ok(&["pack", text(&trained), "--out", text(&file)]);
    let whole = std::fs::read(&file).unwrap();
    for raw in sections(&whole).unwrap() {
        let mut damaged = whole.clone();
        damaged[raw.payload.end - 1] ^= 1;
        let name = if raw.name == "endcap.seal" { "endcap.manifest" } else { raw.name };
        refused(
            &["inspect", text(&folder.file("damaged.wasm", damaged))],
            2,
            &["damaged", name, "pack it again"],
        );
    }
    refused(&["inspect", text(&folder.file("cut.wasm", &whole[..whole.len() / 2]))], 2, &["ends at byte"]);
    refused(&["inspect", text(&folder.file("text.wasm", "hello"))], 2, &["not a Wasm module"]);
    refused(&["inspect", text(&folder.path("absent.wasm"))], 2, &["absent.wasm", "cannot read"]);
}

#[test]
fn a_failed_pack_leaves_the_old_model() {
    let folder = Folder::new();
    let (trained, file) = (folder.path("trained"), folder.path("model.wasm"));
    ok(&["train", text(&dataset(&folder)), "--out", text(&trained)]);
    ok(&["pack", text(&trained), "--out", text(&file)]);
    let before = std::fs::read(&file).unwrap();
    refused(
        &["pack", text(&trained), "--out", text(&file), "--encoder-forms", "gguf"],
        2,
        &["--encoder-forms", "there is no encoder"],
    );
    refused(
        &["pack", text(&trained), "--out", text(&file), "--max-bytes", "1000"],
        2,
        &["more than", "--knn-sample"],
    );
    // A section that `train` did not write.
    std::fs::write(trained.join("endcap.sessions"), b"not arrays").unwrap();
    refused(&["pack", text(&trained), "--out", text(&file)], 1, &["endcap.sessions"]);
    std::fs::remove_file(trained.join("endcap.sessions")).unwrap();
    refused(&["pack", text(&trained), "--out", text(&file)], 2, &["endcap-model train"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn too_little_to_learn_from_is_said() {
    let folder = Folder::new();
    let single = "user,item,time\nu1,a,2024-01-01\nu2,b,2024-01-02\n";
    let dataset = folder.path("out");
    folder.import_text(single, &[]).dataset();
    refused(
        &["train", text(&dataset), "--out", text(&folder.path("t"))],
        2,
        &["too few events", "--map session"],
    );
    refused(&["train", text(&folder.path("nowhere")), "--out", text(&folder.path("t"))], 2, &["nowhere"]);
}

#[test]
fn one_user_with_one_visit_is_enough() {
    let folder = Folder::new();
    let one = "user,item,time\nu1,a,2024-01-01 10:00\nu1,b,2024-01-01 10:01\nu1,c,2024-01-01 10:02\n";
    folder.import_text(one, &[]).dataset();
    let (dataset, trained, file) = (folder.path("out"), folder.path("t"), folder.path("m.wasm"));
    ok(&["train", text(&dataset), "--out", text(&trained)]);
    ok(&["pack", text(&trained), "--out", text(&file)]);
    let model = Model::open(AlignedBytes::copy_from(&std::fs::read(&file).unwrap()), Verify::Full).unwrap();
    let a = model.items().find("a").unwrap();
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    Engine::new(&model).recommend(&Request { history: &[a], ..Request::default() }, &mut scratch, &mut out);
    let mut found: Vec<&str> = out.iter().map(|found| model.items().id(found.item)).collect();
    found.sort_unstable();
    assert_eq!(found, ["b", "c"]);
}

#[test]
fn out_of_range_parameters_are_refused_by_the_command_line() {
    for args in [
        ["--knn-last", "11"],
        ["--knn-sample", "0"],
        ["--blend-knn", "nan"],
        ["--together-history", "51"],
        ["--linear-lambda", "0"],
        ["--linear-lambda", "nan"],
        ["--linear-dropout", "1"],
        ["--linear-decay", "0"],
        ["--linear-method", "svd"],
    ] {
        refused(&[&["train", "x", "--out", "y"][..], &args[..]].concat(), 2, &[args[0]]);
    }
}

#[test]
fn a_new_item_is_found_by_what_it_is_called() {
    let folder = Folder::new();
    let (events, catalogue) = (folder.path("events.csv"), folder.path("items.csv"));
    let (dataset, trained, file) =
        (folder.path("dataset"), folder.path("trained"), folder.path("model.wasm"));
    let rows: String = (0..80)
        .map(|visit| {
            let [one, other] = if visit % 2 == 0 { ["cup", "saucer"] } else { ["lamp", "bulb"] };
            let time = format!("2026-01-{:02}T10:{:02}", 1 + visit / 8, visit % 8);
            format!("u{visit},s{visit},{one},view,{time}:00Z\nu{visit},s{visit},{other},view,{time}:30Z\n")
        })
        .collect();
    std::fs::write(&events, format!("user,session,item,event,timestamp\n{rows}")).unwrap();
    let items = "item,name\ncup,Red cup\nsaucer,Saucer\nlamp,Brass lamp\nbulb,Bulb\nnew,\"Red cup, large\"\n";
    std::fs::write(&catalogue, items).unwrap();
    ok(&["import", text(&events), "--catalog", text(&catalogue), "--out", text(&dataset)]);
    let listed = |more: &[&str]| {
        ok(&[&["train", text(&dataset), "--out", text(&trained)], more].concat());
        ok(&["pack", text(&trained), "--out", text(&file), "--force"]);
        let model =
            Model::open(AlignedBytes::copy_from(&std::fs::read(&file).unwrap()), Verify::Full).unwrap();
        let item = |id| model.items().find(id).unwrap();
        let (mut scratch, mut out) = (Scratch::default(), Vec::new());
        let request = Request { history: &[item("saucer")], fallback: false, ..Request::default() };
        Engine::new(&model).recommend(&request, &mut scratch, &mut out);
        let mut near = |id| {
            Engine::new(&model)
                .neighbors(item(id), &mut scratch)
                .into_iter()
                .map(|(other, _)| other)
                .collect()
        };
        let (new, cup): (Vec<_>, Vec<_>) = (near("new"), near("cup"));
        (
            out.iter()
                .map(|found| (model.items().id(found.item).to_owned(), found.source))
                .collect::<Vec<_>>(),
            new == [item("cup")],
            cup == [item("saucer"), item("new")],
        )
    };
    let (found, near, found_near) = listed(&[]);
    assert_eq!(found[0].0, "cup");
    assert_eq!(found[1], ("new".to_owned(), Source::Content), "{found:?}");
    assert!(near && found_near && found.len() == 2, "{found:?}");
    let (found, near, found_near) = listed(&["--content-below", "0"]);
    assert!(!near && !found_near && found.len() == 1, "{found:?}");
}

#[test]
fn a_log_of_single_events_is_learned_from_where_a_user_is_one_visit() {
    let folder = Folder::new();
    let mut log = "user,item,time\n".to_owned();
    for user in 0..60 {
        for day in 0..4 {
            let item = (user + day) % 12;
            log.push_str(&format!("u{user},i{item},{}\n", 1_700_000_000 + day * 86_400 + user));
        }
    }
    let imported = folder.import_text(&log, &[]);
    imported.dataset();
    let (dataset, trained) = (folder.path("out"), folder.path("trained"));
    let train = ["train", text(&dataset), "--out", text(&trained)];
    let told = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = endcap(&train);
    assert_eq!(refused.status.code(), Some(2));
    let said = told(&refused);
    assert!(
        said.contains("note: 100 % of the visits have one event") && said.contains("--session-gap 0"),
        "{said}"
    );
    assert!(said.contains("too few events to train on: 240 events, 240 sessions, 12 items"), "{said}");
    let trial = endcap(&[&train[..], &["--session-gap", "0"]].concat());
    assert!(trial.status.success() && !told(&trial).contains("note:"), "{}", told(&trial));
    let model = folder.path("model.wasm");
    ok(&["pack", text(&trained), "--out", text(&model)]);
    assert!(ok(&["inspect", text(&model)]).contains("endcap.transitions"));
}
