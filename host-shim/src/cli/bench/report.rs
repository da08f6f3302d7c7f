//! Times, and how they are shown. Every time is kept: percentiles are exact, and ten million take 80 MB.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Times of one thing done many times.
pub(super) struct Timed {
    name: String,
    nanos: Vec<u64>,
}

impl Timed {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), nanos: Vec::new() }
    }

    /// Adds what was begun then and has just ended.
    pub(super) fn add(&mut self, begun: Instant) {
        self.nanos.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }

    /// The times at these shares of all times, in order; zeros where there are none.
    pub(super) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [u64; N] {
        let mut nanos = self.nanos.clone();
        nanos.sort_unstable();
        shares.map(|share| {
            let rank = (share * nanos.len() as f64).ceil() as usize;
            nanos.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        })
    }
}

/// One row: times in nanoseconds; percentiles where single times are known.
struct Row {
    name: String,
    count: usize,
    mean: f64,
    percentiles: Option<[u64; 3]>,
}

/// What was measured, in order.
#[derive(Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub(super) fn add(&mut self, timed: Timed) {
        let count = timed.nanos.len();
        let mean = timed.nanos.iter().sum::<u64>() as f64 / count.max(1) as f64;
        let percentiles = Some(timed.quantiles([0.5, 0.99, 1.0]));
        self.rows.push(Row { name: timed.name, count, mean, percentiles });
    }

    /// Adds what took `lasted` for all `count` together.
    pub(super) fn mean(&mut self, name: &str, lasted: Duration, count: u32) {
        let mean = lasted.as_nanos() as f64 / f64::from(count);
        self.rows.push(Row { name: name.to_owned(), count: count as usize, mean, percentiles: None });
    }

    pub(super) fn show(&self, as_json: bool) -> String {
        if as_json {
            let rows: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
            return format!("{}\n", json!({ "unit": "us", "rows": rows }));
        }
        let mut text = format!(
            "{:<24}{:>10}{:>12}{:>12}{:>12}{:>12}{:>12}\n",
            "microseconds", "count", "mean", "p50", "p99", "max", "per second"
        );
        for row in &self.rows {
            text += &format!("{:<24}{:>10}{:>12.1}", row.name, row.count, micros(row.mean));
            match row.percentiles {
                Some(nanos) => {
                    nanos.iter().for_each(|&nanos| text += &format!("{:>12.1}", micros(nanos as f64)));
                }
                None => text += &format!("{:>12}{:>12}{:>12}", "-", "-", "-"),
            }
            text += &format!("{:>12.0}\n", row.rate());
        }
        text
    }
}

impl Row {
    fn rate(&self) -> f64 {
        if self.mean > 0.0 { 1e9 / self.mean } else { 0.0 }
    }

    fn to_json(&self) -> Value {
        let percentiles = self.percentiles.map(|nanos| nanos.map(|nanos| micros(nanos as f64)));
        let [p50, p99, max] = percentiles.map_or([None; 3], |values| values.map(Some));
        json!({
            "name": self.name, "count": self.count, "mean": micros(self.mean),
            "p50": p50, "p99": p99, "max": max, "perSecond": self.rate(),
        })
    }
}

fn micros(nanos: f64) -> f64 {
    nanos / 1e3
}
