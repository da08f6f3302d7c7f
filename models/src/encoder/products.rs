//! Scalar products of many vectors with many others.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Every product of `rows` `[a x dim]` with `others` `[b x dim]` into `out` `[a x b]`, on the caller's core.
pub(crate) fn products(rows: &[f32], others: &[f32], dim: usize, out: &mut [f32]) {
    let (a, b) = (rows.len() / dim, others.len() / dim);
    matmul(
        MatMut::from_row_major_slice_mut(out, a, b),
        Accum::Replace,
        MatRef::from_row_major_slice(rows, a, dim),
        MatRef::from_row_major_slice(others, b, dim).transpose(),
        1.0,
        Par::Seq,
    );
}
