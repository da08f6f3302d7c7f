//! The fields of a JSON object by type, with errors that name the field.

use serde_json::{Map, Value};

use crate::{ArgumentError, NnError};

pub(super) fn wrong(key: &str, what: &str) -> NnError {
    ArgumentError::Metadata { reason: format!("`{key}`: {what}") }.into()
}

/// The fields by type.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(json: &str) -> Result<Self, NnError> {
        let wrong = |error| ArgumentError::Metadata { reason: format!("no JSON object: {error}") };
        Ok(Self(serde_json::from_str(json).map_err(wrong)?))
    }

    /// Fields that change what a text is, and that this engine cannot honour. Their empty values say nothing.
    pub(super) fn refuse_unsupported(&self) -> Result<(), NnError> {
        for key in ["grammar", "json-schema", "mmproj", "image"] {
            if self.text(key)?.is_some_and(|text| !text.is_empty()) {
                return Err(NnError::Unsupported { engine: "ggml", what: format!("metadata `{key}`") });
            }
        }
        if self.bool("tts")? == Some(true) {
            return Err(NnError::Unsupported { engine: "ggml", what: "metadata `tts`".to_owned() });
        }
        Ok(())
    }

    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, NnError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong(key, &format!("{}, true or false expected", kind(other)))),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, NnError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(other) => Err(wrong(key, &format!("{}, a string expected", kind(other)))),
        }
    }

    pub(super) fn integer(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<Option<i64>, NnError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        match value.as_i64() {
            Some(value) if range.contains(&value) => Ok(Some(value)),
            Some(value) => Err(wrong(key, &format!("{value} is not in {}..={}", range.start(), range.end()))),
            None => Err(wrong(key, &format!("{}, an integer expected", kind(value)))),
        }
    }

    pub(super) fn number(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Option<f32>, NnError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        match value.as_f64() {
            Some(value) if range.contains(&value) => Ok(Some(value as f32)),
            Some(value) => Err(wrong(key, &format!("{value} is not in {}..={}", range.start(), range.end()))),
            None => Err(wrong(key, &format!("{}, a number expected", kind(value)))),
        }
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a bool".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
