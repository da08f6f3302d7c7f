//! New items by a text model: through the program, with real models, found where words and letters have nothing in common.
//!
//! `ENDCAP_SMOLLM2` and `ENDCAP_MINILM` name their files; without them these tests say so and pass, but not in CI.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Folder, ok, refused, text};
use endcap_core::AlignedBytes;
use endcap_core::ItemIx;
use endcap_core::format::{Model, Verify};
use endcap_core::recommend::{Engine, Request, Scratch, Source, Strategy};

/// A new item, the one that it means the same as, and what is bought with that.
///
/// No word and no three letters of a new name are in any other name of the shop, so that hashed features cannot find it.
const NEW: [(&str, &str, &str); 3] = [
    ("crimson mug", "red cup", "tea kettle"),
    ("infant pyjamas", "baby sleepsuit", "cot mobile"),
    ("puppy leash", "dog lead", "chew bone"),
];
/// What else the shop sells, in pairs that are bought together.
const OTHERS: [(&str, &str); 5] = [
    ("garden spade", "watering can"),
    ("bicycle pump", "spare tyre"),
    ("oil paint", "canvas frame"),
    ("winter scarf", "wool gloves"),
    ("desk lamp", "light bulb"),
];

/// The file of a model, or `None`, said.
fn model(variable: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => Some(path.into()),
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("{variable} is not set"),
        None => {
            println!("skipped: {variable} does not name the model's file");
            None
        }
    }
}

/// A shop whose items are named by their ids; the new ones have no events.
fn dataset(folder: &Folder) -> PathBuf {
    let mut events = "session,item,time\n".to_owned();
    let mut items = "item,name\n".to_owned();
    let pairs = NEW.iter().map(|(_, known, with)| (*known, *with)).chain(OTHERS);
    for (number, (one, other)) in pairs.enumerate() {
        items.push_str(&format!("{one},{one}\n{other},{other}\n"));
        for visit in 0..6 {
            let time = 1_700_000_000 + visit * 86_400 + number * 60;
            events
                .push_str(&format!("{number}-{visit},{one},{time}\n{number}-{visit},{other},{}\n", time + 5));
        }
    }
    NEW.iter().for_each(|(new, _, _)| items.push_str(&format!("{new},{new}\n")));
    let (events, items) = (folder.file("events.csv", events), folder.file("items.csv", items));
    let dataset = folder.path("dataset");
    ok(&["import", text(&events), "--catalog", text(&items), "--out", text(&dataset)]);
    dataset
}

/// Trains and packs with these further arguments.
fn trained(folder: &Folder, name: &str, more: &[&str]) -> Model {
    let (dataset, out) = (folder.path("dataset"), folder.path(name));
    let file = folder.path(&format!("{name}.wasm"));
    ok(&[&["train", text(&dataset), "--out", text(&out)], more].concat());
    ok(&["pack", text(&out), "--out", text(&file)]);
    Model::open(AlignedBytes::copy_from(&std::fs::read(file).unwrap()), Verify::Full).unwrap()
}

fn number(model: &Model, id: &str) -> ItemIx {
    (0..model.items().len() as ItemIx).find(|&item| model.items().get(item).id == id).unwrap()
}

/// The item that a new one reads most like, if any.
fn nearest(model: &Model, id: &str) -> Option<String> {
    let near = Engine::new(model).neighbors(number(model, id), &mut Scratch::default());
    near.first().map(|&(item, _)| model.items().get(item).id.to_owned())
}

/// New items among what is recommended after one item, and whether because of their texts.
fn recommended(model: &Model, after: &str) -> Vec<String> {
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    let history = [number(model, after)];
    let request = Request {
        n: 3,
        history: &history,
        strategy: Strategy::Personal,
        fallback: false,
        ..Request::default()
    };
    Engine::new(model).recommend(&request, &mut scratch, &mut out);
    let by_text = out.iter().filter(|found| found.source == Source::Content);
    by_text.map(|found| model.items().get(found.item).id.to_owned()).collect()
}

#[test]
fn without_a_text_model_other_words_are_not_found() {
    let folder = Folder::new();
    dataset(&folder);
    let model = trained(&folder, "words", &[]);
    for (new, _, with) in NEW {
        assert_eq!(nearest(&model, new), None, "{new}");
        assert!(recommended(&model, with).is_empty(), "{new}");
    }
}

/// A sentence encoder knows synonyms.
#[test]
fn a_sentence_encoder_finds_what_means_the_same() {
    let Some(file) = model("ENDCAP_MINILM") else { return };
    let folder = Folder::new();
    dataset(&folder);
    let model = trained(&folder, "meaning", &["--text-model", text(&file)]);
    for (new, known, with) in NEW {
        assert_eq!(nearest(&model, new).as_deref(), Some(known));
        assert!(recommended(&model, with).contains(&new.to_owned()), "{new} after {with}");
    }
    let content = model.manifest().parameters.content.clone().unwrap().text.unwrap();
    assert_eq!((content.model.as_str(), content.sha256.len()), ("model.gguf", 64));
    assert!(ok(&["inspect", text(&folder.path("meaning.wasm"))]).contains(&content.sha256));
}

/// A language model was never taught which texts are alike, and one of this size knows no synonyms: this shows that it can be
/// asked, and no more. What it is worth on a real catalogue is in `benches/results`.
#[test]
fn a_decoder_is_asked_as_well() {
    let Some(file) = model("ENDCAP_SMOLLM2") else { return };
    let folder = Folder::new();
    dataset(&folder);
    let model = trained(&folder, "meaning", &["--text-model", text(&file), "--text-weight", "0.9"]);
    for (new, _, _) in NEW {
        let near = Engine::new(&model).neighbors(number(&model, new), &mut Scratch::default());
        assert!(
            !near.is_empty() && near.iter().all(|(_, likeness)| (0.1..=1.0).contains(likeness)),
            "{near:?}"
        );
    }
    let text = model.manifest().parameters.content.clone().unwrap().text.unwrap();
    assert_eq!((text.model.as_str(), text.weight), ("model.gguf", 0.9));
}

#[test]
fn the_same_on_one_core_and_on_all() {
    let Some(file) = model("ENDCAP_MINILM") else { return };
    let folder = Folder::new();
    let dataset = dataset(&folder);
    let train = |name: &str, threads: &str| {
        let out = folder.path(name);
        let status = Command::new(env!("CARGO_BIN_EXE_endcap-model"))
            .args(["train", text(&dataset), "--out", text(&out), "--text-model", text(&file)])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap()
            .status;
        assert!(status.success());
        std::fs::read(out.join("endcap.content")).unwrap()
    };
    assert_eq!(train("one", "1"), train("three", "3"));
}

#[test]
fn a_file_that_is_no_text_model_is_refused() {
    let folder = Folder::new();
    let dataset = dataset(&folder);
    let out = folder.path("trained");
    let train = |file: &str, code, words: &[&str]| {
        refused(&["train", text(&dataset), "--out", text(&out), "--text-model", file], code, words);
        assert!(!out.exists(), "nothing is written");
    };
    train("absent.gguf", 2, &["cannot read the text model absent.gguf", "No such file"]);
    let other = folder.file("other.gguf", "item,name\n1,cup\n");
    train(text(&other), 2, &["other.gguf is no text model", "not a GGUF file", "give a GGUF file"]);
    for variable in ["ENDCAP_MINILM", "ENDCAP_SMOLLM2"] {
        let Some(file) = model(variable) else { continue };
        let whole = std::fs::read(file).unwrap();
        let cut = folder.file("cut.gguf", &whole[..whole.len() / 2]);
        train(text(&cut), 2, &["cut.gguf is no text model", "ends too early"]);
        let more = ["--text-model", text(&cut), "--content-below", "0"];
        let all = [&["train", text(&dataset), "--out", text(&out)], &more[..]].concat();
        refused(&all, 2, &["leave out one of the two"]);
    }
}

#[test]
fn a_shop_without_names_is_told() {
    let Some(file) = model("ENDCAP_MINILM") else { return };
    let folder = Folder::new();
    let events = folder.file("events.csv", "session,item,time\na,1,1700000000\na,2,1700000005\n");
    let dataset = folder.path("dataset");
    ok(&["import", text(&events), "--out", text(&dataset)]);
    let out = folder.path("trained");
    let words = ["no item has a name or a category", "leave out --text-model"];
    refused(&["train", text(&dataset), "--out", text(&out), "--text-model", text(&file)], 2, &words);
}
