//! The HTTP API: JSON to the types of `endcap-core` and back, one file per group of routes.

pub mod ask;
pub mod encode;
pub mod error;
mod events;
mod gorse;
mod items;
pub mod json;
mod operations;
mod rankings;
mod recommend;
mod route;

pub use error::{ApiError, Told};
pub use events::{MAX_EVENTS, MAX_SKEW_MS};
pub use route::{Route, find};

pub(crate) use events::post_events;
pub(crate) use gorse::post_feedback;
pub(crate) use items::neighbors;
pub(crate) use operations::{drain, live, metrics, model, ready, reload};
pub(crate) use rankings::ranking;
pub(crate) use recommend::{recommend, session_recommend, user_recommend};
