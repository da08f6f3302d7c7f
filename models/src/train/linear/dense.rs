//! EASE: every item regressed on all others, by one inverse.

use endcap_core::ItemIx;
use endcap_core::format::LinearParameters;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, Par};

use super::interactions::Interactions;
use super::plan::LinearPlan;
use super::{Row, prune};
use crate::train::TrainError;

/// The weights of every item on every other.
///
/// In single precision: half the memory and twice the speed of double, which decide how large a catalogue can be. The
/// ridge bounds the condition of the matrix by (largest eigenvalue + ridge) / ridge, some thousands on real logs,
/// which leaves weights three to four decimals; ranks do not change by more (`benches/results`).
#[derive(Debug)]
pub struct Dense {
    items: usize,
    /// P, the inverse, symmetric, column by column.
    inverse: Vec<f32>,
}

/// Trains on `matrix`. `heard` is told how many items' sums are counted; the inverse then takes n³ operations in one go.
pub(super) fn train(
    matrix: &Interactions,
    params: &LinearParameters,
    plan: &LinearPlan,
    heard: &mut dyn FnMut(u64),
) -> Result<Dense, TrainError> {
    let n = matrix.items();
    let mut gram = gram(matrix, plan.threads, heard);
    for (item, &count) in matrix.diagonal().iter().enumerate() {
        gram[item * n + item] += params.lambda + params.dropout / (1.0 - params.dropout) * count;
    }
    let inverse = invert(gram, n, plan.threads).ok_or(TrainError::Parameter(
        "linear.lambda is too small for this log: its matrix cannot be inverted; take --linear-lambda 1 or more",
    ))?;
    Ok(Dense { items: n, inverse })
}

/// The Gram matrix, column by column. Each column is summed up by one thread in the order of rows.
fn gram(matrix: &Interactions, threads: usize, heard: &mut dyn FnMut(u64)) -> Vec<f32> {
    /// Columns between two calls of `heard`, and of a thread at a time.
    const BLOCK: usize = 64;
    let n = matrix.items();
    let mut gram = vec![0.0_f32; n * n];
    let columns: Vec<(usize, &mut [f32])> = gram.chunks_mut(n.max(1)).enumerate().collect();
    let queue = std::sync::Mutex::new(columns);
    let run = |heard: &mut dyn FnMut(u64)| {
        loop {
            let block: Vec<(usize, &mut [f32])> = {
                let mut queue = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let rest = queue.len().saturating_sub(BLOCK);
                queue.split_off(rest)
            };
            let Some((first, _)) = block.first() else { break };
            heard((n - first) as u64);
            for (item, column) in block {
                matrix.products(item, |other, product| column[other as usize] += product);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| run(&mut |_| {}));
        }
        run(heard);
    });
    gram
}

/// The inverse of a symmetric positive definite matrix; `None` where it is not that.
fn invert(mut matrix: Vec<f32>, n: usize, threads: usize) -> Option<Vec<f32>> {
    let par = Par::rayon(threads);
    let params = Default::default();
    let work = llt::factor::cholesky_in_place_scratch::<f32>(n, par, params)
        .or(llt::inverse::inverse_scratch::<f32>(n, par));
    let mut work = MemBuffer::new(work);
    let stack = MemStack::new(&mut work);
    let mut factor = MatMut::from_column_major_slice_mut(&mut matrix, n, n);
    let (regularization, params) = Default::default();
    llt::factor::cholesky_in_place(factor.rb_mut(), regularization, par, stack, params).ok()?;
    let mut inverse = vec![0.0_f32; n * n];
    let out = MatMut::from_column_major_slice_mut(&mut inverse, n, n);
    llt::inverse::inverse(out, factor.rb(), par, stack);
    // The lower triangle is computed; a whole matrix is quicker to read by rows.
    for column in 0..n {
        for row in column + 1..n {
            inverse[row * n + column] = inverse[column * n + row];
        }
    }
    inverse.iter().all(|value| value.is_finite()).then_some(inverse)
}

impl Dense {
    /// Items that have weights.
    pub fn items(&self) -> usize {
        self.items
    }

    /// What an item of a history says for or against `target`: B(item, target).
    pub fn weight(&self, item: ItemIx, target: ItemIx) -> f32 {
        let n = self.items;
        let (item, target) = (item as usize, target as usize);
        if item == target {
            0.0
        } else {
            -self.inverse[item * n + target] / self.inverse[target * n + target]
        }
    }

    /// Adds up what the items of a history say, each by its weight, in `sums`, one for each item.
    pub fn sum(&self, history: impl Iterator<Item = (ItemIx, f32)>, sums: &mut Vec<f32>) {
        let n = self.items;
        sums.clear();
        sums.resize(n, 0.0);
        for (item, weight) in history.filter(|(item, _)| (*item as usize) < n) {
            let row = &self.inverse[item as usize * n..][..n];
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum -= weight * value;
            }
            // Its own place: B has zeros on its diagonal.
            sums[item as usize] += weight * row[item as usize];
        }
        for (item, sum) in sums.iter_mut().enumerate() {
            *sum /= self.inverse[item * n + item];
        }
    }

    /// The `keep` weights of largest magnitude of each item.
    pub(super) fn rows(&self, keep: usize) -> Vec<Row> {
        let items = 0..self.items as ItemIx;
        let row = |item| {
            let mut row: Row = items.clone().map(|target| (target, self.weight(item, target))).collect();
            row.retain(|(_, weight)| *weight != 0.0);
            prune(&mut row, keep);
            row
        };
        items.clone().map(row).collect()
    }
}
