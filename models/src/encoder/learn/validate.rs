//! How well weights answer held-out questions.

use candle_core::{Device, Result, Tensor};
use endcap_core::topn::TopN;
use rayon::prelude::*;

use super::graph::{Dropout, Leaves, Tables, hidden, leaf};
use super::sequences::chance;
use crate::encoder::Weights;
use crate::encoder::products::products;
use crate::evaluate::{Case, ndcg};

/// Histories that are read at once.
const AT_ONCE: usize = 64;
/// Scores that are held at once, 16 MB: fewer histories are ranked together where the catalogue is large.
const SCORES: usize = 1 << 22;
/// Items that are listed.
const LIST: usize = 10;

/// Mean NDCG@10 over `cases`, whose histories are not empty; the whole catalogue is ranked but for a visit's newest item,
/// which serving never returns.
pub(super) fn ndcg10(weights: &Weights, tables: &Tables, cases: &[Case]) -> Result<f64> {
    let leaves = Leaves::new(weights, false)?;
    let table = leaf(&weights.embedding, (weights.shape.items, weights.shape.dim), false)?;
    let mut order: Vec<&Case> = cases.iter().collect();
    // Similar lengths together; sorting is stable, so sums come in the same order every time.
    order.sort_by_key(|case| case.history.len());
    let parts: Vec<Result<f64>> = order
        .par_chunks(AT_ONCE)
        .map(|cases| {
            let users = users(weights, &leaves, &table, tables, cases)?;
            Ok(rank(weights, &users, cases))
        })
        .collect();
    let sum: f64 = parts.into_iter().sum::<Result<f64>>()?;
    Ok(sum / cases.len() as f64)
}

/// User vectors, `[cases x dim]`.
fn users(
    weights: &Weights,
    leaves: &Leaves,
    table: &Tensor,
    tables: &Tables,
    cases: &[&Case],
) -> Result<Vec<f32>> {
    let shape = &weights.shape;
    let newest = |case: &Case| case.history.len().saturating_sub(shape.max_len);
    let length = cases.iter().map(|case| case.history.len() - newest(case)).max().unwrap_or(0);
    let (mut read, mut last) = (Vec::new(), Vec::new());
    for (at, case) in cases.iter().enumerate() {
        let history = &case.history[newest(case)..];
        read.extend_from_slice(history);
        read.extend(std::iter::repeat_n(history[0], length - history.len()));
        last.push((at * length + history.len() - 1) as u32);
    }
    let x = table.index_select(&Tensor::new(read, &Device::Cpu)?, 0)?;
    // Nothing is drawn where nothing is taken away.
    let mut dropout = Dropout { share: 0.0, chance: &mut chance(0, 0, 0) };
    let states = hidden(leaves, shape, tables, x, length, &mut dropout)?;
    states.index_select(&Tensor::new(last, &Device::Cpu)?, 0)?.flatten_all()?.to_vec1()
}

/// The summed NDCG@10 of `cases`, asked by their user vectors.
fn rank(weights: &Weights, users: &[f32], cases: &[&Case]) -> f64 {
    let (items, dim) = (weights.shape.items, weights.shape.dim);
    let (mut sum, mut top) = (0.0, TopN::default());
    let together = (SCORES / items).clamp(1, cases.len());
    let mut scores = vec![0.0; together * items];
    for (users, cases) in users.chunks(together * dim).zip(cases.chunks(together)) {
        let scores = &mut scores[..cases.len() * items];
        products(users, &weights.embedding, dim, scores);
        for (case, scores) in cases.iter().zip(scores.chunks_exact(items)) {
            top.reset(LIST);
            let newest = case.history[case.earlier..].last();
            for (item, &score) in (0..).zip(scores) {
                if top.admits(score) && Some(&item) != newest {
                    top.push(score, item);
                }
            }
            let list: Vec<_> = top.finish().iter().map(|&(_, item)| item).collect();
            sum += ndcg(&list, &case.distinct_targets(), LIST);
        }
    }
    sum
}
