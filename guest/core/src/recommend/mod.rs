//! From a history to a ranked list: candidates by strategy, filters, top n, and what was used.
//!
//! Stages, so that the caller (who has a clock and the inference engines) can time them and stand between them:
//!
//! ```text
//! [encode the history] ─► gather ─► [shortlist ─► features ─► rank] ─► select
//! ```
//!
//! [`Engine::gather`] scores candidates; what a sequence encoder says of every item comes in with the request.
//! [`Engine::shortlist`] keeps the best for a ranker, whose scores [`Scratch::rank`] takes. [`Engine::select`]
//! filters and ranks. The bracketed stages are left out where there is no such model or it failed: the list is
//! then that of the other sources. No stage allocates once its scratch has grown.

mod engine;
mod features;
mod neighbors;
mod scratch;

pub use engine::Engine;
pub use features::Feature;
pub use scratch::Scratch;

use crate::ItemIx;

/// Most items in one answer. A shelf shows tens; hundreds are an export, which has the pipeline.
pub const MAX_N: usize = 100;
/// Most items of a history that are looked at, newest first: older ones moved no metric on any tried set.
pub const MAX_HISTORY: usize = 50;
/// Items of a history among which the reason "together with" is looked for.
const ANCHORS: usize = 10;
/// Items that a sequence encoder proposes: those that it scores lower have never made a list of 100.
pub const SEQUENCE_CANDIDATES: usize = 200;
/// Items that a ranker sees: the best of all sources. A list has at most 100.
pub const MAX_SHORTLIST: usize = 200;
/// Factor between the last scored item and the best of a fallback: a fill is never as good as a find.
const FALLBACK_DISCOUNT: f32 = 0.5;

/// What kind of list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// The linear model, session kNN, co-occurrence, transitions and the encoder, blended as the model says.
    #[default]
    Personal,
    /// Session kNN alone.
    Session,
    /// The linear model alone; empty, hence filled up, where there is none.
    Linear,
    /// Transition counts alone: what comes after the newest items of the running visit; empty, hence filled up, where there
    /// are none.
    Transitions,
    /// What follows the history by the sequence encoder alone; empty, hence filled up, where there is none.
    Sequence,
    /// Co-occurrence alone: bought or viewed together with the history's items.
    Together,
    /// By decayed events.
    Trending,
    /// By events.
    Popular,
    /// By first event.
    Latest,
}

/// Where a recommended item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Sessions like this one.
    Session,
    /// Together with an item of the history.
    Together,
    /// Goes with the history as a whole, says the linear model.
    Linear,
    /// Came after the newest items of the visit in others.
    Transitions,
    /// Follows the history, says the sequence encoder.
    Sequence,
    /// Was chosen in earlier visits, the more often the better; where items may be returned again.
    Again,
    /// Reads like items that were found; where it has not enough events of its own.
    Content,
    /// Trending now.
    Trending,
    /// Popular over all.
    Popular,
    /// New in the catalogue.
    Latest,
}

impl Source {
    /// Every source, in the order of [`Self::index`].
    pub const ALL: [Self; 10] = [
        Self::Session,
        Self::Together,
        Self::Linear,
        Self::Transitions,
        Self::Sequence,
        Self::Again,
        Self::Content,
        Self::Trending,
        Self::Popular,
        Self::Latest,
    ];

    /// Its word in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Together => "together",
            Self::Linear => "linear",
            Self::Transitions => "transitions",
            Self::Sequence => "sequence",
            Self::Again => "again",
            Self::Content => "content",
            Self::Trending => "trending",
            Self::Popular => "popular",
            Self::Latest => "latest",
        }
    }

    /// Whether it depends on who asks.
    pub fn is_personal(self) -> bool {
        !matches!(self, Self::Trending | Self::Popular | Self::Latest)
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A request in dense numbers. Item numbers must be below the model's number of items.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Items wanted, 1 to [`MAX_N`].
    pub n: usize,
    /// Kind of list.
    pub strategy: Strategy,
    /// Items of the session or user, oldest first; the newest [`MAX_HISTORY`] count.
    pub history: &'a [ItemIx],
    /// How many items at the beginning of `history` are of earlier visits: what may be wanted again, where the running visit
    /// has just had the rest.
    pub earlier: usize,
    /// What the sequence encoder proposes for the history, best first, each item once, with its finite logit:
    /// [`crate::inference::SequenceEncoder::propose`]. `None` where there is no encoder or it has no answer.
    pub sequence: Option<&'a [(f32, ItemIx)]>,
    /// Items never to be returned.
    pub exclude: &'a [ItemIx],
    /// Whether items of the history may be returned again. The newest one of the running visit never is.
    pub repeat: bool,
    /// If given, only these are ranked (reranking); those without a score come last, most popular first.
    pub candidates: Option<&'a [ItemIx]>,
    /// Scores below this are dropped, in [0, 1]; 0 drops nothing.
    pub min_score: f32,
    /// Whether a short list is filled up from trending and popular items.
    pub fallback: bool,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            n: 10,
            strategy: Strategy::Personal,
            history: &[],
            earlier: 0,
            sequence: None,
            exclude: &[],
            repeat: false,
            candidates: None,
            min_score: 0.0,
            fallback: true,
        }
    }
}

/// One recommended item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recommendation {
    /// The item.
    pub item: ItemIx,
    /// Relevance relative to the best candidate, in [0, 1], never rising down the list.
    pub score: f32,
    /// What contributed most to it.
    pub source: Source,
    /// The history's item that it goes with, where the source is [`Source::Together`].
    pub because: Option<ItemIx>,
    /// Probability that the item is among what comes next, in [0, 1], where a ranker has one: the next click of a visit, the
    /// rest of an invoice, or what a visit holds that begins.
    pub probability: Option<f32>,
}

/// The part of a history that counts.
fn newest(history: &[ItemIx]) -> &[ItemIx] {
    &history[history.len().saturating_sub(MAX_HISTORY)..]
}
