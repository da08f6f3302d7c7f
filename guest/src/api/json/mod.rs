//! Reads JSON bodies straight into their targets, naming what is wrong and where.
//!
//! serde's derive would allocate a string per id, and tells of an unknown field only in prose. Here a body is
//! visited: ids are looked up where they stand in the buffer, and a broken rule is kept as a [`Problem`] beside
//! serde's error, which adds the position.

mod field;
mod object;
mod values;

pub use field::{Field, check_length, is_whole, shown};
pub use object::{known_field, unknown_field};
pub use values::NumberOrText;

use serde::de::{self, DeserializeSeed, MapAccess};

use self::object::{Array, Object};
use super::error::{ApiError, Problem};

/// An object of the API.
pub trait Fields<'de> {
    /// Names that have a meaning; at most 32.
    const KNOWN: &'static [&'static str];
    /// Names of the contract that this version refuses.
    const UNSUPPORTED: &'static [&'static str] = &[];

    /// Takes the value of a known field.
    ///
    /// # Errors
    /// What [`Field`]'s methods gave, or a problem by [`Field::refuse`].
    fn take<A: MapAccess<'de>>(&mut self, field: Field<'_, A>) -> Result<(), A::Error>;
}

/// A list of objects.
pub trait Entries<'de> {
    /// What an entry is.
    type Entry: Fields<'de> + Default;
    /// Name of the list in messages.
    const LIST: &'static str;
    /// Most entries.
    const LIMIT: usize;

    /// Takes a complete entry.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn push(&mut self, entry: Self::Entry) -> Result<(), Problem>;
}

/// Reads one object.
///
/// # Errors
/// Bad JSON, a wrong type, or a broken rule, with its position.
pub fn read_object<'de>(body: &'de [u8], target: &mut impl Fields<'de>) -> Result<(), ApiError> {
    read(body, |json, report| Object { target, report }.deserialize(json))
}

/// Reads one array of objects.
///
/// # Errors
/// As [`read_object`].
pub fn read_array<'de>(body: &'de [u8], target: &mut impl Entries<'de>) -> Result<(), ApiError> {
    read(body, |json, report| Array { target, report }.deserialize(json))
}

fn read<'de>(
    body: &'de [u8],
    visit: impl FnOnce(
        &mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>,
        &mut Report,
    ) -> Result<(), serde_json::Error>,
) -> Result<(), ApiError> {
    let mut report = Report::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    visit(&mut json, &mut report).and_then(|()| json.end()).map_err(|error| match report.problem {
        Some(problem) => ApiError::Field { problem, place: Some((error.line(), error.column())) },
        None if error.is_data() => ApiError::Type { field: report.field, source: error },
        None => ApiError::Json(error),
    })
}

/// What serde's error cannot carry.
#[derive(Debug, Default)]
struct Report {
    field: Option<&'static str>,
    problem: Option<Problem>,
}

impl Report {
    fn refuse<E: de::Error>(&mut self, problem: Problem) -> E {
        let error = E::custom(&problem);
        self.problem = Some(problem);
        error
    }
}
