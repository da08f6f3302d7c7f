//! The metadata of a GGUF file: keys and typed values.

use std::collections::HashMap;
use std::io::Read;

use super::GgufError;
use super::reader::Reader;

/// Keys of one file: those in use have 20 to 60.
const MAX_KEYS: u64 = 4096;
/// Elements of one array: vocabularies in use have up to 262,144 tokens; a catalogue of a million items has a token
/// for each, and merges are about as many as tokens.
const MAX_ELEMENTS: u64 = 4 << 20;
/// Longest string, bytes: chat templates have up to 20 kB, licences up to 40 kB.
const MAX_STRING_BYTES: u64 = 1 << 20;

/// A value. Integers keep whether they fit what llama.cpp reads, but not their width.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(Vec<u8>),
    Texts(Vec<Vec<u8>>),
    Integers32(Vec<i32>),
    Floats32(u64),
    /// An array of another type, by its length.
    Other(u64),
}

/// Every key with its value.
#[derive(Debug)]
pub(super) struct Values(HashMap<String, Value>);

impl Values {
    pub(super) fn read<R: Read>(reader: &mut Reader<R>, count: u64) -> Result<Self, GgufError> {
        if count > MAX_KEYS {
            return Err(GgufError::Count { what: "keys", found: count, limit: MAX_KEYS });
        }
        let mut values = HashMap::with_capacity(count as usize);
        for _ in 0..count {
            let key = reader.name()?;
            let value = value(reader, &key)?;
            if values.insert(key.clone(), value).is_some() {
                return Err(GgufError::Twice { what: "key", name: key });
            }
        }
        Ok(Self(values))
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A count or size within `range`; `None` where the key is absent.
    pub(super) fn size(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<Option<u32>, GgufError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value {
            Value::Integer(value) => match u32::try_from(*value) {
                Ok(value) if range.contains(&value) => Ok(Some(value)),
                _ => Err(wrong(key, format!("{value} is not in {}..={}", range.start(), range.end()))),
            },
            _ => Err(wrong(key, "not one integer".to_owned())),
        }
    }

    /// The same, of a key that must be there.
    pub(super) fn required(&self, key: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, GgufError> {
        self.size(key, range)?.ok_or_else(|| GgufError::MissingKey { key: key.to_owned() })
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&[u8]>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(key, "not a string".to_owned())),
        }
    }

    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(wrong(key, "not a bool".to_owned())),
        }
    }

    pub(super) fn float(&self, key: &str) -> Result<Option<f64>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Float(value)) => Ok(Some(*value)),
            Some(_) => Err(wrong(key, "not a floating-point number".to_owned())),
        }
    }
}

pub(super) fn wrong(key: &str, reason: String) -> GgufError {
    GgufError::Value { key: key.to_owned(), reason }
}

fn value<R: Read>(reader: &mut Reader<R>, key: &str) -> Result<Value, GgufError> {
    let ty = reader.u32()?;
    Ok(match ty {
        0 => Value::Integer(reader.u8()?.into()),
        1 => Value::Integer((reader.u8()? as i8).into()),
        2 => Value::Integer(reader.u16()?.into()),
        3 => Value::Integer((reader.u16()? as i16).into()),
        4 => Value::Integer(reader.u32()?.into()),
        5 => Value::Integer((reader.u32()? as i32).into()),
        6 => Value::Float(reader.f32()?.into()),
        7 => Value::Bool(reader.u8()? != 0),
        8 => Value::Text(reader.string(MAX_STRING_BYTES)?),
        9 => return array(reader, key),
        10 => Value::Integer(reader.u64()?.into()),
        11 => Value::Integer((reader.u64()? as i64).into()),
        12 => Value::Float(reader.f64()?),
        other => return Err(wrong(key, format!("unknown type {other}"))),
    })
}

fn array<R: Read>(reader: &mut Reader<R>, key: &str) -> Result<Value, GgufError> {
    let ty = reader.u32()?;
    let count = reader.u64()?;
    if count > MAX_ELEMENTS {
        return Err(GgufError::Count { what: "array elements", found: count, limit: MAX_ELEMENTS });
    }
    // The least that an element takes in the file bounds what may be reserved for it.
    let size = match ty {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 | 10..=12 => 8,
        other => return Err(wrong(key, format!("an array of type {other}"))),
    };
    if count * size > reader.length() - reader.at() {
        return Err(GgufError::Truncated { at: reader.at() });
    }
    match ty {
        8 => (0..count).map(|_| reader.string(MAX_STRING_BYTES)).collect::<Result<_, _>>().map(Value::Texts),
        5 => (0..count).map(|_| Ok(reader.u32()? as i32)).collect::<Result<_, _>>().map(Value::Integers32),
        6 => reader.skip(count * size).map(|()| Value::Floats32(count)),
        _ => reader.skip(count * size).map(|()| Value::Other(count)),
    }
}
