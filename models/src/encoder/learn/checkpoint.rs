//! Checkpoints: all of a training's state in one file, replaced as a whole.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::optimizer::Optimizer;
use super::options::EncoderOptions;
use super::sequences::Sequences;
use super::{LearnError, LearnStep, Position, State, Until};
use crate::encoder::WeightsError;
use crate::encoder::safetensors::{read_sets, write_sets};
use crate::staging::replace_file;

/// Key of the metadata that holds [`Record`] as JSON.
const KEY: &str = "endcap.training";
/// Prefixes of tensors' names: the current weights have none.
const SETS: [&str; 4] = ["", "best.", "mean.", "square."];

/// Where checkpoints go, and whether one is taken up.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// The file, safetensors.
    pub path: PathBuf,
    /// Whether a training that it holds goes on; without the file it begins.
    pub resume: bool,
    /// Time between two, beside those after each pass.
    pub every: Duration,
}

/// What a run is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// XXH3 of the sequences and the questions, hex.
    data: String,
    options: EncoderOptions,
}

/// What a checkpoint says beside tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    run: Run,
    position: Position,
    steps: u64,
    rate: f32,
}

impl Run {
    pub(super) fn new(sequences: &Sequences, until: Until<'_>, options: &EncoderOptions) -> Self {
        let mut digest = Xxh3::new();
        sequences.digest(&mut digest);
        match until {
            Until::Questions(cases) => {
                for case in cases {
                    for items in [&case.history, &case.targets] {
                        digest.update(&(items.len() as u64).to_le_bytes());
                        items.iter().for_each(|item| digest.update(&item.to_le_bytes()));
                    }
                }
            }
            Until::Rates(rates) => rates.iter().for_each(|rate| digest.update(&rate.to_le_bytes())),
        }
        Self { data: format!("{:016x}", digest.digest()), options: options.clone() }
    }
}

impl Checkpoints {
    /// The state in the file, if there is one and it shall be taken up.
    ///
    /// # Errors
    /// Where it is damaged, or of another run.
    pub(super) fn load(&self, run: &Run) -> Result<Option<State>, LearnError> {
        if !self.resume || !self.path.exists() {
            return Ok(None);
        }
        let unusable = |reason: String| LearnError::Checkpoint { path: self.path.clone(), reason };
        let bytes = std::fs::read(&self.path).map_err(|error| unusable(error.to_string()))?;
        let ([weights, best, mean, square], metadata) =
            read_sets(&bytes, SETS).map_err(|error| unusable(error.to_string()))?;
        let json = metadata.get(KEY).ok_or_else(|| unusable(format!("its metadata has no `{KEY}`")))?;
        let record: Record =
            serde_json::from_str(json).map_err(|error| unusable(format!("`{KEY}`: {error}")))?;
        let other = |what| Err(LearnError::Other { path: self.path.clone(), what });
        if record.run.data != run.data {
            return other("data");
        }
        if record.run.options != run.options {
            return other("options");
        }
        let optimizer = Optimizer { mean, square, steps: record.steps, rate: record.rate };
        Ok(Some(State { weights, optimizer, best, progress: record.position }))
    }

    fn save(&self, run: &Run, state: &State) -> Result<(), LearnError> {
        let Optimizer { mean, square, steps, rate } = &state.optimizer;
        let record =
            Record { run: run.clone(), position: state.progress.clone(), steps: *steps, rate: *rate };
        let json =
            serde_json::to_string(&record).map_err(|source| WeightsError::Shape { key: KEY, source })?;
        let sets = [&state.weights, &state.best, mean, square];
        let sets: Vec<_> = SETS.into_iter().zip(sets).collect();
        let bytes = write_sets(&sets, HashMap::from([(KEY.to_owned(), json)]))?;
        Ok(replace_file(&self.path, &bytes)?)
    }

    /// Saves; a failure is told and no reason to lose the run: the file before is whole, and the disk may be cleared
    /// meanwhile. Says whether it was saved.
    pub(super) fn save_or_tell(
        &self,
        run: &Run,
        state: &State,
        heard: &mut dyn FnMut(LearnStep<'_>),
    ) -> bool {
        let saved = self.save(run, state);
        saved.map_err(|error| heard(LearnStep::Unsaved(error))).is_ok()
    }
}
