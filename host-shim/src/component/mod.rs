//! Components: linking, instances, calls by reflection.

mod arguments;
mod functions;
mod instance;
mod service;
mod state;

pub use functions::{Function, FunctionError};
pub use instance::{Answer, Instance, Outcome, Prepared};
pub use service::Service;
pub(crate) use state::State;
