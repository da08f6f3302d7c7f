//! Item vectors: looked up for a history, scored against a user vector.

use crate::ItemIx;
use crate::topn::TopN;

use super::kernels;
use super::shape::DIM;
use super::weights::Values;

/// Items that are scored at once for a choice: their scores stay within the first cache.
const TILE: usize = 1024;

/// A table `[items x dim]` of item vectors in a model file.
///
/// Scores are scalar products. With int8 vectors the user vector is rounded to 16-bit codes and the products are
/// summed as integers: exact, so the same on every engine, and the rounding (1 in 65,534 of the largest
/// component) is far below that of the item vectors.
#[derive(Debug, Clone, Copy)]
pub struct ItemTable<'a> {
    values: Values<'a>,
    dim: usize,
}

impl<'a> ItemTable<'a> {
    /// A view of checked `values`, `dim` of them an item, within [`DIM`].
    pub(crate) fn new(values: Values<'a>, dim: usize) -> Self {
        debug_assert!(DIM.contains(&dim));
        Self { values, dim }
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        match self.values {
            Values::F32(values) => values.len() / self.dim,
            Values::Int8 { scales, .. } => scales.len(),
        }
    }

    /// Width of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How the vectors are stored.
    pub fn values(&self) -> Values<'a> {
        self.values
    }

    /// Writes the vector of `item`, which is below [`Self::items`], to `out`, which holds [`Self::dim`] elements.
    pub fn read(&self, item: ItemIx, out: &mut [f32]) {
        let at = item as usize * self.dim;
        match self.values {
            Values::F32(values) => out.copy_from_slice(&values[at..at + self.dim]),
            Values::Int8 { codes, scales } => {
                let scale = scales[item as usize];
                for (out, &code) in out.iter_mut().zip(&codes[at..at + self.dim]) {
                    *out = f32::from(code) * scale;
                }
            }
        }
    }

    /// Scores every item: `out[item]` for as many items as `out` has room for. O(items * dim), no allocation.
    ///
    /// # Panics
    /// Where `user` does not hold [`Self::dim`] elements: a programming error, as mixing up two models.
    pub fn score_all(&self, user: &[f32], out: &mut [f32]) {
        self.score_from(0, user, out);
    }

    /// Offers every item to `top`, with the score that [`Self::score_all`] gives, but for those whose score is infinite or no
    /// number. Exact; O(items * dim), and nothing is kept of what is not chosen.
    ///
    /// # Panics
    /// As [`Self::score_all`].
    pub fn offer_all(&self, user: &[f32], top: &mut TopN) {
        let mut tile = [0.0; TILE];
        for first in (0..self.items()).step_by(TILE) {
            let tile = &mut tile[..TILE.min(self.items() - first)];
            self.score_from(first, user, tile);
            for (item, &score) in (first as ItemIx..).zip(&*tile) {
                if top.admits(score) && score.is_finite() {
                    top.push(score, item);
                }
            }
        }
    }

    /// Scores as many items as `out` has room for, from number `first` on.
    pub(super) fn score_from(&self, first: usize, user: &[f32], out: &mut [f32]) {
        assert_eq!(user.len(), self.dim, "the user vector is of another model");
        let begin = first * self.dim;
        match self.values {
            Values::F32(values) => {
                for (out, row) in out.iter_mut().zip(values[begin..].chunks_exact(self.dim)) {
                    *out = kernels::dot(user, row);
                }
            }
            Values::Int8 { codes, scales } => {
                let mut buffer = [0; *DIM.end()];
                let (user, step) = quantised(user, &mut buffer);
                let rows = codes[begin..].chunks_exact(self.dim).zip(&scales[first..]);
                for (out, (row, scale)) in out.iter_mut().zip(rows) {
                    *out = kernels::dot_i8(row, user) as f32 * (scale * step);
                }
            }
        }
    }

    /// Scores `items`, each below [`Self::items`], in their order: the same numbers as [`Self::score_all`] gives.
    /// `out` is cleared first. O(items asked * dim).
    ///
    /// # Panics
    /// As [`Self::score_all`], and where an item is not in the table.
    pub fn score_some(&self, user: &[f32], items: &[ItemIx], out: &mut Vec<f32>) {
        assert_eq!(user.len(), self.dim, "the user vector is of another model");
        out.clear();
        let places = items.iter().map(|&item| item as usize);
        match self.values {
            Values::F32(values) => {
                out.extend(places.map(|at| kernels::dot(user, &values[at * self.dim..][..self.dim])));
            }
            Values::Int8 { codes, scales } => {
                let mut buffer = [0; *DIM.end()];
                let (user, step) = quantised(user, &mut buffer);
                out.extend(places.map(|at| {
                    let row = &codes[at * self.dim..][..self.dim];
                    kernels::dot_i8(row, user) as f32 * (scales[at] * step)
                }));
            }
        }
    }
}

fn quantised<'b>(user: &[f32], buffer: &'b mut [i16]) -> (&'b [i16], f32) {
    let codes = &mut buffer[..user.len()];
    let step = kernels::quantise(user, codes);
    (codes, step)
}
