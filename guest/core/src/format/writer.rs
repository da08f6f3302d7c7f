//! Writes a model file.

use sha2::{Digest, Sha256};

use super::manifest::{Manifest, SectionEntry};
use super::{FORMAT_VERSION, section, wasm};

/// Builds `model.wasm` from a manifest and section bodies (name, body), in the given order.
///
/// `manifest.sections` and `manifest.format_version` are filled in here; the same input gives the same bytes.
///
/// # Errors
/// Where the manifest cannot be written as JSON (a metric that is not finite).
pub fn write_model(mut manifest: Manifest, bodies: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, serde_json::Error> {
    manifest.format_version = FORMAT_VERSION;
    manifest.sections = bodies.iter().map(|(name, body)| entry(name, body)).collect();
    let json = serde_json::to_vec_pretty(&manifest)?;
    let mut file = wasm::PREAMBLE.to_vec();
    wasm::append_section(&mut file, section::MANIFEST, &json);
    for (name, body) in bodies {
        wasm::append_section(&mut file, name, body);
    }
    wasm::append_section(&mut file, section::SEAL, &Sha256::digest(&json));
    Ok(file)
}

fn entry(name: &str, body: &[u8]) -> SectionEntry {
    SectionEntry {
        name: name.to_owned(),
        bytes: body.len() as u64,
        sha256: hex(&Sha256::digest(body)),
        xxh3: xxh3_hex(body),
    }
}

/// XXH3-64 of `body`, 16 lower-case hex digits.
pub(super) fn xxh3_hex(body: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(body))
}

/// Lower-case hex of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
