//! Certificates of a cluster: one authority, and a certificate for each program, by OpenSSL on the node.

use anyhow::{Context, bail};
use serde_json::json;

use crate::node::Node;

/// Folder of the certificates, in the node.
pub(super) const FOLDER: &str = "/etc/kubernetes/pki";
/// The node's address, which enter.sh gives it.
pub(super) const NODE: &str = "10.89.0.1";
/// The API server, for all.
pub(super) const SERVER: &str = "https://10.89.0.1:6443";
/// OpenSSL's own file asks for what nobody here has to say.
const CONFIGURATION: &str = "[req]\ndistinguished_name = name\n[name]\n";

/// Name of a program's certificate, its user, its group, and what it may be called when it serves.
const CERTIFICATES: [(&str, &str, &str, &str); 8] = [
    (
        "apiserver",
        "kube-apiserver",
        "",
        "IP:10.89.0.1,IP:10.43.0.1,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc",
    ),
    ("kubelet", "node", "", "IP:10.89.0.1,DNS:node"),
    ("admin", "admin", "system:masters", ""),
    ("apiserver-client", "kube-apiserver-client", "system:masters", ""),
    ("node", "system:node:node", "system:nodes", ""),
    ("controller-manager", "system:kube-controller-manager", "", ""),
    ("scheduler", "system:kube-scheduler", "", ""),
    ("proxy", "system:kube-proxy", "", ""),
];

/// Path of a file of the folder.
pub(super) fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Makes the authority, every certificate, the key of service accounts, and a kubeconfig for each user.
pub(super) fn make(node: &Node) -> anyhow::Result<()> {
    node.write(&path("openssl.cnf"), CONFIGURATION)?;
    certificate(node, "ca", "/CN=endcap-e2e", &["basicConstraints=critical,CA:TRUE"], false)?;
    // The aggregation layer's own, so that no client of the cluster is taken for it.
    certificate(node, "front-ca", "/CN=endcap-e2e-front", &["basicConstraints=critical,CA:TRUE"], false)?;
    certificate(node, "accounts", "/CN=accounts", &[], false)?;
    for (name, user, group, names) in CERTIFICATES {
        let subject = if group.is_empty() { format!("/CN={user}") } else { format!("/O={group}/CN={user}") };
        let names = format!("subjectAltName={names}");
        let mut extensions =
            vec!["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"];
        if !names.ends_with('=') {
            extensions.push(&names);
        }
        certificate(node, name, &subject, &extensions, true)?;
        kubeconfig(node, name)?;
    }
    Ok(())
}

/// A certificate of a program that only serves.
pub(super) fn serving(node: &Node, name: &str, host: &str) -> anyhow::Result<()> {
    let names = format!("subjectAltName=DNS:{host}");
    let extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth", &names];
    certificate(node, name, &format!("/CN={host}"), &extensions, true)
}

fn certificate(
    node: &Node,
    name: &str,
    subject: &str,
    extensions: &[&str],
    signed: bool,
) -> anyhow::Result<()> {
    let (key, out) = (path(&format!("{name}.key")), path(&format!("{name}.crt")));
    let (configuration, ca, ca_key) = (path("openssl.cnf"), path("ca.crt"), path("ca.key"));
    let mut arguments = vec![
        "req",
        "-x509",
        "-config",
        &configuration,
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-noenc",
        "-days",
        "2",
        "-subj",
        subject,
        "-keyout",
        &key,
        "-out",
        &out,
    ];
    for extension in extensions {
        arguments.extend(["-addext", extension]);
    }
    if signed {
        arguments.extend(["-CA", &ca, "-CAkey", &ca_key]);
    }
    openssl(node, &arguments).map(drop)
}

/// With everything in it, as some read it inside the node's root and kubectl outside.
fn kubeconfig(node: &Node, name: &str) -> anyhow::Result<()> {
    let configuration = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "e2e",
            "cluster": { "server": SERVER, "certificate-authority-data": base64(node, "ca.crt")? },
        }],
        "users": [{
            "name": name,
            "user": {
                "client-certificate-data": base64(node, &format!("{name}.crt"))?,
                "client-key-data": base64(node, &format!("{name}.key"))?,
            },
        }],
        "contexts": [{ "name": "e2e", "context": { "cluster": "e2e", "user": name } }],
        "current-context": "e2e",
    });
    node.write(&path(&format!("{name}.conf")), &configuration.to_string())
}

/// A file of the folder, as objects of the API hold one.
pub(super) fn base64(node: &Node, name: &str) -> anyhow::Result<String> {
    openssl(node, &["base64", "-A", "-in", &path(name)])
}

fn openssl(node: &Node, arguments: &[&str]) -> anyhow::Result<String> {
    let output = node.command("openssl", arguments).output().context("starting openssl")?;
    if !output.status.success() {
        bail!("openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
