//! What watches and scales a cluster: Prometheus with this project's own configuration and rules, kube-state-metrics,
//! metrics-server, prometheus-adapter with the rule of `base/`.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::container;
use crate::http;

use super::Run;
use super::pki::{NODE, path};
use super::steps::settled;

const PROMETHEUS: &str = "http://127.0.0.1:9090";
/// Folder that `monitoring/README.md` has an operator make.
const ETC: &str = "/etc/prometheus/endcap";
/// Metrics come every few seconds here; a rate wants several.
const PATIENCE: Duration = Duration::from_secs(120);

impl Run<'_> {
    /// Every query of rules and dashboards has an answer in a cluster.
    pub(super) fn metrics(&mut self) -> anyhow::Result<()> {
        self.report.step("Prometheus in the cluster");
        self.prometheus()?;
        self.adapters()?;
        let (_, took) = self.kubectl.until("every target is up", PATIENCE, |_| {
            // Two pods, the node's kubelet, kube-state-metrics.
            let found = http::get(&format!("{PROMETHEUS}/api/v1/query?query=sum(up)==4")).unwrap_or_default();
            Ok(found.contains("\"value\"").then_some(()))
        })?;
        self.report.reached(format!(
            "it finds both pods and the node through the API, and all targets are up ({} ms)",
            took.as_millis()
        ));
        // A restart and its reason are among what is asked for.
        let pods = self.kubectl.pods()?;
        let id = pods[0]["status"]["containerStatuses"][0]["containerID"].as_str().unwrap_or_default();
        let process = container::process(&self.node, id.trim_start_matches("containerd://"))?;
        let killed = Command::new("kill").args(["-KILL", &process.to_string()]).status()?;
        anyhow::ensure!(killed.success(), "kill {process}: {killed}");
        let (_, took) = self.kubectl.until("the killed one is ready again", PATIENCE, |kubectl| {
            let pods = kubectl.pods()?;
            let again = |pod: &serde_json::Value| {
                let status = &pod["status"]["containerStatuses"][0];
                status["restartCount"].as_u64() > Some(0) && status["ready"] == true
            };
            Ok(pods.iter().any(again).then_some(()))
        })?;
        self.report
            .reached(format!("a killed process is ready again, says the API, after {} ms", took.as_millis()));
        self.autoscaling()
    }

    fn prometheus(&mut self) -> anyhow::Result<()> {
        let monitoring = self.settings.manifests.join("monitoring");
        self.kubectl.run(&[
            "apply",
            "-k",
            &monitoring.join("prometheus").display().to_string(),
            "--namespace=",
        ])?;
        let (token, _) = self.kubectl.until("a token", PATIENCE, |kubectl| {
            let template = "go-template={{.data.token | base64decode}}";
            let secret =
                ["get", "secret", "endcap-prometheus", "--namespace=monitoring", "--output", template];
            Ok(kubectl.run(&secret).ok().filter(|token| token.len() > 100))
        })?;
        self.node.write(&format!("{ETC}/token"), &token)?;
        std::fs::copy(self.node.path(&path("ca.crt")), self.node.path(&format!("{ETC}/server-ca.crt")))?;
        let rules = self.node.path(&format!("{ETC}/rules"));
        std::fs::create_dir_all(&rules)?;
        for rule in std::fs::read_dir(monitoring.join("rules"))? {
            let rule = rule?.path();
            if let Some(name) = rule.file_name().filter(|_| rule.is_file()) {
                std::fs::copy(&rule, rules.join(name))?;
            }
        }
        let file = monitoring.join("prometheus/prometheus.yml");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        // The same but for the intervals: a run takes minutes, not days. And what a cluster has of its own.
        let text = text
            .replace("scrape_interval: 15s", "scrape_interval: 2s")
            .replace("evaluation_interval: 30s", "evaluation_interval: 2s");
        let own = "\n  - job_name: kube-state-metrics\n    honor_labels: true\n    static_configs:\n      \
                   - targets: ['127.0.0.1:8085']\n";
        self.node.write("/etc/prometheus/prometheus.yml", &format!("{text}{own}"))?;
        self.node.start(
            "prometheus",
            "prometheus",
            &[
                "--config.file=/etc/prometheus/prometheus.yml",
                "--storage.tsdb.path=/var/lib/prometheus-e2e",
                "--web.listen-address=127.0.0.1:9090",
            ],
        )?;
        Ok(())
    }

    fn adapters(&mut self) -> anyhow::Result<()> {
        let admin = path("admin.conf");
        self.node.start(
            "kube-state-metrics",
            "kube-state-metrics",
            &[
                &format!("--kubeconfig={admin}"),
                "--port=8085",
                "--telemetry-port=8086",
                "--resources=deployments,pods,horizontalpodautoscalers",
            ],
        )?;
        let clients = [
            format!("--authentication-kubeconfig={admin}"),
            format!("--authorization-kubeconfig={admin}"),
            format!("--client-ca-file={}", path("ca.crt")),
            format!("--requestheader-client-ca-file={}", path("front-ca.crt")),
        ];
        let clients: Vec<&str> = clients.iter().map(String::as_str).collect();
        let own = [
            &format!("--kubeconfig={admin}") as &str,
            "--secure-port=4443",
            "--cert-dir=/tmp/metrics-server",
            "--kubelet-preferred-address-types=InternalIP",
            &format!("--kubelet-certificate-authority={}", path("ca.crt")),
            // The least that it takes.
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
        ];
        self.node.start("metrics-server", "metrics-server", &[&own[..], &clients].concat())?;
        let rule = self.settings.manifests.join("base/prometheus-adapter-rule.yaml");
        std::fs::copy(&rule, self.node.path("/etc/prometheus-adapter.yaml"))
            .with_context(|| rule.display().to_string())?;
        let own = [
            &format!("--lister-kubeconfig={admin}") as &str,
            "--config=/etc/prometheus-adapter.yaml",
            &format!("--prometheus-url={PROMETHEUS}"),
            "--secure-port=4444",
            "--cert-dir=/tmp/prometheus-adapter",
            "--metrics-relist-interval=5s",
            "--metrics-max-age=30s",
        ];
        self.node.start("prometheus-adapter", "prometheus-adapter", &[&own[..], &clients].concat())?;
        for (group, version, name, port) in [
            ("metrics.k8s.io", "v1beta1", "metrics-server", 4443),
            ("custom.metrics.k8s.io", "v1beta1", "prometheus-adapter", 4444),
        ] {
            self.service_of_node("kube-system", name, port)?;
            self.kubectl.feed(
                &["create", "-f", "-"],
                &json!({
                    "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                    "metadata": { "name": format!("{version}.{group}") },
                    "spec": {
                        "group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100,
                        "insecureSkipTLSVerify": true,
                        "service": { "name": name, "namespace": "kube-system", "port": port },
                    },
                }),
            )?;
        }
        Ok(())
    }

    /// A Service that leads to a program of the node itself: here these run beside the pods, not in one.
    pub(super) fn service_of_node(&self, namespace: &str, name: &str, port: u16) -> anyhow::Result<()> {
        let metadata = json!({ "name": name, "namespace": namespace });
        let namespace = format!("--namespace={namespace}");
        let ports = json!([{ "port": port, "protocol": "TCP" }]);
        for object in [
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": { "ports": ports } }),
            json!({ "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
                    "subsets": [{ "addresses": [{ "ip": NODE }], "ports": ports }] }),
        ] {
            self.kubectl.feed(&["create", &namespace, "-f", "-"], &object)?;
        }
        Ok(())
    }

    /// The autoscaler goes by both metrics, and adds pods; then every query is asked, all under load.
    fn autoscaling(&mut self) -> anyhow::Result<()> {
        self.report.step("the autoscaler, and every query");
        settled(&self.kubectl, 2)?;
        let manifests = self.settings.manifests.clone();
        let mut seen = String::new();
        let mut asked = String::new();
        let mut whole = false;
        self.under_load("scaled up", |kubectl| {
            let (metrics, _) = kubectl.until("both metrics reach the autoscaler", PATIENCE, |kubectl| {
                let autoscaler = kubectl.get(&["horizontalpodautoscaler", "endcap"])?;
                let current = autoscaler["status"]["currentMetrics"].as_array().cloned().unwrap_or_default();
                let active = kubectl.condition("horizontalpodautoscaler", "endcap", "ScalingActive")?;
                let value = |kind: &str, field: &str| {
                    let metric = current.iter().find(|metric| metric["type"] == kind)?;
                    quantity(metric[field]["current"]["averageValue"].as_str()?)
                };
                let found = value("Resource", "resource").zip(value("Pods", "pods"));
                // Those of the load, not of a moment before it.
                Ok(found.filter(|&(cpu, rate)| active == "True" && cpu > 0.01 && rate > 100.0))
            })?;
            seen = format!("{:.2} cores and {:.0} requests/s a pod", metrics.0, metrics.1);
            // A new container's processor time is first counted after some seconds.
            kubectl
                .until("every query is answered", PATIENCE, |_| {
                    let output = Command::new("python3")
                        .arg(manifests.join("monitoring/live.py"))
                        .args(["ask", PROMETHEUS])
                        .stdin(Stdio::null())
                        .output()
                        .context("starting python3")?;
                    asked = String::from_utf8_lossy(&output.stdout).into_owned();
                    whole = output.status.success();
                    Ok(whole.then_some(()))
                })
                .ok();
            // The shop's own target is above what two cores answer beside everything else here.
            let patch = json!({ "spec": { "maxReplicas": 3, "metrics": [
                { "type": "Pods", "pods": {
                    "metric": { "name": "endcap_http_requests_per_second" },
                    "target": { "type": "AverageValue", "averageValue": "100" },
                } },
            ] } });
            kubectl.run(&["patch", "horizontalpodautoscaler", "endcap", "--patch", &patch.to_string()])?;
            settled(kubectl, 3).map(drop)
        })?;
        self.report.reached(format!("it goes by {seen}"));
        self.report.reached("above its target it adds a pod");
        for line in asked.lines() {
            self.report.note(line);
        }
        self.report
            .check(whole, format!("every query is answered: {}", asked.lines().last().unwrap_or_default()));
        Ok(())
    }
}

/// A number as Kubernetes writes one, in units.
fn quantity(text: &str) -> Option<f64> {
    match text.strip_suffix('m') {
        Some(thousandths) => Some(thousandths.parse::<f64>().ok()? / 1000.0),
        None => text.parse().ok(),
    }
}
