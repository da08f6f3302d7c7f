//! From a JSON body to a function's arguments.

use serde_json::Value;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Type, Val};

use crate::JsonError;
use crate::json::{Reader, names};

/// Reads the arguments of `function` from `body`; `defaults` fill records.
pub(super) fn read(
    function: &ComponentFunc,
    body: &Value,
    defaults: &[(Type, Val)],
) -> Result<Vec<Val>, JsonError> {
    let params: Vec<(&str, Type)> = function.params().collect();
    let mut reader = Reader::new(defaults);
    match (&params[..], body) {
        ([], Value::Null) => Ok(Vec::new()),
        ([], Value::Object(fields)) if fields.is_empty() => Ok(Vec::new()),
        ([], other) => Err(reader.mismatch(other, "no body: the function takes no arguments")),
        // `{"id": "a"}` for a parameter `id`, unless that is how the value itself is written.
        ([(name, ty)], Value::Object(fields)) if is_by_name(fields, name, ty) => {
            by_name(&mut reader, &params, fields)
        }
        ([(_, ty)], value) => Ok(vec![reader.read(value, ty)?]),
        (_, Value::Object(fields)) => by_name(&mut reader, &params, fields),
        (_, Value::Array(values)) if values.len() == params.len() => params
            .iter()
            .zip(values)
            .enumerate()
            .map(|(at, ((_, ty), value))| reader.element(at, value, ty))
            .collect(),
        (_, other) => {
            let named: Vec<&str> = params.iter().map(|(name, _)| *name).collect();
            Err(reader.mismatch(other, &format!("an object with {}", named.join(", "))))
        }
    }
}

fn by_name(
    reader: &mut Reader<'_>,
    params: &[(&str, Type)],
    fields: &serde_json::Map<String, Value>,
) -> Result<Vec<Val>, JsonError> {
    let values = reader.fields(fields, params, None)?;
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

fn is_by_name(fields: &serde_json::Map<String, Value>, name: &str, ty: &Type) -> bool {
    let mut given = fields.keys();
    let only = given.next().filter(|_| given.next().is_none());
    only.is_some_and(|only| names::same(name, only))
        && match ty {
            Type::Record(record) => !record.fields().any(|field| names::same(field.name, name)),
            Type::Variant(variant) => !variant.cases().any(|case| names::same(case.name, name)),
            _ => true,
        }
}
