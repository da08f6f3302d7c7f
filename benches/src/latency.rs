//! Latencies, whole: a histogram and the quantiles that are quoted.

use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::errors::CreationError;

/// Nanoseconds, to three digits.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// Longest latency that is told apart. Longer ones count as this, which no bench comes near.
    pub const LONGEST: Duration = Duration::from_secs(60);

    /// An empty one.
    ///
    /// # Errors
    /// None for these bounds. They must be given: without them the histogram grows, but `saturating_record`
    /// cuts at the bound it has so far instead of letting it grow.
    pub fn new() -> Result<Self, CreationError> {
        Ok(Self(Histogram::new_with_bounds(1, Self::LONGEST.as_nanos() as u64, 3)?))
    }

    /// Adds one. Does not allocate.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(latency.as_nanos() as u64);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Their mean in microseconds.
    pub fn mean_micros(&self) -> f64 {
        self.0.mean() / 1e3
    }

    /// The latency in microseconds that a share `quantile` does not exceed.
    pub fn micros(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }

    /// The longest in microseconds.
    pub fn max_micros(&self) -> f64 {
        self.0.max() as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_latencies_are_not_cut_short() {
        let mut latencies = Latencies::new().unwrap();
        for micros in [5, 50, 500, 5_000_000] {
            latencies.record(Duration::from_micros(micros));
        }
        assert_eq!(latencies.count(), 4);
        assert!((latencies.micros(0.5) - 50.0).abs() < 0.1, "{}", latencies.micros(0.5));
        assert!((latencies.max_micros() / 5e6 - 1.0).abs() < 0.001, "{}", latencies.max_micros());
    }
}
