//! Runs the methods over the cases of a task.

use std::time::Instant;

use endcap_core::ItemIx;
use endcap_core::format::Model;
use serde::Serialize;

use super::EvaluateError;
use super::baseline::Markov;
use super::linear::{self, Exact};
use super::metrics::{Figures, LONGEST, Metrics, ndcg};
use super::parallel::on_all_cores;
use super::protocol::{Case, Task};
use super::ranker::{Method, Parts};
use super::segment::Segment;
use crate::train::Limits;

/// A line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which method.
    pub method: Method,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Of the cases of each segment that has any, in the order of [`Segment::ALL`].
    pub segments: Vec<(Segment, Figures)>,
    /// Wall seconds for ranking all cases on all cores.
    pub seconds: f64,
}

/// What baselines need to know.
#[derive(Debug, Clone, Default)]
pub struct Baselines {
    /// Ridge of [`Method::Ease`], above 0.
    pub ease_lambda: f32,
    /// What linear models may use.
    pub limits: Limits,
}

/// Ranks every case of `cases` by every method in `methods`, on all cores. `model` was trained on `task.train`.
///
/// # Errors
/// Where a linear baseline cannot be trained.
pub fn evaluate(
    task: &Task,
    cases: &[Case],
    model: &Model,
    methods: &[Method],
    baselines: &Baselines,
) -> Result<Vec<Row>, EvaluateError> {
    let weights = task.train.weights();
    let mut popularity: Vec<ItemIx> =
        (0..weights.len() as ItemIx).filter(|&i| weights[i as usize] > 0.0).collect();
    popularity.sort_unstable_by(|&a, &b| weights[b as usize].total_cmp(&weights[a as usize]).then(a.cmp(&b)));
    let markov = Markov::count(&task.train);
    let exact = match &model.manifest().parameters.linear {
        Some(params) if methods.contains(&Method::LinearExact) => {
            Some(Exact::train(&task.train, params, &baselines.limits)?)
        }
        _ => None,
    };
    let ease = match methods.contains(&Method::Ease) {
        true => Some(linear::ease(&task.train, model, baselines)?),
        false => None,
    };
    let parts = Parts {
        model,
        markov: &markov,
        popularity: &popularity,
        exact: exact.as_ref(),
        ease: ease.as_ref(),
        proposals: None,
    };
    let rank_all = |method: Method| {
        let begin = Instant::now();
        let segments = measure(&parts, cases, method, &weights);
        let seconds = begin.elapsed().as_secs_f64();
        let mut all = Metrics::default();
        segments.iter().for_each(|segment| all.merge(segment));
        let segments =
            Segment::ALL.into_iter().zip(segments.map(|segment| segment.figures(popularity.len())));
        Row {
            method,
            figures: all.figures(popularity.len()),
            segments: segments.filter(|(_, figures)| figures.cases > 0).collect(),
            seconds,
        }
    };
    Ok(methods.iter().map(|&method| rank_all(method)).collect())
}

/// Metrics of the cases of each segment.
type Tally = [Metrics; Segment::ALL.len()];

/// Ranks every case by one method.
fn measure(parts: &Parts<'_>, cases: &[Case], method: Method, weights: &[f64]) -> Tally {
    let tallies = on_all_cores(cases, |first, cases| {
        let mut ranker = parts.ranker(method);
        let (mut tally, mut list) = (Tally::default(), Vec::new());
        for (at, case) in (first..).zip(cases) {
            list.clear();
            ranker.rank(at, case, LONGEST, &mut list);
            let metrics = &mut tally[Segment::of(case) as usize];
            metrics.add(case, &list, weights);
            metrics.calibrate(case, ranker.told().into_iter());
        }
        tally
    });
    let mut total = Tally::default();
    for tally in tallies {
        total.iter_mut().zip(&tally).for_each(|(total, metrics)| total.merge(metrics));
    }
    total
}

/// NDCG of a list of `k` by one method for every case: what a search asks again and again, without everything else of a table.
/// `targets` are those of each case, rising and each once. The same on any number of cores.
pub(super) fn ndcg_of_each(
    parts: &Parts<'_>,
    cases: &[Case],
    targets: &[Vec<ItemIx>],
    method: Method,
    k: usize,
) -> Vec<f64> {
    let found = on_all_cores(cases, |first, cases| {
        let (mut ranker, mut list) = (parts.ranker(method), Vec::new());
        let mut found = Vec::with_capacity(cases.len());
        for (at, case) in (first..).zip(cases) {
            list.clear();
            ranker.rank(at, case, k, &mut list);
            found.push(ndcg(&list, &targets[at], k));
        }
        found
    });
    found.into_iter().flatten().collect()
}
