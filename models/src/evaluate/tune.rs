//! A bounded search over the parameters of session kNN, on validation cases only.

use endcap_core::format::{KnnParameters, Parameters};

use super::metrics::Figures;
use super::protocol::{Case, Task};
use super::ranker::Method;
use super::{Baselines, EvaluateError, evaluate};
use crate::train::{Options, train};

/// The best setting found.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// Its parameters.
    pub knn: KnnParameters,
    /// MRR@20 on the validation cases.
    pub valid_mrr20: f64,
    /// Settings tried.
    pub tried: usize,
}

/// Index of cut-off 20.
const AT_20: usize = 2;

/// Coordinate search from the published setting: each parameter in turn over its grid, until a whole round
/// brings nothing. `tried` hears of every setting with its MRR@20.
///
/// # Errors
/// Where the task cannot be trained on.
pub fn tune_knn(
    task: &Task,
    cases: &[Case],
    heard: &mut dyn FnMut(&KnnParameters, f64),
) -> Result<Tuned, EvaluateError> {
    type Set = fn(&mut KnnParameters, f32);
    let grids: [(Set, &[f32]); 7] = [
        (|knn, value| knn.last_items = value as u32, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]),
        (|knn, value| knn.sample = value as u32, &[250.0, 500.0, 1000.0, 1502.0, 2500.0, 5000.0]),
        (
            |knn, value| knn.neighbors = value as u32,
            &[50.0, 100.0, 200.0, 288.0, 400.0, 600.0, 1000.0, 1500.0],
        ),
        (|knn, value| knn.match_decay = value, &[0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        (|knn, value| knn.length_exponent = value, &[0.0, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0]),
        (|knn, value| knn.distance_factor = value, &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        (|knn, value| knn.idf_exponent = value, &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0]),
    ];
    let mut best = KnnParameters::default();
    let mut best_mrr = score(task, cases, &best)?.mrr[AT_20];
    let mut tried = 1;
    heard(&best, best_mrr);
    loop {
        let before = best_mrr;
        for (set, grid) in grids {
            let start = best.clone();
            for &value in grid {
                let mut candidate = start.clone();
                set(&mut candidate, value);
                if candidate == start {
                    continue;
                }
                let mrr = score(task, cases, &candidate)?.mrr[AT_20];
                tried += 1;
                heard(&candidate, mrr);
                if mrr > best_mrr {
                    (best, best_mrr) = (candidate, mrr);
                }
            }
        }
        if best_mrr <= before {
            return Ok(Tuned { knn: best, valid_mrr20: best_mrr, tried });
        }
    }
}

fn score(task: &Task, cases: &[Case], knn: &KnnParameters) -> Result<Figures, EvaluateError> {
    let mut parameters = Parameters { knn: knn.clone(), ..Parameters::default() };
    // Only session kNN is asked: rows would be counted for nothing.
    parameters.together.neighbors = 0;
    let model = train(&task.train, &Options { parameters, ..Options::default() }, &mut |_| {})?.open()?;
    let mut rows = evaluate(task, cases, &model, &[Method::Knn], &Baselines::default())?;
    Ok(rows.remove(0).figures)
}
