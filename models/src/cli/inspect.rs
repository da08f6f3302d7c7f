//! `endcap-model inspect`.

use std::path::{Path, PathBuf};

use endcap_core::AlignedBytes;
use endcap_core::format::{
    FormatError, LinearHistory, LinearMethod, LinearParameters, Manifest, Model, TextParameters,
    TransitionParameters, Verify,
};

use super::{Failure, print, print_json};
use crate::report::{Align, Table, count};

/// Show what a model.wasm holds, after checking every digest.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Model file.
    file: PathBuf,
    /// Print the manifest as one JSON object.
    #[arg(long)]
    json: bool,
}

/// A file that is not a usable model.
#[derive(Debug, thiserror::Error)]
enum InspectError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {error}; {}", path.display(), error.remedy())]
    Format { path: PathBuf, error: FormatError },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bytes = std::fs::read(&args.file)
        .map_err(|source| Failure::bad_input(InspectError::Io { path: args.file.clone(), source }))?;
    if args.json {
        return print_manifest(&bytes, &args.file);
    }
    let model = open(&bytes, &args.file)?;
    let manifest = model.manifest();
    let mut about = Table::new(&args.file.display().to_string(), &[("", Align::Left), ("", Align::Left)]);
    for (what, value) in [
        ("name", manifest.name.clone()),
        ("format version", manifest.format_version.to_string()),
        ("created", manifest.created.clone()),
        ("by", manifest.generator.clone()),
        ("bytes", count(model.bytes() as u64)),
        ("items", count(manifest.data.items)),
        ("sessions", count(manifest.data.sessions)),
        ("users", count(manifest.data.users)),
        ("events", count(manifest.data.events)),
        ("from", manifest.data.first_event.clone()),
        ("to", manifest.data.last_event.clone()),
        ("source", manifest.card.source.clone()),
        ("licence", manifest.card.licence.clone()),
        ("metrics", metrics(manifest)),
        ("made by", manifest.card.commands.join("; ")),
        ("questions kept back", count(model.sample().len() as u64)),
        ("item pairs", count(model.together().pairs() as u64)),
        ("linear model", linear(&model)),
        ("transitions", transitions(&model)),
        ("items without visits", content(&model)),
    ] {
        about.row([what.to_owned(), value]);
    }
    let mut sections =
        Table::new("Sections", &[("name", Align::Left), ("bytes", Align::Right), ("sha256", Align::Left)]);
    for entry in &manifest.sections {
        sections.row([entry.name.clone(), count(entry.bytes), entry.sha256.clone()]);
    }
    print(&format!("{about}\n{sections}"))
}

/// What the card says of its quality.
fn metrics(manifest: &Manifest) -> String {
    let metrics = manifest.card.metrics.iter();
    metrics.map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join(", ")
}

/// The linear model in words.
fn linear(model: &Model) -> String {
    let Some((rows, parameters)) = model.linear() else { return "none".to_owned() };
    let LinearParameters { lambda, dropout, regressors, history, position_decay, .. } = parameters;
    let (method, of) = match parameters.method {
        LinearMethod::Dense => ("dense".to_owned(), "all items"),
        LinearMethod::Local => (format!("local, {regressors} regressors"), "an item"),
    };
    let whose = match parameters.rows {
        LinearHistory::Session => "sessions",
        LinearHistory::User => "users",
    };
    format!(
        "{} weights; {method} {of}, rows are {whose}, lambda {lambda}, dropout {dropout}; newest {history} items, \
         decay {position_decay}",
        count(rows.pairs() as u64)
    )
}

/// What comes after what, in words.
fn transitions(model: &Model) -> String {
    let Some((rows, parameters)) = model.transitions() else { return "none".to_owned() };
    let TransitionParameters { gaps, half_life_days, history, position_decay, .. } = parameters;
    format!(
        "{} shares; gaps up to {gaps}, half-life {half_life_days} days; newest {history} items, decay {position_decay}",
        count(rows.pairs() as u64)
    )
}

/// What is alike by name and category, in words.
fn content(model: &Model) -> String {
    let (Some(rows), Some(parameters)) = (model.content(), &model.manifest().parameters.content) else {
        return "none is scored".to_owned();
    };
    let by = match &parameters.text {
        None => "words and letters".to_owned(),
        Some(TextParameters { model, sha256, weight, items }) => format!(
            "words, letters and {weight} of text model {model} (sha256 {sha256}), which read the {items} most sold at most"
        ),
    };
    format!("{} scored as what reads like them, by {by}", count(rows.iter().count() as u64))
}

/// Prints the manifest of a packed file.
pub(super) fn print_manifest(bytes: &[u8], path: &Path) -> Result<(), Failure> {
    print_json(open(bytes, path)?.manifest())
}

fn open(bytes: &[u8], path: &Path) -> Result<Model, Failure> {
    Model::open(AlignedBytes::copy_from(bytes), Verify::Full)
        .map_err(|error| Failure::bad_input(InspectError::Format { path: path.to_owned(), error }))
}
