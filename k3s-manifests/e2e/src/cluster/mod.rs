//! A cluster of one node, and what an operator does to it: `kubectl apply -k`, updates, mistakes.

mod addons;
mod control;
mod kubectl;
mod pki;
mod policy;
mod steps;

use std::path::PathBuf;

use anyhow::Context;

use crate::manifest::Manifests;
use crate::node::{self, Node};
use crate::report::Report;
use crate::runtime::Runtime;

use kubectl::Kubectl;

/// What is run, and on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    node: node::Settings,
    /// k3s-manifests.
    #[arg(long)]
    manifests: PathBuf,
    /// The base, rendered.
    #[arg(long)]
    rendered: PathBuf,
    /// When the model was packed, as `make image` prints it.
    #[arg(long)]
    created: String,
    /// A folder for overlays of the run's own, in the checkout: kustomize wants relative paths.
    #[arg(long)]
    overlays: PathBuf,
    /// kubectl.
    #[arg(long)]
    kubectl: PathBuf,
    /// Gatekeeper's release: its kinds, rights and webhooks.
    #[arg(long)]
    gatekeeper: PathBuf,
}

/// Runs everything; false where a check failed.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<bool> {
    let node = Node::new(settings.node.root.clone(), settings.node.logs.clone());
    let kubeconfig = node.path(&pki::path("admin.conf"));
    let kubectl = Kubectl { program: settings.kubectl.clone(), kubeconfig };
    let mut run = Run { node, kubectl, report: Report::default(), settings };
    run.up()?;
    run.install()?;
    run.inside()?;
    run.update()?;
    run.deletion()?;
    run.wrong_model()?;
    run.bounds()?;
    run.eviction()?;
    run.missing_plugins()?;
    run.secrets()?;
    run.overlays()?;
    run.policies()?;
    run.metrics()?;
    run.one_state()?;
    Ok(run.report.close())
}

/// The cluster, while it runs.
struct Run<'a> {
    settings: &'a Settings,
    node: Node,
    kubectl: Kubectl,
    report: Report,
}

impl Run<'_> {
    fn up(&mut self) -> anyhow::Result<()> {
        self.report.step("a cluster of one node");
        let handler = Manifests::read(&self.settings.rendered)?.handler()?.to_owned();
        let template = self.settings.manifests.join("node/containerd.tmpl");
        let template = std::fs::read_to_string(&template).with_context(|| template.display().to_string())?;
        // Only a pod's class leads to WasmEdge, as on a node of K3s.
        let runtime = Runtime { handler: &handler, template: &template, default: "runc" };
        runtime.start(&mut self.node)?;
        self.node.import(&self.settings.node.pause, None)?;
        for archive in [&self.settings.node.image, &self.settings.node.next_image] {
            self.node.import(archive, Some(&self.settings.node.base))?;
        }
        control::server(&mut self.node, &self.kubectl)?;
        control::node(&mut self.node, &self.kubectl, "kubelet")?;
        let node = self.kubectl.get(&["node", "node"])?;
        let of = |field: &str| node["status"]["nodeInfo"][field].as_str().unwrap_or_default().to_owned();
        self.report.check(
            of("kubeletVersion") == "v1.30.4"
                && of("containerRuntimeVersion").starts_with("containerd://1.7."),
            format!("a node of {} with {} is ready", of("kubeletVersion"), of("containerRuntimeVersion")),
        );
        Ok(())
    }

    /// Writes an overlay of this run's own, as the runbook says: the base with an image and its model's date.
    fn overlay(&self, name: &str, on: &str, digest: &str) -> anyhow::Result<String> {
        let folder = self.settings.overlays.join(name);
        std::fs::create_dir_all(&folder)?;
        let manifests = std::path::absolute(&self.settings.manifests)?;
        let up = std::path::absolute(&folder)?;
        let checkout = manifests.parent().context("the manifests lie in no folder")?;
        let below = up.strip_prefix(checkout).context("the overlays' folder is not in the checkout")?;
        let up = "../".repeat(below.components().count());
        let text = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- {up}k3s-manifests/{on}\n\
             images:\n- name: {}\n  digest: {digest}\npatches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    \
             metadata:\n      name: endcap\n    spec:\n      template:\n        metadata:\n          annotations:\n            \
             endcap.io/model-created: \"{}\"\n",
            self.settings.node.base, self.settings.created
        );
        std::fs::write(folder.join("kustomization.yaml"), text)?;
        Ok(folder.display().to_string())
    }
}
