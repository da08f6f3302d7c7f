//! Sessions that are like a whole history: for baskets, and users with many of them.
//!
//! With items weighed by their inverse document frequency, the similarity of a history H and a session S is
//!
//! ```text
//! sum of idf(i)² / (1 + match_decay · age(i)) over i in both / √|S|
//! ```
//!
//! where age 0 is the newest item: without decay the cosine of the two, but for what is the same for every session and with a
//! session's length in place of its norm. The `k` most similar vote, each with the cube of its similarity. The posting lists are
//! added up whole: up to `m` sessions for each of at most [`MAX_HISTORY`] items.
//!
//! What is in the running basket already gets no votes: a session that is like it has the same items first of all, and they would
//! only be in the way of what it lacks.

use crate::ItemIx;
use crate::format::KnnParameters;
use crate::recommend::MAX_HISTORY;

use super::{KnnScratch, Scores, SessionIndex};

/// As [`super::vote`].
pub(super) fn vote(
    index: SessionIndex<'_>,
    history: &[ItemIx],
    earlier: usize,
    params: &KnnParameters,
    scratch: &mut KnnScratch,
    scores: &mut Scores,
) {
    let from = history.len().saturating_sub(MAX_HISTORY);
    let visit = &history[earlier.clamp(from, history.len())..];
    let history = &history[from..];
    let KnnScratch { sums, nearest, .. } = scratch;
    // By number + 1, as postings have it.
    sums.reset(index.sessions() + 1);
    for (age, &item) in history.iter().rev().enumerate() {
        // An item counts once, at its newest place.
        if !history[history.len() - age..].contains(&item) {
            let idf = index.idf[item as usize];
            let weight = idf * idf / (1.0 + params.match_decay * age as f32);
            // What every session has, tells nothing.
            if weight > 0.0 {
                sums.add_all(index.postings_of(item), weight);
            }
        }
    }
    nearest.reset((params.neighbors as usize).min(index.sessions()));
    for &number in sums.touched() {
        let session = number - 1;
        let similarity = sums.get(number) / (index.items_of(session).len() as f32).sqrt();
        // Only a foreign file has sums beyond all numbers, or sessions without items.
        if similarity < f32::INFINITY {
            // Of equals the smallest comes first: the most recent, read backwards.
            nearest.push(similarity, ItemIx::MAX - session);
        }
    }
    let nearest = nearest.finish();
    let Some(&(best, _)) = nearest.first().filter(|(best, _)| *best > 0.0) else { return };
    let dense = index.is_dense(nearest.len());
    for &(similarity, backwards) in nearest {
        let share = similarity / best;
        let weight = share * share * share;
        if weight <= 0.0 {
            break;
        }
        let items = index.items_of(ItemIx::MAX - backwards);
        scores.vote(items, weight, dense);
    }
    if dense {
        scores.collect();
    }
    scores.forget(visit);
}
