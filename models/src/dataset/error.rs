//! What can be wrong with a dataset.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;

use crate::staging::StagingError;

/// Why a dataset could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file of the dataset is missing: not a dataset, or an incomplete copy of one.
    #[error("{} is not a dataset: {missing} is missing; make one with `endcap-model import`", path.display())]
    NotADataset {
        /// The folder given.
        path: PathBuf,
        /// The first file that is not there.
        missing: &'static str,
    },
    /// The dataset was written by a later version of this program.
    #[error("{} has dataset format {found}, and this program reads up to {known}; update it, or import again", path.display())]
    Version {
        /// The report read.
        path: PathBuf,
        /// The version it states.
        found: u32,
        /// The latest version known.
        known: u32,
    },
    /// `import.json` is not what this program writes.
    #[error("{}: not a dataset's report: {source}; import again", path.display())]
    Report {
        /// The report read.
        path: PathBuf,
        /// What the JSON parser said, with line and column.
        source: serde_json::Error,
    },
    /// A file is not the one that was written: damaged, cut short or replaced.
    #[error("{}: damaged or replaced: {found} bytes where {expected} were written, or another checksum than import.json tells; import again", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// The size that was written.
        expected: u64,
    },
    /// A Parquet file has other columns than a dataset's.
    #[error("{}: not a dataset's file: expected columns {expected}, found {found}; import again", path.display())]
    Columns {
        /// The file read.
        path: PathBuf,
        /// Names and types expected.
        expected: String,
        /// Names and types found.
        found: String,
    },
    /// A Parquet file is damaged.
    #[error("{}: row {row}: damaged: {source}; import again", path.display())]
    Damaged {
        /// The file read.
        path: PathBuf,
        /// Rows read before the damage, from 0.
        row: u64,
        /// What the Parquet reader said.
        source: ParquetError,
    },
    /// A value that is never null is null, or text is not UTF-8.
    #[error("{}: near row {row}: column {column}: {reason}; import again", path.display())]
    Value {
        /// The file read.
        path: PathBuf,
        /// First row of the batch that holds the value, from 0.
        row: u64,
        /// The column.
        column: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// Writing Parquet failed, which means a full disk more often than anything else.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file written.
        path: PathBuf,
        /// What the Parquet writer said.
        source: ParquetError,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The output folder could not be made.
    #[error(transparent)]
    Staging(#[from] StagingError),
}

impl DatasetError {
    /// True where the caller's input or choice is at fault, false for a failing system.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Io { .. } => false,
            Self::Staging(e) => e.is_bad_input(),
            _ => true,
        }
    }
}
