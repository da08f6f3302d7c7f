//! WasmEdge with the plugin of this build, and the probe as its guest.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test program compiles this and uses its part"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

pub mod model;
#[path = "../../../tests/common/protobuf.rs"]
mod protobuf;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// File name of the plugin, by which WasmEdge does not care, but operators do.
pub const PLUGIN: &str = "libwasmedgePluginWasiNN.so";

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names another library than that of this build.
pub const PLUGIN_VARIABLE: &str = "ENDCAP_WASMEDGE_PLUGIN";

/// The library of this very build. Cargo puts it among the dependencies, where test programs lie too.
pub fn plugin() -> PathBuf {
    if let Some(named) = std::env::var_os(PLUGIN_VARIABLE) {
        return named.into();
    }
    let profile = std::env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().to_owned();
    let built = profile.join("deps").join(PLUGIN);
    assert!(built.exists(), "{} is not there, though cargo builds it for this program", built.display());
    built
}

/// Ends a test that lacks something: with the reason at home, with a failure in CI.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
    eprintln!("skipped: {reason}");
}

/// A file named by a variable, or where set-up puts it.
pub fn tool(variable: &str, default: &str, target: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map_or_else(|| root().join(default), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    skip(&format!("{variable}: {} is not there: run `make {target}`", path.display()));
    None
}

/// A folder with a model, which the guest sees as `/m`, and the runtime to run guests in.
pub struct Bench {
    wasmedge: PathBuf,
    probe: PathBuf,
    pub folder: TempDir,
    options: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Bench {
    /// With `mlp.onnx` in the folder and registered as `mlp`; `None` where tests are skipped.
    pub fn new() -> Option<Self> {
        let bench = Self::bare()?;
        let entry = format!("mlp:onnx:cpu:{}", bench.path("mlp.onnx"));
        Some(bench.option("--nn-preload", &entry))
    }

    /// The same, and nothing registered.
    pub fn bare() -> Option<Self> {
        let wasmedge = tool("ENDCAP_WASMEDGE", ".cache/bin/wasmedge", "setup")?;
        let probe = tool("ENDCAP_NN_PROBE", "dist/nn-probe-aot.wasm", "plugin")?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mlp.onnx"), model::mlp()).unwrap();
        Some(Self { wasmedge, probe, folder, options: Vec::new(), variables: Vec::new() })
    }

    /// The host's path of a file in the folder.
    pub fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }

    /// Adds an option of the runtime.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Adds an option without a value.
    pub fn flag(mut self, name: &str) -> Self {
        self.options.push(name.to_owned());
        self
    }

    /// Sets a variable of the runtime.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self, guest: &Path) -> Command {
        let mut command = Command::new(&self.wasmedge);
        // Nothing of the caller's: a developer's variables must not decide a test.
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("WASMEDGE_PLUGIN_PATH", plugin()).envs(self.variables.iter().cloned());
        command.arg("--dir").arg(format!("/m:{}", self.folder.path().display())).args(&self.options);
        command.arg(guest);
        command
    }

    /// Runs any guest.
    pub fn run(&self, guest: &Path) -> Ran {
        Ran::of(self.command(guest).output().unwrap())
    }

    /// Runs the probe.
    pub fn probe<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(&self.probe).args(arguments).output().unwrap())
    }

    /// Runs the probe, which must succeed.
    pub fn answers<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Vec<Value> {
        let ran = self.probe(arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.lines
    }
}

/// What a guest left.
#[derive(Debug)]
pub struct Ran {
    /// `None` after a signal.
    pub code: Option<i32>,
    /// The lines on stdout, as JSON.
    pub lines: Vec<Value>,
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        // WasmEdge itself reports on stdout, in lines that are no JSON.
        let stdout = String::from_utf8_lossy(&output.stdout);
        let lines = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { code: output.status.code(), lines, stderr }
    }

    /// The plugin's own lines.
    pub fn told(&self) -> Vec<&str> {
        self.stderr.lines().filter_map(|line| line.strip_prefix("wasi_nn: ")).collect()
    }
}
