//! Section `endcap.rankings`: items ordered without regard to who asks.

use crate::ItemIx;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::RANKINGS;

/// Lists of (item, value), best first. At most a few thousand entries are worth packing: they are fallbacks.
#[derive(Debug, Clone, Copy)]
pub struct Rankings<'a> {
    /// By events over the whole log; value: share of the first one's, in (0, 1].
    pub popular: (&'a [ItemIx], &'a [f32]),
    /// By events with exponential decay; value: share of the first one's, in (0, 1].
    pub trending: (&'a [ItemIx], &'a [f32]),
    /// By first event, newest first; value: 1 for the newest, falling with age, in (0, 1].
    pub latest: (&'a [ItemIx], &'a [f32]),
}

/// Writes the section body.
pub fn encode_rankings(rankings: Rankings<'_>) -> Vec<u8> {
    ArraysBuilder::new()
        .with("pop.ix", rankings.popular.0)
        .with("pop.val", rankings.popular.1)
        .with("trd.ix", rankings.trending.0)
        .with("trd.val", rankings.trending.1)
        .with("new.ix", rankings.latest.0)
        .with("new.val", rankings.latest.1)
        .finish()
}

/// Where the lists lie.
#[derive(Debug)]
pub(super) struct RankingSlots {
    lists: [(Slot<u32>, Slot<f32>); 3],
}

impl RankingSlots {
    pub(super) fn parse(file: &[u8], arrays: &Arrays, items: usize) -> Result<Self, FormatError> {
        let slots = Self::find(arrays).map_err(|error| FormatError::Arrays { section: RANKINGS, error })?;
        let Rankings { popular, trending, latest } = slots.view(file);
        for list in [popular, trending, latest] {
            check(list, items).map_err(|what| FormatError::Invariant { section: RANKINGS, what })?;
        }
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            lists: [
                (arrays.slot("pop.ix")?, arrays.slot("pop.val")?),
                (arrays.slot("trd.ix")?, arrays.slot("trd.val")?),
                (arrays.slot("new.ix")?, arrays.slot("new.val")?),
            ],
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> Rankings<'a> {
        let list = |at: usize| (self.lists[at].0.of(file), self.lists[at].1.of(file));
        Rankings { popular: list(0), trending: list(1), latest: list(2) }
    }
}

fn check((order, values): (&[u32], &[f32]), items: usize) -> Result<(), &'static str> {
    if order.len() != values.len() {
        return Err("a list has more items than values, or fewer");
    }
    if order.iter().any(|&item| item as usize >= items) {
        return Err("a list names an item that does not exist");
    }
    if values.iter().any(|value| !value.is_finite() || *value < 0.0) || !values.is_sorted_by(|a, b| a >= b) {
        return Err("a list's values are not falling, finite and at least 0");
    }
    Ok(())
}
