//! How long a start takes: `ctr run` to its end, of a service that stops when it would be ready.

use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use crate::node::Node;
use crate::report::Report;

/// Starts, of which the median counts.
const STARTS: usize = 50;
/// What node/setup-node.sh installs.
const CRUN: &str = "/opt/endcap/wasmedge/bin/crun";
/// Goal for the guest's own part, in milliseconds.
const GOAL_MS: f64 = 10.0;

/// Measures `ctr run` and, by the service's own clock, what of it is the guest's.
pub(crate) fn measure(node: &Node, report: &Report, image: &str) -> anyhow::Result<()> {
    let (mut whole, mut guest) = (Vec::new(), Vec::new());
    for number in 0..STARTS {
        let name = format!("start-{number}");
        let begun = Instant::now();
        let output = node
            .command(
                "ctr",
                &[
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
                    &name,
                ],
            )
            .output()?;
        whole.push(begun.elapsed().as_secs_f64() * 1000.0);
        let log =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let ready = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ready = ready.filter(|line| line["event"] == "ready").find_map(|line| line["ready_ms"].as_f64());
        guest.push(ready.with_context(|| format!("start {number} did not become ready: {log}"))?);
    }
    let (whole, guest) = (median(whole), median(guest));
    report.note(format!("ctr run to its end, p50 of {STARTS}: {whole:.0} ms, of which the guest's own part is {guest:.2} ms (goal: under {GOAL_MS})"));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
