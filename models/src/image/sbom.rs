//! What an image is made of, as a CycloneDX 1.5 bill of materials.

use cyclonedx_bom::external_models::date_time::DateTime;
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::validation::Validate;

use super::layer::digest;
use super::{APP_PATH, About, ImageError, MODEL_PATH};

/// The bill of an image with these files. `crates` is a line for each crate that was compiled into the service, as
/// `cargo tree --prefix none --format '{p}\t{l}'` prints them: name, version, after a tab the licence.
///
/// # Errors
/// Where a line of `crates` names no version, or the bill would not be valid.
pub fn sbom(app: &[u8], model: &[u8], crates: &str, about: &About) -> Result<Vec<u8>, ImageError> {
    let mut components = crate_components(crates)?;
    components.insert(0, file(Classification::Application, APP_PATH, &about.version, app));
    components.insert(1, file(Classification::MachineLearningModel, MODEL_PATH, "", model));
    let time = DateTime::try_from(about.created.to_string()).map_err(bad)?;
    let image = Component::new(Classification::Container, "endcap", &about.version, Some("image".to_owned()));
    let bom = Bom {
        // A random number, by default: the same image has the same bill.
        serial_number: None,
        metadata: Some(Metadata { timestamp: Some(time), component: Some(image), ..Metadata::default() }),
        components: Some(Components(components)),
        ..Bom::default()
    };
    let valid = bom.validate_version(SpecVersion::V1_5);
    if valid.has_errors() {
        return Err(ImageError::Bill(format!("{valid:?}")));
    }
    let mut json = Vec::new();
    bom.output_as_json_v1_5(&mut json).map_err(bad)?;
    Ok(json)
}

fn bad(error: impl std::fmt::Display) -> ImageError {
    ImageError::Bill(error.to_string())
}

fn file(kind: Classification, path: &str, version: &str, bytes: &[u8]) -> Component {
    let sum = digest(bytes).trim_start_matches("sha256:").to_owned();
    let mut component = Component::new(kind, path, version, Some(format!("file:{path}")));
    if version.is_empty() {
        component.version = None;
    }
    component.hashes = Some(Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(sum) }]));
    component
}

/// One component a crate, sorted by name and version, each once.
fn crate_components(lines: &str) -> Result<Vec<Component>, ImageError> {
    let mut crates = Vec::new();
    for (index, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let missing = || ImageError::Crates { line: index + 1, text: line.to_owned() };
        let (package, licence) = line.split_once('\t').ok_or_else(missing)?;
        let mut words = package.split(' ');
        let (name, version) = words.next().zip(words.next()).ok_or_else(missing)?;
        let version = version.strip_prefix('v').ok_or_else(missing)?;
        // A crate seen before is marked, after its licence.
        crates.push((name, version, licence.trim_end_matches(" (*)").trim()));
    }
    crates.sort_unstable();
    crates.dedup();
    crates.into_iter().map(|(name, version, licence)| component(name, version, licence)).collect()
}

fn component(name: &str, version: &str, licence: &str) -> Result<Component, ImageError> {
    let purl = Purl::new("cargo", name, version).map_err(bad)?;
    let mut component = Component::new(Classification::Library, name, version, Some(purl.to_string()));
    component.purl = Some(purl);
    if !licence.is_empty() {
        // Older crates write `MIT/Apache-2.0`.
        let licence = SpdxExpression::parse_lax(licence.to_owned()).map_err(bad)?;
        component.licenses = Some(Licenses(vec![LicenseChoice::Expression(licence)]));
    }
    Ok(component)
}
