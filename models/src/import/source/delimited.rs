//! CSV and its kin.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::rc::Rc;

use csv::ByteRecord;

use super::super::ImportError;
use super::super::field::Field;
use super::super::mapping::Mapping;
use super::super::reason::{Reason, Reject};
use super::super::row::{Row, Value};
use super::bytes::{Bytes, read_error};
use super::{MAX_RECORD_BYTES, MAX_RECORD_LINES, Step};

/// Rows of a CSV after its header. A row needs as many fields as the header: a shorter one is damage more often
/// than an omission, and a longer one is always damage.
pub(super) struct Delimited {
    path: PathBuf,
    gzip: bool,
    position: Rc<Cell<u64>>,
    budget: Rc<Cell<u64>>,
    reader: csv::Reader<Guarded>,
    record: ByteRecord,
    fields: Vec<(Field, usize)>,
    width: usize,
}

impl Delimited {
    pub(super) fn open(bytes: Bytes, delimiter: u8) -> Result<Self, ImportError> {
        if bytes.head.iter().all(u8::is_ascii_whitespace) {
            return Err(ImportError::Empty(bytes.path));
        }
        let budget = Rc::new(Cell::new(MAX_RECORD_BYTES));
        let guarded = Guarded { inner: bytes.stream, budget: budget.clone() };
        // Fields are counted here and not by the csv crate, whose error would end the stream.
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(guarded);
        Ok(Self {
            path: bytes.path,
            gzip: bytes.gzip,
            position: bytes.position,
            budget,
            reader,
            record: ByteRecord::new(),
            fields: Vec::new(),
            width: 0,
        })
    }

    /// Reads the header.
    pub(super) fn columns(&mut self) -> Result<Vec<String>, ImportError> {
        if !self.read()? {
            return Err(ImportError::Empty(self.path.clone()));
        }
        self.width = self.record.len();
        Ok(self.record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
    }

    /// Chooses the columns that rows are made of.
    pub(super) fn project(&mut self, mapping: &Mapping) {
        self.fields = Field::ALL.into_iter().filter_map(|f| Some((f, mapping.index[f as usize]?))).collect();
    }

    pub(super) fn next_row(&mut self, row: &mut Row) -> Result<Step, ImportError> {
        if !self.read()? {
            return Ok(Step::End);
        }
        row.clear(self.line());
        if self.record.len() != self.width {
            row.set_raw(&self.record.iter().collect::<Vec<_>>().join(&b", "[..]));
            let note = format!("{} fields where the header has {}", self.record.len(), self.width);
            return Ok(Step::Malformed(Reject::row(Reason::FieldCount, note)));
        }
        for &(field, column) in &self.fields {
            row.set(field, Value::Text(self.record.get(column).unwrap_or_default()));
        }
        Ok(Step::Row)
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.position.get()
    }

    /// The line where the current record begins.
    fn line(&self) -> u64 {
        self.record.position().map_or(1, csv::Position::line)
    }

    fn read(&mut self) -> Result<bool, ImportError> {
        self.budget.set(MAX_RECORD_BYTES);
        let begin = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(more) => {
                let line = self.line();
                if more && self.reader.position().line().saturating_sub(line) > MAX_RECORD_LINES {
                    let path = self.path.clone();
                    return Err(ImportError::OpenQuote { path, line, limit: MAX_RECORD_LINES });
                }
                Ok(more)
            }
            Err(error) => Err(self.error(begin, error)),
        }
    }

    fn error(&self, line: u64, error: csv::Error) -> ImportError {
        let path = self.path.clone();
        if self.budget.get() == 0 {
            return ImportError::RecordTooLong { path, line, limit: MAX_RECORD_BYTES };
        }
        let source = match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            // Fields are neither counted nor decoded by the crate, so nothing else can happen.
            other => io::Error::other(format!("{other:?}")),
        };
        read_error(&path, self.gzip, self.position.get(), line, source)
    }
}

/// A stream that fails where one record asks for more than its budget of bytes.
struct Guarded {
    inner: Box<dyn BufRead>,
    budget: Rc<Cell<u64>>,
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let budget = self.budget.get();
        if budget == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "record too long"));
        }
        let most = usize::try_from(budget).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.budget.set(budget - read as u64);
        Ok(read)
    }
}
