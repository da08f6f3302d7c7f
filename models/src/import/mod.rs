//! From what a shop hands over to a [`dataset`](crate::dataset).
//!
//! Reads CSV and its kin, JSON lines (both perhaps gzipped) and Parquet, finds out which column is what, drops
//! what is no shopping by rule and what is damaged by [`Reason`], and accounts for every row: rows read are rows
//! kept plus rows dropped.
//!
//! **Memory** does not grow with the number of rows. It holds one batch of rows on each side (under 30 MB), the
//! distinct items (some 250 bytes each, at most [`MAX_ITEMS`]) and hashes of the distinct users and sessions for
//! the report (at most 64 MB each).
//!
//! **Rules for Online Retail**, which is recognised by its header: an invoice is a session, every row is a
//! `purchase`. Dropped are cancellations (invoice `C…`, or quantity ≤ 0), codes that do not begin with five
//! digits, and rows with a price ≤ 0. For other logs a quantity below zero is a cancellation, and a price below
//! zero is damage.

mod catalogue;
mod clean;
mod count;
mod error;
mod field;
mod mapping;
mod reason;
mod row;
mod source;
mod time;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dataset::{DatasetWriter, ImportReport};
use crate::progress::Progress;
use catalogue::Catalogue;
pub use catalogue::MAX_ITEMS;
use clean::{Cleaned, Cleaner, strictest};
use count::Distinct;
pub use error::ImportError;
pub use field::Field;
pub use mapping::{ColumnMap, Profile};
use mapping::{Mapping, Purpose};
use reason::Tally;
pub use reason::{MAX_EXAMPLES, Reason};
use row::Row;
pub use source::{Format, MAX_RECORD_BYTES, MAX_RECORD_LINES, ReadOptions};
use source::{Source, Step};
pub use values::{MAX_ID_BYTES, MAX_NAME_BYTES};

/// Kinds of event in one import. A shop has under twenty; hundreds mean that another column is mapped as event.
pub const MAX_EVENT_KINDS: usize = 256;

/// The share of bad rows is looked at every so many rows, so that the wrong column is told of after a moment
/// and not at the end of a large file.
const CHECK_EVERY: u64 = 10_000;

/// Progress is told every so many rows: often enough for the eye, seldom enough to cost nothing.
const TELL_EVERY: u64 = 4_096;

/// What is kept and what is dropped.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Keep cancellations, as events named `cancel`.
    pub keep_cancellations: bool,
    /// Keep codes that are no products.
    pub keep_non_products: bool,
    /// The event of rows without an event column; `None` for `purchase` in Online Retail and `view` elsewhere.
    pub event_name: Option<String>,
    /// Share of bad rows, 0 to 1, above which the import fails.
    pub max_bad_share: f64,
    /// The time of the import, microseconds since 1970; events more than two days later are bad.
    pub now: i64,
}

/// What to import, and where to.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The logs, in the order in which their events are written.
    pub inputs: Vec<PathBuf>,
    /// A file of items, if there is one.
    pub catalogue: Option<PathBuf>,
    /// The dataset's folder.
    pub out: PathBuf,
    /// Replace a dataset that is there.
    pub force: bool,
    /// How files are read.
    pub read: ReadOptions,
    /// What is kept.
    pub rules: Rules,
}

/// Imports, and returns the report that also stands in the dataset.
///
/// # Errors
/// [`ImportError`]; the dataset is not created then. A bad row is no error until their share passes
/// [`Rules::max_bad_share`].
pub fn run(plan: &Plan, progress: &mut Progress) -> Result<ImportReport, ImportError> {
    let mut import = Import::new(plan)?;
    for path in &plan.inputs {
        import.read(path, progress)?;
    }
    import.finish()
}

/// The limit on bad rows.
#[derive(Debug, Clone, Copy)]
struct BadShare(f64);

impl BadShare {
    fn check_early(self, read: u64, tally: &mut Tally) -> Result<(), ImportError> {
        if read.is_multiple_of(CHECK_EVERY) { self.check(read, tally) } else { Ok(()) }
    }

    fn check(self, read: u64, tally: &mut Tally) -> Result<(), ImportError> {
        let bad = tally.bad();
        let share = bad as f64 / read.max(1) as f64;
        if share <= self.0 {
            return Ok(());
        }
        let mut drops = std::mem::take(tally).into_drops();
        drops.retain(|drop| drop.bad);
        Err(ImportError::TooManyBad { bad, read, share: share * 100.0, limit: self.0, drops })
    }
}

/// An import under way.
struct Import<'a> {
    plan: &'a Plan,
    limit: BadShare,
    writer: DatasetWriter,
    report: ImportReport,
    catalogue: Catalogue,
    mappings: Vec<Mapping>,
    tally: Tally,
    users: Distinct,
    sessions: Distinct,
    bytes_before: u64,
}

impl<'a> Import<'a> {
    fn new(plan: &'a Plan) -> Result<Self, ImportError> {
        Ok(Self {
            plan,
            limit: BadShare(plan.rules.max_bad_share),
            writer: DatasetWriter::create(&plan.out, plan.force)?,
            report: ImportReport::default(),
            catalogue: Catalogue::default(),
            mappings: Vec::new(),
            tally: Tally::default(),
            users: Distinct::default(),
            sessions: Distinct::default(),
            bytes_before: 0,
        })
    }

    fn read(&mut self, path: &Path, progress: &mut Progress) -> Result<(), ImportError> {
        let mut source = Source::open(path, &self.plan.read, Purpose::Events)?;
        let cleaner = Cleaner::new(&self.plan.rules, &source);
        let mut row = Row::default();
        loop {
            let outcome = match source.next_row(&mut row)? {
                Step::End => break,
                Step::Malformed(reject) => Err(reject),
                Step::Row => cleaner.clean(&row),
            };
            self.report.rows_read += 1;
            match outcome {
                Ok(cleaned) => self.keep(cleaned, path, row.line)?,
                Err(reject) => self.tally.add(&reject, path, &row),
            }
            self.limit.check_early(self.report.rows_read, &mut self.tally)?;
            if source.report.rows.is_multiple_of(TELL_EVERY) {
                progress.set(self.bytes_before + source.bytes_read());
            }
        }
        if source.report.rows == 0 {
            return Err(ImportError::HeaderOnly(path.to_owned()));
        }
        self.bytes_before += source.report.bytes;
        self.mappings.push(source.mapping);
        self.report.sources.push(source.report);
        Ok(())
    }

    fn keep(&mut self, cleaned: Cleaned, path: &Path, line: u64) -> Result<(), ImportError> {
        if !self.catalogue.observe(&cleaned) {
            return Err(ImportError::TooManyItems { path: path.to_owned(), line, limit: MAX_ITEMS });
        }
        let event = cleaned.event;
        if !count_kind(&mut self.report.events, &event.event) {
            return Err(ImportError::TooManyEventKinds {
                path: path.to_owned(),
                line,
                limit: MAX_EVENT_KINDS,
            });
        }
        let report = &mut self.report;
        report.rows_kept += 1;
        report.names_repaired += u64::from(cleaned.name_repaired);
        report.first_time = Some(report.first_time.map_or(event.time, |first| first.min(event.time)));
        report.last_time = Some(report.last_time.map_or(event.time, |last| last.max(event.time)));
        self.users.add(event.user.as_deref());
        self.sessions.add(event.session.as_deref());
        Ok(self.writer.write(event)?)
    }

    fn finish(mut self) -> Result<ImportReport, ImportError> {
        let mut report = self.report;
        self.limit.check(report.rows_read, &mut self.tally)?;
        report.dropped = self.tally.into_drops();
        if report.rows_kept == 0 {
            return Err(ImportError::NothingKept { read: report.rows_read, drops: report.dropped });
        }
        if let Some(path) = &self.plan.catalogue {
            let profile = strictest(&self.mappings);
            report.catalogue = Some(self.catalogue.read(path, &self.plan.read, profile, self.limit)?);
        }
        let items = self.catalogue.into_items();
        report.users = self.users.count();
        report.sessions = self.sessions.count();
        report.counts_capped = self.users.is_capped() || self.sessions.is_capped();
        report.items = items.len() as u64;
        Ok(self.writer.finish(&items, report)?)
    }
}

/// False where there would be more than [`MAX_EVENT_KINDS`].
fn count_kind(kinds: &mut BTreeMap<String, u64>, kind: &str) -> bool {
    if let Some(count) = kinds.get_mut(kind) {
        *count += 1;
        return true;
    }
    if kinds.len() == MAX_EVENT_KINDS {
        return false;
    }
    kinds.insert(kind.to_owned(), 1);
    true
}
