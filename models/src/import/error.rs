//! Why an import fails as a whole. A single bad row is no error: see [`super::Reason`].

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;

use super::field::Field;
use crate::dataset::{DatasetError, Dropped};

/// Why an import failed. No dataset is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The input is a folder.
    #[error("{} is a folder; name the files in it", .0.display())]
    Folder(PathBuf),
    /// The file has no bytes, or nothing but white space.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// The file has a header and no rows.
    #[error("{} has a header and no rows", .0.display())]
    HeaderOnly(PathBuf),
    /// The file is in a known format that is not read.
    #[error("{} is {what}; {fix}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// How to make it readable.
        fix: &'static str,
    },
    /// The gzip stream ends too early.
    #[error("{} is cut short: its gzip stream ends at byte {byte} (near line {line}) before its end mark; copy or download it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Compressed bytes read.
        byte: u64,
        /// Last line or row that was begun.
        line: u64,
    },
    /// The gzip stream is damaged.
    #[error("{} is damaged: gzip, near byte {byte} (line {line}): {source}; copy or download it again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// Compressed bytes read.
        byte: u64,
        /// Last line or row that was begun.
        line: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// The disk failed while reading.
    #[error("cannot read {} after byte {byte} (line {line}): {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Bytes read.
        byte: u64,
        /// Last line or row that was begun.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// One record is longer than any row of a log.
    #[error("{} line {line}: a record of more than {limit} bytes; is a quote left open, or is this no text file?", path.display())]
    RecordTooLong {
        /// The file.
        path: PathBuf,
        /// Where the record begins.
        line: u64,
        /// [`super::MAX_RECORD_BYTES`].
        limit: u64,
    },
    /// A quoted field spans so many lines that its quote must have been left open.
    #[error("{} line {line}: a quoted field runs over more than {limit} lines; close or double the quote that opens there", path.display())]
    OpenQuote {
        /// The file.
        path: PathBuf,
        /// Where the record begins.
        line: u64,
        /// [`super::MAX_RECORD_LINES`].
        limit: u64,
    },
    /// A Parquet file cannot be decoded.
    #[error("{}: not a readable Parquet file, near row {row}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Rows read, from 0.
        row: u64,
        /// What the Parquet reader said.
        source: ParquetError,
    },
    /// No line at the beginning is a JSON object.
    #[error("{}: the first line is no JSON object: {source}; write one object a line, or give --format", path.display())]
    NotJsonLines {
        /// The file.
        path: PathBuf,
        /// What the JSON parser said, with the column.
        source: serde_json::Error,
    },
    /// The columns needed are not recognised.
    #[error("{}: no column for {missing} among: {found}\nname the columns, for example: --map {example}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The fields without a column, in words.
        missing: String,
        /// The columns found.
        found: String,
        /// An example for `--map`.
        example: String,
    },
    /// `--map` names a column that is not there.
    #[error("{}: --map {field}={column}: no such column among: {found}", path.display())]
    NoSuchColumn {
        /// The file.
        path: PathBuf,
        /// The field mapped.
        field: Field,
        /// The column named.
        column: String,
        /// The columns found.
        found: String,
    },
    /// A column that is needed stands twice in the header.
    #[error("{}: two columns are named {column:?}, and {field} would be read from them; rename one", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The field read.
        field: Field,
        /// The name that stands twice.
        column: String,
    },
    /// `--map` is not of the form `field=column`.
    #[error("--map {text:?}: {reason}; write --map user=COL,item=COL,time=COL with fields among {fields}")]
    Map {
        /// The part at fault.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
        /// The fields there are.
        fields: String,
    },
    /// More bad rows than allowed.
    #[error(
        "{bad} of {read} rows are bad ({share:.2} %), more than --max-bad-share {limit} allows\n{}\ncorrect the file or the --map, or allow more with --max-bad-share",
        list(drops)
    )]
    TooManyBad {
        /// Rows that are bad.
        bad: u64,
        /// Rows read by then.
        read: u64,
        /// Per cent of bad rows.
        share: f64,
        /// The share allowed, 0 to 1.
        limit: f64,
        /// The reasons, with examples.
        drops: Vec<Dropped>,
    },
    /// Every row was left out.
    #[error("none of {read} rows is left\n{}", list(drops))]
    NothingKept {
        /// Rows read.
        read: u64,
        /// The reasons, with examples.
        drops: Vec<Dropped>,
    },
    /// More distinct items than any catalogue has.
    #[error("{} line {line}: more than {limit} distinct items; is the right column mapped as item?", path.display())]
    TooManyItems {
        /// The file.
        path: PathBuf,
        /// The line reached.
        line: u64,
        /// [`super::MAX_ITEMS`].
        limit: usize,
    },
    /// More kinds of event than any log has.
    #[error("{} line {line}: more than {limit} kinds of event; is the right column mapped as event?", path.display())]
    TooManyEventKinds {
        /// The file.
        path: PathBuf,
        /// The line reached.
        line: u64,
        /// [`super::MAX_EVENT_KINDS`].
        limit: usize,
    },
    /// The dataset could not be written.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

impl ImportError {
    /// True where the caller's files or options are at fault, false for a failing system.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Read { .. } => false,
            Self::Open { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
            }
            Self::Dataset(e) => e.is_bad_input(),
            _ => true,
        }
    }
}

/// The reasons with their first examples, one to a line.
fn list(drops: &[Dropped]) -> String {
    let mut text = String::new();
    for drop in drops {
        let _ = write!(text, "  {} rows: {}", drop.count, drop.meaning);
        if let Some(example) = drop.examples.first() {
            let _ = write!(
                text,
                ", such as {} line {}: {}",
                example.file.display(),
                example.line,
                example.detail
            );
        }
        text.push('\n');
    }
    text.pop();
    text
}
