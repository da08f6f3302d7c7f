//! Models of the file on this machine: what packing tries before it believes a file, with the engine that serves it.

mod engine;
mod ranker;

pub use engine::Native;
pub use ranker::{DEFAULT_COLUMNS, RankerError, RankerOptions, inspect_ranker};
