//! The pipeline's own interim format: a folder that [`crate::import`] writes and every later stage reads.
//!
//! | file | holds |
//! |---|---|
//! | `events.parquet` | one row an event, in the order of the input: [`Event`] |
//! | `items.parquet` | one row an item, ordered by id: [`Item`] |
//! | `import.json` | where it came from, what was dropped and why: [`ImportReport`] |
//!
//! The exact columns are in [`schema`]. Events are streamed in both directions: a writer holds at most
//! [`schema::ROW_GROUP_ROWS`] events, a reader at most [`schema::READ_BATCH_ROWS`]. Items are held whole.
//! Events are *not* sorted: a log too large for memory could not be, and a consumer that needs an order needs
//! its own (per user, per session, per day).

mod batches;
mod checksum;
mod columns;
mod error;
mod event;
mod reader;
mod report;
pub mod schema;
mod writer;

pub(crate) use columns::{Leaf, read_leaf};
pub use error::DatasetError;
pub use event::{Event, Item};
pub use reader::{Dataset, Events};
pub use report::{CatalogueReport, Dropped, Example, FileSum, ImportReport, Source};
pub use writer::DatasetWriter;
