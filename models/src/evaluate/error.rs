//! What can stop an evaluation.

use std::path::PathBuf;

use crate::train::TrainError;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A file of the protocol cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not what the protocol's file has.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The split leaves nothing to ask.
    #[error("no test cases: {0}")]
    NoCases(&'static str),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An encoder could not be learned.
    #[cfg(feature = "encoder")]
    #[error(transparent)]
    Learn(#[from] crate::encoder::learn::LearnError),
    /// A figure is not what was expected.
    #[error("{metric} on {split} is {found:.4}, expected {expected:.4} within {tolerance}")]
    Unexpected {
        /// The figure's name.
        metric: &'static str,
        /// The split.
        split: Split,
        /// What was measured.
        found: f64,
        /// What was expected.
        expected: f64,
        /// Largest accepted difference.
        tolerance: f64,
    },
}

use super::Split;
