//! One input row, as the mapped cells of it, whatever the file's format.

use std::ops::Range;

use super::field::Field;

/// Characters of a row shown in an example: enough to find the row, short enough for one line of a terminal.
const EXCERPT_CHARS: usize = 120;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Missing,
    /// Text as it stands in the file, perhaps not UTF-8.
    Text(&'a [u8]),
    Int(i64),
    Float(f64),
    /// A typed timestamp, microseconds since 1970.
    Micros(i64),
    /// A list or an object, which no field can be.
    Nested,
}

#[derive(Debug, Clone, Default)]
enum Cell {
    #[default]
    Missing,
    Text(Range<usize>),
    Int(i64),
    Float(f64),
    Micros(i64),
    Nested,
}

/// A row, reused from one to the next so that reading allocates nothing per row.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Line of a text file, or row of a Parquet file, from 1.
    pub(super) line: u64,
    text: Vec<u8>,
    cells: [Cell; Field::ALL.len()],
    raw: bool,
}

impl Row {
    pub(super) fn clear(&mut self, line: u64) {
        self.line = line;
        self.text.clear();
        self.cells.fill(Cell::Missing);
        self.raw = false;
    }

    pub(super) fn set(&mut self, field: Field, value: Value<'_>) {
        self.cells[field as usize] = match value {
            Value::Missing => Cell::Missing,
            Value::Text(text) => {
                let start = self.text.len();
                self.text.extend_from_slice(text);
                Cell::Text(start..self.text.len())
            }
            Value::Int(v) => Cell::Int(v),
            Value::Float(v) => Cell::Float(v),
            Value::Micros(v) => Cell::Micros(v),
            Value::Nested => Cell::Nested,
        };
    }

    /// Keeps a row that could not be split into cells, for the excerpt.
    pub(super) fn set_raw(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(&text[..text.len().min(4 * EXCERPT_CHARS)]);
        self.raw = true;
    }

    pub(super) fn get(&self, field: Field) -> Value<'_> {
        match &self.cells[field as usize] {
            Cell::Missing => Value::Missing,
            Cell::Text(range) => Value::Text(self.text.get(range.clone()).unwrap_or_default()),
            Cell::Int(v) => Value::Int(*v),
            Cell::Float(v) => Value::Float(*v),
            Cell::Micros(v) => Value::Micros(*v),
            Cell::Nested => Value::Nested,
        }
    }

    /// The row in one short line: the raw text, or the mapped cells as `field=value`.
    pub(super) fn excerpt(&self) -> String {
        if self.raw {
            return shorten(&String::from_utf8_lossy(&self.text));
        }
        let shown = Field::ALL.into_iter().filter_map(|field| Some(format!("{field}={}", self.show(field)?)));
        shorten(&shown.collect::<Vec<_>>().join(" "))
    }

    /// One cell in words; `None` where it is missing.
    pub(super) fn show(&self, field: Field) -> Option<String> {
        match self.get(field) {
            Value::Missing => None,
            Value::Text(text) => Some(shorten(&format!("{:?}", String::from_utf8_lossy(text)))),
            Value::Int(v) => Some(v.to_string()),
            Value::Float(v) => Some(v.to_string()),
            Value::Micros(v) => Some(format!("{v} µs")),
            Value::Nested => Some("a list or an object".to_owned()),
        }
    }
}

fn shorten(text: &str) -> String {
    let clean = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.clone().take(EXCERPT_CHARS).collect();
    if clean.count() > EXCERPT_CHARS {
        short.push('…');
    }
    short
}
