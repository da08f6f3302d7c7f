//! Rankers of other tools: `pack --ranker` takes those that fit the feature specification, and says of others what
//! does not. The models come from Python: scikit-learn, LightGBM, and graphs written with `onnx`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Folder, endcap};
use serde_json::{Value, json};

const LIGHTGBM_COLUMNS: &str = "session,together,blended,popularity_rank";

/// A small trained shop, and a folder of models; `None` where tests are skipped.
struct Shop {
    folder: Folder,
    trained: PathBuf,
}

impl Shop {
    fn new() -> Option<Self> {
        let python = common::python()?;
        let folder = Folder::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/rankers.py");
        let made =
            Command::new(python).args(["-W", "ignore"]).arg(script).arg(folder.path("")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (shop, dataset, trained) = (folder.path("shop"), folder.path("dataset"), folder.path("trained"));
        let size = ["--items", "300", "--users", "200", "--events", "8000", "--days", "60"];
        let run = |args: &[&str]| assert!(endcap(args).status.success(), "{args:?}");
        run(&[&["simulate", "--out", shop.to_str().unwrap()], &size[..]].concat());
        let (events, items) = (shop.join("events.csv.gz"), shop.join("items.csv"));
        let (events, items) = (events.to_str().unwrap(), items.to_str().unwrap());
        run(&["import", events, "--catalog", items, "--out", dataset.to_str().unwrap()]);
        run(&["train", dataset.to_str().unwrap(), "--out", trained.to_str().unwrap()]);
        Some(Self { folder, trained })
    }

    /// The specification that `pack` writes for a ranker, or what it says against it.
    fn pack(&self, ranker: &str, options: &[&str]) -> Result<Value, String> {
        let (ranker, out) = (self.folder.path(ranker), self.folder.path("model.wasm"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut args = vec!["pack".to_owned(), text(&self.trained), "--out".into(), text(&out)];
        args.extend(["--ranker".into(), text(&ranker)]);
        args.extend(options.iter().map(ToString::to_string));
        let output = endcap(&args.iter().map(String::as_str).collect::<Vec<_>>());
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(2), "bad input, not a failure of the system");
            assert!(!out.exists(), "nothing is written");
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        let shown = endcap(&["inspect", &text(&out), "--json"]).stdout;
        let shown: Value = serde_json::from_slice(&shown).unwrap();
        let names: Vec<_> =
            shown["sections"].as_array().unwrap().iter().map(|section| &section["name"]).collect();
        assert!(names.contains(&&json!("endcap.ranker.onnx")));
        std::fs::remove_file(&out).unwrap();
        Ok(shown["parameters"]["ranker"].clone())
    }
}

#[test]
fn rankers_of_other_tools_are_packed_with_what_they_take_and_give() {
    let Some(shop) = Shop::new() else { return };
    let output = |index: u32, name: &str, columns: u32| json!({ "index": index, "name": name, "columns": columns, "column": columns - 1 });
    let cases = [
        ("mlp.onnx", output(0, "variable", 1), true),
        ("boosted.onnx", output(0, "variable", 1), true),
        // The second output: the first is the label.
        ("boosted_classifier.onnx", output(1, "probabilities", 2), true),
        ("transformer.onnx", output(0, "score", 1), true),
        ("listwise.onnx", output(0, "score", 1), false),
    ];
    for (file, output, independent) in cases {
        let spec = shop.pack(file, &[]).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!((&spec["output"], &spec["independent_rows"]), (&output, &json!(independent)), "{file}");
        assert_eq!(spec["inputs"][0]["columns"].as_array().unwrap().len(), 12, "{file}");
    }
    let kinds = |spec: &Value| -> Vec<Value> {
        spec["inputs"].as_array().unwrap().iter().map(|input| input["kind"].clone()).collect()
    };
    assert_eq!(kinds(&shop.pack("transformer.onnx", &[]).unwrap()), ["features", "items", "history"]);
    let spec = shop.pack("lightgbm.onnx", &["--ranker-features", LIGHTGBM_COLUMNS]).unwrap();
    let columns: Vec<_> = LIGHTGBM_COLUMNS.split(',').collect();
    assert_eq!(spec["inputs"], json!([{ "kind": "features", "name": "features", "columns": columns }]));
    let spec = shop.pack("boosted_classifier.onnx", &["--ranker-output", "probabilities"]).unwrap();
    assert_eq!(spec["output"]["name"], "probabilities");
}

#[test]
fn what_is_no_ranker_is_refused_with_the_reason() {
    let Some(shop) = Shop::new() else { return };
    shop.folder.file("text.onnx", "hello");
    let whole = std::fs::read(shop.folder.path("mlp.onnx")).unwrap();
    shop.folder.file("cut.onnx", &whole[..whole.len() / 2]);
    let wrong_name = LIGHTGBM_COLUMNS.replace("_rank", "");
    let cases: [(&str, &[&str], &[&str]); 14] = [
        ("support_vectors.onnx", &[], &["operator SVMRegressor", "not supported"]),
        ("strings.onnx", &[], &["operator OneHotEncoder", "not supported"]),
        ("five_columns.onnx", &[], &["input `x` (f32 [?, 5])", "features f32 [N, 21]"]),
        ("lightgbm.onnx", &[], &["input `features` (f32 [?, 4])"]),
        ("lightgbm.onnx", &["--ranker-features", &wrong_name], &["feature `popularity`", "popularity_rank"]),
        ("one_row.onnx", &[], &["input `features` (f32 [1, 12])"]),
        ("small_table.onnx", &[], &["dry run with 7 items", "numbered up to 300", "index is 300"]),
        ("constant.onnx", &[], &["the same score"]),
        ("not_a_number.onnx", &[], &["dry run", "not finite"]),
        ("no_score.onnx", &[], &["no output can be the score", "`score` (i64 [?])"]),
        ("mlp.onnx", &["--ranker-output", "scores"], &["`variable` (f32 [?, 1])"]),
        ("text.onnx", &[], &["truncated or no protobuf"]),
        ("cut.onnx", &[], &["truncated or no protobuf"]),
        ("absent.onnx", &[], &["absent.onnx", "No such file"]),
    ];
    for (file, options, words) in cases {
        let message = shop.pack(file, options).expect_err(file);
        for word in words.iter().chain(&[file]) {
            assert!(message.contains(word), "{file}: `{word}` is not in: {message}");
        }
        assert_eq!(message.lines().count(), 1, "{file}: one line, and no stack: {message}");
    }
}
