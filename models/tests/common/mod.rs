//! Runs the real binary on files made in a temporary folder.

// Each test file uses its own part of this, and helpers of tests are tests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::rc::Rc;

use endcap_models::dataset::{Dataset, Event};
use serde_json::Value;

/// A temporary folder of inputs and outputs.
pub(crate) struct Folder {
    dir: Rc<tempfile::TempDir>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { dir: Rc::new(tempfile::tempdir().unwrap()) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Imports `file` with further arguments into `out`.
    pub(crate) fn import(&self, file: &Path, args: &[&str]) -> Ran {
        let out = self.path("out");
        let mut all = vec!["import", file.to_str().unwrap(), "--out", out.to_str().unwrap()];
        all.extend(args);
        Ran { output: endcap(&all), out, _dir: self.dir.clone() }
    }

    /// Imports a file with this content.
    pub(crate) fn import_text(&self, content: impl AsRef<[u8]>, args: &[&str]) -> Ran {
        let file = self.file("log.csv", content);
        self.import(&file, args)
    }
}

/// A Python with what set-up installs for tests; without it a test says so and ends, and fails in CI.
pub(crate) fn python() -> Option<std::ffi::OsString> {
    let found = std::env::var_os("ENDCAP_PYTHON");
    if found.is_none() {
        let reason = "ENDCAP_PYTHON is not set: run `make setup-tests`, and the tests by `make test`";
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
        eprintln!("skipped: {reason}");
    }
    found
}

/// Runs the binary.
pub(crate) fn endcap(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_endcap-model")).args(args).output().unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a run that succeeds prints.
#[track_caller]
pub(crate) fn ok(args: &[&str]) -> String {
    let output = endcap(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a run says that ends with this code.
#[track_caller]
pub(crate) fn refused(args: &[&str], code: i32, words: &[&str]) {
    let output = endcap(args);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An import that has run.
pub(crate) struct Ran {
    pub output: Output,
    out: PathBuf,
    /// Keeps the folder until the last look at the dataset.
    _dir: Rc<tempfile::TempDir>,
}

impl Ran {
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Must have succeeded, and its numbers must add up.
    #[track_caller]
    pub(crate) fn dataset(&self) -> Dataset {
        assert_eq!(self.output.status.code(), Some(0), "{}", self.stderr());
        let dataset = Dataset::open(&self.out).unwrap();
        let report = dataset.report();
        let dropped: u64 = report.dropped.iter().map(|drop| drop.count).sum();
        assert_eq!(report.rows_read, report.rows_kept + dropped);
        assert_eq!(report.rows_read, report.sources.iter().map(|source| source.rows).sum::<u64>());
        assert_eq!(report.rows_kept, dataset.events().unwrap().count() as u64);
        assert_eq!(report.rows_kept, report.events.values().sum::<u64>());
        assert_eq!(report.items, dataset.items().unwrap().len() as u64);
        dataset
    }

    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Event> {
        self.dataset().events().unwrap().map(Result::unwrap).collect()
    }

    /// The events as `user session item event time quantity price`, with `-` for what is missing.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        let number = |v: Option<f64>| v.map_or("-".to_owned(), |v| v.to_string());
        let text = |v: Option<String>| v.unwrap_or_else(|| "-".to_owned());
        let line = |e: Event| {
            let (user, session) = (text(e.user), text(e.session));
            let (quantity, price) = (number(e.quantity), number(e.price));
            format!("{user} {session} {} {} {} {quantity} {price}", e.item, e.event, e.time / 1_000_000)
        };
        self.events().into_iter().map(line).collect()
    }

    /// Rows dropped by reason code, as `code=count`.
    #[track_caller]
    pub(crate) fn dropped(&self) -> Vec<String> {
        let dataset = self.dataset();
        dataset.report().dropped.iter().map(|drop| format!("{}={}", drop.reason, drop.count)).collect()
    }

    /// Must have failed with exit code 2, every text in its message, and nothing left behind.
    #[track_caller]
    pub(crate) fn refused(&self, texts: &[&str]) {
        let stderr = self.stderr();
        assert_eq!(self.output.status.code(), Some(2), "{stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{text:?} is not in: {stderr}");
        }
        let parent = self.out.parent().unwrap();
        let left: Vec<_> = std::fs::read_dir(parent)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name == "out" || name.starts_with('.'))
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// The report that `--json` printed.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The folder of real data, or `None` with a printed reason; absent data fails in CI.
pub(crate) fn real_data(file: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("ENDCAP_DATA").map_or(default, PathBuf::from).join(file);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing in CI", path.display());
    println!("skipped: {} is not there; set ENDCAP_DATA", path.display());
    None
}
