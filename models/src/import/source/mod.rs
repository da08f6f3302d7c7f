//! Files as streams of [`Row`]s: format by content, one reader per format.

mod bytes;
mod delimited;
mod json_lines;
mod parquet;
mod sniff;

use std::path::Path;

use super::ImportError;
use super::mapping::{ColumnMap, Mapping, Purpose};
use super::reason::Reject;
use super::row::Row;
use crate::dataset;
pub(super) use bytes::Bytes;
pub use sniff::Format;

/// Bytes one record may have. Shop logs have records of some hundred bytes; a description may have a few
/// thousand. A quote left open, or a binary file, would otherwise be collected into memory whole.
pub const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Lines one CSV record may span. A description may hold a few line breaks; hundreds mean a quote left open,
/// which would swallow good rows in silence.
pub const MAX_RECORD_LINES: u64 = 200;

/// The outcome of reading one row.
pub(super) enum Step {
    Row,
    /// The row is there but cannot be split into cells.
    Malformed(Reject),
    End,
}

/// How a caller wants files to be read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The format; `None` to find it by content.
    pub format: Option<Format>,
    /// The separator of a CSV; `None` to find it by the header.
    pub delimiter: Option<u8>,
    /// Columns by name.
    pub columns: ColumnMap,
}

/// An opened file with its mapping.
pub(super) struct Source {
    pub(super) mapping: Mapping,
    pub(super) report: dataset::Source,
    reader: Reader,
}

enum Reader {
    Delimited(delimited::Delimited),
    JsonLines(json_lines::JsonLines),
    Parquet(parquet::ParquetRows),
}

impl Source {
    pub(super) fn open(path: &Path, options: &ReadOptions, purpose: Purpose) -> Result<Self, ImportError> {
        let size = sniff::size(path)?;
        let bytes = Bytes::open(path)?;
        let format = options.format.map_or_else(|| sniff::format(&bytes), Ok)?;
        let gzip = bytes.gzip;
        let mut delimiter = None;
        let map = |columns| Mapping::resolve(path, columns, &options.columns, purpose);
        let (reader, mapping) = match format {
            Format::Csv => {
                let separator = options.delimiter.unwrap_or_else(|| sniff::delimiter(&bytes.head));
                delimiter = Some(char::from(separator));
                let mut reader = delimited::Delimited::open(bytes, separator)?;
                let mapping = map(reader.columns()?)?;
                reader.project(&mapping);
                (Reader::Delimited(reader), mapping)
            }
            Format::Jsonl => {
                let mapping = map(json_lines::columns(&bytes)?)?;
                (Reader::JsonLines(json_lines::JsonLines::open(bytes, &mapping)), mapping)
            }
            Format::Parquet => {
                let mut reader = parquet::ParquetRows::open(path)?;
                let mapping = map(reader.columns())?;
                reader.project(&mapping);
                (Reader::Parquet(reader), mapping)
            }
        };
        let report = dataset::Source {
            path: path.to_owned(),
            bytes: size,
            format: format.word().to_owned(),
            gzip,
            delimiter,
            profile: mapping.profile.word().to_owned(),
            mapping: mapping.names(),
            rows: 0,
        };
        Ok(Self { mapping, report, reader })
    }

    /// Reads the next row into `row`.
    pub(super) fn next_row(&mut self, row: &mut Row) -> Result<Step, ImportError> {
        let step = match &mut self.reader {
            Reader::Delimited(reader) => reader.next_row(row),
            Reader::JsonLines(reader) => reader.next_row(row),
            Reader::Parquet(reader) => reader.next_row(row),
        }?;
        self.report.rows += u64::from(!matches!(step, Step::End));
        Ok(step)
    }

    /// Bytes of the file read so far, compressed where it is.
    pub(super) fn bytes_read(&self) -> u64 {
        match &self.reader {
            Reader::Delimited(reader) => reader.bytes_read(),
            Reader::JsonLines(reader) => reader.bytes_read(),
            Reader::Parquet(reader) => reader.bytes_read(),
        }
    }

    /// True where numbers have a comma before the decimals, as in exports separated by semicolons.
    pub(super) fn decimal_comma(&self) -> bool {
        self.report.delimiter == Some(';')
    }
}
