//! Items without enough events of their own: scored as the items that read like them.
//!
//! A new item has no place yet in what sessions say. Its name and category have: by them it lies among items that do, and what
//! the other sources say of those is said of it, the more surely the more alike they are.

use crate::ItemIx;
use crate::format::ContentRows;
use crate::knn::Scores;

/// Similarity of items that nothing is known of, among those of an item's row: a lone, faint likeness counts little.
const DOUBT: f32 = 1.0;

/// Adds to `scores` every item with a row and a neighbour that `score`, at least 0, is above 0 of: the mean of `score` over the row,
/// weighed by similarity. O(pairs).
pub fn accumulate(rows: ContentRows<'_>, score: impl Fn(ItemIx) -> f32, scores: &mut Scores) {
    for (item, (near, similarities)) in rows.iter() {
        let (mut sum, mut total) = (0.0, DOUBT);
        for (&other, &similarity) in near.iter().zip(similarities) {
            sum += similarity * score(other);
            total += similarity;
        }
        let mean = sum / total;
        if mean > 0.0 {
            scores.add(item, mean);
        }
    }
}
