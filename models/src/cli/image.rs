//! `endcap-model image`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Failure, print, print_json};
use crate::image::{About, Archive, ImageError, Wants, component_artifact, sbom, service_image};
use crate::report::count;
use crate::staging::replace_file;

/// Build the OCI image of a shop: the service and its model, FROM scratch, without a daemon.
///
/// The same files give the same digest. Writes an OCI archive, which `ctr image import`, `k3s ctr images import`,
/// `skopeo copy oci-archive:FILE` and `podman load` take. With --component instead of --app and --model: the component
/// as a Wasm OCI artifact.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["app", "component"]))]
pub(super) struct Args {
    /// The service compiled ahead of time: dist/app-aot.wasm.
    #[arg(long, value_name = "FILE", requires = "model")]
    app: Option<PathBuf>,
    /// The model, by `endcap-model pack`.
    #[arg(long, value_name = "FILE", requires = "app")]
    model: Option<PathBuf>,
    /// The component: dist/endcap.component.wasm.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "sbom", "crates", "interpreted"])]
    component: Option<PathBuf>,
    /// Archive to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Name of the image on the node that imports it.
    #[arg(long, value_name = "NAME", default_value = "endcap-service:latest")]
    reference: String,
    /// Version of the service.
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    image_version: String,
    /// Commit that the service was built from.
    #[arg(long, value_name = "COMMIT", default_value = "")]
    revision: String,
    /// Time in the image, RFC 3339; not the clock's, so that the same files give the same image.
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z")]
    created: Timestamp,
    /// Also write a bill of materials, CycloneDX 1.5.
    #[arg(long, value_name = "FILE", requires = "crates")]
    sbom: Option<PathBuf>,
    /// The crates in the service, a line each: `cargo tree --prefix none --format '{p}<tab>{l}'`.
    #[arg(long, value_name = "FILE", requires = "sbom")]
    crates: Option<PathBuf>,
    /// Accept a service that WasmEdge would interpret.
    #[arg(long)]
    interpreted: bool,
    /// Print digest and size as one JSON object.
    #[arg(long)]
    json: bool,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {error}", path.display())]
    Image { path: PathBuf, error: ImageError },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let about = About {
        version: args.image_version.clone(),
        revision: args.revision.clone(),
        created: args.created,
        reference: args.reference.clone(),
    };
    let archive = match (&args.app, &args.model, &args.component) {
        (Some(app), Some(model), _) => service(args, app, model, &about)?,
        (_, _, Some(component)) => {
            component_artifact(&read(component)?, &about).map_err(|error| at(component, error))?
        }
        // The groups of the arguments leave no other case.
        _ => return Err(Failure::bad_input(anyhow::anyhow!("give --app and --model, or --component"))),
    };
    let bytes = archive.to_bytes().map_err(|error| at(&args.out, error))?;
    replace_file(&args.out, &bytes).map_err(Failure::internal)?;
    let digest = archive.digest().unwrap_or_default();
    if args.json {
        return print_json(&serde_json::json!({
            "digest": digest, "bytes": archive.bytes(), "archive": args.out, "reference": args.reference,
        }));
    }
    print(&format!("{}\n{} bytes to fetch, in {}\n", digest, count(archive.bytes()), args.out.display()))
}

fn service(args: &Args, app_path: &Path, model_path: &Path, about: &About) -> Result<Archive, Failure> {
    let (app, model) = (read(app_path)?, read(model_path)?);
    let wants = if args.interpreted { Wants::Anything } else { Wants::Compiled };
    let archive = service_image(&app, &model, wants, about).map_err(|error| {
        at(if matches!(error, ImageError::Model { .. }) { model_path } else { app_path }, error)
    })?;
    if let (Some(bill), Some(crates)) = (&args.sbom, &args.crates) {
        let lines = String::from_utf8_lossy(&read(crates)?).into_owned();
        let json = sbom(&app, &model, &lines, about).map_err(|error| at(crates, error))?;
        replace_file(bill, &json).map_err(Failure::internal)?;
    }
    Ok(archive)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|source| Failure::bad_input(FileError::Io { path: path.to_owned(), source }))
}

fn at(path: &Path, error: ImageError) -> Failure {
    let is_bad_input = error.is_bad_input();
    Failure::new(FileError::Image { path: path.to_owned(), error }, is_bad_input)
}
