//! From JSON to component values.

use std::fmt;

use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

use super::names::{camel, nearest, same, snake};
use super::words::{did_you_mean, type_words, value_words};

/// JSON that does not fit, with the place: a path such as `events[3].item`, or `the body` for all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// A value of another type, or out of its range.
    #[error("{path}: {found} given, {expected} expected")]
    Mismatch {
        /// Where.
        path: String,
        /// What is there.
        found: String,
        /// What fits.
        expected: String,
    },
    /// A field that the record does not have.
    #[error("{path}: no such field{}; the record has {known}", did_you_mean(hint.as_deref()))]
    UnknownField {
        /// Where, with the field.
        path: String,
        /// The nearest field, where one is near.
        hint: Option<String>,
        /// The fields that there are.
        known: String,
    },
    /// A field twice, in two spellings.
    #[error("{path}: given twice, in two spellings")]
    DuplicateField {
        /// Where, with the field.
        path: String,
    },
    /// A field that has no default.
    #[error("{path}: missing, {expected} expected")]
    MissingField {
        /// Where, with the field.
        path: String,
        /// Its type.
        expected: String,
    },
}

/// Reads values, and knows where it is.
pub(crate) struct Reader<'a> {
    defaults: &'a [(Type, Val)],
    path: Vec<Step>,
}

enum Step {
    Field(String),
    Index(usize),
}

impl fmt::Display for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str("the body");
        }
        for (at, step) in self.path.iter().enumerate() {
            match step {
                Step::Field(name) if at == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl<'a> Reader<'a> {
    /// A reader that takes missing fields of these records from these values.
    pub(crate) fn new(defaults: &'a [(Type, Val)]) -> Self {
        Self { defaults, path: Vec::new() }
    }

    pub(crate) fn mismatch(&self, found: &Value, expected: &str) -> JsonError {
        JsonError::Mismatch {
            path: self.to_string(),
            found: value_words(found),
            expected: expected.to_owned(),
        }
    }

    /// Reads `value` as a `ty`.
    pub(crate) fn read(&mut self, value: &Value, ty: &Type) -> Result<Val, JsonError> {
        let read = match ty {
            Type::Bool => value.as_bool().map(Val::Bool),
            Type::S8 => integer(value).map(Val::S8),
            Type::U8 => integer(value).map(Val::U8),
            Type::S16 => integer(value).map(Val::S16),
            Type::U16 => integer(value).map(Val::U16),
            Type::S32 => integer(value).map(Val::S32),
            Type::U32 => integer(value).map(Val::U32),
            Type::S64 => integer(value).map(Val::S64),
            Type::U64 => integer(value).map(Val::U64),
            // The cast rounds; what is finite and does not fit becomes infinite.
            Type::Float32 => {
                value.as_f64().map(|value| value as f32).filter(|value| value.is_finite()).map(Val::Float32)
            }
            Type::Float64 => value.as_f64().map(Val::Float64),
            Type::Char => value.as_str().and_then(only_char).map(Val::Char),
            Type::String => value.as_str().map(|text| Val::String(text.to_owned())),
            Type::List(list) => match value {
                Value::Array(values) => Some(Val::List(self.elements(values, || list.ty())?)),
                _ => None,
            },
            Type::FixedLengthList(list) => match value {
                Value::Array(values) if values.len() == list.len() as usize => {
                    Some(Val::FixedLengthList(self.elements(values, || list.ty())?))
                }
                _ => None,
            },
            Type::Tuple(tuple) => match value {
                Value::Array(values) if values.len() == tuple.types().len() => {
                    let mut types = tuple.types();
                    // As many types as values: `Bool` never stands in.
                    Some(Val::Tuple(self.elements(values, || types.next().unwrap_or(Type::Bool))?))
                }
                _ => None,
            },
            Type::Record(record) => match value {
                Value::Object(fields) => {
                    let defaults = self.defaults;
                    let default = defaults.iter().find(|(known, _)| known == ty).map(|(_, value)| value);
                    let known: Vec<_> = record.fields().map(|field| (field.name, field.ty)).collect();
                    Some(Val::Record(self.fields(fields, &known, default)?))
                }
                _ => None,
            },
            Type::Option(option) => match value {
                Value::Null => Some(Val::Option(None)),
                value => Some(Val::Option(Some(Box::new(self.read(value, &option.ty())?)))),
            },
            Type::Enum(cases) => value
                .as_str()
                .and_then(|given| cases.names().find(|name| same(name, given)))
                .map(|name| Val::Enum(name.to_owned())),
            Type::Flags(flags) => match value {
                Value::Array(given) => Some(self.flags(given, flags, ty)?),
                _ => None,
            },
            Type::Variant(variant) => {
                let cases = variant.cases().map(|case| (case.name, case.ty));
                self.case(value, cases)?.map(|(name, value)| Val::Variant(name, value))
            }
            Type::Result(result) => {
                let cases = [("ok", result.ok()), ("err", result.err())];
                self.case(value, cases.into_iter())?
                    .map(|(name, value)| Val::Result(if name == "ok" { Ok(value) } else { Err(value) }))
            }
            Type::Map(_)
            | Type::Own(_)
            | Type::Borrow(_)
            | Type::Future(_)
            | Type::Stream(_)
            | Type::ErrorContext => None,
        };
        read.ok_or_else(|| self.mismatch(value, &type_words(ty)))
    }

    /// Reads the element at `index` of what the path leads to.
    pub(crate) fn element(&mut self, index: usize, value: &Value, ty: &Type) -> Result<Val, JsonError> {
        self.within(Step::Index(index), |reader| reader.read(value, ty))
    }

    /// Reads an object as the fields of a record, in the record's order. What is missing comes from `default`, a
    /// record of the same fields.
    pub(crate) fn fields(
        &mut self,
        given: &Map<String, Value>,
        known: &[(&str, Type)],
        default: Option<&Val>,
    ) -> Result<Vec<(String, Val)>, JsonError> {
        for field in given.keys() {
            if !known.iter().any(|(name, _)| same(name, field)) {
                let path = self.within(Step::Field(field.clone()), |reader| reader.to_string());
                let known: Vec<String> = known.iter().map(|(name, _)| camel(name)).collect();
                let hint = nearest(field, known.iter().cloned());
                return Err(JsonError::UnknownField { path, hint, known: known.join(", ") });
            }
        }
        let values = known.iter().map(|(name, ty)| {
            let value = self.within(Step::Field(camel(name)), |reader| {
                reader.field(spelled(given, name), name, ty, default)
            })?;
            Ok(((*name).to_owned(), value))
        });
        values.collect()
    }

    fn field<'v>(
        &mut self,
        mut given: impl Iterator<Item = &'v Value>,
        name: &str,
        ty: &Type,
        default: Option<&Val>,
    ) -> Result<Val, JsonError> {
        if let Some(value) = given.next() {
            return match given.next() {
                None => self.read(value, ty),
                Some(_) => Err(JsonError::DuplicateField { path: self.to_string() }),
            };
        }
        let default = match default {
            Some(Val::Record(fields)) => {
                fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            _ => None,
        };
        match (default, ty) {
            (Some(default), _) => Ok(default.clone()),
            (None, Type::Option(_)) => Ok(Val::Option(None)),
            (None, _) => Err(JsonError::MissingField { path: self.to_string(), expected: type_words(ty) }),
        }
    }

    fn elements(&mut self, values: &[Value], mut ty: impl FnMut() -> Type) -> Result<Vec<Val>, JsonError> {
        values.iter().enumerate().map(|(at, value)| self.element(at, value, &ty())).collect()
    }

    fn flags(
        &mut self,
        given: &[Value],
        flags: &wasmtime::component::types::Flags,
        ty: &Type,
    ) -> Result<Val, JsonError> {
        let names = given.iter().enumerate().map(|(at, value)| {
            let name = value.as_str().and_then(|given| flags.names().find(|name| same(name, given)));
            name.map(str::to_owned)
                .ok_or_else(|| self.within(Step::Index(at), |reader| reader.mismatch(value, &type_words(ty))))
        });
        Ok(Val::Flags(names.collect::<Result<_, _>>()?))
    }

    /// Reads `"name"`, or `{"name": value}` where the case carries something. `None` for anything else.
    #[expect(clippy::type_complexity, reason = "a case's name and what it carries, as wasmtime has them")]
    fn case<'t>(
        &mut self,
        value: &Value,
        mut cases: impl Iterator<Item = (&'t str, Option<Type>)>,
    ) -> Result<Option<(String, Option<Box<Val>>)>, JsonError> {
        let (given, carried) = match value {
            Value::String(given) => (given, None),
            Value::Object(fields) if fields.len() == 1 => match fields.iter().next() {
                Some((given, carried)) => (given, Some(carried)),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Some((name, ty)) = cases.find(|(name, _)| same(name, given)) else { return Ok(None) };
        let value = match (ty, carried) {
            (Some(ty), Some(carried)) => {
                let value = self.within(Step::Field(snake(name)), |reader| reader.read(carried, &ty))?;
                Some(Box::new(value))
            }
            (None, None | Some(Value::Null)) => None,
            _ => return Ok(None),
        };
        Ok(Some((name.to_owned(), value)))
    }

    fn within<T>(&mut self, step: Step, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let done = work(self);
        self.path.pop();
        done
    }
}

/// What an object has under any spelling of `name`.
fn spelled<'v>(given: &'v Map<String, Value>, name: &str) -> impl Iterator<Item = &'v Value> {
    let mut spellings = vec![name.to_owned(), camel(name), snake(name)];
    spellings.sort_unstable();
    spellings.dedup();
    spellings.into_iter().filter_map(|spelling| given.get(&spelling))
}

/// A whole number that fits, as a number or as a string of digits.
fn integer<T: TryFrom<i128>>(value: &Value) -> Option<T> {
    let wide = match value {
        Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    };
    T::try_from(wide?).ok()
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}
