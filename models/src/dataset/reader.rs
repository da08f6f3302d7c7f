//! Reading a dataset.

use std::path::{Path, PathBuf};
use std::vec;

use super::batches::{Batch, Batches, Text};
use super::checksum;
use super::schema::{self, EVENTS_FILE, ITEMS_FILE, REPORT_FILE};
use super::{DatasetError, Event, ImportReport, Item};

/// An opened dataset: its report, and streams over its rows.
#[derive(Debug)]
pub struct Dataset {
    path: PathBuf,
    report: ImportReport,
}

impl Dataset {
    /// Opens the dataset in the folder `path`. Reads the report; rows are read when asked for.
    ///
    /// # Errors
    /// [`DatasetError::NotADataset`] where a file is missing, [`DatasetError::Version`] where it was written by
    /// a later program, [`DatasetError::Report`] where `import.json` is not a report.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref().to_owned();
        if let Some(missing) = schema::FILES.iter().find(|file| !path.join(file).is_file()) {
            return Err(DatasetError::NotADataset { path, missing });
        }
        let file = path.join(REPORT_FILE);
        let json = std::fs::read(&file).map_err(|source| DatasetError::Io {
            action: "read",
            path: file.clone(),
            source,
        })?;
        let report: ImportReport = serde_json::from_slice(&json)
            .map_err(|source| DatasetError::Report { path: file.clone(), source })?;
        if report.format_version > schema::FORMAT_VERSION {
            return Err(DatasetError::Version {
                path: file,
                found: report.format_version,
                known: schema::FORMAT_VERSION,
            });
        }
        Ok(Self { path, report })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the import read, kept and dropped.
    pub fn report(&self) -> &ImportReport {
        &self.report
    }

    /// All events, in the order of the input, [`schema::READ_BATCH_ROWS`] in memory at a time. After an error the
    /// stream ends.
    ///
    /// # Errors
    /// [`DatasetError::Checksum`] where the file is not the one that was written, which is found out by reading
    /// all of it once; [`DatasetError::Columns`] where it has other columns than [`schema::EVENTS_SCHEMA`]. The
    /// stream itself yields [`DatasetError::Damaged`] and [`DatasetError::Value`].
    pub fn events(&self) -> Result<Events, DatasetError> {
        Ok(Events { batches: self.batches(EVENTS_FILE, schema::EVENTS_SCHEMA)?, rows: None })
    }

    /// All items, ordered by id.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub fn items(&self) -> Result<Vec<Item>, DatasetError> {
        let mut batches = self.batches(ITEMS_FILE, schema::ITEMS_SCHEMA)?;
        let mut items = Vec::new();
        while let Some(mut batch) = batches.next_batch()? {
            let (mut id, mut name, mut category) =
                (batch.text("item")?, batch.text("name")?, batch.text("category")?);
            let (mut price, mut stock) = (batch.floats("price")?, batch.floats("stock")?);
            let (mut first, mut last) = (batch.ints("first_seen")?, batch.ints("last_seen")?);
            for _ in 0..batch.len {
                items.push(Item {
                    item: id.required(&batch)?,
                    name: name.next(&batch)?,
                    category: category.next(&batch)?,
                    price: price.next().flatten(),
                    stock: stock.next().flatten(),
                    first_seen: first.next().flatten(),
                    last_seen: last.next().flatten(),
                });
            }
        }
        Ok(items)
    }

    fn batches(&self, file: &str, columns: &str) -> Result<Batches, DatasetError> {
        let path = self.path.join(file);
        checksum::check(&path, self.report.files.get(file))?;
        Batches::open(path, columns)
    }
}

/// The stream of [`Dataset::events`].
pub struct Events {
    batches: Batches,
    rows: Option<EventRows>,
}

struct EventRows {
    batch: Batch,
    left: usize,
    user: Text,
    session: Text,
    item: Text,
    time: vec::IntoIter<Option<i64>>,
    event: Text,
    quantity: vec::IntoIter<Option<f64>>,
    price: vec::IntoIter<Option<f64>>,
}

impl EventRows {
    fn new(mut batch: Batch) -> Result<Self, DatasetError> {
        Ok(Self {
            left: batch.len,
            user: batch.text("user")?,
            session: batch.text("session")?,
            item: batch.text("item")?,
            time: batch.ints("time")?,
            event: batch.text("event")?,
            quantity: batch.floats("quantity")?,
            price: batch.floats("price")?,
            batch,
        })
    }

    fn next(&mut self) -> Result<Event, DatasetError> {
        self.left -= 1;
        Ok(Event {
            user: self.user.next(&self.batch)?,
            session: self.session.next(&self.batch)?,
            item: self.item.required(&self.batch)?,
            time: self.time.next().flatten().ok_or_else(|| self.batch.error("time", "is null"))?,
            event: self.event.required(&self.batch)?,
            quantity: self.quantity.next().flatten(),
            price: self.price.next().flatten(),
        })
    }
}

impl Events {
    fn advance(&mut self) -> Result<Option<Event>, DatasetError> {
        loop {
            if let Some(rows) = self.rows.as_mut().filter(|rows| rows.left > 0) {
                return rows.next().map(Some);
            }
            match self.batches.next_batch()? {
                Some(batch) => self.rows = Some(EventRows::new(batch)?),
                None => return Ok(None),
            }
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.advance();
        if result.is_err() {
            self.rows = None;
            self.batches.end();
        }
        result.transpose()
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("path", &self.batches.path).finish_non_exhaustive()
    }
}
