//! The value of a field: typed, bounded, `null` as if it were not there.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde::de::{self, MapAccess};

use super::object::Array;
use super::values::{Nullable, NumberOrText, NumberOrTextSeed, Text, Texts};
use super::{Entries, Report};
use crate::api::error::Problem;

/// A field whose value is next.
pub struct Field<'f, A> {
    /// Its name, one of [`Fields::KNOWN`].
    pub name: &'static str,
    pub(super) map: &'f mut A,
    pub(super) report: &'f mut Report,
}

impl<'de, A: MapAccess<'de>> Field<'_, A> {
    /// The error for a broken rule.
    pub fn refuse(self, problem: Problem) -> A::Error {
        self.report.refuse(problem)
    }

    /// A boolean; `null` is as if it were not there.
    pub fn boolean(self) -> Result<Option<bool>, A::Error> {
        self.map.next_value()
    }

    /// A number in `range`, whole if `whole`. `allowed` says so in words.
    pub fn number(
        self,
        range: RangeInclusive<f64>,
        whole: bool,
        allowed: &'static str,
    ) -> Result<Option<f64>, A::Error> {
        let Some(number) = self.map.next_value::<Option<serde_json::Number>>()? else { return Ok(None) };
        match number.as_f64().filter(|value| range.contains(value) && (!whole || is_whole(*value))) {
            Some(value) => Ok(Some(value)),
            None => {
                Err(self.report.refuse(Problem::Range { name: self.name, got: number.to_string(), allowed }))
            }
        }
    }

    /// Text of 1 to `limit` bytes.
    pub fn text(self, limit: usize) -> Result<Option<Cow<'de, str>>, A::Error> {
        let Some(text) = self.map.next_value_seed(Nullable(Text))? else { return Ok(None) };
        match check_length(self.name, &text, limit) {
            Ok(()) => Ok(Some(text)),
            Err(problem) => Err(self.report.refuse(problem)),
        }
    }

    /// Text that may be empty, of any length: for words and dates, which their parsers judge.
    pub fn free_text(&mut self) -> Result<Option<Cow<'de, str>>, A::Error> {
        self.map.next_value_seed(Nullable(Text))
    }

    /// Any JSON number or text.
    pub fn number_or_text(&mut self) -> Result<Option<NumberOrText<'de>>, A::Error> {
        self.map.next_value_seed(Nullable(NumberOrTextSeed))
    }

    /// A value that is read past.
    pub fn ignore(self) -> Result<(), A::Error> {
        self.map.next_value::<de::IgnoredAny>().map(drop)
    }

    /// A word that `parse` knows; `allowed` lists them.
    pub fn word<T>(
        mut self,
        allowed: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, A::Error> {
        let Some(text) = self.free_text()? else { return Ok(None) };
        match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => {
                let name = self.name;
                Err(self.refuse(Problem::Word { name, got: shown(&text), allowed }))
            }
        }
    }

    /// A list of at most `limit` texts of 1 to `length` bytes, each given to `each`; `false` where it is null.
    pub fn texts(
        self,
        limit: usize,
        length: usize,
        each: &mut dyn FnMut(Cow<'de, str>) -> Result<(), Problem>,
    ) -> Result<bool, A::Error> {
        let seed = Texts { name: self.name, limit, length, each, report: self.report };
        self.map.next_value_seed(Nullable(seed)).map(|found| found.is_some())
    }

    /// A list of objects.
    pub fn entries(self, target: &mut impl Entries<'de>) -> Result<(), A::Error> {
        self.map.next_value_seed(Array { target, report: self.report })
    }
}

/// As much of a client's text as an answer repeats.
pub fn shown(text: &str) -> String {
    /// Characters: a typing mistake is seen in these, and an answer need not be as long as its request.
    const SHOWN: usize = 64;
    text.chars().take(SHOWN).collect()
}

/// Whether a number has no fraction.
///
/// Not by `fract`: that is the instruction `f64.trunc`, and `wasmedge compile --generic-binary` (0.14.1) makes a
/// call of libm's `trunc` or `floor` of it, takes these names for its own `t<type>` and `f<function>` symbols,
/// and writes an AOT section that the loader refuses. The same goes for `floor`, `ceil` and `round`.
pub fn is_whole(number: f64) -> bool {
    number as i64 as f64 == number
}

/// Whether `text` has 1 to `limit` bytes.
///
/// # Errors
/// The problem to tell.
pub fn check_length(name: &'static str, text: &str, limit: usize) -> Result<(), Problem> {
    if text.is_empty() || text.len() > limit {
        return Err(Problem::Length { name, bytes: text.len(), limit });
    }
    Ok(())
}
