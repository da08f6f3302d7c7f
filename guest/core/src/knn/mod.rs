//! Session kNN over a flat index: sessions like the running one vote for their items.
//!
//! Which sessions are alike is one of two questions ([`KnnMatching`]). Clicks are asked about by VMIS-kNN (Kersbergen,
//! Sprangers, Schelter: "Serenade", SIGMOD 2022), below; baskets, whose items have no order, by all of their items
//! ([`whole`]).
//!
//! VMIS-kNN: of the sessions that share an item with the running one, the `m` most recent are the sample; the `k` most
//! similar of these vote for their items. Sessions are numbered by time, so "most recent" is an integer
//! comparison and the sample is a merge of posting lists that stops after `m` sessions. Which of the (at most
//! [`MAX_LAST_ITEMS`]) recent items a session shares is a bit mask, and a similarity is a sum of integers over
//! that mask, so the k best are found by counting and not by a heap. O(m · last + k · session length), no
//! hashing, no allocation once the scratch has grown.

mod scores;
mod whole;

use crate::ItemIx;
use crate::format::{KnnMatching, KnnParameters};
use crate::topn::TopN;

pub use scores::Scores;
use scores::larger;

/// Most recent events that are matched. A mask of ten bits keeps the table of similarities at 1,024 entries;
/// the published grids end at ten, and recall falls before that.
pub const MAX_LAST_ITEMS: usize = 10;

/// The index, as slices. For `s` sessions numbered by rising time of their last event and `n` items:
#[derive(Debug, Clone, Copy)]
pub struct SessionIndex<'a> {
    /// `s + 1` offsets into [`Self::session_items`].
    pub session_offsets: &'a [u32],
    /// Distinct items of every session, in the order of their first event.
    pub session_items: &'a [ItemIx],
    /// `n + 1` offsets into [`Self::postings`].
    pub posting_offsets: &'a [u32],
    /// For every item its most recent sessions as session number + 1, strictly falling, closed by a 0: the
    /// sentinel spares the merge an end test per list.
    pub postings: &'a [u32],
    /// `n` inverse document frequencies, ln(events / events with the item) to the packed exponent.
    pub idf: &'a [f32],
}

impl SessionIndex<'_> {
    /// Number of sessions.
    pub fn sessions(&self) -> usize {
        self.session_offsets.len().saturating_sub(1)
    }

    /// Whether `voters` sessions have more items than there are, with the lengths of sessions as they are on average.
    fn is_dense(&self, voters: usize) -> bool {
        let length = self.session_items.len() / self.sessions().max(1);
        voters * length > self.idf.len()
    }

    /// Its most recent sessions as number + 1, falling, without the closing 0.
    fn postings_of(&self, item: ItemIx) -> &[u32] {
        let at = item as usize;
        let list = &self.postings[self.posting_offsets[at] as usize..self.posting_offsets[at + 1] as usize];
        list.split_last().map_or(&[], |(_, list)| list)
    }

    fn items_of(&self, session: u32) -> &[ItemIx] {
        let at = session as usize;
        &self.session_items[self.session_offsets[at] as usize..self.session_offsets[at + 1] as usize]
    }
}

/// Working memory of one caller: about 12 bytes per sampled session, or 8 per session of the index where whole histories are
/// matched.
#[derive(Debug, Default)]
pub struct KnnScratch {
    /// (session, mask of shared items), most recent first.
    sample: Vec<(u32, u32)>,
    /// Similarity numerator by mask.
    similarity: Vec<u32>,
    /// Weight of a vote by mask.
    vote: Vec<f32>,
    /// Similarity by session number + 1, for whole histories.
    sums: Scores,
    /// The nearest of these.
    nearest: TopN,
}

/// Largest similarity numerator: 1 + 2 + ... + [`MAX_LAST_ITEMS`].
const MAX_SIMILARITY: usize = MAX_LAST_ITEMS * (MAX_LAST_ITEMS + 1) / 2;

/// Adds the votes of the nearest sessions to `scores`; [`Scores::scale`] by `idf` completes the method.
///
/// `history` holds the items of the running session, oldest first, all below the index's number of items; the first `earlier` of
/// them are of earlier visits. `params` must satisfy the checks of a packed manifest.
pub fn vote(
    index: SessionIndex<'_>,
    history: &[ItemIx],
    earlier: usize,
    params: &KnnParameters,
    scratch: &mut KnnScratch,
    scores: &mut Scores,
) {
    match params.matching {
        KnnMatching::Recent => vote_recent(index, history, params, scratch, scores),
        KnnMatching::Whole => whole::vote(index, history, earlier, params, scratch, scores),
    }
}

/// VMIS-kNN: the last `params.last_items` events count.
fn vote_recent(
    index: SessionIndex<'_>,
    session: &[ItemIx],
    params: &KnnParameters,
    scratch: &mut KnnScratch,
    scores: &mut Scores,
) {
    let last = (params.last_items as usize).clamp(1, MAX_LAST_ITEMS);
    let window = &session[session.len().saturating_sub(last)..];
    // Newest first, each item at its newest position.
    let mut starts = [0_usize; MAX_LAST_ITEMS];
    let mut ages = [0_u32; MAX_LAST_ITEMS];
    let mut matched = [0; MAX_LAST_ITEMS];
    let mut lists = 0;
    for (age, &item) in window.iter().rev().enumerate() {
        if !window[window.len() - age..].contains(&item) {
            starts[lists] = index.posting_offsets[item as usize] as usize;
            ages[lists] = age as u32;
            matched[lists] = item;
            lists += 1;
        }
    }
    if lists == 0 {
        return;
    }
    fill_tables(&ages[..lists], window.len() as u32, params, scratch);
    let mut counts = [0_u32; MAX_SIMILARITY + 1];
    // With one list every similarity is equal, and the k most recent are the k best.
    let limit = if lists == 1 { params.sample.min(params.neighbors) } else { params.sample } as usize;
    scratch.sample.clear();
    merge_any(lists, index.postings, &starts, limit, scratch, &mut counts);
    let voters = scratch.sample.len().min(params.neighbors as usize);
    let dense = params.distance_factor >= 1.0 && index.is_dense(voters);
    let (least, mut at_least) = cut_off(&counts, params.neighbors);
    for &(session, mask) in &scratch.sample {
        let similarity = scratch.similarity[mask as usize];
        if similarity < least {
            continue;
        }
        if similarity == least {
            // Sessions come most recent first, which is how ties are broken.
            if at_least == 0 {
                continue;
            }
            at_least -= 1;
        }
        let items = index.items_of(session);
        let mut weight = scratch.vote[mask as usize];
        if params.length_exponent != 0.0 {
            weight *= (items.len() as f32).powf(-params.length_exponent);
        }
        if weight <= 0.0 {
            continue;
        }
        if params.distance_factor < 1.0 {
            let newest = matched[mask.trailing_zeros() as usize];
            add_by_distance(items, newest, weight, params.distance_factor, scores);
        } else {
            scores.vote(items, weight, dense);
        }
    }
    if dense {
        scores.collect();
    }
}

/// Adds a vote that falls by `factor` with every place between an item and the match.
fn add_by_distance(items: &[ItemIx], newest: ItemIx, weight: f32, factor: f32, scores: &mut Scores) {
    let at = items.iter().position(|&item| item == newest).unwrap_or_default();
    let mut before = weight;
    for &item in items[..at].iter().rev() {
        before *= factor;
        scores.add(item, before);
    }
    let mut after = weight;
    for &item in &items[at..] {
        scores.add(item, after);
        after *= factor;
    }
}

/// Similarity and vote of every mask over the matched items.
///
/// An item of age `a` in a window of `w` events adds `w - a` (linear decay by position); a vote is the
/// similarity over the number of distinct items, times `1 - match_decay · (age of the newest match + 1)`.
fn fill_tables(ages: &[u32], window: u32, params: &KnnParameters, scratch: &mut KnnScratch) {
    let masks = 1 << ages.len();
    scratch.similarity.clear();
    scratch.similarity.resize(masks, 0);
    scratch.vote.clear();
    scratch.vote.resize(masks, 0.0);
    for mask in 1..masks {
        let newest = mask.trailing_zeros() as usize;
        let similarity = scratch.similarity[mask & (mask - 1)] + window - ages[newest];
        scratch.similarity[mask] = similarity;
        let match_weight = 1.0 - params.match_decay * (ages[newest] + 1) as f32;
        scratch.vote[mask] = larger(match_weight, 0.0) * similarity as f32 / ages.len() as f32;
    }
}

/// The similarity of the k-th best, and how many of that similarity belong to the k best.
fn cut_off(counts: &[u32], k: u32) -> (u32, u32) {
    let mut wanted = k;
    for similarity in (1..counts.len()).rev() {
        if counts[similarity] >= wanted {
            return (similarity as u32, wanted);
        }
        wanted -= counts[similarity];
    }
    (0, 0)
}

/// [`merge`] for a number of lists known at run time.
fn merge_any(
    lists: usize,
    postings: &[u32],
    starts: &[usize; MAX_LAST_ITEMS],
    limit: usize,
    scratch: &mut KnnScratch,
    counts: &mut [u32],
) {
    macro_rules! dispatch {
        ($($count:literal)*) => {
            match lists {
                $($count => merge::<$count>(postings, starts, limit, scratch, counts),)*
                _ => {}
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8 9 10);
}

/// Merges `L` falling posting lists into the sample, most recent first, until it holds `limit` sessions.
///
/// Heads advance without a branch: which list holds the next session is as good as random, and a mispredicted
/// branch would cost more than the whole step.
fn merge<const L: usize>(
    postings: &[u32],
    starts: &[usize; MAX_LAST_ITEMS],
    limit: usize,
    scratch: &mut KnnScratch,
    counts: &mut [u32],
) {
    let mut at: [usize; L] = std::array::from_fn(|list| starts[list]);
    let mut head: [u32; L] = std::array::from_fn(|list| postings[at[list]]);
    let KnnScratch { sample, similarity, .. } = scratch;
    for _ in 0..limit {
        let mut top = head[0];
        for &next in &head[1..] {
            top = top.max(next);
        }
        if top == 0 {
            break;
        }
        let mut mask = 0_u32;
        for list in 0..L {
            let hit = u32::from(head[list] == top);
            mask |= hit << list;
            at[list] += hit as usize;
            head[list] = postings[at[list]];
        }
        sample.push((top - 1, mask));
        counts[similarity[mask as usize] as usize] += 1;
    }
}
