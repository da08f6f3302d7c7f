//! JSON for component values, by their types.
//!
//! | type | JSON |
//! |---|---|
//! | `bool` | `true`, `false` |
//! | integers | a number; on the way in also a string of digits, for 64 bits beyond 2^53 |
//! | `f32`, `f64` | a number; on the way out `null` where it is not finite |
//! | `char`, `string` | a string |
//! | `list`, `tuple` | an array |
//! | `record` | an object; fields in camelCase, on the way in also in kebab-case and snake_case |
//! | `option` | the value, or `null`; a field may be left out |
//! | `enum` | the name as a string, in snake_case, on the way in in any of the three |
//! | `variant` | as `enum` where the case carries nothing, else an object of the case's name and its value |
//! | `flags` | an array of names |
//! | `result` | `{"ok": value}` or `{"err": value}`; at the top of an answer the value itself |
//!
//! These are the words of the service's HTTP API. Resources, futures and streams cannot be given, and are
//! shown as `<handle>`.

pub(crate) mod names;
mod read;
mod words;
mod write;

pub use read::JsonError;
pub(crate) use read::Reader;
pub(crate) use words::{did_you_mean, type_words};
pub use write::Json;
