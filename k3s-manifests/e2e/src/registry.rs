//! A registry on the node: the image and the component are pushed there and come back the same.

use std::path::Path;

use anyhow::{Context, bail};

use crate::node::Node;
use crate::report::Report;

const ADDRESS: &str = "127.0.0.1:5000";
const CONFIGURATION: &str = "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /var/lib/registry\n\
                             http:\n  addr: 127.0.0.1:5000\n";

/// Starts the registry (Debian's docker-registry), pushes and pulls.
pub(crate) fn check(
    node: &mut Node,
    report: &mut Report,
    (image, digest): (&Path, &str),
    (component, component_digest): (&Path, &str),
) -> anyhow::Result<()> {
    node.write("/etc/registry.yml", CONFIGURATION)?;
    node.start("registry", "docker-registry", &["serve", "/etc/registry.yml"])?;
    node.wait("the registry", |_| std::net::TcpStream::connect(ADDRESS).is_ok())?;
    for (what, archive, digest) in [("service", image, digest), ("component", component, component_digest)] {
        std::fs::copy(archive, node.path("/tmp/push.tar")).with_context(|| archive.display().to_string())?;
        let to = format!("docker://{ADDRESS}/endcap/{what}:1");
        skopeo(
            node,
            &["copy", "--dest-tls-verify=false", "--preserve-digests", "oci-archive:/tmp/push.tar", &to],
        )?;
        // The bytes that the registry gives out; what skopeo says of an image it cannot say of a component.
        let manifest = skopeo(node, &["inspect", "--tls-verify=false", "--raw", &to])?;
        node.write("/tmp/manifest.json", &manifest)?;
        let raw = skopeo(node, &["manifest-digest", "/tmp/manifest.json"])?;
        report.check(raw.trim() == digest, format!("the registry has the {what} as {}", raw.trim()));
    }
    // As a node pulls it: by digest, checked by containerd layer by layer.
    let name = format!("{ADDRESS}/endcap/service@{digest}");
    node.ctr(&["images", "pull", "--plain-http", &name])?;
    let images = node.ctr(&["images", "ls", "-q"])?;
    report.check(images.lines().any(|image| image == name), "containerd pulls the service by digest");
    // The component's media types are no image's: it comes back as a folder of blobs.
    let from = format!("docker://{ADDRESS}/endcap/component@{component_digest}");
    skopeo(node, &["copy", "--src-tls-verify=false", "--preserve-digests", &from, "dir:/tmp/component"])?;
    let blobs = std::fs::read_dir(node.path("/tmp/component"))?;
    let is_component =
        |path: &Path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\0asm\x0d\0\x01\0"));
    let found = blobs.flatten().any(|blob| is_component(&blob.path()));
    report.check(found, "the component comes back from the registry");
    Ok(())
}

fn skopeo(node: &Node, arguments: &[&str]) -> anyhow::Result<String> {
    let output = node.command("skopeo", &[&["--insecure-policy"], arguments].concat()).output()?;
    if !output.status.success() {
        bail!("skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
