//! Whether a model may replace another: both answer the same questions, about visits that neither has learned from.
//!
//! `train` keeps some of the newest visits back, chosen by a digest of what they are, so that the next training on a longer log
//! keeps the same ones back as far as it still asks about them. They travel in the file (section `endcap.sample`), because
//! the log may be gone when the next model comes. How two models are told apart is [`endcap_core::gate`].

mod compare;
mod keep;

pub use compare::{compare, own_ndcg10};
pub use keep::{KeptBack, keep_back};
