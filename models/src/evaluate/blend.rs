//! Weights of the personal list, chosen on a shop's own newest sessions.
//!
//! The sources are trained without those sessions, and the weights that answer questions about them best are kept for the
//! model that is then trained on everything. Only what serving looks at is searched: nothing is trained twice.

use endcap_core::ItemIx;
use endcap_core::format::{Blend, KnnMatching, KnnParameters, Model, Opening, Parameters};
use endcap_core::gate::paired;

use super::baseline::Markov;
use super::held_out::{HeldOut, LEAST_CASES};
use super::ranker::{Method, Parts};
use super::run::ndcg_of_each;
use super::sequence::Proposals;
use super::{Case, EvaluateError};
use crate::encoder::{EncoderForms, Weights};
use crate::train::{Options, TrainError, train};

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

/// A gain below this share is chance.
const LEAST_GAIN: f64 = 0.002;
/// Standard errors by which lists with an encoder must be better: one side of 95 %.
const CHANCE: f64 = 1.645;
/// Rounds over all weights; two nearly always suffice.
const ROUNDS: usize = 3;
/// Items of the lists that are compared.
const LIST: usize = 10;

/// Searches weights for `options.parameters` on what is `held` out: apart for the beginning of a visit, of which nothing
/// is known yet, and for its middle, where there are questions enough of both. `encoder` was learned without what is held
/// out, and is none of the sections yet. `heard` is told how many of how many settings are tried, at most. The model that
/// was asked comes back with the best of them. `None` where what is left is too small to train on: the weights then stay
/// what they are.
///
/// # Errors
/// Where the sources cannot be trained.
pub fn tune_blend(
    held: &HeldOut,
    options: &Options,
    encoder: Option<&Weights>,
    heard: &mut dyn FnMut(usize, usize),
) -> Result<Option<(TunedBlend, Model)>, EvaluateError> {
    let mut trained = match train(&held.before, options, &mut |_| {}) {
        Ok(trained) => trained,
        Err(TrainError::TooFew { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if let Some(encoder) = encoder {
        trained.add_encoder(encoder, options.parameters.blend.sequence, &EncoderForms::default())?;
    }
    let mut model = trained.open()?;
    let (opening, within): (Vec<&Case>, Vec<&Case>) = held.cases.iter().partition(|case| case.begins_visit());
    let apart = opening.len() >= LEAST_CASES && within.len() >= LEAST_CASES;
    let parts = if apart { vec![within, opening] } else { vec![held.cases.iter().collect()] };
    let climbs = 1 + usize::from(encoder.is_some());
    // What there are no rows of has no weight.
    let made = model.manifest().parameters.clone();
    let groups = parts.iter().map(|cases| {
        let goes_on = cases.iter().any(|case| !case.begins_visit());
        settings(&made, encoder.is_some(), goes_on)
    });
    let groups: Vec<Vec<Vec<Setting>>> = groups.collect();
    let settings: usize = groups.iter().flatten().map(Vec::len).sum();
    let most = climbs * (parts.len() + ROUNDS * settings);
    let mut tried = 0;
    let mut found = Vec::new();
    for (cases, groups) in parts.into_iter().zip(&groups) {
        let cases: Vec<Case> = cases.into_iter().cloned().collect();
        let mut heard = |more| {
            tried += more;
            heard(tried, most);
        };
        found
            .push((cases.len() as f64, search(&mut model, &cases, &options.parameters, groups, &mut heard)?));
    }
    let mean = |at: usize| {
        found.iter().map(|(count, (_, ndcg10))| count * ndcg10[at]).sum::<f64>() / held.cases.len() as f64
    };
    let ndcg10 = [mean(0), mean(1)];
    let mut found = found.into_iter().map(|(_, (parameters, _))| parameters);
    let mut parameters = found.next().unwrap_or_else(|| options.parameters.clone());
    parameters.opening = found.next().map(|opening| Opening {
        linear_decay: opening.linear.map_or(1.0, |linear| linear.position_decay),
        blend: opening.blend,
        knn: opening.knn,
    });
    model.ask_with(&parameters).map_err(TrainError::from)?;
    Ok(Some((TunedBlend { parameters, cases: held.cases.len(), ndcg10, tried }, model)))
}

/// The best parameters for `cases` that the search comes to from `start`, and the NDCG@10 by `start` and by them.
///
/// The encoder costs a request more than all other sources: the best is found without it and with it, and it is kept if it is
/// better by more than chance.
fn search(
    model: &mut Model,
    cases: &[Case],
    start: &Parameters,
    groups: &[Vec<Setting>],
    heard: &mut dyn FnMut(usize),
) -> Result<(Parameters, [f64; 2]), EvaluateError> {
    let proposals = Proposals::of(model, cases);
    let targets = cases.iter().map(Case::distinct_targets).collect();
    let asked = Vec::new();
    let mut questions = Questions { model, cases, targets, proposals: proposals.as_ref(), heard, asked };
    let all = questions.climb(start, |_| true, groups)?;
    if proposals.is_none() {
        return Ok((all.best, [all.first, mean(&all.found)]));
    }
    let mut others = start.clone();
    others.blend.sequence = 0.0;
    let others = questions.climb(&others, |setting| !setting.weighs_encoder(), groups)?;
    let ([without, with], error) = paired(&others.found, &all.found);
    Ok(match with - without > CHANCE * error {
        true => (all.best, [all.first, with]),
        false => (others.best, [all.first, without]),
    })
}

/// What settings are compared by.
struct Questions<'a> {
    model: &'a mut Model,
    cases: &'a [Case],
    /// Of each case, rising and each once.
    targets: Vec<Vec<ItemIx>>,
    /// Of the encoder, if there is one.
    proposals: Option<&'a Proposals>,
    /// Told of each setting.
    heard: &'a mut dyn FnMut(usize),
    /// What was asked, with the figures: the second climb begins as the first did, and later rounds come by again.
    asked: Vec<(Parameters, Vec<f64>)>,
}

/// Where a climb came to.
struct Climbed {
    best: Parameters,
    /// NDCG@10 of each case by them.
    found: Vec<f64>,
    /// Its mean where the climb began.
    first: f64,
}

impl Questions<'_> {
    /// NDCG@10 of each case by these parameters.
    fn ask(&mut self, parameters: &Parameters) -> Result<Vec<f64>, EvaluateError> {
        if let Some((_, found)) = self.asked.iter().find(|(asked, _)| asked == parameters) {
            return Ok(found.clone());
        }
        self.model.ask_with(parameters).map_err(TrainError::from)?;
        let markov = Markov::default();
        let parts = Parts { proposals: self.proposals, ..Parts::of_model(self.model, &markov) };
        let found = ndcg_of_each(&parts, self.cases, &self.targets, Method::Blended, LIST);
        (self.heard)(1);
        self.asked.push((parameters.clone(), found.clone()));
        Ok(found)
    }

    /// Goes from `start` to the better of its neighbours, one group of settings after the other, until there is none; only by
    /// settings that are `free`.
    fn climb(
        &mut self,
        start: &Parameters,
        free: fn(&Setting) -> bool,
        groups: &[Vec<Setting>],
    ) -> Result<Climbed, EvaluateError> {
        let (mut best, mut found) = (start.clone(), self.ask(start)?);
        let first = mean(&found);
        for _ in 0..ROUNDS {
            let before = mean(&found);
            for group in groups {
                let start = best.clone();
                for setting in group.iter().filter(|setting| free(setting)) {
                    let mut candidate = start.clone();
                    setting.apply(&mut candidate);
                    let blend = &candidate.blend;
                    let Blend { knn, together, linear, transitions, sequence, again, content: _ } = blend;
                    if candidate == start || knn + together + linear + transitions + sequence + again <= 0.0 {
                        continue;
                    }
                    let of_candidate = self.ask(&candidate)?;
                    if mean(&of_candidate) > mean(&found) * (1.0 + LEAST_GAIN) {
                        (best, found) = (candidate, of_candidate);
                    }
                }
            }
            if mean(&found) <= before {
                break;
            }
        }
        Ok(Climbed { best, found, first })
    }
}

fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len().max(1) as f64
}

/// A move of the search.
enum Setting {
    /// A parameter, and what it is set to.
    One(fn(&mut Parameters, f32), f32),
    /// What the encoder weighs.
    Encoder(f32),
    /// Weight and decay of the linear model, as one is nothing without the other.
    Linear(f32, f32),
    /// The same of transitions.
    Transitions(f32, f32),
    /// Which sessions are alike, and what they weigh: what weight is right depends on it.
    Knn(KnnMatching, f32),
}

impl Setting {
    fn weighs_encoder(&self) -> bool {
        matches!(self, Self::Encoder(_))
    }

    fn apply(&self, parameters: &mut Parameters) {
        match *self {
            Self::One(set, value) => set(parameters, value),
            Self::Encoder(weight) => parameters.blend.sequence = weight,
            Self::Linear(weight, decay) => {
                parameters.blend.linear = weight;
                if let Some(linear) = &mut parameters.linear {
                    linear.position_decay = decay;
                }
            }
            Self::Transitions(weight, decay) => {
                parameters.blend.transitions = weight;
                if let Some(transitions) = &mut parameters.transitions {
                    transitions.position_decay = decay;
                }
            }
            Self::Knn(matching, weight) => {
                parameters.knn.matching = matching;
                parameters.blend.knn = weight;
            }
        }
    }
}

/// The moves, by what they change. `goes_on`: within a visit, which transitions need.
fn settings(parameters: &Parameters, sequence: bool, goes_on: bool) -> Vec<Vec<Setting>> {
    let one = |set: fn(&mut Parameters, f32), values: &[f32]| -> Vec<Setting> {
        values.iter().map(|&value| Setting::One(set, value)).collect()
    };
    let mut groups = Vec::new();
    if parameters.linear.is_some() {
        let decays = [1.0, 0.9, 0.75, 0.5, 0.3];
        let weights = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
        let pairs = weights.iter().flat_map(|&weight| decays.map(|decay| Setting::Linear(weight, decay)));
        groups.push(std::iter::once(Setting::Linear(0.0, 1.0)).chain(pairs).collect());
    }
    // The index stays as it is: how it is asked costs no training. What was set by hand stays.
    let free = parameters.knn == KnnParameters::default();
    let matchings =
        if free { vec![KnnMatching::Recent, KnnMatching::Whole] } else { vec![parameters.knn.matching] };
    let weights = [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
    groups.push(
        matchings.iter().flat_map(|&matching| weights.map(|weight| Setting::Knn(matching, weight))).collect(),
    );
    if parameters.transitions.is_some() && goes_on {
        let pairs = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0].into_iter();
        let pairs =
            pairs.flat_map(|weight| [0.75, 0.5, 0.25].map(|decay| Setting::Transitions(weight, decay)));
        groups.push(std::iter::once(Setting::Transitions(0.0, 0.5)).chain(pairs).collect());
    }
    groups.push(one(|all, value| all.blend.together = value, &[0.0, 0.125, 0.25, 0.5, 1.0]));
    groups.push(one(|all, value| all.blend.again = value, &[0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]));
    if parameters.content.is_some() {
        groups.push(one(|all, value| all.blend.content = value, &[0.0, 0.25, 0.5, 0.75, 1.0]));
    }
    if sequence {
        groups.push([0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0].map(Setting::Encoder).into());
    }
    if free {
        groups.push(one(|all, value| all.knn.distance_factor = value, &[0.2, 0.4, 0.6, 0.8, 1.0]));
        groups.push(one(|all, value| all.knn.match_decay = value, &[0.0, 0.03, 0.1, 0.2, 0.3]));
        groups.push(one(|all, value| all.knn.last_items = value as u32, &[2.0, 3.0, 4.0, 6.0, 10.0]));
        groups.push(one(|all, value| all.knn.neighbors = value as u32, &[50.0, 100.0, 288.0, 600.0]));
    }
    groups
}
