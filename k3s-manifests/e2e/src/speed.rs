//! Requests a second inside the container, and of the same program under plain WasmEdge, in turns.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::container;
use crate::http;
use crate::kubelet::PodState;
use crate::node::Node;
use crate::report::Report;

/// Runs of each, of which the medians count.
const ROUNDS: usize = 3;
/// Seconds of a run.
const SECONDS: &str = "3";
/// Connections of the generator (wrk, one thread), as many as keep one core busy.
const CONNECTIONS: &str = "16";
/// Least share of plain WasmEdge's requests a second.
const GOAL: f64 = 0.95;
/// Address of the plain one.
const PLAIN: &str = "127.0.0.1:28080";

/// What wrk says of a run.
#[derive(Debug, Clone, Copy)]
struct Figures {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures, and tells the medians and the ratio.
pub(crate) fn compare(
    node: &Node,
    report: &Report,
    state: &PodState,
    pod: &Value,
    (wasmedge, image_files): (&Path, &Path),
) -> anyhow::Result<()> {
    let process = container::process(node, &state.container)?;
    let popular = http::get(&format!("http://{}:8080/api/popular?n=3", state.ip))?;
    let popular: Value = serde_json::from_str(&popular)?;
    let items: Vec<&str> = popular["items"]
        .as_array()
        .context("no popular items")?
        .iter()
        .filter_map(|item| item["item"].as_str())
        .collect();
    let body = serde_json::json!({ "items": items, "n": 20 }).to_string();
    node.write(
        "/tmp/ask.lua",
        &format!("wrk.method = \"POST\"\nwrk.path = \"/v1/recommend\"\nwrk.body = [[{body}]]\n"),
    )?;
    let mut plain = Plain::start(pod, wasmedge, image_files, node)?;
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        inside.push(load(node, Some(process), "127.0.0.1:8080")?);
        outside.push(load(node, None, PLAIN)?);
    }
    plain.end();
    let (inside, outside) = (median(inside), median(outside));
    for (what, figures) in [("in the container", inside), ("plain WasmEdge", outside)] {
        report.note(format!(
            "{what}: {:.0} requests/s, p50 {:.2} ms, p99 {:.2} ms",
            figures.rate, figures.p50_ms, figures.p99_ms
        ));
    }
    // Not a check: machines are noisy, and a figure is no test.
    report
        .note(format!("share of plain WasmEdge: {:.2} (goal: at least {GOAL})", inside.rate / outside.rate));
    Ok(())
}

/// wrk, in the network of `process` where one is given: the way to a pod's address is no part of the service.
fn load(node: &Node, process: Option<u32>, address: &str) -> anyhow::Result<Figures> {
    let url = format!("http://{address}/v1/recommend");
    let arguments = ["-t1", "-c", CONNECTIONS, "-d", SECONDS, "--latency", "-s", "/tmp/ask.lua", &url];
    let wrk = node.command("wrk", &arguments);
    let mut command = match process {
        Some(process) => {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{process}/ns/net")).arg(wrk.get_program()).args(wrk.get_args());
            command
        }
        None => wrk,
    };
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let at = |name: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim).context("no such line")
    };
    ensure!(output.status.success(), "wrk: {}", String::from_utf8_lossy(&output.stderr));
    ensure!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "wrk met errors:\n{text}");
    Ok(Figures {
        rate: at("Requests/sec:")?.parse()?,
        p50_ms: milliseconds(at("50%")?)?,
        p99_ms: milliseconds(at("99%")?)?,
    })
}

/// wrk writes `812.00us`, `1.20ms` or `1.05s`.
fn milliseconds(text: &str) -> anyhow::Result<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    bail!("wrk's latency {text:?} has no unit that is known")
}

fn median(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    runs[runs.len() / 2]
}

/// The pod's program, environment and mounts under WasmEdge's own program, without a container.
struct Plain(Child);

impl Plain {
    fn start(pod: &Value, wasmedge: &Path, files: &Path, node: &Node) -> anyhow::Result<Self> {
        let mut command = Command::new(wasmedge);
        command.arg("--dir").arg(format!("/:{}:readonly", files.display()));
        for variable in pod["spec"]["containers"][0]["env"].as_array().into_iter().flatten() {
            let (name, value) = (variable["name"].as_str(), variable["value"].as_str());
            let (name, value) = name.zip(value).context("a variable without a value")?;
            match name {
                // The runtime's own, by the path outside.
                "WASMEDGE_PLUGIN_PATH" => {
                    let file = Path::new(value).file_name().context("no file name")?;
                    command.env(name, node.path("/opt/endcap/wasmedge/plugins").join(file));
                }
                "ENDCAP_LISTEN" => drop(command.arg("--env").arg(format!("{name}={PLAIN}"))),
                "ENDCAP_ADMIN_LISTEN" => drop(command.arg("--env").arg(format!("{name}=127.0.0.1:28081"))),
                _ => drop(command.arg("--env").arg(format!("{name}={value}"))),
            }
        }
        command.arg(files.join("app.wasm")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut plain = Self(command.spawn().context("starting WasmEdge")?);
        for _ in 0..500 {
            if http::get(&format!("http://{PLAIN}/readyz")).is_ok() {
                return Ok(plain);
            }
            ensure!(plain.0.try_wait()?.is_none(), "plain WasmEdge ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("plain WasmEdge does not become ready")
    }

    /// As a pod's preStop hook ends it.
    fn end(&mut self) {
        let _ = http::get("http://127.0.0.1:28081/drain");
        let _ = self.0.wait();
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
