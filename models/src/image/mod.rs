//! The OCI image of a shop: the service, the model, nothing else; and the component as a Wasm artifact.
//!
//! An image is written as one OCI archive (image-spec 1.1 in a tar), without a daemon, and is a function of its
//! inputs: no clock, no random number and no host name goes in, so that two builds of the same files have the same
//! digest. The service and the model are a layer each: a new model leaves the service's layer as every node has it.

mod archive;
mod artifact;
mod error;
mod layer;
mod program;
mod sbom;

use std::collections::{BTreeMap, HashMap};

use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify};
use jiff::Timestamp;
use oci_spec::image::{
    Config, HistoryBuilder, ImageConfigurationBuilder, ImageManifestBuilder, MediaType, Os, RootFsBuilder,
    SCHEMA_VERSION,
};

pub use archive::Archive;
pub use artifact::component_artifact;
pub use error::ImageError;
pub use layer::Entry;
pub use oci_spec::image::{Arch, ConfigBuilder};
pub use program::{Program, Wants};
pub use sbom::sbom;

use layer::Layer;

/// Where the image holds the service.
pub const APP_PATH: &str = "app.wasm";
/// Where the image holds the model: the service's own default.
pub const MODEL_PATH: &str = "model.wasm";
/// User and group of the process: no name is needed for them, and policies that forbid root accept them.
const USER: &str = "65532:65532";
/// crun runs the image as Wasm where it finds this among the container's annotations, and a container that is not
/// Wasm, such as a sandbox's pause, as usual.
const CRUN_VARIANT: (&str, &str) = ("module.wasm.image/variant", "compat-smart");

/// What an image says of itself.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Version of the service, such as `0.1.0`.
    pub version: String,
    /// Commit that the service was built from; empty where unknown.
    pub revision: String,
    /// Time in the image, RFC 3339 UTC: the commit's, not the clock's.
    pub created: Timestamp,
    /// Name by which `ctr image import` shows it, such as `registry.example/endcap/service:0.1.0`.
    pub reference: String,
}

/// The image of a service and a model.
///
/// # Errors
/// A program that is not compiled ahead of time by a WasmEdge that 0.14.1 understands (unless `wants` allows it), or a
/// model that does not open with every digest checked.
pub fn service_image(app: &[u8], model: &[u8], wants: Wants, about: &About) -> Result<Archive, ImageError> {
    let program = Program::inspect(app)?;
    program.check(wants)?;
    let opened = Model::open(AlignedBytes::copy_from(model), Verify::Full)
        .map_err(|error| ImageError::Model { error })?;
    let manifest = opened.manifest();

    let told = BTreeMap::from([
        ("org.opencontainers.image.title", "endcap".to_owned()),
        ("org.opencontainers.image.description", "Recommendations at a shop's edge".to_owned()),
        ("org.opencontainers.image.version", about.version.clone()),
        ("org.opencontainers.image.revision", about.revision.clone()),
        ("org.opencontainers.image.created", about.created.to_string()),
        ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE").to_owned()),
        ("endcap.io/model-name", manifest.name.clone()),
        ("endcap.io/model-created", manifest.created.clone()),
        ("endcap.io/model-bytes", model.len().to_string()),
        ("endcap.io/app-aot", program.aot_text()),
    ]);
    let labels: HashMap<String, String> =
        told.into_iter().filter(|(_, value)| !value.is_empty()).map(|(k, v)| (k.to_owned(), v)).collect();
    let config = ConfigBuilder::default()
        .entrypoint(vec![format!("/{APP_PATH}")])
        .env(vec![format!("MODEL_PATH=/{MODEL_PATH}")])
        .user(USER)
        .working_dir("/")
        .exposed_ports(vec!["8080/tcp".to_owned()])
        .labels(labels.clone())
        .build()?;
    let mut annotations = labels;
    annotations.insert(CRUN_VARIANT.0.to_owned(), CRUN_VARIANT.1.to_owned());
    let files = [
        // The mode of a program: crun asks whether it may be executed, though nothing executes it.
        Entry { path: APP_PATH, mode: 0o755, bytes: app },
        Entry { path: MODEL_PATH, mode: 0o644, bytes: model },
    ];
    scratch_image(&files, program.architecture(), config, annotations, about)
}

/// An image FROM scratch: a layer a file, in this order.
///
/// # Errors
/// Where the specification does not allow a value.
pub fn scratch_image(
    files: &[Entry<'_>],
    architecture: Arch,
    config: Config,
    annotations: HashMap<String, String>,
    about: &About,
) -> Result<Archive, ImageError> {
    let mut archive = Archive::new();
    let (mut layers, mut diff_ids, mut history) = (Vec::new(), Vec::new(), Vec::new());
    let created = about.created.to_string();
    for file in files {
        let layer = Layer::of(file, about.created)?;
        diff_ids.push(layer.diff_id);
        layers.push(archive.blob(MediaType::ImageLayerGzip, layer.bytes));
        let step = format!("COPY {0} /{0}", file.path);
        history.push(HistoryBuilder::default().created(created.clone()).created_by(step).build()?);
    }
    let config = ImageConfigurationBuilder::default()
        .architecture(architecture.clone())
        .os(Os::Linux)
        .created(created)
        .config(config)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build()?)
        .history(history)
        .build()?;
    let config = archive.json(MediaType::ImageConfig, &config)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .annotations(annotations)
        .build()?;
    archive.manifest(&manifest, Some((Os::Linux, architecture)), &about.reference)?;
    Ok(archive)
}

/// The architecture of images whose program is interpreted: any, but a registry wants a name.
const PORTABLE: Arch = Arch::Amd64;
