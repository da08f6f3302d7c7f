//! Each item regressed on the few that explain most of it.
//!
//! The regressors are chosen one by one (what each explains alone), as sure independence screening does (Fan and Lv,
//! 2008); the sparse approximation of EASE that keeps the largest correlations (Steck, "Markov Random Fields for
//! Collaborative Filtering", NeurIPS 2019) solves blocks of them at once, and shares a block's inverse between its
//! items. With few regressors a small system an item is as cheap, and needs no approximation of its block.

use endcap_core::ItemIx;
use endcap_core::format::LinearParameters;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, Par};

use super::blocks::for_items;
use super::gram::Gram;
use super::interactions::Interactions;
use super::plan::LinearPlan;
use super::{Row, prune};

pub(super) fn train(
    matrix: &Interactions,
    params: &LinearParameters,
    plan: &LinearPlan,
    heard: &mut dyn FnMut(u64),
) -> Vec<Row> {
    // Counting pairs and solving systems take about as long: each is half of the way.
    let gram = Gram::count(matrix, params.lambda, plan, &mut |done| heard(done / 2));
    let ridge = Ridge { gram: &gram, diagonal: matrix.diagonal(), params };
    let half = matrix.items() as u64 / 2;
    let columns = for_items(
        matrix.items(),
        plan.threads,
        || System::new(plan.regressors),
        |system, target| ridge.solve(target, plan.regressors, system),
        &mut |done| heard(half + done / 2),
    );
    drop(gram);
    rows(&columns, params.neighbors as usize)
}

/// Weights by target as weights by item of a history, pruned.
fn rows(columns: &[Box<[(ItemIx, f32)]>], keep: usize) -> Vec<Row> {
    let mut lengths = vec![0_usize; columns.len()];
    for &(item, _) in columns.iter().flatten() {
        lengths[item as usize] += 1;
    }
    let mut rows: Vec<Row> = lengths.into_iter().map(Vec::with_capacity).collect();
    for (target, column) in (0..).zip(columns) {
        for &(item, weight) in column {
            rows[item as usize].push((target, weight));
        }
    }
    for row in &mut rows {
        prune(row, keep);
        row.shrink_to_fit();
    }
    rows
}

/// What every system shares.
struct Ridge<'a> {
    gram: &'a Gram<'a>,
    diagonal: &'a [f32],
    params: &'a LinearParameters,
}

/// A system of one thread: in double precision, as regressors of one item are much alike and the matrix is small.
struct System {
    regressors: Vec<(ItemIx, f32)>,
    sums: Vec<(f32, f32)>,
    /// Column by column; the lower triangle counts.
    matrix: Vec<f64>,
    answer: Vec<f64>,
    work: MemBuffer,
}

impl System {
    fn new(largest: usize) -> Self {
        let params = Default::default();
        let work = llt::factor::cholesky_in_place_scratch::<f64>(largest, Par::Seq, params)
            .or(llt::solve::solve_in_place_scratch::<f64>(largest, 1, Par::Seq));
        Self {
            regressors: Vec::new(),
            sums: Vec::new(),
            matrix: Vec::new(),
            answer: Vec::new(),
            work: MemBuffer::new(work),
        }
    }

    /// Replaces `answer` by the solution; false where the matrix is not positive definite.
    fn solve(&mut self) -> bool {
        let n = self.answer.len();
        let mut matrix = MatMut::from_column_major_slice_mut(&mut self.matrix, n, n);
        let stack = MemStack::new(&mut self.work);
        let (regularization, params) = Default::default();
        let factored =
            llt::factor::cholesky_in_place(matrix.rb_mut(), regularization, Par::Seq, stack, params);
        if factored.is_err() {
            return false;
        }
        let answer = MatMut::from_column_major_slice_mut(&mut self.answer, n, 1);
        llt::solve::solve_in_place(matrix.rb(), answer, Par::Seq, stack);
        true
    }
}

impl Ridge<'_> {
    /// Weights of the regressors of `target`.
    fn solve(&self, target: usize, most: usize, system: &mut System) -> Box<[(ItemIx, f32)]> {
        self.gram.regressors(target, most, &mut system.regressors);
        self.fill(system);
        // The matrix is positive definite by its ridge, and stays so where sums are not known exactly. Only a lambda
        // that vanishes beside the counts lets rounding spoil that: the item is then left to other sources.
        if system.regressors.is_empty() || !system.solve() {
            return Box::default();
        }
        let weights = system.regressors.iter().zip(&system.answer);
        weights
            .map(|(&(item, _), &weight)| (item, weight as f32))
            .filter(|(_, weight)| *weight != 0.0)
            .collect()
    }

    fn fill(&self, system: &mut System) {
        let System { regressors, sums, matrix, answer, .. } = system;
        let n = regressors.len();
        let LinearParameters { lambda, dropout, .. } = *self.params;
        matrix.clear();
        matrix.resize(n * n, 0.0);
        answer.clear();
        answer.extend(regressors.iter().map(|&(_, sum)| f64::from(sum)));
        for (column, &(item, _)) in regressors.iter().enumerate() {
            let count = f64::from(self.diagonal[item as usize]);
            let ridge = f64::from(lambda) + f64::from(dropout / (1.0 - dropout)) * count;
            matrix[column * n + column] += count + ridge;
            self.gram.sums(item, &regressors[column + 1..], sums);
            for (row, &(sum, doubt)) in (column + 1..).zip(&*sums) {
                matrix[column * n + row] = sum.into();
                // An error of e off the diagonal is outweighed by e on it, in both rows.
                matrix[column * n + column] += f64::from(doubt);
                matrix[row * n + row] += f64::from(doubt);
            }
        }
    }
}
