//! The image that a pod's sandbox runs, built here, because nothing is fetched from a registry of images.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use endcap_models::image::{About, Arch, ConfigBuilder, Entry, scratch_image};

/// Name under which the node's containerd looks for it.
pub(crate) const REFERENCE: &str = "endcap.local/pause:1";

pub(crate) fn write(program: &Path, out: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    let files = [Entry { path: "pause", mode: 0o755, bytes: &bytes }];
    let config =
        ConfigBuilder::default().entrypoint(vec!["/pause".to_owned()]).user("65532:65532").build()?;
    let about = About { version: "1".to_owned(), reference: REFERENCE.to_owned(), ..About::default() };
    let archive = scratch_image(&files, Arch::Amd64, config, HashMap::new(), &about)?;
    std::fs::write(out, archive.to_bytes()?).with_context(|| out.display().to_string())
}
