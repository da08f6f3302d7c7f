//! What is going to be done, in how much memory.

use endcap_core::format::{LinearMethod, LinearParameters};

use super::interactions::Interactions;
use crate::train::TrainError;

/// Bytes of a stored pair of items: number and value.
const PAIR: usize = 8;
/// Matrices of n x n numbers in single precision that the inverse takes: Gram matrix, result, and work space.
const DENSE_BYTES: usize = 3 * 4;
/// Fewest regressors that are worth a model: memory for less is too little.
const FEWEST_REGRESSORS: usize = 8;

/// What training of the linear model may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, beside the log and the training matrix (16 bytes for each of its values).
    pub memory: u64,
    /// Threads.
    pub threads: usize,
}

impl Limits {
    /// 2 GiB: EASE's inverse of 13,000 items, or a million items with 50 regressors each.
    pub const DEFAULT_MEMORY: u64 = 2 << 30;
}

impl Default for Limits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { memory: Self::DEFAULT_MEMORY, threads }
    }
}

/// How the linear model of a log is trained within its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinearPlan {
    /// How.
    pub method: LinearMethod,
    /// Items with events.
    pub items: usize,
    /// Rows of the training matrix.
    pub rows: usize,
    /// Its values that are not 0.
    pub entries: usize,
    /// Regressors of an item: those asked for, or what memory allows.
    pub regressors: usize,
    /// Longest row of the Gram matrix that is kept, all of it where there is room: what is cut off are the pairs of
    /// popular items that say least.
    pub gram_row: usize,
    /// Bytes at most, beside log and training matrix.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
}

impl LinearPlan {
    pub(super) fn new(
        matrix: &Interactions,
        params: &LinearParameters,
        limits: &Limits,
    ) -> Result<Self, TrainError> {
        let items = matrix.items();
        let budget = usize::try_from(limits.memory).unwrap_or(usize::MAX);
        let plan = |regressors, gram_row, memory: usize| Self {
            method: params.method,
            items,
            rows: matrix.rows(),
            entries: matrix.entries(),
            regressors,
            gram_row,
            memory: memory as u64,
            threads: limits.threads.max(1),
        };
        let too_little = |needed: usize| TrainError::Linear {
            what: match params.method {
                LinearMethod::Dense => "the dense model (--linear-method dense)",
                LinearMethod::Local => "the linear model",
            },
            items,
            needed: needed as u64,
            limit: limits.memory,
        };
        if params.method == LinearMethod::Dense {
            let needed = items.saturating_mul(items).saturating_mul(DENSE_BYTES);
            return if needed <= budget { Ok(plan(0, items, needed)) } else { Err(too_little(needed)) };
        }
        // Weights stand in memory twice, by target and by item of a history, in half of what there is; the Gram matrix
        // has the rest. It is gone when they stand there twice.
        let weights = |regressors: usize| 2 * PAIR * items * regressors;
        let regressors = (params.regressors as usize).min(budget / 2 / weights(1).max(1)).min(items.max(1));
        let least = FEWEST_REGRESSORS.min(params.regressors as usize).min(items.max(1));
        if regressors < least {
            return Err(too_little(2 * weights(least)));
        }
        let room = (budget - weights(regressors)) / PAIR;
        let mut bounds: Vec<usize> = (0..items).map(|item| matrix.most_partners(item)).collect();
        let gram_row = longest_within(&mut bounds, room);
        let pairs: usize = bounds.iter().map(|&bound| bound.min(gram_row)).sum();
        Ok(plan(regressors, gram_row, weights(regressors) + PAIR * pairs))
    }
}

/// The largest number to which all of `bounds` can be cut so that their sum is at most `room`.
pub(super) fn longest_within(bounds: &mut [usize], room: usize) -> usize {
    bounds.sort_unstable();
    let mut below = 0;
    for (at, &bound) in bounds.iter().enumerate() {
        let longer = bounds.len() - at;
        if below + bound * longer > room {
            return (room - below) / longer;
        }
        below += bound;
    }
    bounds.last().copied().unwrap_or_default()
}

impl std::fmt::Display for LinearPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { items, rows, entries, threads, .. } = self;
        write!(f, "linear model of {items} items from {rows} rows with {entries} values: ")?;
        match self.method {
            LinearMethod::Dense => write!(f, "inverse of {items} x {items}")?,
            LinearMethod::Local => {
                write!(f, "{} regressors each, Gram rows up to {}", self.regressors, self.gram_row)?;
            }
        }
        write!(f, ", at most {:.0} MB, threads: {threads}", self.memory as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_where_the_room_ends() {
        let check = |bounds: &[usize], room, expected| {
            assert_eq!(longest_within(&mut bounds.to_vec(), room), expected, "{bounds:?} in {room}");
        };
        check(&[3, 1, 2], 6, 3);
        check(&[3, 1, 2], 5, 2);
        check(&[10, 10, 1], 11, 5);
        check(&[10, 10, 1], 2, 0);
        check(&[], 5, 0);
    }
}
