//! What `pack` compares before it replaces a model.

use std::path::{Path, PathBuf};

use endcap_core::AlignedBytes;
use endcap_core::format::{FormatError, Model, Verify};
use endcap_core::gate::{Comparison, MARGIN, Side};

use super::Failure;
use crate::gate::compare;
use crate::report::count;

/// Against what, and how strictly.
#[derive(Debug, clap::Args)]
pub(super) struct GateArgs {
    /// The model that this one shall replace: by default what lies at --out. Both answer the same questions, about visits that
    /// neither has learned from.
    #[arg(long, value_name = "FILE")]
    replaces: Option<PathBuf>,
    /// Share of the old model's NDCG@10 by which the new one may be worse, beyond chance.
    #[arg(long, default_value_t = MARGIN, value_name = "SHARE", value_parser = parse_share)]
    margin: f64,
    /// Largest distance of the two models' items over visits, 0 to 1; beyond .5 it is only told by default.
    #[arg(long, value_name = "DISTANCE", value_parser = parse_share)]
    max_drift: Option<f64>,
    /// Pack also a model that is worse.
    #[arg(long)]
    force: bool,
}

/// A distance that is worth a word: another season, or another catalogue.
const NOTABLE_DRIFT: f64 = 0.5;

/// Why a model does not replace another.
#[derive(Debug, thiserror::Error)]
enum GateError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is no model to compare with: {error}", path.display())]
    Format { path: PathBuf, error: FormatError },
    #[error(
        "the new model is worse than {}: NDCG@10 {:.4} instead of {:.4} on the same {} questions (standard error of the difference \
         {:.4}), and a share of {margin} less is allowed; nothing is replaced. See what `endcap-model import` dropped and whether \
         item ids are written as before, or pack with --force", path.display(), found.ndcg10[1], found.ndcg10[0], found.questions,
        found.error
    )]
    Worse { path: PathBuf, found: Comparison, margin: f64 },
    #[error(
        "the new model's items are {drift:.3} apart from those of {}, and --max-drift allows {most}; nothing is replaced. See \
         whether item ids are written as before, or pack with --force", path.display()
    )]
    Drift { path: PathBuf, drift: f64, most: f64 },
}

impl GateArgs {
    /// Compares `new` with what it would replace at `out`; gives what to tell.
    pub(super) fn check(&self, new: &Model, out: &Path) -> Result<String, Failure> {
        let path = self.replaces.as_deref().unwrap_or(out);
        let old = match read(path) {
            Ok(old) => old,
            Err(error) if self.replaces.is_some() => return Err(Failure::bad_input(error)),
            // Nothing there, or nothing that ever served.
            Err(GateError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(String::new());
            }
            Err(error) => return Ok(format!("not compared: {error}\n")),
        };
        let Some(found) = compare(&old, new) else {
            return Ok(format!(
                "not compared with {}: neither brings questions, as their logs are too short\n",
                path.display()
            ));
        };
        let path = path.to_owned();
        if !self.force {
            if found.is_worse(self.margin) {
                return Err(Failure::bad_input(GateError::Worse { path, found, margin: self.margin }));
            }
            if let Some(most) = self.max_drift.filter(|&most| found.drift > most) {
                return Err(Failure::bad_input(GateError::Drift { path, drift: found.drift, most }));
            }
        }
        Ok(told(&found, &path))
    }
}

fn told(found: &Comparison, path: &Path) -> String {
    let Comparison { questions, asked, ndcg10: [old, new], error, drift } = found;
    let whose = match asked {
        Side::Both => "that neither has learned from",
        Side::New => "of the new one, from which the old one may have learned",
        Side::Old => "of the old one, from which the new one may have learned",
    };
    let notable =
        if *drift > NOTABLE_DRIFT { ": another season, or ids that are written otherwise?" } else { "" };
    format!(
        "compared with {}: NDCG@10 {new:.4} instead of {old:.4} on {} questions {whose} (standard error of the difference \
         {error:.4}); items {drift:.3} apart{notable}\n",
        path.display(),
        count(*questions as u64)
    )
}

fn read(path: &Path) -> Result<Model, GateError> {
    let bytes = std::fs::read(path).map_err(|source| GateError::Io { path: path.to_owned(), source })?;
    Model::open(AlignedBytes::copy_from(&bytes), Verify::Full)
        .map_err(|error| GateError::Format { path: path.to_owned(), error })
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a number from 0 to 1".to_owned()),
    }
}
