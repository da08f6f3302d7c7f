//! Who asks: visitors who live through recorded sessions click by click.

use endcap_core::ItemIx;
use endcap_core::recommend::MAX_HISTORY;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Seed of every draw in the benchmarks.
pub const SEED: u64 = 20_261_122;

/// Items of an answer.
pub const N: usize = 20;

/// Draws that are the same in every run.
#[derive(Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// Stream number `stream` of [`SEED`].
    pub fn new(stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&SEED.to_le_bytes());
        key[8..16].copy_from_slice(&stream.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0..`n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Exponential with mean 1: the time between two arrivals of a Poisson process.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

/// One visitor: a session, and how far in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    session: usize,
    clicks: usize,
}

impl Visitor {
    /// Somebody about to click for the first time. There must be a session, and none may be empty.
    pub fn arrive(sessions: &[Vec<ItemIx>], draw: &mut Draw) -> Self {
        Self { session: draw.below(sessions.len()), clicks: 0 }
    }

    /// The next click; behind the last one, the first of a new random visitor.
    pub fn click(&mut self, sessions: &[Vec<ItemIx>], draw: &mut Draw) {
        if self.clicks == sessions[self.session].len() {
            *self = Self::arrive(sessions, draw);
        }
        self.clicks += 1;
    }

    /// Number of the session, and its clicks that are sent: the newest [`MAX_HISTORY`].
    pub fn shown(&self) -> (usize, std::ops::Range<usize>) {
        (self.session, self.clicks.saturating_sub(MAX_HISTORY)..self.clicks)
    }

    /// The items that are sent, oldest first.
    pub fn history<'s>(&self, sessions: &'s [Vec<ItemIx>]) -> &'s [ItemIx] {
        let (session, clicks) = self.shown();
        &sessions[session][clicks]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_grows_click_by_click_and_then_another_begins() {
        let sessions = vec![vec![7; MAX_HISTORY + 2]];
        let mut draw = Draw::new(0);
        let mut visitor = Visitor::arrive(&sessions, &mut draw);
        let mut lengths = Vec::new();
        for _ in 0..MAX_HISTORY + 4 {
            visitor.click(&sessions, &mut draw);
            lengths.push(visitor.history(&sessions).len());
        }
        let mut expected: Vec<usize> = (1..=MAX_HISTORY).collect();
        expected.extend([MAX_HISTORY, MAX_HISTORY, 1, 2]);
        assert_eq!(lengths, expected);
    }
}
