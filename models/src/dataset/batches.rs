//! Batches of the columns of one Parquet file of a dataset, checked against its schema.

use std::fs::File;
use std::path::PathBuf;
use std::vec;

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::DatasetError;
use super::columns::{Leaf, read_leaf};
use super::schema::{self, READ_BATCH_ROWS};

/// A file read batch by batch, row group after row group.
pub(super) struct Batches {
    pub(super) path: PathBuf,
    file: SerializedFileReader<File>,
    next_group: usize,
    columns: Vec<ColumnReader>,
    row: u64,
}

impl Batches {
    pub(super) fn open(path: PathBuf, columns: &str) -> Result<Self, DatasetError> {
        let io = |source| DatasetError::Io { action: "open", path: path.clone(), source };
        let damaged = |source| DatasetError::Damaged { path: path.clone(), row: 0, source };
        let file = SerializedFileReader::new(File::open(&path).map_err(io)?).map_err(damaged)?;
        let expected = describe(&SchemaDescriptor::new(schema::parse(columns).map_err(damaged)?));
        let found = describe(file.metadata().file_metadata().schema_descr());
        if expected != found {
            return Err(DatasetError::Columns { path, expected, found });
        }
        Ok(Self { path, file, next_group: 0, columns: Vec::new(), row: 0 })
    }

    /// The next rows, at most [`READ_BATCH_ROWS`]; `None` at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        loop {
            if self.columns.is_empty() && !self.open_group().map_err(|e| self.damaged(e))? {
                return Ok(None);
            }
            let columns = self.read().map_err(|e| self.damaged(e))?;
            let len = columns.first().map_or(0, Leaf::len);
            if columns.iter().any(|column| column.len() != len) {
                let uneven = "columns of different lengths".to_owned();
                return Err(self.damaged(ParquetError::General(uneven)));
            }
            if len == 0 {
                self.columns.clear();
                continue;
            }
            let batch = Batch { path: self.path.clone(), row: self.row, len, columns: columns.into_iter() };
            self.row += len as u64;
            return Ok(Some(batch));
        }
    }

    /// Makes every later call answer `None`.
    pub(super) fn end(&mut self) {
        self.columns.clear();
        self.next_group = usize::MAX;
    }

    fn open_group(&mut self) -> Result<bool, ParquetError> {
        if self.next_group >= self.file.num_row_groups() {
            return Ok(false);
        }
        let group = self.file.get_row_group(self.next_group)?;
        self.columns =
            (0..group.num_columns()).map(|i| group.get_column_reader(i)).collect::<Result<_, _>>()?;
        self.next_group += 1;
        Ok(true)
    }

    fn read(&mut self) -> Result<Vec<Leaf>, ParquetError> {
        let schema = self.file.metadata().file_metadata().schema_descr();
        let levels = schema.columns().iter().map(|column| column.max_def_level());
        self.columns
            .iter_mut()
            .zip(levels)
            .map(|(c, max_def)| read_leaf(c, max_def, READ_BATCH_ROWS))
            .collect()
    }

    fn damaged(&self, source: ParquetError) -> DatasetError {
        DatasetError::Damaged { path: self.path.clone(), row: self.row, source }
    }
}

/// Names, types and nullability of the columns, as one line that can be compared and shown.
fn describe(schema: &SchemaDescriptor) -> String {
    let column = |field: &parquet::schema::types::TypePtr| match field.as_ref() {
        Type::PrimitiveType { basic_info, physical_type, .. } => {
            let logical = basic_info.logical_type_ref().map(|l| format!(" {l:?}")).unwrap_or_default();
            format!("{} {physical_type}{logical} {}", field.name(), basic_info.repetition())
        }
        Type::GroupType { .. } => format!("{} GROUP", field.name()),
    };
    schema.root_schema().get_fields().iter().map(column).collect::<Vec<_>>().join(", ")
}

/// Some rows of a file. Columns are taken out in the order of the schema.
pub(super) struct Batch {
    path: PathBuf,
    row: u64,
    pub(super) len: usize,
    columns: vec::IntoIter<Leaf>,
}

impl Batch {
    pub(super) fn text(&mut self, column: &'static str) -> Result<Text, DatasetError> {
        match self.columns.next() {
            Some(Leaf::Bytes(values)) => Ok(Text { column, values: values.into_iter() }),
            _ => Err(self.error(column, "is not text")),
        }
    }

    pub(super) fn ints(&mut self, column: &'static str) -> Result<vec::IntoIter<Option<i64>>, DatasetError> {
        match self.columns.next() {
            Some(Leaf::Int(values)) => Ok(values.into_iter()),
            _ => Err(self.error(column, "is not an integer")),
        }
    }

    pub(super) fn floats(
        &mut self,
        column: &'static str,
    ) -> Result<vec::IntoIter<Option<f64>>, DatasetError> {
        match self.columns.next() {
            Some(Leaf::Float(values)) => Ok(values.into_iter()),
            _ => Err(self.error(column, "is not a number")),
        }
    }

    pub(super) fn error(&self, column: &'static str, reason: &'static str) -> DatasetError {
        DatasetError::Value { path: self.path.clone(), row: self.row, column, reason }
    }
}

/// A column of text, decoded on the way out.
pub(super) struct Text {
    column: &'static str,
    values: vec::IntoIter<Option<ByteArray>>,
}

impl Text {
    pub(super) fn next(&mut self, batch: &Batch) -> Result<Option<String>, DatasetError> {
        let Some(value) = self.values.next().flatten() else { return Ok(None) };
        match std::str::from_utf8(value.data()) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(batch.error(self.column, "is not UTF-8")),
        }
    }

    pub(super) fn required(&mut self, batch: &Batch) -> Result<String, DatasetError> {
        self.next(batch)?.ok_or_else(|| batch.error(self.column, "is null"))
    }
}
