//! What an operator does, and what must come of it.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::http;
use crate::load::Load;

use super::Run;
use super::kubectl::Kubectl;

/// Longest wait for what a cluster does by itself.
const PATIENCE: Duration = Duration::from_secs(90);
/// Load around each change.
const AROUND: Duration = Duration::from_secs(2);
pub(super) const DEPLOYMENT: &str = "deployment/endcap";

/// A field of a pod's first container's status.
fn container(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn ready(kubectl: &Kubectl) -> anyhow::Result<usize> {
    Ok(kubectl.pods()?.iter().filter(|pod| container(pod)["ready"] == true).count())
}

/// Waits until as many pods are ready, and no more are there.
pub(super) fn settled(kubectl: &Kubectl, pods: usize) -> anyhow::Result<Duration> {
    let (_, took) = kubectl.until(&format!("{pods} ready pods"), PATIENCE, |kubectl| {
        Ok((ready(kubectl)? == pods && kubectl.pods()?.len() == pods).then_some(()))
    })?;
    Ok(took)
}

impl Run<'_> {
    /// `kubectl apply -k`, and a node that may run pods.
    pub(super) fn install(&mut self) -> anyhow::Result<()> {
        self.report.step("kubectl apply -k");
        let overlay = self.overlay("shop", "base", &self.settings.node.digest)?;
        let applied = self.kubectl.run(&["apply", "-k", &overlay])?;
        self.report.check(
            applied.lines().all(|line| line.ends_with("created")),
            format!("{} objects are accepted", applied.lines().count()),
        );
        let (message, _) = self.kubectl.until("no pod is placed yet", PATIENCE, |kubectl| {
            Ok(kubectl.events("FailedScheduling", "endcap")?.pop())
        })?;
        self.report.check(
            message.contains("selector"),
            format!("without the node's label the pods wait: {message}"),
        );
        let begun = Instant::now();
        self.kubectl.run(&["label", "node", "node", "endcap.io/wasm=true"])?;
        self.kubectl.run(&["rollout", "status", DEPLOYMENT, "--timeout=90s"])?;
        self.report.reached(format!("rolled out {} ms after the label", begun.elapsed().as_millis()));
        Ok(())
    }

    /// The pods are what the manifests ask for, after everything that an API server adds.
    pub(super) fn inside(&mut self) -> anyhow::Result<()> {
        self.report.step("the pods");
        let pods = self.kubectl.pods()?;
        self.report.check(pods.len() == 2, format!("{} pods", pods.len()));
        let spec = &pods[0]["spec"];
        self.report.check(
            spec["runtimeClassName"] == "wasmedge" && spec["overhead"]["memory"] == "64Mi",
            format!("of class wasmedge, whose overhead is counted: {}", spec["overhead"]),
        );
        self.report.check(spec["priority"] == 100_000, format!("of priority {}", spec["priority"]));
        let tokens = spec["volumes"].to_string();
        self.report.check(!tokens.contains("serviceAccountToken"), "without a token of the API");
        let ip = pods[0]["status"]["podIP"].as_str().context("no address")?;
        let metrics = http::get(&format!("http://{ip}:8081/metrics"))?;
        let ranked = metrics.lines().any(|line| {
            line.starts_with("endcap_inference_engine{") && line.contains("onnx") && line.ends_with(" 1")
        });
        self.report.check(ranked, "the model's ranker runs as ONNX in the node's plugin");
        let log = self.kubectl.run(&["logs", name(&pods[0])])?;
        self.report.check(
            log.contains("\"event\":\"ready\"") && log.contains("\"aot\":true"),
            "kubectl logs shows that it is ready, and compiled",
        );
        let address = self.address()?;
        let popular = http::get(&format!("http://{address}/api/popular?n=3"))?;
        self.report.check(popular.contains("\"items\""), format!("the Service answers at {address}"));
        let admin = http::get(&format!("http://{}:8081/metrics", address.trim_end_matches(":80")));
        self.report.check(admin.is_err(), "and has no way to the admin port");
        let quota = self.kubectl.get(&["resourcequota", "endcap"])?;
        self.report.note(format!("the quota counts {}", quota["status"]["used"]));
        self.report.check(quota["status"]["used"]["pods"] == "2", "the quota counts the pods");
        Ok(())
    }

    /// The Service's address and port.
    fn address(&self) -> anyhow::Result<String> {
        let service = self.kubectl.get(&["service", "endcap"])?;
        Ok(format!("{}:80", service["spec"]["clusterIP"].as_str().context("no address")?))
    }

    /// Does something while shoppers ask through the Service; none may be refused.
    pub(super) fn under_load(
        &mut self,
        when: &str,
        change: impl FnOnce(&Kubectl) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let load = Load::start(&self.address()?)?;
        std::thread::sleep(AROUND);
        let begun = Instant::now();
        let changed = change(&self.kubectl);
        let took = begun.elapsed();
        std::thread::sleep(AROUND);
        let outcome = load.finish()?;
        changed?;
        for example in &outcome.examples {
            self.report.note(format!("failed: {example}"));
        }
        self.report.check(
            outcome.answered > 1000 && outcome.failed == 0,
            format!(
                "{when} ({} ms): {} requests answered, {} failed, p99 {:.2} ms",
                took.as_millis(),
                outcome.answered,
                outcome.failed,
                outcome.latency.value_at_quantile(0.99) as f64 / 1000.0
            ),
        );
        Ok(())
    }

    /// A new image, and back.
    pub(super) fn update(&mut self) -> anyhow::Result<()> {
        self.report.step("a new image, and back, under load");
        let overlay = self.overlay("shop", "base", &self.settings.node.next_digest)?;
        self.under_load("kubectl apply -k of a new image", |kubectl| {
            kubectl.run(&["apply", "-k", &overlay])?;
            kubectl.run(&["rollout", "status", DEPLOYMENT, "--timeout=90s"]).map(drop)
        })?;
        let images = |pods: &[Value]| -> Vec<String> {
            pods.iter().map(|pod| pod["spec"]["containers"][0]["image"].to_string()).collect()
        };
        let pods = self.kubectl.pods()?;
        self.report.check(
            images(&pods).iter().all(|image| image.contains(&self.settings.node.next_digest)),
            "every pod has the new image",
        );
        self.under_load("kubectl rollout undo", |kubectl| {
            kubectl.run(&["rollout", "undo", DEPLOYMENT])?;
            kubectl.run(&["rollout", "status", DEPLOYMENT, "--timeout=90s"]).map(drop)
        })?;
        let pods = self.kubectl.pods()?;
        self.report.check(
            images(&pods).iter().all(|image| image.contains(&self.settings.node.digest)),
            "every pod has the first image again",
        );
        Ok(())
    }

    pub(super) fn deletion(&mut self) -> anyhow::Result<()> {
        self.report.step("a deleted pod, under load");
        let pods = self.kubectl.pods()?;
        let gone = name(&pods[0]).to_owned();
        self.under_load("kubectl delete pod", |kubectl| {
            kubectl.run(&["delete", "pod", &gone])?;
            settled(kubectl, 2).map(drop)
        })
    }

    /// What cannot start takes nothing away.
    pub(super) fn wrong_model(&mut self) -> anyhow::Result<()> {
        self.report.step("a wrong MODEL_PATH");
        self.kubectl.run(&["set", "env", DEPLOYMENT, "MODEL_PATH=/absent.wasm"])?;
        let (broken, took) = self.kubectl.until("the new pod fails", PATIENCE, |kubectl| {
            let pods = kubectl.pods()?;
            Ok(pods.into_iter().find(|pod| container(pod)["restartCount"].as_u64() > Some(0)))
        })?;
        self.report.check(
            ready(&self.kubectl)? == 2,
            format!("the new pod fails ({} ms), both old ones go on serving", took.as_millis()),
        );
        // Between two starts there is no container that has a log.
        let (log, _) = self.kubectl.until("the log of the start", PATIENCE, |kubectl| {
            let log = kubectl.run(&["logs", name(&broken)]).unwrap_or_default();
            Ok(log.lines().find(|line| line.contains("start_failed")).map(str::to_owned))
        })?;
        self.report.check(log.contains("/absent.wasm"), format!("kubectl logs says why: {log}"));
        self.kubectl.run(&["rollout", "undo", DEPLOYMENT])?;
        settled(&self.kubectl, 2)?;
        Ok(())
    }

    /// Quota, bounds of containers.
    pub(super) fn bounds(&mut self) -> anyhow::Result<()> {
        self.report.step("quota and limits");
        let pod = |cpu: &str| {
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "greedy" },
                "spec": { "runtimeClassName": "wasmedge", "containers": [{
                    "name": "greedy", "image": "greedy",
                    "resources": { "requests": { "cpu": cpu }, "limits": { "cpu": cpu } },
                }] },
            })
        };
        for (cpu, words) in
            [("3", "maximum cpu usage per Container is 2"), ("1900m", "exceeded quota: endcap")]
        {
            let message = self.kubectl.refusal(&["create", "-f", "-"], &pod(cpu))?;
            self.report.check(message.contains(words), format!("{cpu} of CPU: {message}"));
        }
        Ok(())
    }

    /// The disruption budget.
    pub(super) fn eviction(&mut self) -> anyhow::Result<()> {
        self.report.step("evictions");
        let pods: Vec<String> = self.kubectl.pods()?.iter().map(|pod| name(pod).to_owned()).collect();
        // The budget's controller has to have seen what is ready.
        self.kubectl.until("the budget allows one", PATIENCE, |kubectl| {
            let budget = kubectl.get(&["poddisruptionbudget", "endcap"])?;
            Ok((budget["status"]["disruptionsAllowed"] == 1).then_some(()))
        })?;
        let eviction =
            |pod: &str| json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod } });
        let path = |pod: &str| format!("/api/v1/namespaces/endcap/pods/{pod}/eviction");
        self.kubectl.feed(&["create", "--raw", &path(&pods[0]), "-f", "-"], &eviction(&pods[0]))?;
        let message =
            self.kubectl.refusal(&["create", "--raw", &path(&pods[1]), "-f", "-"], &eviction(&pods[1]))?;
        self.report.check(
            message.contains("disruption budget"),
            format!("one pod may go, the other not: {message}"),
        );
        settled(&self.kubectl, 2)?;
        Ok(())
    }

    /// A node whose set-up lacks the plugin's folder.
    pub(super) fn missing_plugins(&mut self) -> anyhow::Result<()> {
        self.report.step("a node without the plugin's folder");
        let folder = self.node.path("/opt/endcap/wasmedge/plugins");
        let aside = self.node.path("/opt/endcap/wasmedge/plugins.aside");
        std::fs::rename(&folder, &aside)?;
        let gone = name(&self.kubectl.pods()?[0]).to_owned();
        self.kubectl.run(&["delete", "pod", &gone])?;
        let (message, _) = self.kubectl.until("the pod waits for the folder", PATIENCE, |kubectl| {
            Ok(kubectl.events("FailedMount", "endcap")?.pop())
        })?;
        self.report.check(
            message.contains("/opt/endcap/wasmedge/plugins is not a directory"),
            format!("FailedMount: {message}"),
        );
        std::fs::rename(&aside, &folder)?;
        let took = settled(&self.kubectl, 2)?;
        self.report.reached(format!("once it is there the pod starts ({} ms)", took.as_millis()));
        Ok(())
    }

    /// Secrets by reference: absent, there, and asked for but absent.
    pub(super) fn secrets(&mut self) -> anyhow::Result<()> {
        self.report.step("Secrets");
        let absent = ["endcap-settings", "endcap-tls", "endcap-registry"];
        let none = absent.iter().all(|secret| self.kubectl.run(&["get", "secret", secret]).is_err());
        self.report
            .check(none && ready(&self.kubectl)? == 2, format!("without {absent:?} the pods are ready"));
        self.kubectl.run(&[
            "create",
            "secret",
            "generic",
            "endcap-settings",
            "--from-literal=ENDCAP_LOG=error",
        ])?;
        self.kubectl.run(&["rollout", "restart", DEPLOYMENT])?;
        self.kubectl.run(&["rollout", "status", DEPLOYMENT, "--timeout=90s"])?;
        let pod = name(&self.kubectl.pods()?[0]).to_owned();
        let log = self.kubectl.run(&["logs", &pod])?;
        self.report.check(
            !log.contains("\"event\":\"ready\""),
            "what endcap-settings says reaches the service: with ENDCAP_LOG=error it logs no start",
        );
        self.kubectl.run(&["delete", "secret", "endcap-settings"])?;
        let patch = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "endcap", "envFrom": [{ "secretRef": { "name": "absent" } }] }
        ] } } } });
        self.kubectl.run(&["patch", DEPLOYMENT, "--patch", &patch.to_string()])?;
        let (message, _) = self.kubectl.until("the new pod waits for its Secret", PATIENCE, |kubectl| {
            let pods = kubectl.pods()?;
            let waiting = pods.iter().map(|pod| &container(pod)["state"]["waiting"]);
            Ok(waiting
                .filter(|waiting| waiting["reason"] == "CreateContainerConfigError")
                .filter_map(|waiting| waiting["message"].as_str())
                // Before it has looked, the kubelet says that it could not look.
                .find(|message| message.contains("not found"))
                .map(str::to_owned))
        })?;
        self.report.check(
            message.contains("absent") && ready(&self.kubectl)? == 2,
            format!("a Secret that must be there and is not: {message}; the old pods serve"),
        );
        self.kubectl.run(&["rollout", "undo", DEPLOYMENT])?;
        settled(&self.kubectl, 2)?;
        Ok(())
    }

    /// The API server takes every overlay.
    pub(super) fn overlays(&mut self) -> anyhow::Result<()> {
        self.report.step("the overlays, at the API server");
        // A dry run makes no namespace for what comes after it.
        let folders = [
            ("overlays/single-node", "endcap"),
            ("overlays/edge", "endcap"),
            ("overlays/gpu", "endcap"),
            ("overlays/tenant", "endcap-acme"),
            ("node", "endcap-node"),
        ];
        for (folder, namespace) in folders {
            let path = self.settings.manifests.join(folder).display().to_string();
            if namespace != "endcap" {
                self.kubectl.run(&["create", "namespace", namespace])?;
            }
            let applied =
                self.kubectl.run(&["apply", "--dry-run=server", "--namespace", namespace, "-k", &path]);
            let (accepted, said) = match &applied {
                Ok(said) => (true, format!("{} objects", said.lines().count())),
                Err(error) => (false, format!("{error:#}")),
            };
            self.report.check(accepted, format!("{folder}: {said}"));
            if namespace != "endcap" {
                self.kubectl.run(&["delete", "namespace", namespace])?;
            }
        }
        Ok(())
    }

    /// A volume that lets one pod in.
    pub(super) fn one_state(&mut self) -> anyhow::Result<()> {
        self.report.step("two pods on one state volume");
        // K3s's own provisioner makes such a volume; here it is made by hand.
        std::fs::create_dir_all(self.node.path("/var/lib/state"))?;
        self.kubectl.feed(
            &["create", "-f", "-"],
            &json!({
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "state" },
                "spec": {
                    "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOncePod"],
                    "storageClassName": "local-path", "hostPath": { "path": "/var/lib/state" },
                },
            }),
        )?;
        self.kubectl.run(&["delete", "horizontalpodautoscaler", "endcap"])?;
        let overlay = self.overlay("single", "overlays/single-node", &self.settings.node.digest)?;
        self.kubectl.run(&["apply", "-k", &overlay])?;
        self.kubectl.run(&["rollout", "status", DEPLOYMENT, "--timeout=90s"])?;
        settled(&self.kubectl, 1)?;
        self.report.reached("overlay single-node: one pod with the volume is ready");
        self.kubectl.run(&["scale", DEPLOYMENT, "--replicas=2"])?;
        let (message, _) = self.kubectl.until("the second pod is kept out", PATIENCE, |kubectl| {
            let messages = kubectl.events("FailedScheduling", "endcap")?;
            Ok(messages.into_iter().find(|message| message.contains("ReadWriteOncePod")))
        })?;
        self.report.check(ready(&self.kubectl)? == 1, format!("a second pod is kept out: {message}"));
        Ok(())
    }
}
