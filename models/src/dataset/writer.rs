//! Writing a dataset.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::checksum;
use super::schema::{self, EVENTS_FILE, ITEMS_FILE, REPORT_FILE, ROW_GROUP_ROWS};
use super::{DatasetError, Event, ImportReport, Item};
use crate::staging::StagedFolder;

/// Writes a dataset as a stream of events; the folder appears under its name when [`finish`](Self::finish)
/// succeeds, and not before. Holds up to [`ROW_GROUP_ROWS`] events in memory.
pub struct DatasetWriter {
    folder: StagedFolder,
    path: PathBuf,
    events: SerializedFileWriter<File>,
    pending: Vec<Event>,
}

impl DatasetWriter {
    /// Starts a dataset at `path`.
    ///
    /// # Errors
    /// [`DatasetError::Staging`] where `path` exists and is not an empty folder, unless `force` is set and it
    /// holds a dataset and nothing else.
    pub fn create(path: &Path, force: bool) -> Result<Self, DatasetError> {
        let folder = StagedFolder::create(path, force, &schema::FILES)?;
        let path = folder.path(EVENTS_FILE);
        let events = open(&path, schema::EVENTS_SCHEMA)?;
        Ok(Self { folder, path, events, pending: Vec::with_capacity(ROW_GROUP_ROWS) })
    }

    /// Adds one event. Events keep the order in which they are written.
    ///
    /// # Errors
    /// [`DatasetError::Write`] where the disk refuses.
    pub fn write(&mut self, event: Event) -> Result<(), DatasetError> {
        self.pending.push(event);
        if self.pending.len() == ROW_GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes the rest, the items and the report, and puts the folder in its place. Returns the report as
    /// written, with [`ImportReport::files`] filled in.
    ///
    /// # Errors
    /// As [`write`](Self::write); the folder is not created then.
    pub fn finish(mut self, items: &[Item], mut report: ImportReport) -> Result<ImportReport, DatasetError> {
        self.flush()?;
        close(&self.path, self.events)?;
        write_items(&self.folder.path(ITEMS_FILE), items)?;
        for file in [EVENTS_FILE, ITEMS_FILE] {
            report.files.insert(file.to_owned(), checksum::sum(&self.folder.path(file))?);
        }
        let path = self.folder.path(REPORT_FILE);
        let json = serde_json::to_vec_pretty(&report).map_err(|e| DatasetError::Io {
            action: "write",
            path: path.clone(),
            source: e.into(),
        })?;
        std::fs::write(&path, json).map_err(|source| DatasetError::Io { action: "write", path, source })?;
        self.folder.commit()?;
        Ok(report)
    }

    fn flush(&mut self) -> Result<(), DatasetError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let result = write_events(&mut self.events, &self.pending);
        self.pending.clear();
        result.map_err(|source| DatasetError::Write { path: self.path.clone(), source })
    }
}

fn open(path: &Path, columns: &str) -> Result<SerializedFileWriter<File>, DatasetError> {
    let file = File::create(path).map_err(|source| DatasetError::Io {
        action: "create",
        path: path.to_owned(),
        source,
    })?;
    let writer = || SerializedFileWriter::new(file, schema::parse(columns)?, schema::writer_properties()?);
    writer().map_err(|source| DatasetError::Write { path: path.to_owned(), source })
}

/// Closes a file and makes it durable: a rename must not survive a power cut that its content did not.
fn close(path: &Path, writer: SerializedFileWriter<File>) -> Result<(), DatasetError> {
    let file = writer.into_inner().map_err(|source| DatasetError::Write { path: path.to_owned(), source })?;
    file.sync_all().map_err(|source| DatasetError::Io { action: "flush", path: path.to_owned(), source })
}

fn write_events(writer: &mut SerializedFileWriter<File>, rows: &[Event]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    optional_text(&mut group, rows.iter().map(|e| e.user.as_deref()))?;
    optional_text(&mut group, rows.iter().map(|e| e.session.as_deref()))?;
    required_text(&mut group, rows.iter().map(|e| e.item.as_str()))?;
    let times: Vec<i64> = rows.iter().map(|e| e.time).collect();
    column::<Int64Type>(&mut group, &times, None)?;
    required_text(&mut group, rows.iter().map(|e| e.event.as_str()))?;
    optional::<DoubleType>(&mut group, rows.iter().map(|e| e.quantity))?;
    optional::<DoubleType>(&mut group, rows.iter().map(|e| e.price))?;
    group.close().map(drop)
}

fn write_items(path: &Path, items: &[Item]) -> Result<(), DatasetError> {
    let mut writer = open(path, schema::ITEMS_SCHEMA)?;
    for rows in items.chunks(ROW_GROUP_ROWS) {
        write_item_group(&mut writer, rows)
            .map_err(|source| DatasetError::Write { path: path.to_owned(), source })?;
    }
    close(path, writer)
}

fn write_item_group(writer: &mut SerializedFileWriter<File>, rows: &[Item]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    required_text(&mut group, rows.iter().map(|i| i.item.as_str()))?;
    optional_text(&mut group, rows.iter().map(|i| i.name.as_deref()))?;
    optional_text(&mut group, rows.iter().map(|i| i.category.as_deref()))?;
    optional::<DoubleType>(&mut group, rows.iter().map(|i| i.price))?;
    optional::<DoubleType>(&mut group, rows.iter().map(|i| i.stock))?;
    optional::<Int64Type>(&mut group, rows.iter().map(|i| i.first_seen))?;
    optional::<Int64Type>(&mut group, rows.iter().map(|i| i.last_seen))?;
    group.close().map(drop)
}

type Group<'a> = SerializedRowGroupWriter<'a, File>;

fn required_text<'a>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = &'a str>,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = values.map(ByteArray::from).collect();
    column::<ByteArrayType>(group, &values, None)
}

fn optional_text<'a>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = Option<&'a str>>,
) -> Result<(), ParquetError> {
    optional::<ByteArrayType>(group, values.map(|v| v.map(ByteArray::from)))
}

fn optional<T: parquet::data_type::DataType>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let mut levels = Vec::new();
    let present: Vec<T::T> = values.inspect(|v| levels.push(i16::from(v.is_some()))).flatten().collect();
    column::<T>(group, &present, Some(&levels))
}

fn column<T: parquet::data_type::DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns than the row".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

impl std::fmt::Debug for DatasetWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatasetWriter").field("path", &self.path).finish_non_exhaustive()
    }
}
