//! `import.json`: what an import read, kept and dropped. The printed summary shows the same numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::schema::FORMAT_VERSION;

/// The account of one import. It holds no wall-clock time: the same input gives the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportReport {
    /// [`FORMAT_VERSION`] of the dataset.
    pub format_version: u32,
    /// Name and version of the program that wrote it.
    pub created_by: String,
    /// The logs read, in order.
    pub sources: Vec<Source>,
    /// The catalogue file, if one was given.
    pub catalogue: Option<CatalogueReport>,
    /// Rows read; always `rows_kept` plus the counts of `dropped`.
    pub rows_read: u64,
    /// Events in the dataset.
    pub rows_kept: u64,
    /// Rows left out, by reason, most frequent first.
    pub dropped: Vec<Dropped>,
    /// Names that were not UTF-8 and were repaired with U+FFFD.
    pub names_repaired: u64,
    /// Distinct users among the events.
    pub users: u64,
    /// Distinct sessions among the events.
    pub sessions: u64,
    /// True where `users` or `sessions` is a lower bound, because the count stops at a limit.
    pub counts_capped: bool,
    /// Items in the dataset, those of the catalogue without events included.
    pub items: u64,
    /// Events by kind.
    pub events: BTreeMap<String, u64>,
    /// Time of the earliest event, microseconds since 1970.
    pub first_time: Option<i64>,
    /// Time of the latest event, microseconds since 1970.
    pub last_time: Option<i64>,
    /// Size and checksum of the dataset's other files by name; filled in by
    /// [`DatasetWriter::finish`](super::DatasetWriter::finish).
    pub files: BTreeMap<String, FileSum>,
}

/// What a file must be for its rows to be believed. Parquet's own page checksums are optional and not written by
/// every version of the writer, and a flipped bit in uncompressed numbers is another number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileSum {
    /// Size in bytes.
    pub bytes: u64,
    /// XXH3, 64 bits, of the whole file, as 16 hexadecimal digits. It finds accidents, not attackers.
    pub xxh3: String,
}

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The path as given.
    pub path: PathBuf,
    /// Size on disk, in bytes.
    pub bytes: u64,
    /// `csv`, `jsonl` or `parquet`.
    pub format: String,
    /// Whether it was compressed with gzip.
    pub gzip: bool,
    /// The separator of a CSV, as one character.
    pub delimiter: Option<char>,
    /// How the columns were recognised: `online-retail` or `generic`.
    pub profile: String,
    /// Column of the file by field of the dataset.
    pub mapping: BTreeMap<String, String>,
    /// Rows read from it.
    pub rows: u64,
}

/// What a catalogue file gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogueReport {
    /// The file.
    pub source: Source,
    /// Rows that became, or completed, an item.
    pub rows_kept: u64,
    /// Rows left out, by reason.
    pub dropped: Vec<Dropped>,
    /// Items of the file that no event mentions.
    pub without_events: u64,
    /// Rows about an item that an earlier row of the file is about: the later one's values count.
    #[serde(default)]
    pub repeated: u64,
    /// The first few of them.
    #[serde(default)]
    pub repeated_examples: Vec<Example>,
}

/// Rows left out for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// A stable code, such as `cancellation` or `bad-time`.
    pub reason: String,
    /// The reason in words.
    pub meaning: String,
    /// True for damage, which counts towards `--max-bad-share`; false for a rule of the import.
    pub bad: bool,
    /// Rows.
    pub count: u64,
    /// The first few of them.
    pub examples: Vec<Example>,
}

/// One row that was left out, or that another one stands against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The file.
    pub file: PathBuf,
    /// Line of a text file, or row of a Parquet file, from 1.
    pub line: u64,
    /// What exactly was wrong, or what the row held.
    pub detail: String,
}

impl Default for ImportReport {
    fn default() -> Self {
        Self {
            format_version: FORMAT_VERSION,
            created_by: concat!("endcap-models ", env!("CARGO_PKG_VERSION")).to_owned(),
            sources: Vec::new(),
            catalogue: None,
            rows_read: 0,
            rows_kept: 0,
            dropped: Vec::new(),
            names_repaired: 0,
            users: 0,
            sessions: 0,
            counts_capped: false,
            items: 0,
            events: BTreeMap::new(),
            first_time: None,
            last_time: None,
            files: BTreeMap::new(),
        }
    }
}
