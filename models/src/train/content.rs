//! What reads like the items that too few sessions have had.
//!
//! A text is the item's name and category as a bag of hashed features: words, pairs of neighbouring words, and the three-letter pieces
//! of words, so that `cup`, `cups` and `teacup` have something in common. Features weigh by their inverse document frequency, and two
//! items are as alike as the cosine of the two bags. The neighbours of a cold item are looked for among the others alone: it
//! is to be scored as what has events.

use std::collections::HashMap;

use endcap_core::ItemIx;
use endcap_core::format::{ContentParameters, ContentRow, ItemRecord};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::log::Log;

/// Items that get a row at most: each is scored in every request. The newest ones; which of those without a date,
/// is not said.
const MAX_ROWS: usize = 5_000;
/// Items that have a feature in common; of a commoner one nothing is learned, and the work grows with it.
const MAX_SHARED: usize = 5_000;
/// Likeness below this is chance: a word like `of`.
const LEAST: f32 = 0.1;
/// What a three-letter piece counts, where a word counts 1: a word of six letters has four.
const PIECE: f32 = 0.25;

/// Features and weights of a text, by rising feature.
type Bag = Vec<(u64, f32)>;

/// Rows of the items that fewer than `params.below` sessions have had, and whose text is like another's. By rising item.
pub(super) fn rows(log: &Log, params: &ContentParameters) -> Vec<ContentRow> {
    let mut sessions = vec![0_u32; log.items.len()];
    for item in log.sessions.iter().flat_map(super::Session::distinct) {
        sessions[item as usize] += 1;
    }
    let is_cold = |item: ItemIx| sessions[item as usize] < params.below;
    let mut cold: Vec<ItemIx> = (0..log.items.len() as ItemIx).filter(|&item| is_cold(item)).collect();
    // Those without any event have no date, and are newest of all.
    let age = |item: ItemIx| match log.items[item as usize].first_seen {
        0 | i64::MAX => i64::MIN,
        seen => -seen,
    };
    cold.sort_by_key(|&item| age(item));
    cold.truncate(MAX_ROWS);
    cold.sort_unstable();
    let mut bags: Vec<Bag> = log.items.par_iter().map(bag).collect();
    let index = weigh(&mut bags, is_cold);
    let near = |&item: &ItemIx| {
        let row = neighbours(&bags, &index, item, params.neighbors as usize);
        (!row.is_empty()).then_some((item, row))
    };
    cold.par_iter().filter_map(near).collect()
}

/// The features of an item's text, each with how often it is there.
fn bag(item: &ItemRecord) -> Bag {
    /// Kinds of features never meet: the seed of their hash.
    const WORD: u64 = 0;
    const PAIR: u64 = 1;
    const LETTERS: u64 = 2;
    const CATEGORY: u64 = 3;
    let text = item.name.to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let hash = |kind, text: &str| xxh3_64_with_seed(text.as_bytes(), kind);
    let mut bag: Bag = words.iter().map(|word| (hash(WORD, word), 1.0)).collect();
    bag.extend(words.windows(2).map(|pair| (hash(PAIR, &pair.join(" ")), 1.0)));
    for word in &words {
        let letters: Vec<char> = word.chars().collect();
        let pieces = letters.windows(3).map(|piece| piece.iter().collect::<String>());
        bag.extend(pieces.map(|piece| (hash(LETTERS, &piece), PIECE)));
    }
    if !item.category.is_empty() {
        bag.push((hash(CATEGORY, &item.category.to_lowercase()), 1.0));
    }
    bag.sort_by_key(|(feature, _)| *feature);
    bag.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    bag
}

/// Weighs features and brings every bag to length 1; which of the items that are not cold have a feature, and its weight there.
fn weigh(bags: &mut [Bag], is_cold: impl Fn(ItemIx) -> bool) -> HashMap<u64, Vec<(ItemIx, f32)>> {
    let mut counts: HashMap<u64, u32> = HashMap::new();
    for (feature, _) in bags.iter().flatten() {
        *counts.entry(*feature).or_default() += 1;
    }
    let items = bags.len() as f32;
    for bag in &mut *bags {
        for (feature, weight) in &mut *bag {
            *weight *= (items / counts[feature] as f32).ln();
        }
        let norm = bag.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        bag.retain(|(_, weight)| *weight > 0.0);
        bag.iter_mut().for_each(|(_, weight)| *weight /= norm);
    }
    let mut index: HashMap<u64, Vec<(ItemIx, f32)>> = HashMap::new();
    for (item, bag) in (0..).zip(&*bags).filter(|(item, _)| !is_cold(*item)) {
        for &(feature, weight) in bag {
            index.entry(feature).or_default().push((item, weight));
        }
    }
    index.retain(|_, items| items.len() <= MAX_SHARED);
    index
}

fn neighbours(
    bags: &[Bag],
    index: &HashMap<u64, Vec<(ItemIx, f32)>>,
    item: ItemIx,
    keep: usize,
) -> Vec<(ItemIx, f32)> {
    let mut sums: HashMap<ItemIx, f32> = HashMap::new();
    // In the order of features, so that sums are the same in every run.
    for (feature, weight) in &bags[item as usize] {
        for &(other, other_weight) in index.get(feature).map_or(&[][..], Vec::as_slice) {
            *sums.entry(other).or_default() += weight * other_weight;
        }
    }
    let mut row: Vec<(ItemIx, f32)> =
        sums.into_iter().filter(|(_, sum)| *sum >= LEAST).map(|(other, sum)| (other, sum.min(1.0))).collect();
    row.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    row.truncate(keep);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::LogBuilder;

    fn log(items: &[(&str, &str)], sold: &[&str]) -> Log {
        let mut builder = LogBuilder::new();
        for session in ["a", "b", "c", "d"] {
            for item in sold {
                builder.push(None, Some(session), item, 1, 1.0).unwrap();
            }
        }
        let describe = |id: &str| ItemRecord {
            id: id.to_owned(),
            name: items
                .iter()
                .find(|(name, _)| *name == id)
                .map(|(_, text)| (*text).to_owned())
                .unwrap_or_default(),
            ..ItemRecord::default()
        };
        builder.finish(describe, items.iter().map(|(id, _)| (*id).to_owned())).unwrap()
    }

    #[test]
    fn a_new_item_is_near_what_reads_like_it_and_has_events() {
        let items = [
            ("red-cup", "RED RETROSPOT CUP"),
            ("blue-cup", "BLUE SPOTTY CUP"),
            ("lantern", "Garden lantern, large"),
            ("new-cups", "red retrospot cups (set of 4)"),
            ("other-new", "Red retrospot cups"),
            ("nameless", ""),
        ];
        let log = log(&items, &["red-cup", "blue-cup", "lantern"]);
        let found = rows(&log, &ContentParameters::default());
        let id = |item: ItemIx| log.items[item as usize].id.as_str();
        let of = |name: &str| found.iter().find(|(item, _)| id(*item) == name).map(|(_, row)| row.clone());
        let row = of("new-cups").unwrap();
        assert_eq!(id(row[0].0), "red-cup");
        assert!(
            row.iter()
                .all(|(other, similarity)| *similarity <= 1.0
                    && !["other-new", "lantern"].contains(&id(*other)))
        );
        assert!(row[0].1 > 2.0 * row.get(1).map_or(0.0, |(_, similarity)| *similarity), "{row:?}");
        assert_eq!(of("nameless"), None);
        assert_eq!(of("red-cup"), None, "it has events of its own");
    }
}
