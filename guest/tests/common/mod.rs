//! The service under WasmEdge, and a client that speaks bytes.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test program compiles this and uses its part"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

pub mod client;
pub mod model;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub use client::{Answer, Client};

/// How long a service may take to become ready or to end; far beyond what it needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn tool(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| root().join(default), PathBuf::from)
}

/// WasmEdge and the compiled service; `None`, with the reason printed, where they are not built. In CI that is
/// a failure, because it would hide every test here.
pub fn tools() -> Option<(PathBuf, PathBuf)> {
    let wasmedge = tool("ENDCAP_WASMEDGE", ".cache/bin/wasmedge");
    let app = tool("ENDCAP_APP", "dist/app-aot.wasm");
    for (path, target) in [(&wasmedge, "setup"), (&app, "guest")] {
        if !path.exists() {
            let reason = format!("{} is not there: run `make {target}`", path.display());
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
            eprintln!("skipped: {reason}");
            return None;
        }
    }
    Some((wasmedge, app))
}

/// A running service; ended when dropped.
pub struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// The API.
    pub address: SocketAddr,
    /// The node's port.
    pub admin: SocketAddr,
    /// The line that said ready.
    pub ready: serde_json::Value,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts the service with the small model and these settings; `None` where tests are skipped.
    pub fn start(settings: &[(&str, &str)]) -> Option<Self> {
        Self::start_with(&model::small(), settings)
    }

    /// The same with a model of one's own.
    #[expect(clippy::zombie_processes, reason = "ended and waited for when the server is dropped")]
    pub fn start_with(model: &[u8], settings: &[(&str, &str)]) -> Option<Self> {
        let (wasmedge, app) = tools()?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.wasm"), model).unwrap();
        let mut child = command(&wasmedge, &app, folder.path(), settings).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .expect("no ready line");
            let Ok(ready) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            if ready["event"] == "ready" {
                let address = |name: &str| ready[name].as_str().unwrap().parse().unwrap();
                let (address, admin) = (address("listen"), address("admin_listen"));
                return Some(Self { child, lines, address, admin, ready, folder });
            }
        }
    }

    /// A connection to the API.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: &str) -> Answer {
        self.connect().ask(request)
    }

    /// GET, on a connection of its own.
    pub fn get(&self, target: &str) -> Answer {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n"))
    }

    /// POST, on a connection of its own.
    pub fn post(&self, target: &str, body: &str) -> Answer {
        self.connect().post(target, body)
    }

    /// Puts another file in place of the model, as `pack` does.
    pub fn replace_model(&self, model: &[u8]) {
        let staged = self.folder.path().join("staged");
        std::fs::write(&staged, model).unwrap();
        std::fs::rename(staged, self.folder.path().join("model.wasm")).unwrap();
    }

    /// POST without a body, on a connection of its own to the node's port.
    pub fn admin(&self, target: &str) -> Answer {
        Client::connect(self.admin).post(target, "")
    }

    /// The next log line of this event.
    pub fn logged(&self, event: &str) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|error| panic!("no line `{event}`: {error}"));
            let Ok(line) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            if line["event"] == event {
                return line;
            }
        }
    }

    /// The service still answers, on a connection of its own: what every test of bad input ends with.
    pub fn assert_alive(&self) {
        assert_eq!(self.get("/healthz").status, 200);
    }

    /// Processor time used so far.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // utime and stime, in ticks of 10 ms on Linux for x86-64 and aarch64.
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// Waits for the process to end by itself; its exit code.
    pub fn exit_code(&mut self) -> Option<i32> {
        wait(&mut self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(wasmedge: &Path, app: &Path, folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    // As many descriptors as allowed: a thousand connections need them on both sides.
    command.args(["-c", "ulimit -S -n $(ulimit -H -n); exec \"$@\"", "sh"]).arg(wasmedge);
    command.arg("--dir").arg(format!("/:{}:readonly", folder.display()));
    let defaults = [("ENDCAP_LISTEN", "127.0.0.1:0"), ("ENDCAP_ADMIN_LISTEN", "127.0.0.1:0")];
    for (name, value) in defaults.iter().chain(settings) {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    command.arg(app).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    let (_keep, tick) = mpsc::channel::<()>();
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        let _ = tick.recv_timeout(Duration::from_millis(5));
    }
    panic!("the process did not end");
}

/// Runs a service that is expected to end by itself; its exit code and what it logged.
pub fn run_to_end(model: &[u8], settings: &[(&str, &str)]) -> Option<(i32, String)> {
    let (wasmedge, app) = tools()?;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.wasm"), model).unwrap();
    let mut child = command(&wasmedge, &app, folder.path(), settings).spawn().unwrap();
    let code = wait(&mut child).unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    Some((code, log))
}
