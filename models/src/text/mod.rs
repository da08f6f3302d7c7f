//! What items mean, by a text model: vectors of their names and categories, made when a model is trained.
//!
//! Hashed words find what is called alike. A sentence encoder also finds what means the same in other words, as a new item
//! with a new word in its name. It is asked once for each distinct text, and never by the service: what is packed is which
//! items are alike (`train/content.rs`).

mod error;
#[cfg(feature = "text")]
mod model;
mod vectors;

pub use error::TextError;
#[cfg(feature = "text")]
pub use model::TextModel;
pub use vectors::{TextVectors, choose_items, text_of};
