//! From component values to JSON.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use wasmtime::component::Val;

use super::names::{camel, snake};

/// Stands for a value that has no JSON.
const HANDLE: &str = "<handle>";

/// A value that is written as JSON, by serde or by `Display`. See the module's table for the form.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(pub &'a Val);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Val::Bool(value) => to.serialize_bool(*value),
            Val::S8(value) => to.serialize_i8(*value),
            Val::U8(value) => to.serialize_u8(*value),
            Val::S16(value) => to.serialize_i16(*value),
            Val::U16(value) => to.serialize_u16(*value),
            Val::S32(value) => to.serialize_i32(*value),
            Val::U32(value) => to.serialize_u32(*value),
            Val::S64(value) => to.serialize_i64(*value),
            Val::U64(value) => to.serialize_u64(*value),
            Val::Float32(value) => to.serialize_f32(*value),
            Val::Float64(value) => to.serialize_f64(*value),
            Val::Char(value) => to.serialize_char(*value),
            Val::String(value) => to.serialize_str(value),
            Val::List(values) | Val::Tuple(values) | Val::FixedLengthList(values) => {
                to.collect_seq(values.iter().map(Json))
            }
            Val::Map(entries) => to.collect_seq(entries.iter().map(|(key, value)| (Json(key), Json(value)))),
            Val::Record(fields) => {
                to.collect_map(fields.iter().map(|(name, value)| (camel(name), Json(value))))
            }
            Val::Enum(name) | Val::Variant(name, None) => to.serialize_str(&snake(name)),
            Val::Variant(name, Some(value)) => case(to, &snake(name), Some(value)),
            Val::Option(None) => to.serialize_unit(),
            Val::Option(Some(value)) => Json(value).serialize(to),
            Val::Result(Ok(value)) => case(to, "ok", value.as_deref()),
            Val::Result(Err(value)) => case(to, "err", value.as_deref()),
            Val::Flags(names) => to.collect_seq(names.iter().map(|name| snake(name))),
            // They mean something inside the store alone.
            Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
                to.serialize_str(HANDLE)
            }
        }
    }
}

fn case<S: Serializer>(to: S, name: &str, value: Option<&Val>) -> Result<S::Ok, S::Error> {
    let mut object = to.serialize_map(Some(1))?;
    object.serialize_entry(name, &value.map(Json))?;
    object.end()
}
