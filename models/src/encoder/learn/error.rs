//! What can stop an encoder's training.

use std::path::{Path, PathBuf};

use crate::encoder::WeightsError;
use crate::evaluate::LEAST_CASES;
use crate::staging::StagingError;

/// Why there are no weights.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// An option out of its range.
    #[error("the encoder's {0}; `endcap-model train --help` has the ranges")]
    Option(String),
    /// No sequence of two items, or too few questions.
    #[error(
        "too few events to train an encoder on: {sequences} sequences of two or more items, {questions} questions about the \
         newest tenth of the sessions, of {LEAST_CASES} that it takes; leave --encoder out, or import a log that covers \
         more visits"
    )]
    TooFew {
        /// Sequences that something could be learned from.
        sequences: usize,
        /// Questions to stop by.
        questions: usize,
    },
    /// A loss that is infinite or no number.
    #[error(
        "the encoder's loss is {loss}, or its gradient no number, at step {step} (pass {pass}): the step size is too large \
         for this log; {}give a smaller --encoder-learning-rate than {learning_rate}", good_weights(kept.as_deref())
    )]
    NotFinite {
        /// The loss.
        loss: f64,
        /// Steps done before.
        step: u64,
        /// The pass, from 1.
        pass: usize,
        /// Step size.
        learning_rate: f32,
        /// The checkpoint that is still good, if this run has written or taken up one.
        kept: Option<PathBuf>,
    },
    /// The checkpoint is of another log, or of other options.
    #[error(
        "{} was written with other {what}, so it cannot be taken up again; give what it was begun with, or leave \
         --resume out to begin anew", path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// `data` or `options`.
        what: &'static str,
    },
    /// A checkpoint that cannot be read.
    #[error("{} cannot be taken up again: {reason}; leave --resume out to begin anew", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint that cannot be written.
    #[error("no checkpoint could be written: {0}")]
    Unsaved(#[from] StagingError),
    /// Weights that cannot be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The tensor library refused: a mistake here, or no memory.
    #[error("the encoder's tensors: {0}")]
    Tensors(#[from] candle_core::Error),
}

/// The part of a message that says where good weights are.
fn good_weights(kept: Option<&Path>) -> String {
    kept.map_or_else(String::new, |path| format!("the last good weights are in {}; ", path.display()))
}
