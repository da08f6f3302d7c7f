//! The program: what it prints, and what it exits with.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::guest;

/// A folder with the guests of the tests, and a cache.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["shop", "programs"] {
            std::fs::write(folder.path().join(name).with_extension("wasm"), guest(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_endcap-host"));
        command.current_dir(self.folder.path()).args(arguments).args(["--cache", "cache"]);
        command
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        told(&self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
        assert_eq!(self.run(arguments), (code, stdout.to_owned(), stderr.to_owned()));
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn with_input(mut command: Command, input: &[u8]) -> (i32, String, String) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    told(&child.wait_with_output().unwrap())
}

#[test]
fn invoke_prints_answers_and_tells_failures_apart() {
    let bench = Bench::new();
    bench.check(&["invoke", "shop.wasm", "add", r#"{"left":2,"right":3}"#], 0, "5\n", "");
    bench.check(&["invoke", "shop.wasm", "divideHundred", "0"], 3, "", "33\n");
    let trap = "error: the guest trapped: wasm trap: wasm `unreachable` instruction executed\n";
    bench.check(&["invoke", "shop.wasm", "trap"], 1, "", trap);
    let spin = "error: the guest did not finish within 50ms\n";
    bench.check(&["invoke", "shop.wasm", "spin", "--deadline", "50"], 1, "", spin);
    let hog = "error: the guest wanted 4456448 bytes of memory; the limit is 4194304\n";
    bench.check(&["invoke", "shop.wasm", "hog", "--memory", "4"], 1, "", hog);
    let range = "error: left: the number -2 given, u32 expected\n";
    bench.check(&["invoke", "shop.wasm", "add", r#"{"left":-2,"right":3}"#], 2, "", range);
    let json = "error: not JSON: expected value at line 1 column 9\n";
    bench.check(&["invoke", "shop.wasm", "add", r#"{"left":}"#], 2, "", json);
    let missing = "error: none.wasm: No such file or directory (os error 2)\n";
    bench.check(&["invoke", "none.wasm", "add"], 2, "", missing);
    let (code, _, stderr) = bench.run(&["invoke", "shop.wasm", "ad"]);
    assert!(code == 2 && stderr.contains("did you mean `add`?"), "{stderr}");
    let (code, _, stderr) = bench.run(&["invoke", "shop.wasm", "count", "--model", "shop.wasm"]);
    assert!(code == 2 && stderr.starts_with("error: takes no model: "), "{stderr}");
}

#[test]
fn invoke_reads_json_from_standard_input_and_lists_functions() {
    let bench = Bench::new();
    let asked = with_input(bench.command(&["invoke", "shop.wasm", "add", "-"]), b"[1,\n 2]\n");
    assert_eq!(asked, (0, "3\n".to_owned(), String::new()));
    let (code, stdout, _) = bench.run(&["invoke", "shop.wasm", "--list"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("test:shop/first@1.0.0\n  info() -> u32\n"), "{stdout}");
}

#[test]
fn invoke_gives_lines_to_a_core_module() {
    let bench = Bench::new();
    bench.check(&["invoke", "programs.wasm", r#"c{"n":1}"#, "second"], 0, "c{\"n\":1}\nsecond\n", "");
    let piped = with_input(bench.command(&["invoke", "programs.wasm"]), b"c piped");
    assert_eq!(piped, (0, "c piped".to_owned(), String::new()));
    bench.check(&["invoke", "programs.wasm", "x"], 1, "", "error: the guest exited with code 5\n");
}

#[test]
fn bad_options_are_named() {
    let bench = Bench::new();
    let refused = |arguments: &[&str], part: &str| {
        let (code, _, stderr) = bench.run(&[&["invoke", "shop.wasm", "count"], arguments].concat());
        assert!(code == 2 && stderr.contains(part), "{code} {stderr}");
    };
    refused(
        &["--nn-preload", "rank:openvino:cpu:/m"],
        "encoding `openvino` is none of onnx, ggml, autodetect",
    );
    refused(&["--nn-preload", "rank"], "ENCODING is missing");
    refused(&["--dir", "a::b::ro"], "`a::b::ro` names no folder");
    refused(&["--dir", "none::/none"], "none: ");
    refused(&["--env", "=x"], "write NAME=VALUE");
    refused(&["--memory", "0"], "0 is not in 1..=4096");
}

#[test]
fn bench_reports_and_checks() {
    let bench = Bench::new();
    std::fs::write(bench.path("sums"), "[1, 2]\n\n[3, 4]\n").unwrap();
    let add = ["bench", "shop.wasm", "--function", "add", "--requests", "sums", "-n", "50", "--json"];
    let (code, stdout, stderr) = bench.run(&add);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["load from the cache", "instantiate", "start with the model", "add"]);
    assert_eq!(rows[3]["count"], 50);
    assert!(rows[3]["p50"].as_f64().unwrap() > 0.0 && rows[3]["p99"].as_f64() <= rows[3]["max"].as_f64());

    let (code, _, stderr) = bench.run(&["bench", "shop.wasm", "--function", "count", "-n", "5"]);
    assert!(code == 1 && stderr.contains("request 1 has had two different answers"), "{stderr}");
    let (code, stdout, _) =
        bench.run(&["bench", "shop.wasm", "--function", "count", "-n", "5", "--changing"]);
    assert!(code == 0 && stdout.contains("per second"), "{stdout}");

    std::fs::write(bench.path("wrong"), "[1, 2]\n[3, true]\n").unwrap();
    let (code, _, stderr) = bench.run(&["bench", "shop.wasm", "--function", "add", "--requests", "wrong"]);
    assert_eq!((code, stderr.as_str()), (2, "error: [1]: true given, u32 expected\n"));

    std::fs::write(bench.path("lines"), "c\n").unwrap();
    let (code, stdout, stderr) = bench.run(&["bench", "programs.wasm", "--requests", "lines", "-n", "100"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("start to exit") && stdout.contains("a line"), "{stdout}");
}

#[test]
fn serve_answers_and_ends_when_asked_to() {
    let bench = Bench::new();
    let mut child = bench
        .command(&["serve", "shop.wasm", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").and_then(|rest| rest.split(',').next()).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"POST /v1/add HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n[1,2]")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n3"), "{answer}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
    let module = bench.run(&["serve", "programs.wasm"]);
    assert!(module.0 == 2 && module.2.contains("give a component"), "{module:?}");
}
