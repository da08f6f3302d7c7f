//! Baselines: simple counts that beat much of the literature and so stand beside every model.

use std::collections::{HashMap, HashSet};

use endcap_core::ItemIx;

use crate::train::Log;

use super::Case;
use super::ranker::Ranker;

/// First-order transition counts: how often an item directly followed another in a session.
#[derive(Debug, Default)]
pub(super) struct Markov {
    /// For every item its successors, most frequent first.
    next: Vec<Vec<ItemIx>>,
}

impl Markov {
    pub(super) fn count(log: &Log) -> Self {
        let mut counts: Vec<HashMap<ItemIx, u32>> = vec![HashMap::new(); log.items.len()];
        for session in &log.sessions {
            for pair in session.clicks.windows(2) {
                if pair[0].item != pair[1].item {
                    *counts[pair[0].item as usize].entry(pair[1].item).or_default() += 1;
                }
            }
        }
        let next = counts
            .into_iter()
            .map(|row| {
                let mut row: Vec<(ItemIx, u32)> = row.into_iter().collect();
                row.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
                row.into_iter().map(|(item, _)| item).collect()
            })
            .collect();
        Self { next }
    }

    pub(super) fn ranker<'a>(&'a self, popularity: &'a [ItemIx]) -> MarkovRanker<'a> {
        MarkovRanker { markov: self, popularity }
    }
}

pub(super) struct MarkovRanker<'a> {
    markov: &'a Markov,
    popularity: &'a [ItemIx],
}

impl Ranker for MarkovRanker<'_> {
    fn rank(&mut self, _: usize, case: &Case, n: usize, list: &mut Vec<ItemIx>) {
        if let Some(&last) = case.history.last() {
            list.extend(self.markov.next[last as usize].iter().take(n));
        }
        fill(list, self.popularity, n);
    }
}

/// "What you bought last time": strong where shops reorder.
pub(super) struct RepeatLast<'a> {
    popularity: &'a [ItemIx],
}

impl<'a> RepeatLast<'a> {
    pub(super) fn new(popularity: &'a [ItemIx]) -> Self {
        Self { popularity }
    }
}

impl Ranker for RepeatLast<'_> {
    fn rank(&mut self, _: usize, case: &Case, n: usize, list: &mut Vec<ItemIx>) {
        let mut bought: HashMap<ItemIx, u32> = HashMap::new();
        for &item in &case.history {
            *bought.entry(item).or_default() += 1;
        }
        let basket = &case.history[case.history.len() - case.last_basket..];
        let mut items: Vec<ItemIx> = basket.to_vec();
        items.sort_unstable();
        items.dedup();
        items.sort_by_key(|item| std::cmp::Reverse(bought.get(item).copied().unwrap_or_default()));
        list.extend(items.into_iter().take(n));
        fill(list, self.popularity, n);
    }
}

/// Fills `list` up to `n` with popular items that it does not hold yet.
fn fill(list: &mut Vec<ItemIx>, popularity: &[ItemIx], n: usize) {
    let mut held: HashSet<ItemIx> = list.iter().copied().collect();
    for &item in popularity {
        if list.len() >= n {
            return;
        }
        if held.insert(item) {
            list.push(item);
        }
    }
}
