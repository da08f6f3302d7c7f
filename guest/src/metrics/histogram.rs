//! Fixed-bucket histograms of durations.

use crate::clock::Nanos;

/// Buckets of a request: 25 µs (a small answer compiled) to 1 s (something hangs).
pub const REQUEST_BOUNDS: [Nanos; BUCKETS] = [
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
];
/// Buckets of a stage: 1 µs to 100 ms.
pub const STAGE_BOUNDS: [Nanos; BUCKETS] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    100_000_000,
];
/// Bounds of a histogram; the bucket beyond the last is `+Inf`.
const BUCKETS: usize = 15;

/// Counts of durations by bucket.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: [u64; BUCKETS + 1],
    sum: Nanos,
}

impl Histogram {
    /// Counts a duration; the same `bounds` every time.
    #[inline]
    pub fn observe(&mut self, bounds: &[Nanos; BUCKETS], took: Nanos) {
        // Most durations fall into the first buckets, which a scan finds before a search would.
        let bucket = bounds.iter().position(|&bound| took <= bound).unwrap_or(BUCKETS);
        self.counts[bucket] += 1;
        self.sum += took;
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> Nanos {
        self.sum
    }

    /// Cumulative counts up to each bound; the last is [`Self::count`].
    pub fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_land_in_their_buckets() {
        let mut histogram = Histogram::default();
        for took in [0, 25_000, 25_001, 2_000_000_000] {
            histogram.observe(&REQUEST_BOUNDS, took);
        }
        let cumulative: Vec<u64> = histogram.cumulative().collect();
        assert_eq!((cumulative[0], cumulative[1], cumulative[14], cumulative[15]), (2, 3, 3, 4));
        assert_eq!((histogram.count(), histogram.sum()), (4, 2_000_050_001));
        assert!(REQUEST_BOUNDS.is_sorted() && STAGE_BOUNDS.is_sorted());
    }
}
