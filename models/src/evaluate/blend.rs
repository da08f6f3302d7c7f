//! Weights of the personal list, chosen on a shop's own newest sessions.
//!
//! The sources are trained without those sessions, and the weights that answer questions about them best are kept for the
//! model that is then trained on everything. Only what serving looks at is searched: nothing is trained twice.

use endcap_core::ItemIx;
use endcap_core::format::Parameters;

use super::baseline::{Markov, Transitions};
use super::protocol::Case;
use super::ranker::{Method, Parts};
use super::run::measure;
use super::{CUTOFFS, EvaluateError};
use crate::train::{Log, Options, TrainError, train};

/// The weights found.
#[derive(Debug, Clone, PartialEq)]
pub struct TunedBlend {
    /// Parameters with these weights, otherwise as they were.
    pub parameters: Parameters,
    /// Questions.
    pub cases: usize,
    /// NDCG@10 by the weights before, and by these.
    pub ndcg10: [f64; 2],
    /// Settings tried.
    pub tried: usize,
}

/// Share of the sessions before those that are asked about.
const ASKED_FROM: f64 = 0.9;
/// With fewer questions the weights would be chosen by chance.
const LEAST_CASES: usize = 300;
/// Beyond these the search takes longer and finds the same.
const MOST_CASES: usize = 3_000;
/// Newest events that are trained on for the search: more only take memory, as weights are not many.
const MOST_EVENTS: u64 = 5_000_000;
/// Items of a history that anything looks at.
const MAX_HISTORY: usize = 50;
/// A gain below this share is chance.
const LEAST_GAIN: f64 = 0.002;
/// Rounds over all weights; two nearly always suffice.
const ROUNDS: usize = 3;
/// Index of cut-off 10.
const AT_10: usize = 1;

/// Searches weights for `options.parameters`, on the newest tenth of the sessions of `log`. `heard` is told how many of how
/// many settings are tried, at most. `None` where the log is too small to say: the weights then stay what they are.
///
/// # Errors
/// Where the sources cannot be trained.
pub fn tune_blend(
    log: &Log,
    options: &Options,
    heard: &mut dyn FnMut(usize, usize),
) -> Result<Option<TunedBlend>, EvaluateError> {
    let cut = (log.sessions.len() as f64 * ASKED_FROM) as usize;
    let cases = cases(log, cut);
    if cases.len() < LEAST_CASES {
        return Ok(None);
    }
    let mut model = match train(&before(log, cut), options, &mut |_| {}) {
        Ok(trained) => trained.open()?,
        Err(TrainError::TooFew { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (markov, transitions) = (Markov::default(), Transitions::default());
    let weights = vec![0.0; log.items.len()];
    let mut score = |parameters: &Parameters| -> Result<f64, EvaluateError> {
        let decay = parameters.linear.as_ref().map(|linear| linear.position_decay);
        model.reweigh(parameters.blend.clone(), decay).map_err(TrainError::from)?;
        let parts = Parts {
            model: &model,
            markov: &markov,
            transitions: &transitions,
            popularity: &[],
            exact: None,
            ease: None,
        };
        let metrics = measure(&parts, &cases, Method::Personal, &weights);
        Ok(metrics.figures(log.items.len()).ndcg[AT_10])
    };
    let groups = settings(options.parameters.linear.is_some());
    let most = 1 + ROUNDS * groups.iter().map(Vec::len).sum::<usize>();
    let mut best = options.parameters.clone();
    let first = score(&best)?;
    let mut best_score = first;
    let mut tried = 1;
    for _ in 0..ROUNDS {
        let before = best_score;
        for group in &groups {
            let start = best.clone();
            for setting in group {
                let mut candidate = start.clone();
                setting.apply(&mut candidate);
                let blend = &candidate.blend;
                if candidate == start || blend.knn + blend.together + blend.linear + blend.sequence <= 0.0 {
                    continue;
                }
                let found = score(&candidate)?;
                tried += 1;
                heard(tried, most);
                if found > best_score * (1.0 + LEAST_GAIN) {
                    (best, best_score) = (candidate, found);
                }
            }
        }
        if best_score <= before {
            break;
        }
    }
    Ok(Some(TunedBlend { parameters: best, cases: cases.len(), ndcg10: [first, best_score], tried }))
}

/// A move of the search.
enum Setting {
    Knn(f32),
    Together(f32),
    /// Weight and decay of the linear model, as one is nothing without the other.
    Linear(f32, f32),
}

impl Setting {
    fn apply(&self, parameters: &mut Parameters) {
        match *self {
            Self::Knn(weight) => parameters.blend.knn = weight,
            Self::Together(weight) => parameters.blend.together = weight,
            Self::Linear(weight, decay) => {
                parameters.blend.linear = weight;
                if let Some(linear) = &mut parameters.linear {
                    linear.position_decay = decay;
                }
            }
        }
    }
}

/// The moves, by what they change.
fn settings(linear: bool) -> Vec<Vec<Setting>> {
    let mut groups = vec![
        [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0].map(Setting::Knn).into(),
        [0.0, 0.125, 0.25, 0.5, 1.0].map(Setting::Together).into(),
    ];
    if linear {
        let decays = [1.0, 0.9, 0.75, 0.5, 0.3];
        let weights = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
        let pairs = weights.iter().flat_map(|&weight| decays.map(|decay| Setting::Linear(weight, decay)));
        groups.insert(0, std::iter::once(Setting::Linear(0.0, 1.0)).chain(pairs).collect());
    }
    groups
}

/// The newest sessions before number `cut`, up to [`MOST_EVENTS`].
fn before(log: &Log, cut: usize) -> Log {
    let mut events = 0;
    let newest = log.sessions[..cut].iter().rev().take_while(|session| {
        events += session.clicks.len() as u64;
        events <= MOST_EVENTS
    });
    let from = cut - newest.count();
    let mut number = 0;
    log.filtered(|_| {
        number += 1;
        (from + 1..=cut).contains(&number)
    })
}

/// Of every session from number `cut` on: what comes next in its middle (the rest, where it has no order), and, of a user with earlier sessions, what it
/// holds at all. Evenly thinned to [`MOST_CASES`].
fn cases(log: &Log, cut: usize) -> Vec<Case> {
    let mut histories: std::collections::HashMap<u32, Vec<ItemIx>> = std::collections::HashMap::new();
    let mut cases = Vec::new();
    for (number, session) in log.sessions.iter().enumerate() {
        // With repeats: coming back to an item is an answer too.
        let mut items: Vec<ItemIx> = session.clicks.iter().map(|click| click.item).collect();
        // An invoice, all of one moment: its order is that of a file, and means nothing. Another one, always the same.
        let unordered =
            session.clicks.first().map(|click| click.time) == session.clicks.last().map(|click| click.time);
        if unordered {
            items.sort_by_key(|&item| (item ^ number as u32).wrapping_mul(0x9E37_79B1));
        }
        if number >= cut {
            if let Some(earlier) = session.user.and_then(|user| histories.get(&user)) {
                let history = earlier[earlier.len().saturating_sub(MAX_HISTORY)..].to_vec();
                cases.push(Case { last_basket: history.len(), history, targets: session.distinct() });
            }
            if items.len() > 1 {
                // Spread over the lengths without a source of chance: the same log, the same questions.
                let at = 1 + number % (items.len() - 1);
                let history = items[at.saturating_sub(MAX_HISTORY)..at].to_vec();
                let targets = if unordered { items[at..].to_vec() } else { vec![items[at]] };
                cases.push(Case { last_basket: history.len(), history, targets });
            }
        }
        if let Some(user) = session.user {
            let history = histories.entry(user).or_default();
            history.extend(items);
            history.drain(..history.len().saturating_sub(MAX_HISTORY));
        }
    }
    let step = cases.len().div_ceil(MOST_CASES).max(1);
    cases.into_iter().step_by(step).collect()
}

const _: () = assert!(CUTOFFS[AT_10] == 10);
