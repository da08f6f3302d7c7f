//! The linear item-item model: a history's score for an item is the weighted sum of what its items say of it.
//!
//! Weights have both signs and rows are sparse, so the sum is taken in a dense array, and what came out above 0 is
//! handed on as candidates. O(history · row length), and O(items) where the rows are more than that.

use crate::ItemIx;
use crate::format::{Columns, LinearParameters, SparseRow, SparseRows};
use crate::knn::Scores;

/// Working memory of one caller: 4 bytes per item of the catalogue, and 4 per touched item.
#[derive(Debug, Default)]
pub struct LinearScratch {
    /// Sums by item, all 0 between two calls.
    sums: Vec<f32>,
    /// Items whose sum may differ from 0; one stands twice where its sum came back to 0.
    touched: Vec<ItemIx>,
}

/// A factor below which an item of the history adds nothing in single precision, unless all newer ones are silent.
const SMALLEST_WEIGHT: f32 = 1e-9;

/// Adds to `scores` every item with a sum above 0, over the newest `params.history` items of `history` (oldest
/// first, all below `rows.len()`); the weight of each falls by `position_decay` with its age. An item counts once, at
/// its newest position. `scores` is empty.
pub fn accumulate(
    rows: SparseRows<'_>,
    history: &[ItemIx],
    params: &LinearParameters,
    scratch: &mut LinearScratch,
    scores: &mut Scores,
) {
    let newest = &history[history.len().saturating_sub(params.history as usize)..];
    sum_rows(rows, newest, params.position_decay, scratch, scores);
}

/// The sum itself, over all of `newest`.
pub(crate) fn sum_rows(
    rows: SparseRows<'_>,
    newest: &[ItemIx],
    position_decay: f32,
    scratch: &mut LinearScratch,
    scores: &mut Scores,
) {
    let LinearScratch { sums, touched } = scratch;
    if sums.len() != rows.len() {
        sums.clear();
        sums.resize(rows.len(), 0.0);
    }
    // With more entries than half the catalogue, looking at every sum is cheaper than noting each that is touched.
    let entries: usize = newest.iter().map(|&item| rows.row(item).codes.len()).sum();
    let dense = entries > rows.len() / 2;
    touched.clear();
    let mut weight = 1.0_f32;
    for (age, &item) in newest.iter().rev().enumerate() {
        if weight < SMALLEST_WEIGHT {
            break;
        }
        if !newest[newest.len() - age..].contains(&item) {
            let SparseRow { items, codes, scale } = rows.row(item);
            let factor = weight * scale;
            match (items, dense) {
                (Columns::Narrow(items), true) => add(sums, items, codes, factor),
                (Columns::Wide(items), true) => add(sums, items, codes, factor),
                (Columns::Narrow(items), false) => add_noting(sums, touched, items, codes, factor),
                (Columns::Wide(items), false) => add_noting(sums, touched, items, codes, factor),
            }
        }
        weight *= position_decay;
    }
    if dense {
        scores.add_positive(sums);
    } else {
        for &item in &*touched {
            let sum = std::mem::take(&mut sums[item as usize]);
            if sum > 0.0 {
                scores.add(item, sum);
            }
        }
    }
}

/// `sums[items[at]] += codes[at] * factor` for every entry.
///
/// No vector code: neither SSE nor Wasm can add to scattered places, and that, not the product, is the work.
fn add<T: Copy + Into<ItemIx>>(sums: &mut [f32], items: &[T], codes: &[i8], factor: f32) {
    for (&item, &code) in items.iter().zip(codes) {
        sums[item.into() as usize] += f32::from(code) * factor;
    }
}

/// As [`add`]; an item whose sum was 0 is appended to `touched`.
fn add_noting<T: Copy + Into<ItemIx>>(
    sums: &mut [f32],
    touched: &mut Vec<ItemIx>,
    items: &[T],
    codes: &[i8],
    factor: f32,
) {
    let mut count = touched.len();
    touched.resize(count + items.len(), 0);
    for (&item, &code) in items.iter().zip(codes) {
        let item = item.into();
        let sum = &mut sums[item as usize];
        // Written behind the noted ones in any case, and kept if it is new: no branch.
        touched[count] = item;
        count += usize::from(*sum == 0.0);
        *sum += f32::from(code) * factor;
    }
    touched.truncate(count);
}
