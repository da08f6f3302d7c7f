//! A kubelet without an API server: pods are files in a folder, their state is read over HTTP.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::http;
use crate::node::Node;

/// Folder of the pods, in the node.
const PODS: &str = "/etc/kubernetes/manifests";
/// Address of the kubelet's read-only answers.
const STATE: &str = "http://127.0.0.1:10255";
/// Longest wait for a pod to become what it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the kubelet says of a pod.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PodState {
    pub ip: String,
    pub ready: bool,
    pub restarts: u64,
    /// containerd's name of the container.
    pub container: String,
    /// Why it is not running, or ended before.
    pub reason: String,
    /// Exit code of the last container that ended.
    pub exit_code: Option<i64>,
}

/// Configuration of a kubelet without an API server.
pub(crate) fn configuration() -> Value {
    let mut configuration = common();
    configuration["staticPodPath"] = json!(PODS);
    configuration["authentication"] =
        json!({ "webhook": { "enabled": false }, "anonymous": { "enabled": true } });
    configuration["authorization"] = json!({ "mode": "AlwaysAllow" });
    configuration["address"] = json!("127.0.0.1");
    configuration["readOnlyPort"] = json!(10255);
    configuration
}

/// What a kubelet here has otherwise than one of K3s: nothing of the machine is changed.
pub(crate) fn common() -> Value {
    json!({
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "enableServer": true,
        "cgroupDriver": "cgroupfs",
        "failSwapOn": false,
        "makeIPTablesUtilChains": false,
        // The limits of containers hold; only the tiers above pods, which would be made in the machine's root, are off.
        "cgroupsPerQOS": false,
        "enforceNodeAllocatable": [],
        "podLogsDir": "/var/log/pods",
    })
}

/// Puts a pod onto the node.
pub(crate) fn add(node: &Node, pod: &Value) -> anyhow::Result<()> {
    // A kubelet reads what it finds at once: half a file would be a broken pod.
    let name = pod["metadata"]["name"].as_str().context("a pod without a name")?;
    node.write(&format!("{PODS}/.{name}"), &pod.to_string())?;
    std::fs::rename(node.path(&format!("{PODS}/.{name}")), node.path(&format!("{PODS}/{name}.json")))?;
    Ok(())
}

/// Deletes a pod, as `kubectl delete pod` does: hooks and grace period hold.
pub(crate) fn delete(node: &Node, name: &str) -> anyhow::Result<()> {
    Ok(std::fs::remove_file(node.path(&format!("{PODS}/{name}.json")))?)
}

/// True once the kubelet answers.
pub(crate) fn is_up() -> bool {
    http::get(&format!("{STATE}/pods")).is_ok()
}

/// A pod by the name in its file; the kubelet adds the node's.
pub(crate) fn state(name: &str) -> anyhow::Result<Option<PodState>> {
    let pods: Value = serde_json::from_str(&http::get(&format!("{STATE}/pods"))?)?;
    // No list at all is the kubelet's way to say that there is none.
    let pods = pods["items"].as_array().map_or(&[][..], Vec::as_slice);
    let named = |pod: &&Value| {
        pod["metadata"]["name"]
            .as_str()
            .is_some_and(|full| full.strip_suffix("-node").is_some_and(|own| own == name))
    };
    Ok(pods.iter().find(named).map(read))
}

fn read(pod: &Value) -> PodState {
    let status = &pod["status"];
    let container = &status["containerStatuses"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ended = [&container["state"]["terminated"], &container["lastState"]["terminated"]];
    let ended = ended.into_iter().find(|ended| !ended.is_null());
    PodState {
        ip: text(&status["podIP"]),
        ready: container["ready"] == true,
        restarts: container["restartCount"].as_u64().unwrap_or(0),
        container: text(&container["containerID"]).trim_start_matches("containerd://").to_owned(),
        reason: [&container["state"]["waiting"], ended.unwrap_or(&Value::Null)]
            .into_iter()
            .map(|state| format!("{} {}", text(&state["reason"]), text(&state["message"])).trim().to_owned())
            .find(|reason| !reason.is_empty())
            .unwrap_or_default(),
        exit_code: ended.and_then(|ended| ended["exitCode"].as_i64()),
    }
}

/// Waits until a pod is as `wanted`; answers it and how long it took.
pub(crate) fn wait(
    name: &str,
    what: &str,
    wanted: impl Fn(&PodState) -> bool,
) -> anyhow::Result<(PodState, Duration)> {
    let begun = Instant::now();
    let mut last = None;
    while begun.elapsed() < PATIENCE {
        last = state(name)?;
        if let Some(state) = last.as_ref().filter(|state| wanted(state)) {
            return Ok((state.clone(), begun.elapsed()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("pod {name} is not {what} after {PATIENCE:?}: {last:?}")
}
