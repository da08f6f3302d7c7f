//! Whether a model may replace another: both answer the same questions, about visits that neither has learned from.
//!
//! The questions travel in the file ([`crate::format::Questions`]). `pack` asks them all at once, on all cores; the service asks
//! a few at a time, beside its requests. Both do it by an [`Examiner`] for each model and judge by [`Comparison::is_worse`].

mod drift;
mod examine;
mod figures;
mod renumber;

pub use drift::drift;
pub use examine::{Examiner, Examiners};
pub use figures::{ndcg, paired};
pub use renumber::Renumbering;

use serde::Serialize;

use crate::format::{Model, Questions};

/// Share of the old model's NDCG@10 by which a new one may be worse, beyond chance, unless another is asked for.
pub const MARGIN: f64 = 0.05;
/// Standard errors within which a difference is chance: one side of 95 %.
const CHANCE: f64 = 1.645;

/// Whose questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The new model's, which keeps back what the old one does.
    Both,
    /// The new model's: the old one brings none, and may have learned from these.
    New,
    /// The old model's: the new one brings none, and may have learned from these.
    Old,
}

impl Side {
    /// Whose questions two models are asked; `None` where neither brings any.
    pub fn of(old: &Model, new: &Model) -> Option<Self> {
        match (new.sample().is_empty(), old.sample().is_empty()) {
            (false, false) => Some(Self::Both),
            (false, true) => Some(Self::New),
            (true, false) => Some(Self::Old),
            (true, true) => None,
        }
    }

    /// The questions.
    pub fn questions<'a>(self, old: &'a Model, new: &'a Model) -> Questions<'a> {
        match self {
            Self::Both | Self::New => new.sample(),
            Self::Old => old.sample(),
        }
    }
}

/// How a model stands to the one that it would replace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Questions asked of both.
    pub questions: usize,
    /// Whose they are.
    pub asked: Side,
    /// Mean NDCG@10 of the personal list, by the old model and by the new one.
    pub ndcg10: [f64; 2],
    /// Standard error of the difference of the two.
    pub error: f64,
    /// Distance of the two distributions of items over visits, 0 to 1: see [`drift()`].
    pub drift: f64,
}

impl Comparison {
    /// Of the NDCG@10 of the old model and of the new one, question by question.
    pub fn new(asked: Side, [old, new]: [&[f64]; 2], drift: f64) -> Self {
        let (ndcg10, error) = paired(old, new);
        Self { questions: old.len(), asked, ndcg10, error, drift }
    }

    /// Whether the new model is worse by more than `margin`, a share of the old one's figure, and by more than chance.
    pub fn is_worse(&self, margin: f64) -> bool {
        let [old, new] = self.ndcg10;
        old - new > margin * old + CHANCE * self.error
    }
}
