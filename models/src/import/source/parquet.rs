//! Parquet, as pandas, DuckDB and Spark write it.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::super::ImportError;
use super::super::field::Field;
use super::super::mapping::Mapping;
use super::super::row::{Row, Value};
use super::Step;
use crate::dataset::{Leaf, read_leaf};

/// Rows decoded at a time, as in [`crate::dataset::schema::READ_BATCH_ROWS`] and for the same reason.
const BATCH_ROWS: usize = 8_192;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What the integers or bytes of a column mean.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    Plain,
    Date,
    Millis,
    Micros,
    Nanos,
    /// A number with this many decimals.
    Decimal(i32),
}

struct Column {
    field: Field,
    leaf: usize,
    max_def: i16,
    meaning: Meaning,
}

/// Rows of a Parquet file, of the mapped columns only.
pub(super) struct ParquetRows {
    path: PathBuf,
    file: SerializedFileReader<File>,
    columns: Vec<Column>,
    readers: Vec<ColumnReader>,
    batch: Vec<Leaf>,
    next_group: usize,
    /// Position in the batch, its length, and rows before it.
    at: usize,
    len: usize,
    before: u64,
    bytes: u64,
}

impl ParquetRows {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|source| ImportError::Open { path: path.to_owned(), source })?;
        let file = SerializedFileReader::new(file).map_err(|source| ImportError::Parquet {
            path: path.to_owned(),
            row: 0,
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            columns: Vec::new(),
            readers: Vec::new(),
            batch: Vec::new(),
            next_group: 0,
            at: 0,
            len: 0,
            before: 0,
            bytes: 0,
        })
    }

    /// The columns' names; a field of a struct as `outer.inner`, a list under a name that no field has.
    pub(super) fn columns(&self) -> Vec<String> {
        let schema = self.file.metadata().file_metadata().schema_descr();
        let name = |column: &ColumnDescriptor| match column.max_rep_level() {
            0 => column.path().string(),
            _ => format!("{}[]", column.path().string()),
        };
        schema.columns().iter().map(|column| name(column)).collect()
    }

    /// Chooses the columns that rows are made of.
    pub(super) fn project(&mut self, mapping: &Mapping) {
        let schema = self.file.metadata().file_metadata().schema_descr();
        let column = |field: Field| {
            let leaf = mapping.index[field as usize]?;
            let descriptor = schema.columns().get(leaf)?;
            // A list cannot be an id or a number: left out here, it reads as missing, and the row says so.
            let flat = descriptor.max_rep_level() == 0;
            flat.then(|| Column {
                field,
                leaf,
                max_def: descriptor.max_def_level(),
                meaning: meaning(descriptor),
            })
        };
        self.columns = Field::ALL.into_iter().filter_map(column).collect();
    }

    pub(super) fn next_row(&mut self, row: &mut Row) -> Result<Step, ImportError> {
        if self.at == self.len && !self.next_batch().map_err(|e| self.error(e))? {
            return Ok(Step::End);
        }
        row.clear(self.before + self.at as u64 + 1);
        for (column, leaf) in self.columns.iter().zip(&self.batch) {
            set(row, column, leaf, self.at);
        }
        self.at += 1;
        Ok(Step::Row)
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes
    }

    fn next_batch(&mut self) -> Result<bool, ParquetError> {
        loop {
            if self.readers.is_empty() && !self.open_group()? {
                return Ok(false);
            }
            let pairs = self.readers.iter_mut().zip(&self.columns);
            self.batch = pairs.map(|(r, c)| read_leaf(r, c.max_def, BATCH_ROWS)).collect::<Result<_, _>>()?;
            self.before += self.len as u64;
            self.at = 0;
            self.len = self.batch.first().map_or(0, Leaf::len);
            if self.batch.iter().any(|leaf| leaf.len() != self.len) {
                return Err(ParquetError::General("columns of different lengths".to_owned()));
            }
            if self.len > 0 {
                return Ok(true);
            }
            self.readers.clear();
        }
    }

    fn open_group(&mut self) -> Result<bool, ParquetError> {
        if self.next_group >= self.file.num_row_groups() || self.columns.is_empty() {
            return Ok(false);
        }
        let group = self.file.get_row_group(self.next_group)?;
        self.readers =
            self.columns.iter().map(|c| group.get_column_reader(c.leaf)).collect::<Result<_, _>>()?;
        self.bytes += u64::try_from(group.metadata().compressed_size()).unwrap_or(0);
        self.next_group += 1;
        Ok(true)
    }

    fn error(&self, source: ParquetError) -> ImportError {
        ImportError::Parquet { path: self.path.clone(), row: self.before + self.at as u64, source }
    }
}

/// The newer annotation where there is one, else the older.
fn meaning(column: &ColumnDescriptor) -> Meaning {
    match column.logical_type_ref() {
        Some(LogicalType::Timestamp(time)) => {
            return match time.unit {
                TimeUnit::MILLIS => Meaning::Millis,
                TimeUnit::MICROS => Meaning::Micros,
                TimeUnit::NANOS => Meaning::Nanos,
            };
        }
        Some(LogicalType::Date) => return Meaning::Date,
        Some(LogicalType::Decimal(decimal)) => return Meaning::Decimal(decimal.scale),
        _ => {}
    }
    match column.converted_type() {
        ConvertedType::DATE => Meaning::Date,
        ConvertedType::TIMESTAMP_MILLIS => Meaning::Millis,
        ConvertedType::TIMESTAMP_MICROS => Meaning::Micros,
        ConvertedType::DECIMAL => Meaning::Decimal(column.type_scale()),
        _ => Meaning::Plain,
    }
}

fn set(row: &mut Row, column: &Column, leaf: &Leaf, at: usize) {
    let value = match leaf {
        Leaf::Bool(values) => values[at].map(|flag| Value::Text(if flag { b"true" } else { b"false" })),
        Leaf::Int(values) => values[at].map(|int| integer(int, column.meaning)),
        Leaf::Micros(values) => values[at].map(Value::Micros),
        Leaf::Float(values) => values[at].map(Value::Float),
        Leaf::Bytes(values) => values[at].as_ref().map(|bytes| match column.meaning {
            Meaning::Decimal(scale) => decimal(big_endian(bytes.data()), scale),
            _ => Value::Text(bytes.data()),
        }),
    };
    row.set(column.field, value.unwrap_or(Value::Missing));
}

fn integer(value: i64, meaning: Meaning) -> Value<'static> {
    match meaning {
        Meaning::Plain => Value::Int(value),
        // Out of range saturates to a time that is refused as one, with the row as an example.
        Meaning::Date => Value::Micros(value.saturating_mul(MICROS_PER_DAY)),
        Meaning::Millis => Value::Micros(value.saturating_mul(1_000)),
        Meaning::Micros => Value::Micros(value),
        Meaning::Nanos => Value::Micros(value.div_euclid(1_000)),
        Meaning::Decimal(0) => Value::Int(value),
        Meaning::Decimal(scale) => decimal(value as f64, scale),
    }
}

fn decimal(unscaled: f64, scale: i32) -> Value<'static> {
    Value::Float(unscaled / 10f64.powi(scale))
}

/// Two's complement, most significant byte first, as Parquet stores long decimals.
fn big_endian(bytes: &[u8]) -> f64 {
    let sign = bytes.first().map_or(0.0, |&first| f64::from(first as i8));
    bytes.iter().skip(1).fold(sign, |sum, &byte| sum * 256.0 + f64::from(byte))
}
