//! Co-occurrence: sums the rows of the items in a history.

use crate::ItemIx;
use crate::format::{NeighborRows, TogetherParameters};
use crate::knn::Scores;

/// Adds, for the newest `params.history` items of `history` (oldest first), their rows to `scores`, each
/// weighted by `position_decay` to the power of its age. O(history · neighbours).
pub fn accumulate(
    rows: NeighborRows<'_>,
    history: &[ItemIx],
    params: &TogetherParameters,
    scores: &mut Scores,
) {
    let mut weight = 1.0_f32;
    let newest = history.iter().rev().take(params.history as usize);
    for (age, &item) in newest.enumerate() {
        // An item counts once, at its newest position.
        if !history[history.len() - age..].contains(&item) {
            let (items, similarities) = rows.row(item);
            for (&neighbor, &similarity) in items.iter().zip(similarities) {
                let contribution = weight * similarity;
                if contribution > 0.0 {
                    scores.add(neighbor, contribution);
                }
            }
        }
        weight *= params.position_decay;
    }
}

/// The item of `history` whose row lists `item` with the greatest similarity, looking at the newest `looked_at`.
pub fn anchor(rows: NeighborRows<'_>, history: &[ItemIx], item: ItemIx, looked_at: usize) -> Option<ItemIx> {
    let mut best: Option<(f32, ItemIx)> = None;
    for &owner in history.iter().rev().take(looked_at) {
        let (items, similarities) = rows.row(owner);
        if let Some(at) = items.iter().position(|&other| other == item)
            && best.is_none_or(|(similarity, _)| similarities[at] > similarity)
        {
            best = Some((similarities[at], owner));
        }
    }
    best.map(|(_, owner)| owner)
}
