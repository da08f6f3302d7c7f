//! What reads like the items that too few sessions have had.
//!
//! Two likenesses are added where there is a text model, the second the less the more the first finds; else the first is all.
//!
//! A text is the item's name and category as a bag of hashed features: words, pairs of neighbouring words, and the three-letter pieces
//! of words, so that `cup`, `cups` and `teacup` have something in common. Features weigh by their inverse document frequency, and two
//! items are as alike as the cosine of the two bags. The neighbours of a cold item are looked for among the others alone: it
//! is to be scored as what has events.
//!
//! A text model says what means the same: the cosine of its vectors (`text/`), of which only what is above 0 counts. Where an item
//! shares its words with another, those are the surer sign: models blur what differs by a number or a colour. So the second
//! likeness has the share of the text model times what the best of the first lacks to 1. A fixed share, the larger of the two, powers
//! of the second and vectors without their strongest components were tried (`benches/results/2026-11-24-text.md`).

use std::collections::HashMap;

use endcap_core::ItemIx;
use endcap_core::format::{ContentParameters, ContentRow, ItemRecord};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::log::Log;
use crate::encoder::products::products;
use crate::text::TextVectors;

/// Items that get a row at most: each is scored in every request. The newest ones; which of those without a date,
/// is not said.
const MAX_ROWS: usize = 5_000;
/// Items that have a feature in common; of a commoner one nothing is learned, and the work grows with it.
const MAX_SHARED: usize = 5_000;
/// Likeness below this is chance: a word like `of`.
const LEAST: f32 = 0.1;
/// What a three-letter piece counts, where a word counts 1: a word of six letters has four.
const PIECE: f32 = 0.25;

/// Rows of a product of matrices: large enough to be quick, small enough for the memory of many cores at once.
const ROWS_AT_ONCE: usize = 32;

/// Features and weights of a text, by rising feature.
type Bag = Vec<(u64, f32)>;

/// Items without enough sessions.
#[derive(Debug)]
pub(crate) struct Cold {
    /// By item.
    cold: Vec<bool>,
    /// Those that get a row, by rising item.
    pub(crate) newest: Vec<ItemIx>,
}

impl Cold {
    /// Whether this is one.
    pub(crate) fn has(&self, item: ItemIx) -> bool {
        self.cold[item as usize]
    }
}

/// The items that fewer than `params.below` sessions have had.
pub(crate) fn cold_items(log: &Log, params: &ContentParameters) -> Cold {
    let mut sessions = vec![0_u32; log.items.len()];
    for item in log.sessions.iter().flat_map(super::Session::distinct) {
        sessions[item as usize] += 1;
    }
    let cold: Vec<bool> = sessions.iter().map(|&sessions| sessions < params.below).collect();
    let mut newest: Vec<ItemIx> =
        (0..log.items.len() as ItemIx).filter(|&item| cold[item as usize]).collect();
    // Those without any event have no date, and are newest of all.
    let age = |item: ItemIx| match log.items[item as usize].first_seen {
        0 | i64::MAX => i64::MIN,
        seen => -seen,
    };
    newest.sort_by_key(|&item| age(item));
    newest.truncate(MAX_ROWS);
    newest.sort_unstable();
    Cold { cold, newest }
}

/// Rows of the items that fewer than `params.below` sessions have had, and whose text is like another's. By rising item. `texts` count
/// as much as `params.text` says.
pub(super) fn rows(log: &Log, params: &ContentParameters, texts: Option<&TextVectors>) -> Vec<ContentRow> {
    let cold = cold_items(log, params);
    let mut bags: Vec<Bag> = log.items.par_iter().map(bag).collect();
    let index = weigh(&mut bags, |item| cold.has(item));
    let meanings = match (&params.text, texts) {
        (Some(text), Some(texts)) => Some(Meanings::of(log, &cold, texts, text.weight)),
        _ => None,
    };
    let near = |chunk: &[ItemIx]| {
        let found = meanings.as_ref().map(|meanings| meanings.likeness(log, chunk));
        let row = |(at, &item): (usize, &ItemIx)| {
            let sums = shared(&bags, &index, item);
            let keep = params.neighbors as usize;
            let row = match (&meanings, &found) {
                (Some(meanings), Some(found)) if meanings.texts.of(&log.items[item as usize]).is_some() => {
                    best(meanings.add(&sums, found, at), keep)
                }
                // Not read, or nothing is.
                _ => best(sums.into_iter(), keep),
            };
            (!row.is_empty()).then_some((item, row))
        };
        chunk.iter().enumerate().filter_map(row).collect::<Vec<_>>()
    };
    cold.newest.par_chunks(ROWS_AT_ONCE).flat_map_iter(near).collect()
}

/// The items of which what is cold may be alike, with their vectors.
struct Meanings<'a> {
    texts: &'a TextVectors,
    weight: f32,
    /// Items with vectors, and by item whether it is one.
    items: Vec<ItemIx>,
    has: Vec<bool>,
    /// Row by row.
    vectors: Vec<f32>,
}

impl<'a> Meanings<'a> {
    fn of(log: &Log, cold: &Cold, texts: &'a TextVectors, weight: f32) -> Self {
        let (mut items, mut vectors, mut has) = (Vec::new(), Vec::new(), vec![false; log.items.len()]);
        for (item, record) in (0..).zip(&log.items).filter(|(item, _)| !cold.has(*item)) {
            if let Some(vector) = texts.of(record) {
                items.push(item);
                has[item as usize] = true;
                vectors.extend_from_slice(vector);
            }
        }
        Self { texts, weight, items, has, vectors }
    }

    /// Cosines of each of `rows` with each of the items; all 0 of one without a vector.
    fn likeness(&self, log: &Log, rows: &[ItemIx]) -> Vec<f32> {
        let dim = self.texts.dim();
        let mut found = vec![0.0; rows.len() * self.items.len()];
        if found.is_empty() {
            return found;
        }
        let mut own = vec![0.0; rows.len() * dim];
        for (own, &item) in own.chunks_mut(dim).zip(rows) {
            if let Some(vector) = self.texts.of(&log.items[item as usize]) {
                own.copy_from_slice(vector);
            }
        }
        products(&own, &self.vectors, dim, &mut found);
        found
    }

    /// Both likenesses of the row `at` of what [`Self::likeness`] found.
    fn add<'b>(
        &'b self,
        sums: &'b HashMap<ItemIx, f32>,
        found: &'b [f32],
        at: usize,
    ) -> impl Iterator<Item = (ItemIx, f32)> + 'b {
        let found = &found[at * self.items.len()..][..self.items.len()];
        let strongest = sums.values().copied().fold(0.0, f32::max).min(1.0);
        let share = self.weight * (1.0 - strongest);
        let both = self.items.iter().zip(found).map(move |(item, cosine)| {
            let bag = sums.get(item).copied().unwrap_or_default();
            (*item, (1.0 - share) * bag + share * cosine.max(0.0))
        });
        // Beyond the items that were read, words alone can tell.
        let rest = sums.iter().filter(|(item, _)| !self.has[**item as usize]);
        both.chain(rest.map(move |(item, bag)| (*item, (1.0 - share) * bag)))
    }
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

/// Cosines of an item's bag with those that have a feature in common with it.
fn shared(bags: &[Bag], index: &HashMap<u64, Vec<(ItemIx, f32)>>, item: ItemIx) -> HashMap<ItemIx, f32> {
    let mut sums: HashMap<ItemIx, f32> = HashMap::new();
    // In the order of features, so that sums are the same in every run.
    for (feature, weight) in &bags[item as usize] {
        for &(other, other_weight) in index.get(feature).map_or(&[][..], Vec::as_slice) {
            *sums.entry(other).or_default() += weight * other_weight;
        }
    }
    sums
}

/// The `keep` most alike, best first.
fn best(found: impl Iterator<Item = (ItemIx, f32)>, keep: usize) -> Vec<(ItemIx, f32)> {
    let mut row: Vec<(ItemIx, f32)> =
        found.filter(|(_, sum)| *sum >= LEAST).map(|(other, sum)| (other, sum.min(1.0))).collect();
    row.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    row.truncate(keep);
    row
}

#[cfg(test)]
mod tests {
    use endcap_core::format::TextParameters;

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
        let found = rows(&log, &ContentParameters::default(), None);
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

    #[test]
    fn what_means_the_same_is_added_to_what_reads_alike() {
        let items = [
            ("cup", "red cup"),
            ("lamp", "desk lamp"),
            ("rare", "crimson mugs"),
            ("mug", "crimson mug"),
            ("unread", "bolt"),
        ];
        let log = log(&items, &["cup", "lamp", "rare"]);
        // `rare` and `unread` were not read.
        let vectors: [(&str, &[f32]); 3] = [
            ("red cup", &[1.0, 0.1, 0.0]),
            ("crimson mug", &[1.0, 0.0, 0.0]),
            ("desk lamp", &[-1.0, 0.0, 0.1]),
        ];
        let texts = TextVectors::new(vectors.into_iter(), 3);
        let asked = |weight, texts| {
            let text = TextParameters { weight, model: String::new(), sha256: String::new(), items: 2 };
            let found = rows(&log, &ContentParameters { text: Some(text), ..Default::default() }, texts);
            let id = |item: ItemIx| log.items[item as usize].id.clone();
            found
                .into_iter()
                .map(|(item, row)| {
                    (
                        id(item),
                        row.into_iter().map(|(other, likeness)| (id(other), likeness)).collect::<Vec<_>>(),
                    )
                })
                .collect::<Vec<_>>()
        };
        let words = asked(0.5, None);
        let [(new, row)] = &words[..] else { panic!("{words:?}") };
        assert_eq!(
            (new.as_str(), row[0].0.as_str(), row.len()),
            ("mug", "rare", 1),
            "words in common, by words alone"
        );
        let likeness = |weight| {
            let found = asked(weight, Some(&texts));
            let [(_, row)] = &found[..] else { panic!("{found:?}") };
            let of = |name: &str| row.iter().find(|(other, _)| other == name).map(|(_, likeness)| *likeness);
            (of("cup"), of("rare"), of("lamp"))
        };
        let [cup, mug] = ["red cup", "crimson mug"].map(|name| {
            texts.of(&ItemRecord { name: name.to_owned(), ..ItemRecord::default() }).unwrap().to_vec()
        });
        let cosine: f32 = cup.iter().zip(&mug).map(|(a, b)| a * b).sum();
        let words = row[0].1;
        for weight in [0.4, 0.5] {
            let share = weight * (1.0 - words);
            let (cup, rare, lamp) = likeness(weight);
            assert!((cup.unwrap() - share * cosine).abs() < 1e-6, "no words in common: {cup:?} {cosine}");
            assert!((rare.unwrap() - (1.0 - share) * words).abs() < 1e-6, "not read: {rare:?} {words}");
            assert_eq!(lamp, None, "the opposite is not alike");
        }
    }
}
