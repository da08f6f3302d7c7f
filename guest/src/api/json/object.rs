//! Objects and arrays of objects.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Entries, Field, Fields, Report, shown};
use crate::api::error::Problem;
use crate::nearest::nearest;

pub(super) struct Object<'t, T> {
    pub(super) target: &'t mut T,
    pub(super) report: &'t mut Report,
}

impl<'de, T: Fields<'de>> DeserializeSeed<'de> for Object<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, T: Fields<'de>> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u32;
        while let Some(key) = map.next_key_seed(Key::<T>(PhantomData))? {
            let index = match key {
                Ok(index) => index,
                Err(problem) => return Err(self.report.refuse(problem)),
            };
            let name = T::KNOWN[index];
            if seen & (1 << index) != 0 {
                return Err(self.report.refuse(Problem::Duplicate { name }));
            }
            seen |= 1 << index;
            self.report.field = Some(name);
            self.target.take(Field { name, map: &mut map, report: self.report })?;
            self.report.field = None;
        }
        Ok(())
    }
}

/// A key as its place among the known names.
struct Key<T>(PhantomData<T>);

impl<'de, T: Fields<'de>> DeserializeSeed<'de> for Key<T> {
    type Value = Result<usize, Problem>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl<'de, T: Fields<'de>> Visitor<'de> for Key<T> {
    type Value = Result<usize, Problem>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a field name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(known_field::<T>(name))
    }
}

/// The place of a name among the known ones; the problem to tell if it is not.
///
/// # Errors
/// An unsupported or unknown field.
pub fn known_field<'de, T: Fields<'de>>(name: &str) -> Result<usize, Problem> {
    if let Some(index) = T::KNOWN.iter().position(|known| *known == name) {
        return Ok(index);
    }
    if let Some(name) = T::UNSUPPORTED.iter().find(|known| **known == name) {
        return Err(Problem::Unsupported { name });
    }
    Err(unknown_field(name, T::KNOWN))
}

/// The problem of an unknown name.
pub fn unknown_field(name: &str, known: &'static [&'static str]) -> Problem {
    Problem::UnknownField { name: shown(name), nearest: nearest(name, known.iter().copied()) }
}

pub(super) struct Array<'t, T> {
    pub(super) target: &'t mut T,
    pub(super) report: &'t mut Report,
}

impl<'de, T: Entries<'de>> DeserializeSeed<'de> for Array<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, T: Entries<'de>> Visitor<'de> for Array<'_, T> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { target, report } = self;
        for index in 0.. {
            let mut entry = T::Entry::default();
            let found = seq.next_element_seed(Object { target: &mut entry, report });
            let at = |problem| Problem::At { list: T::LIST, index, problem: Box::new(problem) };
            match found {
                Ok(None) => break,
                Ok(Some(())) if index >= T::LIMIT => {
                    return Err(report.refuse(Problem::TooMany { name: T::LIST, limit: T::LIMIT }));
                }
                Ok(Some(())) => {
                    if let Err(problem) = target.push(entry) {
                        return Err(report.refuse(at(problem)));
                    }
                }
                Err(error) => {
                    report.problem = report.problem.take().map(at);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
