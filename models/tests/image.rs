//! `endcap-model image`: what is in the archive, that it is the same twice, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::{Folder, endcap, json};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A model that the format's own tests keep.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/core/tests/golden/v1.model.wasm");

/// A core module with one custom section.
fn module(section: &str, data: &[u8]) -> Vec<u8> {
    let payload = [&[section.len() as u8], section.as_bytes(), data].concat();
    [b"\0asm\x01\0\0\0\0".as_slice(), &[payload.len() as u8], &payload].concat()
}

/// As WasmEdge 0.14.1 compiles it, as far as an image cares.
fn compiled() -> Vec<u8> {
    module("wasmedge", &[1, 1, 1, 42])
}

/// A component that imports and exports nothing.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a tar: mode and bytes.
fn files(tar: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0));
        let (path, mode) = (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, (mode, bytes));
    }
    files
}

/// An archive, every blob of which has the digest and the size that it is named by.
struct Image(BTreeMap<String, (u32, Vec<u8>)>);

impl Image {
    fn read(path: &Path) -> Self {
        let image = Self(files(&std::fs::read(path).unwrap()));
        for (path, (_, bytes)) in &image.0 {
            if let Some(sum) = path.strip_prefix("blobs/sha256/") {
                assert_eq!(sum, hex(bytes));
            }
        }
        assert_eq!(image.file("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }));
        image
    }

    fn file(&self, path: &str) -> Value {
        serde_json::from_slice(&self.0[path].1).unwrap()
    }

    fn blob(&self, descriptor: &Value) -> &[u8] {
        let digest = descriptor["digest"].as_str().unwrap();
        let (_, bytes) = &self.0[&format!("blobs/{}", digest.replace(':', "/"))];
        assert_eq!(descriptor["size"], bytes.len());
        bytes
    }

    fn json(&self, descriptor: &Value) -> Value {
        serde_json::from_slice(self.blob(descriptor)).unwrap()
    }
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

struct Shop {
    folder: Folder,
    app: PathBuf,
    out: PathBuf,
}

impl Shop {
    fn new(app: &[u8]) -> Self {
        let folder = Folder::new();
        Self { app: folder.file("app.wasm", app), out: folder.path("image.tar"), folder }
    }

    fn image(&self, options: &[&str]) -> std::process::Output {
        let fixed = ["image", "--app", text(&self.app), "--out", text(&self.out)];
        endcap(&[&fixed, options].concat())
    }
}

#[test]
fn the_archive_holds_the_service_and_the_model_and_nothing_else() {
    let shop = Shop::new(&compiled());
    let name = "registry.example/endcap/service:1.2";
    let about = ["--created", "2026-11-23T01:02:03Z", "--revision", "abc", "--image-version", "1.2"];
    let said = json(&shop.image(&[&["--model", MODEL, "--reference", name, "--json"], &about[..]].concat()));
    let image = Image::read(&shop.out);
    let index = image.file("index.json");
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], said["digest"]);
    assert_eq!(entry["annotations"]["io.containerd.image.name"], name);
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "1.2");
    assert_eq!(entry["platform"], json!({ "os": "linux", "architecture": "amd64" }));

    let manifest = image.json(entry);
    assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat-smart");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.revision"], "abc");
    let config = image.json(&manifest["config"]);
    assert_eq!(config["config"]["Entrypoint"], json!(["/app.wasm"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Env"], json!(["MODEL_PATH=/model.wasm"]));
    assert_eq!(config["created"], "2026-11-23T01:02:03Z");
    assert_eq!(config["config"]["Labels"]["endcap.io/app-aot"], "wasmedge-1");
    let model = std::fs::read(MODEL).unwrap();
    assert_eq!(config["config"]["Labels"]["endcap.io/model-bytes"], model.len().to_string());

    let expected = [("app.wasm", 0o755, compiled()), ("model.wasm", 0o644, model)];
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), expected.len());
    for (at, (path, mode, bytes)) in expected.into_iter().enumerate() {
        let tar = gunzip(image.blob(&layers[at]));
        assert_eq!(config["rootfs"]["diff_ids"][at], format!("sha256:{}", hex(&tar)));
        assert_eq!(files(&tar), BTreeMap::from([(path.to_owned(), (mode, bytes))]));
    }
    assert_eq!(
        said["bytes"],
        image
            .0
            .iter()
            .filter(|(path, _)| path.starts_with("blobs/"))
            .map(|(_, (_, b))| b.len())
            .sum::<usize>()
    );
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let shop = Shop::new(&compiled());
    // A process each, so that hash maps are in another order each time.
    let mut images = Vec::new();
    for _ in 0..4 {
        assert!(shop.image(&["--model", MODEL]).status.success());
        images.push(std::fs::read(&shop.out).unwrap());
    }
    assert!(images.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(shop.image(&["--model", MODEL, "--revision", "other"]).status.success());
    assert_ne!(images[0], std::fs::read(&shop.out).unwrap());
}

#[test]
fn a_bill_of_materials_names_every_crate_and_both_files() {
    let shop = Shop::new(&compiled());
    let crates = shop
        .folder
        .file("crates", "anyhow v1.0.104\tMIT OR Apache-2.0\nold v0.1.0 (/somewhere)\tMIT/Apache-2.0 (*)\n");
    let bill = shop.folder.path("bill.json");
    let options = ["--model", MODEL, "--sbom", text(&bill), "--crates", text(&crates)];
    assert!(shop.image(&options).status.success());
    let first = std::fs::read(&bill).unwrap();
    let read: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!((&read["bomFormat"], &read["specVersion"]), (&json!("CycloneDX"), &json!("1.5")));
    let components = read["components"].as_array().unwrap();
    let names: Vec<&str> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["app.wasm", "model.wasm", "anyhow", "old"]);
    assert_eq!(components[0]["hashes"], json!([{ "alg": "SHA-256", "content": hex(&compiled()) }]));
    assert_eq!(components[2]["purl"], "pkg:cargo/anyhow@1.0.104");
    assert_eq!(components[3]["licenses"], json!([{ "expression": "MIT OR Apache-2.0" }]));
    assert!(!String::from_utf8_lossy(&first).contains("/somewhere"), "no path of the building machine");
    assert!(shop.image(&options).status.success());
    assert_eq!(first, std::fs::read(&bill).unwrap());
}

#[test]
fn a_component_is_an_artifact_for_registries_of_wasm() {
    let folder = Folder::new();
    let (component, out) = (folder.file("c.wasm", COMPONENT), folder.path("c.tar"));
    let said = json(&endcap(&["image", "--component", text(&component), "--out", text(&out), "--json"]));
    let image = Image::read(&out);
    let entry = &image.file("index.json")["manifests"][0];
    assert_eq!(entry["digest"], said["digest"]);
    let manifest = image.json(entry);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[0]["mediaType"]), (1, &json!("application/wasm")));
    assert_eq!(image.blob(&layers[0]), COMPONENT);
    let config = image.json(&manifest["config"]);
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["layerDigests"], json!([format!("sha256:{}", hex(COMPONENT))]));
}

#[test]
fn what_cannot_run_is_refused_and_what_was_there_stays() {
    let model = std::fs::read(MODEL).unwrap();
    let cut = &model[..model.len() - 9];
    for (app, model, expected) in [
        (module("other", b""), &model[..], "not compiled ahead of time"),
        (module("wasmedge", &[2, 1, 1]), &model, "compiled for another WasmEdge"),
        (module("wasmedge", &[1, 2, 1]), &model, "compiled for another WasmEdge"),
        (module("wasmedge", &[1]), &model, "cut off"),
        (b"MZ".to_vec(), &model, "not a Wasm module"),
        (COMPONENT.to_vec(), &model, "WasmEdge runs core modules"),
        (compiled(), cut, "model.wasm: "),
        (compiled(), b"", "model.wasm: "),
    ] {
        let shop = Shop::new(&app);
        let model = shop.folder.file("model.wasm", model);
        std::fs::write(&shop.out, "before").unwrap();
        let output = shop.image(&["--model", text(&model)]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(std::fs::read(&shop.out).unwrap(), b"before");
    }
    let shop = Shop::new(&module("other", b""));
    assert!(shop.image(&["--model", MODEL, "--interpreted"]).status.success());
    let core = shop.folder.file("core.wasm", compiled());
    let output = endcap(&["image", "--component", text(&core), "--out", text(&shop.out)]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("not a component"));
    let crates = shop.folder.file("crates", "anyhow\n");
    let bill = shop.folder.path("bill");
    let output =
        Shop::new(&compiled()).image(&["--model", MODEL, "--sbom", text(&bill), "--crates", text(&crates)]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("line 1 of the list of crates"));
}
