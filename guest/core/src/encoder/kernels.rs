//! The arithmetic of the encoder: the only file that knows about vector registers.
//!
//! Plain safe Rust over chunks of eight, from which the compiler makes 128-bit vector code both natively and for
//! Wasm (`+simd128`). Every sum has one written order and nothing is fused, so an engine gives the same bits as
//! any other.
//!
//! What is avoided, and why: `max`, `min`, `floor`, `round`, `trunc`, `mul_add` and casts from floats to integers.
//! Compiled ahead of time for any x86-64 they become calls of libm, and WasmEdge 0.14 then refuses the whole
//! module's compiled code (`scripts/guest.sh` tells why). Comparisons and bit patterns do the same work.
//!
//! Matrices are in panels (see [`Panels`]) rather than `ndarray` views: eight outputs side by side for each input
//! is the order in which the inner loop reads, and a view of a row-major matrix would have to gather them.

use super::shape::LANES;

/// Rows that one pass over a panel serves. Four rows of eight sums fill half of x86-64's sixteen vector registers
/// and leave room for the weights; eight rows spill.
const ROWS: usize = 4;

/// Three halves of 2^23. A number of moderate size to which it is added comes to lie where floats are whole numbers,
/// and in the low bits of the sum: rounding without a cast.
const ROUND: f32 = 12_582_912.0;

/// Eight numbers side by side.
type Lanes = [f32; LANES];

/// A matrix `[outputs x inputs]` in panels of eight outputs: panel by panel, input by input, eight weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panels<'a> {
    lanes: &'a [Lanes],
    /// Inputs that a panel has room for.
    stride: usize,
}

impl<'a> Panels<'a> {
    /// `weights` holds whole panels of `stride` inputs.
    pub(super) fn new(weights: &'a [f32], stride: usize) -> Self {
        let (lanes, rest) = weights.as_chunks();
        debug_assert!(rest.is_empty() && lanes.len().is_multiple_of(stride));
        Self { lanes, stride }
    }

    /// The first `inputs` inputs of the panels in turn.
    fn iter(self, inputs: usize) -> impl Iterator<Item = &'a [Lanes]> {
        self.lanes.chunks_exact(self.stride).map(move |panel| &panel[..inputs])
    }
}

/// Rows of a larger matrix: row `r` is `data[r * stride..]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// From the first element of the first row.
    pub(super) data: &'a [f32],
    /// Distance from a row to the next.
    pub(super) stride: usize,
}

/// `y[r][o] = sum over i of x[r][i] * w[o][i]` for `rows` rows of `inputs` elements and every output in `w`. Row `r`
/// of `y` starts at `r * y_stride`.
///
/// O(rows * inputs * outputs). Each sum runs over rising `i`, whether rows come in fours or alone.
pub(super) fn matmul(x: Rows<'_>, rows: usize, inputs: usize, w: Panels<'_>, y: &mut [f32], y_stride: usize) {
    let mut row = 0;
    while row + ROWS <= rows {
        let x = std::array::from_fn(|at| &x.data[(row + at) * x.stride..][..inputs]);
        for (panel, lanes) in w.iter(inputs).enumerate() {
            for (at, sums) in four_rows(x, lanes).into_iter().enumerate() {
                y[(row + at) * y_stride + panel * LANES..][..LANES].copy_from_slice(&sums);
            }
        }
        row += ROWS;
    }
    for row in row..rows {
        let x = &x.data[row * x.stride..][..inputs];
        for (panel, lanes) in w.iter(inputs).enumerate() {
            y[row * y_stride + panel * LANES..][..LANES].copy_from_slice(&one_row(x, lanes));
        }
    }
}

#[inline(always)]
fn four_rows(x: [&[f32]; ROWS], panel: &[Lanes]) -> [Lanes; ROWS] {
    let mut sums = [[0.0; LANES]; ROWS];
    let [a, b, c, d] = x;
    for ((((weights, &a), &b), &c), &d) in panel.iter().zip(a).zip(b).zip(c).zip(d) {
        for lane in 0..LANES {
            sums[0][lane] += a * weights[lane];
            sums[1][lane] += b * weights[lane];
            sums[2][lane] += c * weights[lane];
            sums[3][lane] += d * weights[lane];
        }
    }
    sums
}

#[inline(always)]
fn one_row(x: &[f32], panel: &[Lanes]) -> Lanes {
    let mut sums = [0.0; LANES];
    for (weights, &x) in panel.iter().zip(x) {
        for lane in 0..LANES {
            sums[lane] += x * weights[lane];
        }
    }
    sums
}

/// Sum of the lanes from the first to the last. A tree would be shorter, and leads the compiler to pair up lanes of
/// the loop before it, at a third of the speed.
#[inline(always)]
fn sum(lanes: Lanes) -> f32 {
    lanes.iter().sum()
}

/// Scalar product of vectors of one length, a multiple of 8.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sum(sums)
}

/// Scalar product of int8 codes with 16-bit activations, exact up to [`super::shape::DIM`]; the length is a multiple
/// of [`LANES`].
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
pub(super) fn dot_i8(codes: &[i8], x: &[i16]) -> i32 {
    codes.iter().zip(x).map(|(&code, &x)| i32::from(code) * i32::from(x)).sum()
}

/// The same by the instruction that multiplies and adds pairs, which the compiler does not find for Wasm by itself.
/// The only use of intrinsics: these are safe functions, and integers give the same sum in every order.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(super) fn dot_i8(codes: &[i8], x: &[i16]) -> i32 {
    use core::arch::wasm32::{
        i8x16, i16x8, i16x8_extend_low_i8x16, i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_splat,
    };
    let mut sums = i32x4_splat(0);
    for (codes, x) in codes.as_chunks::<LANES>().0.iter().zip(x.as_chunks::<LANES>().0) {
        let [a, b, c, d, e, f, g, h] = *codes;
        let codes = i16x8_extend_low_i8x16(i8x16(a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0));
        let [a, b, c, d, e, f, g, h] = *x;
        sums = i32x4_add(sums, i32x4_dot_i16x8(codes, i16x8(a, b, c, d, e, f, g, h)));
    }
    i32x4_extract_lane::<0>(sums)
        + i32x4_extract_lane::<1>(sums)
        + i32x4_extract_lane::<2>(sums)
        + i32x4_extract_lane::<3>(sums)
}

/// `out = x / sqrt(mean(x^2) + eps) * gain` (Zhang and Sennrich, 2019, arXiv:1910.07467).
pub(super) fn rms_norm(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    let mean = dot(x, x) / x.len() as f32 + eps;
    // Squares that overflow would make a vector of zeros, which looks sound: make it one that does not.
    let scale = if mean < f32::INFINITY { 1.0 / mean.sqrt() } else { f32::NAN };
    for ((out, x), gain) in out.iter_mut().zip(x).zip(gain) {
        *out = x * scale * gain;
    }
}

/// `a += b`.
pub(super) fn add(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

/// `gate = silu(gate) * up`, with `silu(x) = x / (1 + exp(-x))` (Shazeer, 2020, arXiv:2002.05202).
pub(super) fn swiglu(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        *gate = *gate / (1.0 + exp(-*gate)) * up;
    }
}

/// Turns the pairs of one head by its position's angles: `(a, b)` to `(a cos - b sin, a sin + b cos)`.
pub(super) fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    for ((pair, cos), sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
        let [a, b] = *pair;
        *pair = [a * cos - b * sin, a * sin + b * cos];
    }
}

/// Softmax of `scale * scores` in place over the first `live` scores; the rest become 0.
///
/// The length is a multiple of [`LANES`] and `live` at least 1.
pub(super) fn softmax(scores: &mut [f32], live: usize, scale: f32) {
    let mut largest = scores[0];
    for &score in &scores[..live] {
        largest = if score > largest { score } else { largest };
    }
    for score in &mut *scores {
        *score = exp((*score - largest) * scale);
    }
    scores[live..].fill(0.0);
    let mut sums = [0.0; LANES];
    for chunk in scores.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    let share = 1.0 / sum(sums);
    for score in scores {
        *score *= share;
    }
}

/// `e^x` within a relative error of 3e-7; arguments beyond +-87 count as +-87, where single precision ends.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, ln 2 in two parts so that `r` is exact (Cody and Waite, Software Manual
/// for the Elementary Functions, 1980); `e^r` by its Taylor series to the seventh power, whose rest is below
/// 6e-9; `2^n` by its bits.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const LIMIT: f32 = 87.0;
    let x = if x < -LIMIT { -LIMIT } else { x };
    let x = if x > LIMIT { LIMIT } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut series = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * r + term;
    }
    // The low bits of `shifted` are n; moved to the exponent they multiply by 2^n.
    f32::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// 16-bit codes of `x`, and the factor that gives `x` back: the largest magnitude becomes 32,767.
pub(super) fn quantise(x: &[f32], codes: &mut [i16]) -> f32 {
    /// Below this the factor's inverse would be infinite; scores of such a vector are 0 in any case.
    const SMALLEST: f32 = 1.0e-30;
    // Without their sign, floats are ordered as their bits are.
    let largest = x.iter().map(|x| x.to_bits() & 0x7fff_ffff).fold(0, Ord::max);
    let largest = f32::from_bits(largest);
    let step = if largest > SMALLEST { largest / f32::from(i16::MAX) } else { 1.0 };
    let inverse = 1.0 / step;
    for (code, x) in codes.iter_mut().zip(x) {
        *code = (x * inverse + ROUND).to_bits() as i16;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::super::shape::DIM;
    use super::*;

    #[test]
    fn exp_is_as_accurate_as_it_says() {
        for step in -870_000..=870_000 {
            let x = step as f32 / 1e4;
            let expected = f64::from(x).exp();
            let off = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(off < 3e-7, "exp({x}) is off by {off}");
        }
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn exp_stays_finite_beyond_its_range() {
        assert_eq!((exp(1e30), exp(f32::INFINITY)), (exp(87.0), exp(87.0)));
        assert_eq!((exp(-1e30), exp(f32::NEG_INFINITY)), (exp(-87.0), exp(-87.0)));
        assert!(exp(-87.0) < 1e-37 && exp(87.0) > 1e37);
    }

    #[test]
    fn softmax_shares_one_and_gives_nothing_to_the_rest() {
        let mut scores = [1.0, 3.0, -2.0, 90.0, f32::NAN, f32::INFINITY, 5.0, 5.0];
        softmax(&mut scores, 3, 0.5);
        let total = [0.5_f64, 1.5, -1.0].map(f64::exp).iter().sum::<f64>();
        for (found, x) in scores.into_iter().zip([0.5_f64, 1.5, -1.0]) {
            assert!((f64::from(found) - x.exp() / total).abs() < 1e-7);
        }
        assert_eq!(scores[3..], [0.0; 5]);
    }

    #[test]
    fn matmul_gives_a_row_the_same_bits_in_fours_and_alone() {
        let (rows, inputs, outputs) = (7, 24, 16);
        let x: Vec<f32> = (0..rows * inputs).map(|at| (at as f32 * 0.37).sin()).collect();
        let w: Vec<f32> = (0..outputs * inputs).map(|at| (at as f32 * 0.11).cos()).collect();
        let panels = Panels::new(&w, inputs);
        let mut together = vec![0.0; rows * outputs];
        matmul(Rows { data: &x, stride: inputs }, rows, inputs, panels, &mut together, outputs);
        for row in 0..rows {
            let mut alone = vec![0.0; outputs];
            let x = Rows { data: &x[row * inputs..], stride: inputs };
            matmul(x, 1, inputs, panels, &mut alone, outputs);
            assert_eq!(alone, together[row * outputs..][..outputs]);
        }
    }

    #[test]
    fn sixteen_bit_codes_use_their_range_and_sum_exactly() {
        let mut codes = [0; 4];
        let step = quantise(&[-2.0, 1.0, 0.0, 1.99], &mut codes);
        assert_eq!(codes, [-32_767, 16_384, 0, 32_603]);
        assert!((step * 32_767.0 - 2.0).abs() < 1e-6);
        assert_eq!((quantise(&[1e-38, 0.0, 0.0, 0.0], &mut codes), codes), (1.0, [0; 4]));
        let widest = dot_i8(&vec![-127; *DIM.end()], &vec![i16::MAX; *DIM.end()]);
        assert_eq!(i64::from(widest), -127 * 32_767 * *DIM.end() as i64);
    }
}
