//! Gatekeeper 3.15 at the API server's door, with this project's policies as an operator applies them.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::Run;
use super::pki::{self, path};
use super::steps::{DEPLOYMENT, settled};

/// Its namespace and its webhook's Service, as its release has them.
const NAMESPACE: &str = "gatekeeper-system";
const SERVICE: &str = "gatekeeper-webhook-service";
/// Port of its webhook, on the node.
const PORT: u16 = 8443;
/// What of the release runs as pods elsewhere, and is a program of the node here.
const NOT_HERE: [&str; 3] = ["Deployment", "Service", "PodDisruptionBudget"];
const PATIENCE: Duration = Duration::from_secs(90);

impl Run<'_> {
    /// The policies let through what the project ships, and refuse what they say.
    pub(super) fn policies(&mut self) -> anyhow::Result<()> {
        self.report.step("Gatekeeper");
        self.gatekeeper()?;
        // Something that was there before the policies: for the audit.
        self.kubectl.run(&["create", "service", "clusterip", "stray", "--tcp=80"])?;
        let policy = self.settings.manifests.join("policy");
        let templates = policy.join("templates").display().to_string();
        self.kubectl.run(&["apply", "-k", &templates])?;
        let (_, took) = self.kubectl.until("the constraints' kinds", PATIENCE, |kubectl| {
            let label = ["wait", "--for=condition=Established", "--timeout=5s", "crd", "--selector"];
            let waited = kubectl.run(&[&label[..], &["gatekeeper.sh/constraint=yes"]].concat());
            Ok(waited.ok().filter(|said| said.lines().count() == 7))
        })?;
        self.kubectl.run(&["apply", "-k", &policy.display().to_string()])?;
        self.report.reached(format!("the policies are applied, their kinds after {} ms", took.as_millis()));
        self.enforced()?;
        self.kubectl.run(&["rollout", "restart", DEPLOYMENT])?;
        self.kubectl.run(&["rollout", "status", DEPLOYMENT, "--timeout=90s"])?;
        settled(&self.kubectl, 2)?;
        self.report.reached("what the project ships passes: pods roll out under the policies");
        self.denials()?;
        let (found, _) = self.kubectl.until("the audit", PATIENCE, |kubectl| {
            let list = kubectl.get(&["constraints"])?;
            let constraints = list["items"].as_array().cloned().unwrap_or_default();
            let all = constraints.iter().all(|one| one["status"]["totalViolations"].is_u64());
            let violations =
                constraints.iter().flat_map(|one| one["status"]["violations"].as_array().cloned());
            let violations: Vec<String> =
                violations.flatten().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect();
            // The first round may have been before the constraints.
            Ok((all && constraints.len() == 7 && !violations.is_empty()).then_some(violations))
        })?;
        self.report.check(
            found.iter().all(|name| name == "stray"),
            format!("the audit finds what was there before the policies, and nothing in what is shipped: {found:?}"),
        );
        self.kubectl.run(&["delete", "service", "stray"])?;
        Ok(())
    }

    /// Its kinds, rights and webhooks from its own release; the program on the node.
    fn gatekeeper(&mut self) -> anyhow::Result<()> {
        let file = &self.settings.gatekeeper;
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let objects: Vec<Value> =
            serde_saphyr::from_multiple(&text).with_context(|| file.display().to_string())?;
        let ca = pki::base64(&self.node, "ca.crt")?;
        let objects: Vec<Value> = objects
            .into_iter()
            .filter(|object| !object.is_null() && !NOT_HERE.iter().any(|kind| object["kind"] == *kind))
            // Mutation is no part of the policies.
            .filter(|object| object["kind"] != "MutatingWebhookConfiguration")
            .map(|mut object| {
                for webhook in
                    object.pointer_mut("/webhooks").and_then(Value::as_array_mut).into_iter().flatten()
                {
                    webhook["clientConfig"]["caBundle"] = json!(ca);
                    webhook["clientConfig"]["service"]["port"] = json!(PORT);
                }
                object
            })
            .collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        // Its largest kinds are more than an annotation may hold.
        self.kubectl.feed(&["create", "--namespace=", "-f", "-"], &list)?;
        self.service_of_node(NAMESPACE, SERVICE, PORT)?;
        pki::serving(&self.node, "gatekeeper", &format!("{SERVICE}.{NAMESPACE}.svc"))?;
        for (from, to) in [("gatekeeper.crt", "tls.crt"), ("gatekeeper.key", "tls.key"), ("ca.crt", "ca.crt")]
        {
            let text = std::fs::read_to_string(self.node.path(&path(from)))?;
            self.node.write(&format!("/etc/gatekeeper/{to}"), &text)?;
        }
        // Where its audit lays what it lists.
        std::fs::create_dir_all(self.node.path("/tmp/audit"))?;
        self.node.start(
            "gatekeeper",
            "gatekeeper",
            &[
                &format!("--kubeconfig={}", path("admin.conf")),
                "--debug-use-fake-pod",
                "--operation=webhook",
                "--operation=audit",
                "--operation=status",
                "--audit-interval=10",
                &format!("--port={PORT}"),
                "--health-addr=:9091",
                "--prometheus-port=8889",
                "--cert-dir=/etc/gatekeeper",
                "--disable-cert-rotation",
                "--exempt-namespace=gatekeeper-system",
            ],
        )
    }

    /// Waits until the webhook knows every constraint: until then it admits.
    fn enforced(&mut self) -> anyhow::Result<()> {
        let (_, took) = self.kubectl.until("a denial", PATIENCE, |kubectl| {
            let patch = json!({ "metadata": { "labels": { "app.kubernetes.io/version": null } } });
            let tried =
                kubectl.run(&["patch", DEPLOYMENT, "--dry-run=server", "--patch", &patch.to_string()]);
            Ok(tried.err().filter(|error| error.to_string().contains("denied the request")))
        })?;
        self.report.note(format!("the webhook denies after {} ms", took.as_millis()));
        Ok(())
    }

    /// One mistake of each rule, made to the Deployment that runs.
    fn denials(&mut self) -> anyhow::Result<()> {
        let container = |fields: Value| {
            let mut container = json!({ "name": "endcap" });
            if let (Value::Object(all), Value::Object(more)) = (&mut container, fields) {
                all.extend(more);
            }
            json!({ "spec": { "template": { "spec": { "containers": [container] } } } })
        };
        let annotation = |name: &str, value: &str| json!({ "spec": { "template": { "metadata": { "annotations": { name: value } } } } });
        let cases = [
            ("image-digest", container(json!({ "image": "registry.example/endcap/service:latest" }))),
            (
                "image-registry",
                container(json!({ "image": format!("elsewhere.example/x@sha256:{}", "0".repeat(64)) })),
            ),
            ("limit-missing", container(json!({ "resources": { "limits": { "memory": null } } }))),
            ("read-only-root", container(json!({ "securityContext": { "readOnlyRootFilesystem": false } }))),
            ("label-missing", json!({ "metadata": { "labels": { "app.kubernetes.io/version": null } } })),
            ("model-bytes", annotation("endcap.io/model-bytes", "100000001")),
            ("model-age", annotation("endcap.io/model-created", "2020-01-01T00:00:00Z")),
            ("runtime-class", json!({ "spec": { "template": { "spec": { "runtimeClassName": "runc" } } } })),
            (
                "privilege",
                container(json!({ "securityContext": { "capabilities": { "add": ["NET_ADMIN"] } } })),
            ),
        ];
        for (what, patch) in cases {
            let patch = patch.to_string();
            let tried = self.kubectl.run(&["patch", DEPLOYMENT, "--dry-run=server", "--patch", &patch]);
            let said = tried.err().map(|error| error.to_string()).unwrap_or_else(|| "admitted".to_owned());
            let denial = said.split("denied the request: ").nth(1).unwrap_or(&said).trim().to_owned();
            self.report.check(
                said.contains("denied the request") && denial.contains("To mend: "),
                format!("{what}: {}", denial.lines().next().unwrap_or_default()),
            );
        }
        Ok(())
    }
}
