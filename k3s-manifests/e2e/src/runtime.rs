//! containerd and the network of its pods.

use std::time::Duration;

use serde_json::{Value, json};

use crate::images;
use crate::node::Node;

/// Addresses of pods.
pub(crate) const PODS: &str = "10.88.0.0/24";

/// containerd's runtimes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runtime<'a> {
    /// What the manifests' RuntimeClass names.
    pub handler: &'a str,
    /// Text of `node/containerd.tmpl`.
    pub template: &'a str,
    /// Handler of pods whose class names none.
    pub default: &'a str,
}

impl Runtime<'_> {
    /// Writes the configuration, starts containerd and waits for it.
    pub(crate) fn start(self, node: &mut Node) -> anyhow::Result<Duration> {
        node.write("/etc/containerd/config.toml", &self.configuration())?;
        node.write("/etc/cni/net.d/10-pods.conflist", &network().to_string())?;
        node.start("containerd", "containerd", &["--config", "/etc/containerd/config.toml"])?;
        node.wait("containerd", |node| node.ctr(&["version"]).is_ok())
    }

    /// Around the runtime that the node's template adds, what K3s's own configuration says.
    fn configuration(self) -> String {
        // The template's conditions ask what K3s has found by itself: here there is no K3s.
        let runtime: Vec<&str> = self.template.lines().filter(|line| !line.starts_with("{{")).collect();
        let runtime =
            runtime.join("\n").replace("@HANDLER@", self.handler).replace("{{ .SystemdCgroup }}", "false");
        // K3s's own: no such program is on this node, so that a pod without the class starts nothing.
        let other = if self.default == self.handler {
            String::new()
        } else {
            format!(
                "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.\"{}\"]\n\
                 runtime_type = \"io.containerd.runc.v2\"\n",
                self.default
            )
        };
        format!(
            "version = 2\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\n\
             sandbox_image = \"{}\"\n\
             # Root of a machine that is itself a guest may not lower it; a node's may.\n\
             restrict_oom_score_adj = true\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n\
             default_runtime_name = \"{}\"\n\
             {other}\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\n\
             bin_dir = \"/usr/lib/cni\"\n\
             conf_dir = \"/etc/cni/net.d\"\n\
             {runtime}\n",
            images::PAUSE,
            self.default,
        )
    }
}

/// A network of pods on a bridge, in the namespace of this run alone.
fn network() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods0",
                "isGateway": true,
                "ipMasq": false,
                "ipam": { "type": "host-local", "ranges": [[{ "subnet": PODS }]] },
            },
            { "type": "loopback" },
        ],
    })
}
