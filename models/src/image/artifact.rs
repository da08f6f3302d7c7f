//! The component as a Wasm OCI artifact (CNCF TAG Runtime, "Wasm OCI Artifact layout"): what `wkg`, wasmtime's and
//! Spin's registries pull.

use std::collections::HashMap;

use oci_spec::image::{ImageManifestBuilder, MediaType, SCHEMA_VERSION};
use serde::Serialize;
use wasmparser::{Encoding, Parser, Payload};

use super::layer::digest;
use super::{About, Archive, ImageError};

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

/// Configuration of the artifact.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    created: String,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<String>,
    component: Component,
}

/// What the component asks of its host and gives to it.
#[derive(Debug, Default, Serialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
}

/// The artifact of a component.
///
/// # Errors
/// Where `bytes` is no component.
pub fn component_artifact(bytes: &[u8], about: &About) -> Result<Archive, ImageError> {
    let component = read(bytes)?;
    let mut archive = Archive::new();
    let config = Config {
        created: about.created.to_string(),
        architecture: "wasm",
        os: "wasip2",
        layer_digests: vec![digest(bytes)],
        component,
    };
    let config = archive.json(MediaType::Other(CONFIG.to_owned()), &config)?;
    let layer = archive.blob(MediaType::Other(LAYER.to_owned()), bytes.to_vec());
    let told = [
        ("org.opencontainers.image.title", "endcap component"),
        ("org.opencontainers.image.version", &about.version),
        ("org.opencontainers.image.revision", &about.revision),
        ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE")),
    ];
    let told = told.into_iter().filter(|(_, value)| !value.is_empty());
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(vec![layer])
        .annotations(told.map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<HashMap<_, _>>())
        .build()?;
    archive.manifest(&manifest, None, &about.reference)?;
    Ok(archive)
}

/// Imports and exports of the outermost component.
fn read(bytes: &[u8]) -> Result<Component, ImageError> {
    let mut component = Component::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(ImageError::NotComponent);
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    component.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    component.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(component)
}
