//! Draws that stay the same: every distribution is made here from 64-bit words of ChaCha8, because those of a
//! library may change with its version.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// A stream of draws.
pub(super) struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    /// The stream numbered `stream` of `seed`; streams of one seed are independent.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&stream.to_le_bytes());
        Self { rng: ChaCha8Rng::from_seed(key) }
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in 0..`n`; 0 where `n` is 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Standard normal, by Box and Muller; the second value is thrown away, for simplicity.
    pub(super) fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Failures before the first success, each with probability 1 − `p`.
    pub(super) fn geometric(&mut self, p: f64) -> usize {
        (self.exponential() / -(1.0 - p).ln()) as usize
    }

    /// An index with probability in proportion to its weight; 0 where all weights are 0. O(n).
    pub(super) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return i;
            }
        }
        weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0)
    }

    /// As [`weighted`](Self::weighted), over running sums. O(log n).
    pub(super) fn cumulative(&mut self, sums: &[f64]) -> usize {
        let target = self.unit() * sums.last().copied().unwrap_or(0.0);
        sums.partition_point(|&sum| sum <= target).min(sums.len().saturating_sub(1))
    }

    /// Fisher and Yates.
    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            let j = self.below(i + 1);
            values.swap(i, j);
        }
    }
}

/// Running sums of weights.
pub(super) fn running_sums(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words_never_change() {
        let mut draw = Draw::new(7, 1);
        let first: Vec<usize> = (0..5).map(|_| draw.below(1_000)).collect();
        assert_eq!(first, FIRST);
        assert_ne!(Draw::new(7, 2).below(1_000_000), Draw::new(7, 1).below(1_000_000));
    }

    /// Taken from the first run; a change means that every seed gives another shop.
    const FIRST: [usize; 5] = [869, 53, 1, 600, 442];

    #[test]
    fn moments_are_right() {
        let mut draw = Draw::new(1, 1);
        let n = 100_000;
        let mean = |f: &mut dyn FnMut() -> f64| (0..n).map(|_| f()).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || draw.exponential()) - 1.0).abs() < 0.02);
        assert!(mean(&mut || draw.normal()).abs() < 0.02);
        assert!((mean(&mut || draw.geometric(0.25) as f64) - 3.0).abs() < 0.06);
        assert!((mean(&mut || draw.weighted(&[1.0, 0.0, 3.0]) as f64) - 1.5).abs() < 0.02);
        assert!((mean(&mut || draw.cumulative(&[1.0, 1.0, 4.0]) as f64) - 1.5).abs() < 0.02);
    }
}
