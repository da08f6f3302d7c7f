//! Log lines: one JSON object a line on standard error.

use std::io::Write;

use serde_json::{Map, Value};

use crate::calendar;

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// What an operator must mend.
    Error,
    /// Start, stop, and what looks wrong and goes on.
    #[default]
    Info,
    /// Every connection; for development.
    Debug,
}

impl Level {
    /// Its word in configuration and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Writes lines up to a level.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    level: Level,
}

impl Log {
    /// A log of everything up to `level`.
    pub fn new(level: Level) -> Self {
        Self { level }
    }

    /// Whether `level` is written; ask before building costly fields.
    pub fn enabled(self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes one line: time, level, event, then `fields` (a JSON object). A log that cannot be written is
    /// no reason to stop serving, so errors are dropped.
    pub fn write(self, level: Level, unix_ms: i64, event: &str, fields: Value) {
        if self.enabled(level) {
            let line = line(level, unix_ms, event, fields);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn line(level: Level, unix_ms: i64, event: &str, fields: Value) -> String {
    let mut object = Map::new();
    object.insert("time".to_owned(), calendar::rfc3339(unix_ms).into());
    object.insert("level".to_owned(), level.as_str().into());
    object.insert("event".to_owned(), event.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    format!("{}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object() {
        let text = line(Level::Info, 0, "ready", serde_json::json!({"listen": "a\nb"}));
        assert!(text.ends_with("}\n") && text.lines().count() == 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(value["event"], "ready");
    }
}
