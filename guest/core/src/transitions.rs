//! Transition counts: what comes after the newest items of the running visit.

use crate::ItemIx;
use crate::format::{SparseRows, TransitionParameters};
use crate::knn::Scores;
use crate::linear::{LinearScratch, sum_rows};

/// Adds to `scores` the rows of the newest `params.history` items of `visit` (oldest first, all below `rows.len()`), the
/// weight of each falling by `position_decay` with its age; an item counts once, at its newest position. `scores` is empty.
/// O(history · row length).
pub fn accumulate(
    rows: SparseRows<'_>,
    visit: &[ItemIx],
    params: &TransitionParameters,
    scratch: &mut LinearScratch,
    scores: &mut Scores,
) {
    let newest = &visit[visit.len().saturating_sub(params.history as usize)..];
    sum_rows(rows, newest, params.position_decay, scratch, scores);
}
