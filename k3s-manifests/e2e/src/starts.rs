//! How long a start takes: `ctr run` to its end, of a service that stops when it would be ready.

use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use crate::images;
use crate::node::Node;
use crate::report::Report;

/// Starts, of which the median counts.
const STARTS: usize = 50;
/// What node/setup-node.sh installs.
const CRUN: &str = "/opt/endcap/wasmedge/bin/crun";
/// Goal for the guest's own part, in milliseconds.
const GOAL_MS: f64 = 10.0;

/// Measures `ctr run`, and what of it is the runtime's, the module's, the model's: the runtime is what a program that does
/// nothing takes, the model's and the guest's own part are by the service's clock, and loading its module is the rest.
pub(crate) fn measure(node: &Node, report: &Report, image: &str) -> anyhow::Result<()> {
    let (mut whole, mut runtime, mut guest, mut model) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 0..STARTS {
        // In turns: the machine's speed drifts.
        runtime.push(start(node, images::EMPTY, &format!("empty-{number}"))?.0);
        let (took, log) = start(node, image, &format!("start-{number}"))?;
        whole.push(took);
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ready = lines
            .filter(|line| line["event"] == "ready")
            .find_map(|line| Some((line["ready_ms"].as_f64()?, line["model_read_ms"].as_f64()?)));
        let ready = ready.with_context(|| format!("start {number} did not become ready: {log}"))?;
        guest.push(ready.0);
        model.push(ready.1);
    }
    let [whole, runtime, guest, model] = [whole, runtime, guest, model].map(median);
    report.note(format!("ctr run to its end, p50 of {STARTS}: {whole:.0} ms"));
    report.note(format!("of it the runtime (a program that does nothing): {runtime:.0} ms"));
    report.note(format!("       the module's load and end: {:.1} ms", whole - runtime - guest));
    report.note(format!(
        "       the guest: {guest:.2} ms (goal: under {GOAL_MS}), of which the model {model:.2} ms"
    ));
    Ok(())
}

/// Milliseconds from `ctr run` to its end, and what the program said.
fn start(node: &Node, image: &str, name: &str) -> anyhow::Result<(f64, String)> {
    let begun = Instant::now();
    let arguments = [
        "-n",
        "k8s.io",
        "run",
        "--rm",
        "--runc-binary",
        CRUN,
        "--annotation",
        "module.wasm.image/variant=compat-smart",
        "--env",
        "ENDCAP_CHECK=1",
        "--env",
        "ENDCAP_LISTEN=127.0.0.1:0",
        image,
        name,
    ];
    let output = node.command("ctr", &arguments).output()?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "ctr run {image}: {said}");
    Ok((took, said))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
