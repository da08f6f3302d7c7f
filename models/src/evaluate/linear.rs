//! Linear models that are not in the file: the served one before pruning and rounding, and EASE.

use endcap_core::ItemIx;
use endcap_core::format::{LinearHistory, LinearParameters, Model};
use endcap_core::topn::TopN;

use super::ranker::Ranker;
use super::run::Baselines;
use super::{Case, EvaluateError};
use crate::train::{Dense, Limits, LinearRow, Log, train_dense, train_exact};

/// Ridge of the baseline EASE: the best of 100, 300, 500 and 1,000 on the validation part of `uci-shuffled`.
pub const EASE_LAMBDA: f32 = 300.0;

/// EASE (Steck, WWW 2019) as published, on the rows that the model's own linear part has.
pub(super) fn ease(log: &Log, model: &Model, baselines: &Baselines) -> Result<Dense, EvaluateError> {
    let rows = model.linear().map_or(LinearHistory::Session, |(_, params)| params.rows);
    let params = LinearParameters {
        rows,
        lambda: baselines.ease_lambda,
        dropout: 0.0,
        half_life_days: 0.0,
        ..LinearParameters::default()
    };
    Ok(train_dense(log, &params, &baselines.limits)?)
}

/// All weights of the model's linear part, in single precision.
#[derive(Debug)]
pub(super) struct Exact {
    rows: Vec<LinearRow>,
    params: LinearParameters,
}

impl Exact {
    pub(super) fn train(
        log: &Log,
        params: &LinearParameters,
        limits: &Limits,
    ) -> Result<Self, EvaluateError> {
        Ok(Self { rows: train_exact(log, params, limits)?, params: params.clone() })
    }
}

/// Ranks as serving does: the newest items, each once and weighed by its age; the newest itself is never listed.
pub(super) struct ExactRanker<'a> {
    exact: Option<&'a Exact>,
    sums: Vec<f32>,
    top: TopN,
}

impl<'a> ExactRanker<'a> {
    /// Without a model its lists are empty.
    pub(super) fn new(exact: Option<&'a Exact>) -> Self {
        Self { exact, sums: Vec::new(), top: TopN::default() }
    }
}

impl Ranker for ExactRanker<'_> {
    fn rank(&mut self, _: usize, case: &Case, n: usize, list: &mut Vec<ItemIx>) {
        let Some(Exact { rows, params }) = self.exact else { return };
        let newest = &case.history[case.history.len().saturating_sub(params.history as usize)..];
        self.sums.clear();
        self.sums.resize(rows.len(), 0.0);
        for (age, &item) in newest.iter().rev().enumerate() {
            if !newest[newest.len() - age..].contains(&item) {
                let weight = params.position_decay.powi(age as i32);
                for &(other, value) in &rows[item as usize] {
                    self.sums[other as usize] += weight * value;
                }
            }
        }
        // As served: the newest item of a running visit never comes.
        if let Some(&last) = case.history[case.earlier..].last() {
            self.sums[last as usize] = 0.0;
        }
        best(&self.sums, n, &mut self.top, list);
    }
}

/// Ranks by the sum over the whole history.
pub(super) struct EaseRanker<'a> {
    model: Option<&'a Dense>,
    sums: Vec<f32>,
    top: TopN,
}

impl<'a> EaseRanker<'a> {
    /// Without a model its lists are empty.
    pub(super) fn new(model: Option<&'a Dense>) -> Self {
        Self { model, sums: Vec::new(), top: TopN::default() }
    }
}

impl Ranker for EaseRanker<'_> {
    fn rank(&mut self, _: usize, case: &Case, n: usize, list: &mut Vec<ItemIx>) {
        let Some(model) = self.model else { return };
        let mut history = case.history.clone();
        history.sort_unstable();
        history.dedup();
        model.sum(history.into_iter().map(|item| (item, 1.0)), &mut self.sums);
        best(&self.sums, n, &mut self.top, list);
    }
}

/// Leaves the items of the `n` largest sums above 0 in `list`.
fn best(sums: &[f32], n: usize, top: &mut TopN, list: &mut Vec<ItemIx>) {
    top.reset(n);
    for (item, &sum) in (0..).zip(sums) {
        if sum > 0.0 {
            top.push(sum, item);
        }
    }
    list.extend(top.finish().iter().map(|(_, item)| *item));
}
