//! The programs of a cluster's server and of its node, as K3s has them in one process: etcd in the place of its SQLite.

use anyhow::Context;
use serde_json::json;

use crate::kubelet;
use crate::node::Node;
use crate::runtime::PODS;

use super::kubectl::Kubectl;
use super::pki::{self, NODE, path};

/// Addresses of Services, K3s's own default.
const SERVICES: &str = "10.43.0.0/16";

/// Starts the API server with its store, controllers and scheduler, and waits until it answers.
pub(super) fn server(node: &mut Node, kubectl: &Kubectl) -> anyhow::Result<()> {
    pki::make(node)?;
    node.start(
        "etcd",
        "etcd",
        // Nothing here has to outlive a crash of the machine.
        &[
            "--data-dir=/var/lib/etcd",
            "--unsafe-no-fsync",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
        ],
    )?;
    let flags = [
        "--etcd-servers=http://127.0.0.1:2379".to_owned(),
        "--bind-address=0.0.0.0".to_owned(),
        format!("--advertise-address={NODE}"),
        "--secure-port=6443".to_owned(),
        format!("--service-cluster-ip-range={SERVICES}"),
        format!("--tls-cert-file={}", path("apiserver.crt")),
        format!("--tls-private-key-file={}", path("apiserver.key")),
        format!("--client-ca-file={}", path("ca.crt")),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", path("accounts.crt")),
        format!("--service-account-signing-key-file={}", path("accounts.key")),
        format!("--kubelet-certificate-authority={}", path("ca.crt")),
        format!("--kubelet-client-certificate={}", path("apiserver-client.crt")),
        format!("--kubelet-client-key={}", path("apiserver-client.key")),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--allow-privileged=true".to_owned(),
        // The aggregation layer, through which metrics-server and prometheus-adapter answer.
        format!("--requestheader-client-ca-file={}", path("front-ca.crt")),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        format!("--proxy-client-cert-file={}", path("front-ca.crt")),
        format!("--proxy-client-key-file={}", path("front-ca.key")),
        "--enable-aggregator-routing=true".to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    node.start("kube-apiserver", "kube-apiserver", &flags)?;
    node.wait("the API server", |_| kubectl.run(&["get", "--raw", "/readyz"]).is_ok())?;
    let (kubeconfig, accounts, ca) = (path("controller-manager.conf"), path("accounts.key"), path("ca.crt"));
    node.start(
        "kube-controller-manager",
        "kube-controller-manager",
        &[
            &format!("--kubeconfig={kubeconfig}"),
            &format!("--service-account-private-key-file={accounts}"),
            &format!("--root-ca-file={ca}"),
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            // The rest as by default: how long an autoscaler waits is part of what is looked at.
            "--horizontal-pod-autoscaler-sync-period=5s",
        ],
    )?;
    let kubeconfig = path("scheduler.conf");
    node.start(
        "kube-scheduler",
        "kube-scheduler",
        &[&format!("--kubeconfig={kubeconfig}"), "--leader-elect=false"],
    )
}

/// Starts the kubelet and kube-proxy, and waits until the node is ready.
pub(super) fn node(node: &mut Node, kubectl: &Kubectl, kubelet_program: &str) -> anyhow::Result<()> {
    let mut configuration = kubelet::common();
    configuration["authentication"] = json!({
        "webhook": { "enabled": true },
        "anonymous": { "enabled": false },
        "x509": { "clientCAFile": path("ca.crt") },
    });
    configuration["authorization"] = json!({ "mode": "Webhook" });
    configuration["tlsCertFile"] = json!(path("kubelet.crt"));
    configuration["tlsPrivateKeyFile"] = json!(path("kubelet.key"));
    configuration["readOnlyPort"] = json!(0);
    node.write("/etc/kubernetes/kubelet.json", &configuration.to_string())?;
    let kubeconfig = format!("--kubeconfig={}", path("node.conf"));
    node.start(
        "kubelet",
        kubelet_program,
        &[
            "--config=/etc/kubernetes/kubelet.json",
            &kubeconfig,
            "--hostname-override=node",
            &format!("--node-ip={NODE}"),
        ],
    )?;
    let kubeconfig = format!("--kubeconfig={}", path("proxy.conf"));
    node.start(
        "kube-proxy",
        "kube-proxy",
        &[
            &kubeconfig,
            "--proxy-mode=iptables",
            &format!("--cluster-cidr={PODS}"),
            "--hostname-override=node",
            // Limits of the machine's table of connections are the machine's.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ],
    )?;
    node.wait("the node", |_| kubectl.condition("node", "node", "Ready").is_ok_and(|ready| ready == "True"))
        .context("the kubelet's log says why")?;
    Ok(())
}
