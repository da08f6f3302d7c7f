//! Ranking metrics at fixed cut-offs.

use std::collections::HashSet;

use endcap_core::{ItemIx, gate};
use serde::Serialize;

use super::Case;

/// List lengths at which every metric is given.
pub const CUTOFFS: [usize; 4] = [5, 10, 20, 50];
/// The cut-off of coverage and popularity bias.
const LIST: usize = 20;
/// Longest list.
pub const LONGEST: usize = CUTOFFS[CUTOFFS.len() - 1];

/// Sums over cases; [`Metrics::figures`] gives means. Mergeable, so that threads can count apart.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    cases: usize,
    hit: [f64; CUTOFFS.len()],
    recall: [f64; CUTOFFS.len()],
    ndcg: [f64; CUTOFFS.len()],
    mrr: [f64; CUTOFFS.len()],
    new_cases: usize,
    new_recall: [f64; CUTOFFS.len()],
    cold_cases: usize,
    cold_recall: [f64; CUTOFFS.len()],
    /// Of lists of every length up to [`LONGEST`]; empty before the first case.
    curve: Vec<f64>,
    listed: HashSet<ItemIx>,
    listed_popularity: f64,
    listed_count: usize,
    target_popularity: f64,
    target_count: usize,
    told: [Told; BINS],
}

/// Probabilities from 2^-1, from 2^-2, and so on; the last takes all that are smaller.
const BINS: usize = 12;

/// Items whose probability was told, and what came of them.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    items: usize,
    probability: f64,
    came: usize,
}

/// Items that were told to come with about the same probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// How many, in lists of up to [`LONGEST`].
    pub items: usize,
    /// Mean probability.
    pub told: f64,
    /// Share of them that came.
    pub came: f64,
}

/// Means over the cases of a split, in the order of [`CUTOFFS`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Number of cases.
    pub cases: usize,
    /// The list lengths.
    pub cutoffs: [usize; CUTOFFS.len()],
    /// Share of cases with at least one target in the list (hit rate).
    pub hit_rate: [f64; CUTOFFS.len()],
    /// Share of a case's targets in the list; the hit rate where there is one target.
    pub recall: [f64; CUTOFFS.len()],
    /// Normalised discounted cumulative gain, binary relevance.
    pub ndcg: [f64; CUTOFFS.len()],
    /// Mean reciprocal rank of the first target, 0 beyond the cut-off.
    pub mrr: [f64; CUTOFFS.len()],
    /// Recall over only those targets that the history does not contain; cases without any are left out.
    pub new_recall: [f64; CUTOFFS.len()],
    /// Cases with a target that the history does not contain.
    pub new_cases: usize,
    /// Recall over only those targets that had no event in training; cases without any are left out.
    pub cold_recall: [f64; CUTOFFS.len()],
    /// Cases with such a target.
    pub cold_cases: usize,
    /// Recall of lists of 1, 2, ... up to [`LONGEST`] items.
    pub recall_by_length: Vec<f64>,
    /// Share of the trained items that stand in some list of 20.
    pub coverage: f64,
    /// Mean popularity of listed items over that of targets: 1 is unbiased, more favours the popular.
    pub popularity_bias: f64,
    /// By falling probability; empty where none is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<Calibration>,
}

impl Figures {
    /// Means over several runs on the same cases, and the calibration of the first; `None` without any.
    pub fn mean(runs: &[Self]) -> Option<Self> {
        let count = runs.len() as f64;
        let mean = |value: &dyn Fn(&Self) -> f64| runs.iter().map(value).sum::<f64>() / count;
        let means = |values: &dyn Fn(&Self) -> [f64; CUTOFFS.len()]| {
            std::array::from_fn(|at| mean(&|figures| values(figures)[at]))
        };
        Some(Self {
            hit_rate: means(&|figures| figures.hit_rate),
            recall: means(&|figures| figures.recall),
            ndcg: means(&|figures| figures.ndcg),
            mrr: means(&|figures| figures.mrr),
            new_recall: means(&|figures| figures.new_recall),
            cold_recall: means(&|figures| figures.cold_recall),
            recall_by_length: (0..LONGEST)
                .map(|at| mean(&|figures| figures.recall_by_length.get(at).copied().unwrap_or_default()))
                .collect(),
            coverage: mean(&|figures| figures.coverage),
            popularity_bias: mean(&|figures| figures.popularity_bias),
            ..runs.first()?.clone()
        })
    }
}

impl Metrics {
    /// Counts the answer `list` (best first) to `case`. `popularity` is training weight by item.
    pub fn add(&mut self, case: &Case, list: &[ItemIx], popularity: &[f64]) {
        self.cases += 1;
        let targets = case.distinct_targets();
        let wanted = |item: &ItemIx| targets.binary_search(item).is_ok();
        let known: HashSet<ItemIx> = case.history.iter().copied().collect();
        let fresh = targets.iter().filter(|item| !known.contains(item)).count();
        self.new_cases += usize::from(fresh > 0);
        let is_cold = |item: &ItemIx| popularity[*item as usize] <= 0.0;
        let cold = targets.iter().filter(|item| is_cold(item)).count();
        self.cold_cases += usize::from(cold > 0);
        for (at, &k) in CUTOFFS.iter().enumerate() {
            let head = &list[..list.len().min(k)];
            let first = head.iter().position(wanted);
            let hits = head.iter().filter(|item| wanted(item)).count();
            self.hit[at] += f64::from(u8::from(hits > 0));
            self.recall[at] += hits as f64 / targets.len().max(1) as f64;
            self.ndcg[at] += ndcg(list, &targets, k);
            self.mrr[at] += first.map_or(0.0, |rank| 1.0 / (rank + 1) as f64);
            if fresh > 0 {
                let found = head.iter().filter(|item| wanted(item) && !known.contains(item)).count();
                self.new_recall[at] += found as f64 / fresh as f64;
            }
            if cold > 0 {
                let found = head.iter().filter(|item| wanted(item) && is_cold(item)).count();
                self.cold_recall[at] += found as f64 / cold as f64;
            }
        }
        self.curve.resize(LONGEST, 0.0);
        let mut found = 0;
        for (at, sum) in self.curve.iter_mut().enumerate() {
            found += usize::from(list.get(at).is_some_and(wanted));
            *sum += found as f64 / targets.len().max(1) as f64;
        }
        for &item in list.iter().take(LIST) {
            self.listed.insert(item);
            self.listed_popularity += popularity[item as usize];
            self.listed_count += 1;
        }
        for &item in &targets {
            self.target_popularity += popularity[item as usize];
            self.target_count += 1;
        }
    }

    /// Counts how likely each item of `list` was told to be for `case`, with what came.
    pub fn calibrate(&mut self, case: &Case, told: impl Iterator<Item = (ItemIx, f32)>) {
        let targets = case.distinct_targets();
        for (item, probability) in told {
            // How often 1 is halved; for a probability of 0 the cast gives the largest number there is.
            let halvings = -f64::from(probability).log2();
            let told = &mut self.told[(halvings as usize).min(BINS - 1)];
            told.items += 1;
            told.probability += f64::from(probability);
            told.came += usize::from(targets.binary_search(&item).is_ok());
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.cases += other.cases;
        self.new_cases += other.new_cases;
        self.cold_cases += other.cold_cases;
        if !other.curve.is_empty() {
            self.curve.resize(LONGEST, 0.0);
        }
        self.curve.iter_mut().zip(&other.curve).for_each(|(sum, other)| *sum += other);
        for at in 0..CUTOFFS.len() {
            self.hit[at] += other.hit[at];
            self.recall[at] += other.recall[at];
            self.ndcg[at] += other.ndcg[at];
            self.mrr[at] += other.mrr[at];
            self.new_recall[at] += other.new_recall[at];
            self.cold_recall[at] += other.cold_recall[at];
        }
        self.listed.extend(&other.listed);
        self.listed_popularity += other.listed_popularity;
        self.listed_count += other.listed_count;
        self.target_popularity += other.target_popularity;
        self.target_count += other.target_count;
        for (told, other) in self.told.iter_mut().zip(&other.told) {
            told.items += other.items;
            told.probability += other.probability;
            told.came += other.came;
        }
    }

    /// Means. `trained_items` is the number of items with training events.
    pub fn figures(&self, trained_items: usize) -> Figures {
        let mean = |sums: [f64; CUTOFFS.len()], cases: usize| sums.map(|sum| sum / cases.max(1) as f64);
        let ratio = |sum: f64, count: usize| sum / count.max(1) as f64;
        let listed = ratio(self.listed_popularity, self.listed_count);
        let wanted = ratio(self.target_popularity, self.target_count);
        Figures {
            cases: self.cases,
            cutoffs: CUTOFFS,
            hit_rate: mean(self.hit, self.cases),
            recall: mean(self.recall, self.cases),
            ndcg: mean(self.ndcg, self.cases),
            mrr: mean(self.mrr, self.cases),
            new_recall: mean(self.new_recall, self.new_cases),
            new_cases: self.new_cases,
            cold_recall: mean(self.cold_recall, self.cold_cases),
            cold_cases: self.cold_cases,
            recall_by_length: self.curve.iter().map(|sum| ratio(*sum, self.cases)).collect(),
            coverage: self.listed.len() as f64 / trained_items.max(1) as f64,
            popularity_bias: if wanted > 0.0 { listed / wanted } else { 0.0 },
            calibration: (self.told.iter().filter(|told| told.items > 0))
                .map(|told| Calibration {
                    items: told.items,
                    told: told.probability / told.items as f64,
                    came: told.came as f64 / told.items as f64,
                })
                .collect(),
        }
    }
}

/// NDCG of the first `k` of a list; `targets` rise, each once.
pub(crate) fn ndcg(list: &[ItemIx], targets: &[ItemIx], k: usize) -> f64 {
    gate::ndcg(list.iter().map(|item| targets.binary_search(item).is_ok()), targets.len(), k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_compared_with_what_came() {
        let case = Case { history: vec![1], targets: vec![3, 1], last_basket: 1, earlier: 0 };
        let (mut metrics, mut more) = (Metrics::default(), Metrics::default());
        metrics.calibrate(&case, [(3, 0.6), (5, 0.8), (7, 1e-9), (8, 0.0)].into_iter());
        more.calibrate(&case, [(1, 0.3), (9, 0.7)].into_iter());
        metrics.merge(&more);
        let found: Vec<(usize, f64, f64)> =
            metrics.figures(10).calibration.iter().map(|bin| (bin.items, bin.told, bin.came)).collect();
        let expected = [(3, 0.7, 1.0 / 3.0), (1, 0.3, 1.0), (2, 0.0, 0.0)];
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.0, expected.0);
            assert!((found.1 - expected.1).abs() < 1e-6 && (found.2 - expected.2).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn figures_of_a_hand_made_case() {
        let case = Case { history: vec![1], targets: vec![1, 3], last_basket: 1, earlier: 0 };
        let mut metrics = Metrics::default();
        metrics.add(&case, &[9, 3, 7, 8, 6, 1], &[1.0; 10]);
        let figures = metrics.figures(10);
        assert_eq!(figures.recall, [0.5, 1.0, 1.0, 1.0]);
        assert_eq!(figures.mrr, [0.5; 4]);
        assert_eq!(figures.hit_rate, [1.0; 4]);
        assert_eq!(figures.new_recall, [1.0; 4], "only 3 is new, and it is found");
        let expected = (1.0 / 3_f64.log2() + 1.0 / 7_f64.log2()) / (1.0 + 1.0 / 3_f64.log2());
        assert!((figures.ndcg[1] - expected).abs() < 1e-12);
        assert!((ndcg(&[9, 3, 7, 8, 6, 1], &[1, 3], 10) - expected).abs() < 1e-12);
        assert_eq!(ndcg(&[9, 3, 7, 8, 6, 1], &[1], 5), 0.0);
        assert_eq!(figures.coverage, 0.6);
        assert_eq!(figures.recall_by_length[..6], [0.0, 0.5, 0.5, 0.5, 0.5, 1.0]);
        assert_eq!((figures.recall_by_length.len(), figures.cold_cases), (50, 0));
        assert_eq!(figures.popularity_bias, 1.0);
        metrics.add(&case, &[9, 7], &[1.0; 10]);
        let mean = Figures::mean(&[figures, metrics.figures(10)]).expect("two runs");
        assert_eq!((mean.recall[1], mean.cases), (0.75, 1), "of 1 and 0.5");
        assert_eq!(Figures::mean(&[]), None);
        // Item 3 never had an event.
        let mut popularity = [1.0; 10];
        popularity[3] = 0.0;
        let mut metrics = Metrics::default();
        metrics.add(&case, &[9, 7, 6, 8, 5, 3], &popularity);
        let figures = metrics.figures(9);
        assert_eq!((figures.cold_recall, figures.cold_cases), ([0.0, 1.0, 1.0, 1.0], 1));
    }
}
