//! JSON lines: one object a line.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::super::ImportError;
use super::super::field::Field;
use super::super::mapping::Mapping;
use super::super::reason::{Reason, Reject};
use super::super::row::{Row, Value};
use super::bytes::{Bytes, read_error};
use super::{MAX_RECORD_BYTES, Step};

/// Objects of a file, line by line. Blank lines are skipped.
pub(super) struct JsonLines {
    path: PathBuf,
    gzip: bool,
    position: Rc<Cell<u64>>,
    stream: Box<dyn BufRead>,
    keys: Vec<(Field, String)>,
    line: Vec<u8>,
    number: u64,
}

/// Every key of the objects in the head of the file, in order of appearance: a key absent from the first object
/// still counts, and so do the keys after a first line that is damaged.
pub(super) fn columns(bytes: &Bytes) -> Result<Vec<String>, ImportError> {
    let mut keys: Vec<String> = Vec::new();
    let mut first_error = None;
    for line in bytes.head.split(|&b| b == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)) {
        match parse(line) {
            Ok(object) => {
                for key in object.keys().filter(|key| !keys.contains(key)).cloned().collect::<Vec<_>>() {
                    keys.push(key);
                }
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(source) if keys.is_empty() => {
            Err(ImportError::NotJsonLines { path: bytes.path.clone(), source })
        }
        _ if bytes.head.iter().all(u8::is_ascii_whitespace) => Err(ImportError::Empty(bytes.path.clone())),
        _ => Ok(keys),
    }
}

impl JsonLines {
    pub(super) fn open(bytes: Bytes, mapping: &Mapping) -> Self {
        let names = mapping.names();
        let key = |field: Field| Some((field, names.get(field.word())?.clone()));
        Self {
            path: bytes.path,
            gzip: bytes.gzip,
            position: bytes.position,
            stream: bytes.stream,
            keys: Field::ALL.into_iter().filter_map(key).collect(),
            line: Vec::new(),
            number: 0,
        }
    }

    pub(super) fn next_row(&mut self, row: &mut Row) -> Result<Step, ImportError> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = (&mut self.stream)
                .take(MAX_RECORD_BYTES + 1)
                .read_until(b'\n', &mut self.line)
                .map_err(|e| read_error(&self.path, self.gzip, self.position.get(), self.number, e))?;
            if read == 0 {
                return Ok(Step::End);
            }
            if read as u64 > MAX_RECORD_BYTES {
                let (path, line) = (self.path.clone(), self.number);
                return Err(ImportError::RecordTooLong { path, line, limit: MAX_RECORD_BYTES });
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(self.split(row));
            }
        }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.position.get()
    }

    fn split(&self, row: &mut Row) -> Step {
        row.clear(self.number);
        let object = match parse(&self.line) {
            Ok(object) => object,
            Err(error) => {
                row.set_raw(&self.line);
                return Step::Malformed(Reject::row(Reason::BadJson, error.to_string()));
            }
        };
        for (field, key) in &self.keys {
            set(row, *field, object.get(key));
        }
        Step::Row
    }
}

/// Reads one object. Bytes that are not UTF-8 become U+FFFD, so that a damaged name costs the name and not the
/// row; an id with U+FFFD is refused later.
fn parse(line: &[u8]) -> Result<Map<String, Json>, serde_json::Error> {
    match String::from_utf8_lossy(line) {
        Cow::Borrowed(text) => serde_json::from_str(text),
        Cow::Owned(text) => serde_json::from_str(&text),
    }
}

fn set(row: &mut Row, field: Field, value: Option<&Json>) {
    match value {
        None | Some(Json::Null) => row.set(field, Value::Missing),
        Some(Json::String(text)) => row.set(field, Value::Text(text.as_bytes())),
        Some(Json::Bool(flag)) => row.set(field, Value::Text(if *flag { b"true" } else { b"false" })),
        Some(Json::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => row.set(field, Value::Int(int)),
            // An id above i64 keeps its digits; a double would round it.
            (None, _) if number.is_u64() => row.set(field, Value::Text(number.to_string().as_bytes())),
            (None, Some(float)) => row.set(field, Value::Float(float)),
            (None, None) => row.set(field, Value::Missing),
        },
        Some(Json::Array(_) | Json::Object(_)) => row.set(field, Value::Nested),
    }
}
