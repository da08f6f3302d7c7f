//! The linear item-item model: every item is regressed on others, and the weights are what an item of a history says
//! for and against them.
//!
//! With X the training matrix (a row a session or user, see [`Interactions`]), G = XᵀX and a ridge
//! `r(i) = lambda + dropout / (1 - dropout) · G(i, i)`:
//!
//! | method | weights of target j | cost for n items |
//! |---|---|---|
//! | [`dense`] | EASE (Steck, WWW 2019): B = I - P diag(1 / diag P), P = (G + r)⁻¹ | n³ operations, 12 n² bytes |
//! | [`local`] | the same ridge regression on the few items that explain most of j alone | n · regressors³ |
//!
//! Ridge regression on all other items and EASE's inverse are one and the same; the local model leaves out what adds
//! little to an item's few best regressors. On one shop's invoices it is well ahead of the dense one, on customers' next
//! baskets a little behind it (`benches/results` has both), and it is the one that a catalogue of any size can have. Then
//! the weights of largest magnitude are kept for each item of a history.

mod blocks;
mod dense;
mod gram;
mod interactions;
mod local;
mod plan;

use endcap_core::ItemIx;
use endcap_core::format::{LinearMethod, LinearParameters};

use super::log::Log;
use super::{Step, TrainError};

pub use dense::Dense;
pub use plan::{Limits, LinearPlan};

use interactions::Interactions;
use plan::longest_within;

/// Weights of an item of a history on others, (item, weight) by rising item.
pub type Row = Vec<(ItemIx, f32)>;

/// Weights that a model file holds at most, over all items: 5 bytes each beyond 65,536 items, half of the 100 MB that a
/// file may have.
const MAX_PAIRS: usize = 10_000_000;

/// Trains the model on `log` and gives a row for each of its items, at most `params.neighbors` long. `heard` is told
/// the plan first, and then, now and then, how many items are done. The same log gives the same weights, however many
/// threads there are.
///
/// # Errors
/// [`TrainError::Parameter`] where a parameter is out of its range, [`TrainError::Linear`] where the model does not fit
/// into the memory allowed.
pub(super) fn train(
    log: &Log,
    params: &LinearParameters,
    limits: &Limits,
    heard: &mut dyn FnMut(Step<'_>),
) -> Result<Vec<Row>, TrainError> {
    params.check().map_err(TrainError::Parameter)?;
    let matrix = Interactions::collect(log, params);
    let plan = LinearPlan::new(&matrix, params, limits)?;
    heard(Step::LinearPlan(&plan));
    let total = matrix.items() as u64;
    let mut done = |done| heard(Step::Linear { done, total });
    let keep = params.neighbors as usize;
    let mut rows = match params.method {
        LinearMethod::Dense => dense::train(&matrix, params, &plan, &mut done)?.rows(keep),
        LinearMethod::Local => local::train(&matrix, params, &plan, &mut done),
    };
    let mut lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
    let longest = longest_within(&mut lengths, MAX_PAIRS);
    for row in &mut rows {
        prune(row, longest);
    }
    rows.resize(log.items.len(), Row::new());
    Ok(rows)
}

/// The rows as [`train`](super::train) makes them, before they are pruned and rounded: to tell what that costs.
///
/// # Errors
/// As [`train`](super::train).
pub fn train_exact(log: &Log, params: &LinearParameters, limits: &Limits) -> Result<Vec<Row>, TrainError> {
    let params = LinearParameters { neighbors: u32::MAX, ..params.clone() };
    train(log, &params, limits, &mut |_| {})
}

/// EASE whole, without pruning or rounding: a baseline. Of `params` the rows, their decay, the ridge count.
///
/// # Errors
/// As [`train`](super::train).
pub fn train_dense(log: &Log, params: &LinearParameters, limits: &Limits) -> Result<Dense, TrainError> {
    params.check().map_err(TrainError::Parameter)?;
    let params = LinearParameters { method: LinearMethod::Dense, ..params.clone() };
    let matrix = Interactions::collect(log, &params);
    let plan = LinearPlan::new(&matrix, &params, limits)?;
    dense::train(&matrix, &params, &plan, &mut |_| {})
}

/// Keeps the `keep` entries of largest magnitude (ties: the smaller item), by rising item.
pub(super) fn prune(row: &mut Row, keep: usize) {
    if row.len() > keep {
        row.select_nth_unstable_by(keep, |a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        row.truncate(keep);
    }
    row.sort_unstable_by_key(|(item, _)| *item);
}

#[cfg(test)]
mod tests;
