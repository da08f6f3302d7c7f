//! kubectl, the operator's tool, outside the node.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

/// Namespace of the service.
pub(super) const NAMESPACE: &str = "endcap";

/// A program and the file that says where the cluster is.
#[derive(Debug, Clone)]
pub(super) struct Kubectl {
    pub program: PathBuf,
    pub kubeconfig: PathBuf,
}

impl Kubectl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["--namespace", NAMESPACE]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it prints; an error with what it says where it fails.
    pub(super) fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output().context("starting kubectl")?;
        self.said(arguments, output)
    }

    /// What it prints, given an object.
    pub(super) fn feed(&self, arguments: &[&str], object: &Value) -> anyhow::Result<String> {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().context("starting kubectl")?;
        child.stdin.take().context("no input")?.write_all(object.to_string().as_bytes())?;
        self.said(arguments, child.wait_with_output()?)
    }

    fn said(&self, arguments: &[&str], output: Output) -> anyhow::Result<String> {
        if !output.status.success() {
            bail!("kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Why it fails, which it must.
    pub(super) fn refusal(&self, arguments: &[&str], object: &Value) -> anyhow::Result<String> {
        match self.feed(arguments, object) {
            Ok(said) => bail!("kubectl {} is not refused: {said}", arguments.join(" ")),
            Err(error) => Ok(error.to_string()),
        }
    }

    /// An object, or a list.
    pub(super) fn get(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.run(&[&["get", "--output", "json"], arguments].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl get {arguments:?}: {text}"))
    }

    /// Status of a condition of an object.
    pub(super) fn condition(&self, kind: &str, name: &str, condition: &str) -> anyhow::Result<String> {
        let object = self.get(&[kind, name])?;
        let conditions = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
        let found = conditions.iter().find(|found| found["type"] == condition);
        Ok(found.and_then(|found| found["status"].as_str()).unwrap_or("absent").to_owned())
    }

    /// The service's pods that are not on their way out, by name.
    pub(super) fn pods(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.get(&["pods", "--selector", "app.kubernetes.io/name=endcap"])?;
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        Ok(pods.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect())
    }

    /// Messages of events about objects whose name begins so.
    pub(super) fn events(&self, reason: &str, name: &str) -> anyhow::Result<Vec<String>> {
        let list = self.get(&["events", "--field-selector", &format!("reason={reason}")])?;
        let events = list["items"].as_array().cloned().unwrap_or_default();
        let about = events.iter().filter(|event| {
            event["involvedObject"]["name"].as_str().is_some_and(|about| about.starts_with(name))
        });
        Ok(about.filter_map(|event| event["message"].as_str().map(str::to_owned)).collect())
    }

    /// Asks until there is an answer.
    pub(super) fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut ask: impl FnMut(&Self) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<(T, Duration)> {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask(self)? {
                return Ok((answer, begun.elapsed()));
            }
            if begun.elapsed() > patience {
                bail!("{what}: not so after {patience:?}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
