//! Images that are built here, because nothing is fetched from a registry of images.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use endcap_models::image::{About, Arch, ConfigBuilder, Entry, scratch_image};

/// What a pod's sandbox runs: the name under which the node's containerd looks for it.
pub(crate) const PAUSE: &str = "endcap.local/pause:1";
/// A program that does nothing: its start is the runtime's.
pub(crate) const EMPTY: &str = "endcap.local/empty:1";
/// `(module (memory (export "memory") 1) (func (export "_start")))`
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\
    \x07\x13\x02\x06memory\x02\0\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

/// The image of the sandboxes' program, which is linked statically.
pub(crate) fn pause(program: &Path, out: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    write(PAUSE, "/pause", &bytes, out)
}

/// The image of the program that does nothing.
pub(crate) fn empty(out: &Path) -> anyhow::Result<()> {
    write(EMPTY, "/app.wasm", EMPTY_MODULE, out)
}

fn write(reference: &str, program: &str, bytes: &[u8], out: &Path) -> anyhow::Result<()> {
    let files = [Entry { path: program.trim_start_matches('/'), mode: 0o755, bytes }];
    let config = ConfigBuilder::default().entrypoint(vec![program.to_owned()]).user("65532:65532").build()?;
    let about = About { version: "1".to_owned(), reference: reference.to_owned(), ..About::default() };
    let archive = scratch_image(&files, Arch::Amd64, config, HashMap::new(), &about)?;
    std::fs::write(out, archive.to_bytes()?).with_context(|| out.display().to_string())
}
