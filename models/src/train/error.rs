//! What can stop training and packing.

use std::path::PathBuf;

use crate::dataset::DatasetError;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Nothing to learn from.
    #[error(
        "too few events to train on: {events} events, {sessions} sessions, {items} items, and no session with two \
         items; import a log that covers more visits, or whose sessions or users are mapped (--map session=COLUMN); \
         where users come for one item at a time, take all of a user for one visit (--session-gap 0)"
    )]
    TooFew {
        /// Events in the log.
        events: u64,
        /// Sessions in the log.
        sessions: usize,
        /// Distinct items.
        items: usize,
    },
    /// A parameter out of its range.
    #[error("parameter {0}; `endcap-model train --help` has the ranges")]
    Parameter(&'static str),
    /// The linear model does not fit into the memory that it may use.
    #[error(
        "{what} of {items} items takes {} MB, more than the {} MB allowed; give it more with --linear-memory-mb, choose \
         --linear-method local, or leave it out with --linear-method none",
        needed.div_ceil(1_000_000), limit / 1_000_000
    )]
    Linear {
        /// Which model.
        what: &'static str,
        /// Items with events.
        items: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// An encoder that does not belong to the model.
    #[error("{0}")]
    Encoder(String),
    /// More distinct items, sessions or users than 32 bits can number.
    #[error("more than 4 billion distinct {what}: train on a part of the log")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
    },
    /// A file of the trained folder cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read`, `write` or `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder was not written by `train`.
    #[error(
        "{path} is not a trained model: {reason}; make one with `endcap-model train DATASET --out {path}`"
    )]
    NotTrained {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The manifest cannot be written, because a metric is not a number.
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] serde_json::Error),
    /// The packed bytes do not open again: a bug, found before the file replaces a good one.
    #[error("the packed model does not open: {0}")]
    Unreadable(#[from] endcap_core::format::FormatError),
    /// The packed file is larger than allowed.
    #[error("the model has {bytes} bytes, more than --max-bytes {limit}; {help}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
        /// What to change.
        help: &'static str,
    },
}
