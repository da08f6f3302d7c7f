//! The steps, in order. Each builds on the one before; a check that fails is counted, and the rest still runs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::balancer::{ADDRESS, Balancer};
use crate::container;
use crate::http;
use crate::kubelet::{self, PodState};
use crate::load::{Load, Outcome};
use crate::manifest::{Manifests, set_variable};
use crate::node::{self, Node};
use crate::report::Report;
use crate::runtime::Runtime;
use crate::{registry, speed, starts};

/// Failover, by the project's brief.
const FAILOVER: Duration = Duration::from_secs(30);
/// From deletion to the end of a pod.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long a Service may go on sending to a pod that is being deleted, here: endpoints follow within this.
const ENDPOINT_LAG: Duration = Duration::from_millis(300);
/// Load around each change.
const AROUND: Duration = Duration::from_secs(2);
/// What the node set-up lays beside WasmEdge.
const PLUGIN: &str = "libwasmedgePluginWasiNN.so";
/// Requests for the model's ranker.
const RANKED: usize = 200;
/// Pods of the service, as many as the manifests' least.
const REPLICAS: usize = 2;

/// What is run, and on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    node: node::Settings,
    /// A rendered overlay.
    #[arg(long)]
    manifests: PathBuf,
    /// Archive of an image whose program another WasmEdge compiled.
    #[arg(long)]
    other_aot_image: PathBuf,
    /// Its digest.
    #[arg(long)]
    other_aot_digest: String,
    /// Archive of the component.
    #[arg(long)]
    component: PathBuf,
    /// Its digest.
    #[arg(long)]
    component_digest: String,
    /// WasmEdge's own program, here.
    #[arg(long)]
    wasmedge: PathBuf,
    /// Folder of the image's files, for a run without a container.
    #[arg(long)]
    files: PathBuf,
    /// The image of a program that does nothing.
    #[arg(long)]
    empty: PathBuf,
    /// The kubelet, in the node.
    #[arg(long)]
    kubelet: String,
    /// The template of the node's runtimes: k3s-manifests/node/containerd.tmpl.
    #[arg(long)]
    runtime: PathBuf,
    /// HAProxy, here.
    #[arg(long)]
    haproxy: PathBuf,
}

/// Runs everything; false where a check failed.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<bool> {
    let mut run = Run {
        manifests: Manifests::read(&settings.manifests)?,
        node: Node::new(settings.node.root.clone(), settings.node.logs.clone()),
        balancer: Balancer::start(&settings.haproxy, &settings.node.logs)?,
        report: Report::default(),
        settings,
    };
    run.node_up()?;
    run.registry()?;
    run.starts()?;
    let pods = run.first_pods()?;
    run.inside(&pods[0])?;
    run.speed(&pods[0])?;
    run.kill(&pods[0])?;
    let pods = run.roll(&pods)?;
    run.ranked(&pods[0])?;
    run.refusals()?;
    run.goodbye(&pods)?;
    Ok(run.report.close())
}

struct Run<'a> {
    settings: &'a Settings,
    manifests: Manifests,
    node: Node,
    balancer: Balancer,
    report: Report,
}

impl Run<'_> {
    fn image(&self, digest: &str) -> String {
        format!("{}@{digest}", self.settings.node.base)
    }

    fn node_up(&mut self) -> anyhow::Result<()> {
        self.report.step("containerd and a kubelet");
        let handler = self.manifests.handler()?.to_owned();
        let template = std::fs::read_to_string(&self.settings.runtime)?;
        // Without an API server a pod's class has no handler: it is the default.
        let runtime = Runtime { handler: &handler, template: &template, default: &handler };
        let took = runtime.start(&mut self.node)?;
        self.report.note(format!("containerd answers after {} ms", took.as_millis()));
        self.node.write("/etc/kubernetes/kubelet.json", &kubelet::configuration().to_string())?;
        std::fs::create_dir_all(self.node.path("/etc/kubernetes/manifests"))?;
        self.node.import(&self.settings.node.pause, None)?;
        self.node.import(&self.settings.empty, None)?;
        for archive in
            [&self.settings.node.image, &self.settings.node.next_image, &self.settings.other_aot_image]
        {
            self.node.import(archive, Some(&self.settings.node.base))?;
        }
        let images = self.node.ctr(&["images", "ls", "-q"])?;
        for digest in [&self.settings.node.digest, &self.settings.node.next_digest] {
            let name = self.image(digest);
            self.report.check(images.lines().any(|image| image == name), format!("imported as {name}"));
        }
        let config = ["--config", "/etc/kubernetes/kubelet.json", "--hostname-override", "node"];
        self.node.start("kubelet", &self.settings.kubelet, &config)?;
        let took = self.node.wait("the kubelet", |_| kubelet::is_up())?;
        self.report.note(format!("the kubelet answers after {} ms", took.as_millis()));
        Ok(())
    }

    fn registry(&mut self) -> anyhow::Result<()> {
        self.report.step("a registry");
        let settings = self.settings;
        let image = (settings.node.image.as_path(), settings.node.digest.as_str());
        let component = (settings.component.as_path(), settings.component_digest.as_str());
        registry::check(&mut self.node, &mut self.report, image, component)
    }

    fn starts(&mut self) -> anyhow::Result<()> {
        self.report.step("starts");
        starts::measure(&self.node, &self.report, &self.image(&self.settings.node.digest))
    }

    fn speed(&mut self, name: &str) -> anyhow::Result<()> {
        self.report.step("speed in the container");
        let state = kubelet::state(name)?.context("the pod is gone")?;
        let (pod, _) = self.manifests.pod(name, "any")?;
        let plain = (self.settings.wasmedge.as_path(), self.settings.files.as_path());
        speed::compare(&self.node, &self.report, &state, &pod, plain)
    }

    /// Adds a pod, waits for it, and lets requests come.
    fn add(&mut self, name: &str, digest: &str) -> anyhow::Result<(PodState, Duration)> {
        let (pod, _) = self.manifests.pod(name, &self.image(digest))?;
        kubelet::add(&self.node, &pod)?;
        let (state, took) = kubelet::wait(name, "ready", |pod| pod.ready && !pod.ip.is_empty())?;
        self.balancer.add(&state.ip)?;
        Ok((state, took))
    }

    fn first_pods(&mut self) -> anyhow::Result<Vec<String>> {
        self.report.step("pods of the Deployment");
        let (_, left_out) = self.manifests.pod("any", "any")?;
        for field in left_out {
            self.report.note(format!("not here: {field}"));
        }
        let names: Vec<String> = (1..=REPLICAS).map(|number| format!("endcap-{number}")).collect();
        for name in &names {
            let (state, took) = self.add(name, &self.settings.node.digest.clone())?;
            self.report.reached(format!("{name} is ready at {} after {} ms", state.ip, took.as_millis()));
        }
        Ok(names)
    }

    /// What runs in the container is what the manifests and the image say.
    fn inside(&mut self, name: &str) -> anyhow::Result<()> {
        self.report.step("inside a pod");
        let pod = kubelet::state(name)?.context("the pod is gone")?;
        let model: Value = serde_json::from_str(&http::get(&format!("http://{}:8080/v1/model", pod.ip))?)?;
        self.report.check(model["aot"] == true, "the service runs compiled code");
        let metrics = http::get(&format!("http://{}:8081/metrics", pod.ip))?;
        let families = metrics.lines().filter(|line| line.starts_with("# TYPE")).count();
        self.report.check(families > 10, format!("{families} families of metrics on the admin port"));
        let aot = metrics.lines().any(|line| line.starts_with("endcap_aot") && line.ends_with(" 1"));
        self.report.check(aot, "endcap_aot is 1");

        let limit = container::memory_limit(&self.node, &pod.container)?;
        self.report.check(limit == 1 << 30, format!("the kernel limits its memory to {} MiB", limit >> 20));
        let process = container::process(&self.node, &pod.container)?;
        let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
        self.report.check(maps.contains(PLUGIN), format!("the runtime has loaded the node's {PLUGIN}"));
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let line =
            |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        self.report.check(line("Uid:").contains("65532"), format!("it is not root: {}", line("Uid:")));
        self.report.check(
            line("CapEff:").ends_with("0000000000000000"),
            format!("no capability: {}", line("CapEff:")),
        );
        self.report.check(line("NoNewPrivs:").ends_with('1'), line("NoNewPrivs:"));
        self.report
            .check(line("Seccomp:").ends_with('2'), format!("filtered system calls: {}", line("Seccomp:")));
        let written = std::fs::write(format!("/proc/{process}/root/etc/x"), "x");
        self.report.check(written.is_err(), "its root cannot be written to, not even by root");

        let memory = container::memory(&self.node, &pod.container)?;
        let (process, shim) = (memory.process >> 20, memory.shim >> 20);
        self.report.note(format!("memory: {process} MiB the service, {shim} MiB containerd's shim"));
        Ok(())
    }

    fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.report.step("a killed process comes back");
        let before = kubelet::state(name)?.context("the pod is gone")?;
        let process = container::process(&self.node, &before.container)?;
        let begun = Instant::now();
        let killed = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status()?;
        anyhow::ensure!(killed.success(), "kill {process}: {killed}");
        // The service's own word, not the kubelet's: it answers again before the kubelet has asked.
        let url = format!("http://{}:8081/readyz", before.ip);
        while container::process(&self.node, &before.container).is_ok_and(|now| now == process) {
            std::thread::sleep(Duration::from_millis(2));
        }
        while http::get(&url).is_err() {
            anyhow::ensure!(begun.elapsed() < FAILOVER, "{name} did not come back within {FAILOVER:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        let took = begun.elapsed();
        let (after, known) =
            kubelet::wait(name, "ready again", |pod| pod.ready && pod.restarts > before.restarts)?;
        self.report.check(after.ip == before.ip, "at the same address");
        self.report.check(
            took < FAILOVER,
            format!(
                "kill to ready: {} ms; the kubelet knows {} ms later (goal: under 2 s)",
                took.as_millis(),
                known.as_millis()
            ),
        );
        Ok(())
    }

    /// A new image, pod by pod, as a Deployment with maxSurge 1 and maxUnavailable 0 does, under load.
    fn roll(&mut self, old: &[String]) -> anyhow::Result<Vec<String>> {
        self.report.step("a new image under load");
        let load = Load::start(ADDRESS)?;
        std::thread::sleep(AROUND);
        let mut new = Vec::new();
        for (number, gone) in old.iter().enumerate() {
            let name = format!("endcap-next-{}", number + 1);
            let (state, took) = self.add(&name, &self.settings.node.next_digest.clone())?;
            self.report.note(format!("{name} is ready at {} after {} ms", state.ip, took.as_millis()));
            let took = self.delete(gone)?;
            self.report
                .check(took < GOODBYE, format!("{gone} ended {} ms after its deletion", took.as_millis()));
            new.push(name);
        }
        std::thread::sleep(AROUND);
        let outcome = load.finish()?;
        self.report_load("during the update", &outcome);
        Ok(new)
    }

    /// The new image's model has a ranker, which the node's plugin runs.
    fn ranked(&mut self, name: &str) -> anyhow::Result<()> {
        self.report.step("ONNX in a pod");
        let pod = kubelet::state(name)?.context("the pod is gone")?;
        // Asked for here: the shoppers of the update know the items of the image before, which may be of another shop.
        for _ in 0..RANKED {
            recommend(&pod.ip)?;
        }
        let metrics = http::get(&format!("http://{}:8081/metrics", pod.ip))?;
        self.report.check(
            sample(&metrics, "endcap_inference_engine", &["ranker", "onnx", "wasi-nn/witx"]) == Some(1.0),
            "the ranker runs as ONNX, in the node's plugin",
        );
        let calls = sample(&metrics, "endcap_inferences_total", &["ranker", "answered"]).unwrap_or(0.0);
        let failed = sample(&metrics, "endcap_inferences_total", &["ranker", "failed"]).unwrap_or(0.0);
        self.report
            .check(calls >= RANKED as f64 && failed == 0.0, format!("{calls} calls of it, {failed} failed"));
        Ok(())
    }

    /// Deletes a pod. The balancer hears of it only after a while, as a Service's endpoints do.
    fn delete(&mut self, name: &str) -> anyhow::Result<Duration> {
        let state = kubelet::state(name)?.context("the pod is gone")?;
        let process = container::process(&self.node, &state.container)?;
        let begun = Instant::now();
        kubelet::delete(&self.node, name)?;
        std::thread::sleep(ENDPOINT_LAG);
        self.balancer.remove(&state.ip)?;
        while std::path::Path::new(&format!("/proc/{process}")).exists() {
            anyhow::ensure!(begun.elapsed() < FAILOVER, "{name} does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(begun.elapsed())
    }

    fn report_load(&mut self, when: &str, outcome: &Outcome) {
        let [p50, p99] = [50.0, 99.0].map(|at| outcome.latency.value_at_percentile(at) as f64 / 1000.0);
        let rate = outcome.answered as f64 / outcome.seconds;
        self.report.note(format!("{when}: {rate:.0} requests/s, p50 {p50:.2} ms, p99 {p99:.2} ms"));
        for example in &outcome.examples {
            self.report.note(format!("failed: {example}"));
        }
        self.report.check(outcome.answered > 1000, format!("{} requests answered {when}", outcome.answered));
        self.report.check(outcome.failed == 0, format!("{} requests failed {when}", outcome.failed));
    }

    /// What an operator may get wrong ends with a line that says what, or is served without.
    fn refusals(&mut self) -> anyhow::Result<()> {
        self.report.step("what is wrong is said");
        let image = self.image(&self.settings.node.next_digest);
        let (mut pod, _) = self.manifests.pod("wrong-path", &image)?;
        set_variable(&mut pod, "MODEL_PATH", "/absent.wasm");
        kubelet::add(&self.node, &pod)?;
        let (state, _) = kubelet::wait("wrong-path", "ended", |pod| pod.exit_code.is_some())?;
        let log = self.log("wrong-path");
        // The service ends with code 2; crun 1.21 passes on no code of a Wasm program.
        self.report.check(
            !state.ready,
            format!("a wrong MODEL_PATH ends the start; the kubelet sees code {:?}", state.exit_code),
        );
        self.report.check(log.contains("/absent.wasm"), format!("its log names it: {}", last_line(&log)));
        kubelet::delete(&self.node, "wrong-path")?;

        let (mut pod, _) = self.manifests.pod("no-model", &image)?;
        set_variable(&mut pod, "MODEL_PATH", "/app.wasm");
        kubelet::add(&self.node, &pod)?;
        kubelet::wait("no-model", "ended", |pod| pod.exit_code.is_some())?;
        let log = self.log("no-model");
        self.report.check(
            log.contains("start_failed"),
            format!("a file that is no model, too: {}", last_line(&log)),
        );
        kubelet::delete(&self.node, "no-model")?;

        self.node.write("/opt/endcap/wasmedge/plugins/broken.so", "of another version, or damaged")?;
        for (what, plugin) in [("absent", "absent.so"), ("broken", "broken.so")] {
            let path = format!("/opt/endcap/plugins/{plugin}");
            let (state, _) =
                self.serves(what, &image, |pod| set_variable(pod, "WASMEDGE_PLUGIN_PATH", &path))?;
            let answer = recommend(&state.ip)?;
            self.report.check(
                answer["items"].as_array().is_some_and(|items| items.len() == 10)
                    && answer.to_string().contains("model_unavailable"),
                format!("with the plugin {what} it serves without the ranker, and says model_unavailable"),
            );
            let metrics = http::get(&format!("http://{}:8081/metrics", state.ip))?;
            self.report.check(
                sample(&metrics, "endcap_inference_engine_failed", &["ranker", "onnx"]) == Some(1.0)
                    && sample(&metrics, "endcap_inference_degraded", &["ranker"]) == Some(1.0),
                "so do endcap_inference_engine_failed and endcap_inference_degraded, which alert",
            );
            let log = self.log(what);
            self.report.check(
                log.contains("\"degraded\":[{\"engine\":\"onnx\",\"model\":\"ranker\""),
                "and its log",
            );
            let process = container::process(&self.node, &state.container)?;
            let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
            self.report.check(!maps.contains(PLUGIN), format!("and has none: {plugin} is not {PLUGIN}"));
            kubelet::delete(&self.node, what)?;
        }

        let image = self.image(&self.settings.other_aot_digest);
        let (state, took) = self.serves("interpreted", &image, |_| ())?;
        let metrics = http::get(&format!("http://{}:8081/metrics", state.ip))?;
        let aot = metrics.lines().any(|line| line.starts_with("endcap_aot") && line.ends_with(" 0"));
        self.report.check(
            aot,
            format!(
                "compiled by another WasmEdge it runs, ready after {} ms, with endcap_aot 0",
                took.as_millis()
            ),
        );
        let log = self.log("interpreted");
        self.report.check(log.contains("\"aot\":false"), "and its log says so");
        kubelet::delete(&self.node, "interpreted")?;
        Ok(())
    }

    /// A pod beside those of the Deployment, to which the balancer sends nothing.
    fn serves(
        &self,
        name: &str,
        image: &str,
        change: impl Fn(&mut Value),
    ) -> anyhow::Result<(PodState, Duration)> {
        let (mut pod, _) = self.manifests.pod(name, image)?;
        change(&mut pod);
        kubelet::add(&self.node, &pod)?;
        kubelet::wait(name, "ready", |pod| pod.ready && !pod.ip.is_empty())
    }

    /// The log of a pod's container, as the node keeps it.
    fn log(&self, name: &str) -> String {
        let mut text = String::new();
        let Ok(pods) = std::fs::read_dir(self.node.path("/var/log/pods")) else { return text };
        for pod in pods.flatten().filter(|pod| pod.file_name().to_string_lossy().contains(name)) {
            let Ok(files) = std::fs::read_dir(pod.path().join("endcap")) else { continue };
            for file in files.flatten() {
                text += &std::fs::read_to_string(file.path()).unwrap_or_default();
            }
        }
        text
    }

    /// The last pods, one of them under load, so that nothing is dropped by a deletion alone.
    fn goodbye(&mut self, pods: &[String]) -> anyhow::Result<()> {
        self.report.step("a deleted pod drops nothing");
        let load = Load::start(ADDRESS)?;
        std::thread::sleep(AROUND);
        let took = self.delete(&pods[0])?;
        std::thread::sleep(AROUND);
        let outcome = load.finish()?;
        self.report_load("around a deletion", &outcome);
        self.report
            .check(took < GOODBYE, format!("{} ended {} ms after its deletion", pods[0], took.as_millis()));
        for pod in &pods[1..] {
            self.delete(pod)?;
        }
        Ok(())
    }
}

/// What a service recommends to somebody who looked at three of its popular items.
fn recommend(ip: &str) -> anyhow::Result<Value> {
    let popular = http::get(&format!("http://{ip}:8080/api/popular?n=3"))?;
    let popular: Value = serde_json::from_str(&popular)?;
    let items: Vec<&Value> =
        popular["items"].as_array().into_iter().flatten().map(|item| &item["item"]).collect();
    let mut answer = http::agent()
        .post(format!("http://{ip}:8080/v1/recommend"))
        .send_json(json!({ "items": items, "n": 10 }))?;
    Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
}

/// The value of a family's first sample whose labels hold all of these values.
fn sample(metrics: &str, family: &str, labels: &[&str]) -> Option<f64> {
    let line = metrics.lines().find(|line| {
        line.strip_prefix(family).is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| line.contains(&format!("\"{label}\"")))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}
