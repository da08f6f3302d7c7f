//! What is printed for people: plain text, the same numbers as the machine form.

mod format;
mod import;
mod table;

pub use format::{count, date, share};
pub use import::import_summary;
pub use table::{Align, Table};
