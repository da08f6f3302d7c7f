//! A small learned ranker over what the sources say, in place of fixed weights alone.
//!
//! It learns from shortlists as serving makes them, about the newest visits that the sources have not seen: which of the
//! items came. The order is learned by softmax cross-entropy over each list (ListNet: Cao et al., ICML 2007), from the
//! order of the blend on, and the height of scores, which that leaves open, by logistic loss beside it. How sure they may
//! be is then measured on questions that the network has not seen (Platt, 1999), so that they tell a probability. A ranker is
//! kept for the kinds of questions that networks which have not seen them answer better than the blend, beyond chance.

mod candidates;
mod network;
mod sections;

use endcap_core::encoder::exp;
use endcap_core::format::Model;
use endcap_core::gate::{ndcg, paired};
use endcap_core::inference::RankerScope;
use endcap_core::recommend::Feature;
use pulp::{Arch, NullaryFnOnce};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::evaluate::{Case, HeldOut, LEAST_CASES};
use candidates::{Shortlist, shortlists};
use network::{Network, Optimizer, Row};
pub use sections::LearnedRanker;

/// Passes over the lists; steps get smaller down to none, so that no pass must be chosen as the best one.
const PASSES: usize = 30;
/// Lists of a step.
const BATCH: usize = 32;
/// Lists of a worker's share of a step. Fixed: the same sums on any number of cores.
const SHARE: usize = 8;
/// Log odds that an item begins with: of hundreds few come.
const UNLIKELY: f32 = -4.0;
const RATE: f32 = 0.01;
/// Decay of weights, as a share of the step size.
const DECAY: f32 = 0.1;
/// Parts of the questions, in order of time, each of which is answered by a network that learned from the others.
const FOLDS: usize = 3;
/// Where a network begins.
const SEED: u64 = 1;
/// One-sided 99.5 % of a normal distribution: the questions are of one time, and what is right in it may not last.
const CHANCE: f64 = 2.576;
/// Items of the lists that are compared.
const LIST: usize = 10;
/// Steps of Newton's method for the log odds; it converges in about ten.
const NEWTON: usize = 50;
/// How often a step of it is halved.
const HALVES: usize = 20;

/// What came of learning a ranker.
#[derive(Debug, Clone, PartialEq)]
pub struct RankerTrial {
    /// The ranker, where it is better for some questions; its scope says for which.
    pub ranker: Option<LearnedRanker>,
    /// What begins a visit, and what goes on with it; kinds without questions are left out.
    pub kinds: Vec<KindFigures>,
    /// NDCG@10 of all questions by the blend, and with the ranker where it is kept.
    pub ndcg10: [f64; 2],
}

/// A kind of questions.
#[derive(Debug, Clone, PartialEq)]
pub struct KindFigures {
    /// Which.
    pub kind: RankerScope,
    /// How many.
    pub cases: usize,
    /// NDCG@10 by the blend, and by networks that have not learned from the question.
    pub ndcg10: [f64; 2],
    /// Standard error of their difference.
    pub error: f64,
    /// Whether the ranker is kept for them.
    pub kept: bool,
}

/// Learns a ranker for `model`, which has not learned from the visits that are `held` out, with the weights that it is served
/// with. `heard` is told how many of how many passes are done.
pub fn learn_ranker(model: &Model, held: &HeldOut, heard: &mut dyn FnMut(usize, usize)) -> RankerTrial {
    let cases = &held.cases[..];
    let lists = shortlists(model, cases);
    let (places, lessons): (Vec<usize>, Vec<Case>) = held.lessons.iter().cloned().unzip();
    let lessons = shortlists(model, &lessons);
    let (mut done, total) = (0, (FOLDS + 1) * PASSES);
    let mut pass = || {
        done += 1;
        heard(done, total);
    };
    let fold = |at: usize| (at * FOLDS / lists.len().max(1)).min(FOLDS - 1);
    let mut unseen = Vec::with_capacity(lists.len());
    for held in 0..FOLDS {
        let numbered = (0..).zip(&lists).chain(places.iter().copied().zip(&lessons));
        let others: Vec<&Shortlist> =
            numbered.filter(|(at, _)| fold(*at) != held).map(|(_, list)| list).collect();
        let network = learn(&others, &mut pass);
        let held = (0..).zip(&lists).filter(|(at, _)| fold(*at) == held);
        unseen.extend(held.map(|(_, list)| network.scores(&list.features)));
    }
    let blended: Vec<f64> =
        lists.iter().map(|list| ndcg(list.came.iter().copied(), list.targets, LIST)).collect();
    let ranked: Vec<f64> = lists.iter().zip(&unseen).map(|(list, scores)| list.ndcg(scores)).collect();
    let kind_of = |case: &Case| if case.begins_visit() { RankerScope::Opening } else { RankerScope::Within };
    let kinds: Vec<KindFigures> = [RankerScope::Opening, RankerScope::Within]
        .into_iter()
        .filter_map(|kind| {
            let of = |figures: &[f64]| -> Vec<f64> {
                let own = cases.iter().zip(figures).filter(|(case, _)| kind_of(case) == kind);
                own.map(|(_, figure)| *figure).collect()
            };
            KindFigures::compare(kind, &of(&blended), &of(&ranked))
        })
        .collect();
    let kept = |kind| kinds.iter().any(|figures| figures.kind == kind && figures.kept);
    let chosen: f64 = (cases.iter().zip(&blended).zip(&ranked))
        .map(|((case, blended), ranked)| if kept(kind_of(case)) { ranked } else { blended })
        .sum();
    let count = cases.len().max(1) as f64;
    let scope = match [kept(RankerScope::Opening), kept(RankerScope::Within)] {
        [true, true] => Some(RankerScope::All),
        [true, false] => Some(RankerScope::Opening),
        [false, true] => Some(RankerScope::Within),
        [false, false] => None,
    };
    let ranker = scope.map(|scope| {
        let mut network = learn(&lists.iter().chain(&lessons).collect::<Vec<_>>(), &mut pass);
        // By what was answered unseen, in the kinds that it is kept for: what was learned by heart looks too sure.
        let told = (cases.iter().zip(&lists).zip(&unseen))
            .filter(|((case, _), _)| kept(kind_of(case)))
            .flat_map(|((_, list), scores)| scores.iter().copied().zip(list.came.iter().copied()));
        let (slope, shift) = log_odds(&told.collect::<Vec<_>>());
        network.scale(slope, shift);
        LearnedRanker { network, scope }
    });
    RankerTrial { ranker, kinds, ndcg10: [blended.iter().sum::<f64>() / count, chosen / count] }
}

impl KindFigures {
    /// `None` without questions.
    fn compare(kind: RankerScope, blended: &[f64], ranked: &[f64]) -> Option<Self> {
        let cases = blended.len();
        if cases == 0 {
            return None;
        }
        let (ndcg10, error) = paired(blended, ranked);
        let gain = ndcg10[1] - ndcg10[0];
        Some(Self { kind, cases, ndcg10, error, kept: cases >= LEAST_CASES && gain > CHANCE * error })
    }
}

impl Shortlist {
    /// NDCG@10 in the order of `scores`.
    fn ndcg(&self, scores: &[f32]) -> f64 {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        ndcg(order.into_iter().map(|at| self.came[at]), self.targets, LIST)
    }

    /// Adds the slope of half the cross-entropy between the items that came and the softmax of the scores, and half the sum
    /// of each item's own.
    #[inline(always)]
    fn add_slope(&self, network: &Network, rows: &mut Vec<Row>, slope: &mut Network) {
        rows.resize_with(rows.len().max(self.came.len()), Row::default);
        let mut scores = vec![0.0; self.came.len()];
        let features = self.features.chunks_exact(Feature::ALL.len());
        for ((features, row), score) in features.zip(&mut *rows).zip(&mut scores) {
            *score = network.score(features, row);
        }
        let came = self.came.iter().filter(|came| **came).count() as f32;
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = scores.iter().map(|score| exp(score - largest)).sum();
        for ((row, score), &item_came) in rows.iter().zip(&scores).zip(&self.came) {
            let expected = f32::from(u8::from(item_came));
            let of_list = exp(score - largest) / total - expected / came;
            let of_item = 1.0 / (1.0 + exp(-score)) - expected;
            network.add_slope(row, (of_list + of_item) / 2.0, slope);
        }
    }
}

/// Part of a batch, whose slope is computed by code for the processor at hand.
struct Share<'a> {
    lists: &'a [&'a Shortlist],
    network: &'a Network,
}

impl NullaryFnOnce for Share<'_> {
    type Output = Network;

    #[inline(always)]
    fn call(self) -> Network {
        let (mut slope, mut rows) = (Network::zeros(Feature::ALL.len()), Vec::new());
        for list in self.lists {
            list.add_slope(self.network, &mut rows, &mut slope);
        }
        slope
    }
}

/// A network that orders `lists`; from those without anything that came nothing is learned.
fn learn(lists: &[&Shortlist], pass: &mut dyn FnMut()) -> Network {
    let width = Feature::ALL.len();
    let mut draw = ChaCha8Rng::seed_from_u64(SEED);
    let mut network = Network::fresh(width, &mut draw);
    // From the order of the blend on.
    network.direct[Feature::Blended as usize] = 1.0;
    network.bias[0] = UNLIKELY;
    let mut optimizer = Optimizer::new(width);
    let mut lists: Vec<&Shortlist> =
        lists.iter().copied().filter(|list| list.came.iter().any(|came| *came)).collect();
    let steps = (PASSES * lists.len().div_ceil(BATCH)) as f32;
    for _ in 0..PASSES {
        lists.shuffle(&mut draw);
        for batch in lists.chunks(BATCH) {
            let shares =
                batch.par_chunks(SHARE).map(|lists| Arch::new().dispatch(Share { lists, network: &network }));
            let mut slope = Network::zeros(width);
            shares.collect::<Vec<_>>().iter().for_each(|share| slope.add(share, 1.0 / batch.len() as f32));
            let left = 1.0 - optimizer.steps() as f32 / steps;
            optimizer.step(&mut network, &slope, RATE * left, DECAY);
        }
        pass();
    }
    network
}

/// Slope and shift by which scores become log odds of having come: logistic regression by Newton's method with steps that
/// are halved until they help (Lin, Lin and Weng, 2007), and the counts that Platt adds to both classes.
fn log_odds(told: &[(f32, bool)]) -> (f32, f32) {
    let came = told.iter().filter(|(_, came)| *came).count() as f64;
    let others = told.len() as f64 - came;
    let (yes, no) = ((came + 1.0) / (came + 2.0), 1.0 / (others + 2.0));
    let label = |came: bool| if came { yes } else { no };
    // ln(1 + e^x) without overflow.
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let loss = |slope: f64, shift: f64| -> f64 {
        told.iter()
            .map(|&(score, came)| (slope * f64::from(score) + shift, label(came)))
            .map(|(odds, label)| softplus(odds) - label * odds)
            .sum()
    };
    // Every item at the share of those that came.
    let (mut slope, mut shift) = (0.0_f64, ((came + 1.0) / (others + 1.0)).ln());
    let mut best = loss(slope, shift);
    for _ in 0..NEWTON {
        let [mut by_slope, mut by_shift, mut aa, mut ab, mut bb] = [0.0_f64; 5];
        for &(score, came) in told {
            let score = f64::from(score);
            let probability = 1.0 / (1.0 + (-(slope * score + shift)).exp());
            let off = probability - label(came);
            let weight = probability * (1.0 - probability);
            by_slope += off * score;
            by_shift += off;
            aa += weight * score * score;
            ab += weight * score;
            bb += weight;
        }
        let determinant = aa * bb - ab * ab;
        let step =
            [(bb * by_slope - ab * by_shift) / determinant, (aa * by_shift - ab * by_slope) / determinant];
        let halves = std::iter::successors(Some(1.0_f64), |share| Some(share / 2.0)).take(HALVES);
        let tried = halves.map(|share| (slope - share * step[0], shift - share * step[1]));
        let better =
            tried.map(|(slope, shift)| (slope, shift, loss(slope, shift))).find(|(.., loss)| *loss < best);
        // Neither are steps that are no numbers.
        let Some(better) = better else { break };
        (slope, shift, best) = better;
    }
    // Whatever they tell of odds, scores order the items.
    if slope > 0.0 { (slope as f32, shift as f32) } else { (1.0, 0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_become_the_log_odds_that_they_were_drawn_by() {
        // Odds of 0.4 s - 3, in exact shares of 10,000 items at each score.
        let told: Vec<(f32, bool)> = (-10..=10)
            .flat_map(|score: i16| {
                let share = 1.0 / (1.0 + (3.0 - 0.4 * f64::from(score)).exp());
                let came = (share * 10_000.0).round() as usize;
                (0..10_000).map(move |at| (f32::from(score), at < came))
            })
            .collect();
        let (slope, shift) = log_odds(&told);
        assert!((slope - 0.4).abs() < 0.01 && (shift + 3.0).abs() < 0.05, "{slope} {shift}");
    }

    #[test]
    fn scores_that_tell_nothing_keep_their_order() {
        assert_eq!(log_odds(&[]), (1.0, 0.0));
        let (slope, shift) = log_odds(&[(5.0, false), (1.0, true), (4.0, false), (2.0, true)]);
        assert!(slope > 0.0 && shift.is_finite(), "{slope} {shift}");
        let (slope, _) = log_odds(&[(1e30, true), (-1e30, false)]);
        assert!(slope > 0.0);
    }

    /// A list of `count` items of which every third came, and features that tell nothing.
    fn list(count: usize, draw: &mut ChaCha8Rng) -> Shortlist {
        use rand::RngExt;
        let features = (0..count * Feature::ALL.len()).map(|_| draw.random_range(0.0..1.0)).collect();
        let came: Vec<bool> = (0..count).map(|at| at % 3 == 0).collect();
        Shortlist { features, targets: count.div_ceil(3), came }
    }

    #[test]
    fn the_slope_is_that_of_the_loss() {
        let mut draw = ChaCha8Rng::seed_from_u64(7);
        let width = Feature::ALL.len();
        let (network, list) = (Network::fresh(width, &mut draw), list(5, &mut draw));
        let loss = |network: &Network| -> f64 {
            let scores: Vec<f64> = network.scores(&list.features).into_iter().map(f64::from).collect();
            let total = scores.iter().map(|score| score.exp()).sum::<f64>().ln();
            let came = list.came.iter().filter(|came| **came).count() as f64;
            let of = |(score, item_came): (&f64, &bool)| {
                let expected = f64::from(u8::from(*item_came));
                expected / came * (total - score) + score.exp().ln_1p() - expected * score
            };
            scores.iter().zip(&list.came).map(of).sum::<f64>() / 2.0
        };
        let mut slope = Network::zeros(width);
        list.add_slope(&network, &mut Vec::new(), &mut slope);
        let squares = slope.parts().into_iter().flatten().map(|part| f64::from(*part).powi(2)).sum::<f64>();
        // Along the slope the loss rises by the square of its length.
        let at = |share: f32| {
            let mut moved = network.clone();
            moved.add(&slope, share);
            loss(&moved)
        };
        let rise = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((rise / squares - 1.0).abs() < 0.01, "{rise} {squares}");
    }

    #[test]
    fn a_network_learns_an_order_that_is_there() {
        let mut draw = ChaCha8Rng::seed_from_u64(8);
        let width = Feature::ALL.len();
        // What comes has a small price, which the blend knows nothing of.
        let lists: Vec<Shortlist> = (0..400)
            .map(|_| {
                let mut list = list(20, &mut draw);
                for (features, came) in list.features.chunks_exact_mut(width).zip(&list.came) {
                    features[Feature::LogPrice as usize] = if *came { 0.2 } else { 0.8 };
                }
                list
            })
            .collect();
        let mut passes = 0;
        let network = learn(&lists.iter().collect::<Vec<_>>(), &mut || passes += 1);
        assert_eq!(passes, PASSES);
        let list = &lists[0];
        assert!(list.ndcg(&network.scores(&list.features)) > 0.99);
        let blended: Vec<f32> =
            list.features.chunks_exact(width).map(|row| row[Feature::Blended as usize]).collect();
        assert!(list.ndcg(&blended) < 0.9);
    }
}
