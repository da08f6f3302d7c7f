//! Selection of the best n.
//!
//! Order: falling score, then rising item number (which is falling popularity, see [`crate::ItemIx`]). It is
//! total, so the same scores give the same list on every engine. O(c + n log n) for c candidates: a buffer of
//! 2n is cut to n by quickselect when it fills, and its worst survivor rejects most later candidates at once.

use std::cmp::Ordering;

use crate::ItemIx;

/// Collects candidates and keeps the best `n`. Reusable: no allocation once it has seen its largest `n`.
#[derive(Debug, Default)]
pub struct TopN {
    n: usize,
    /// No candidate scoring less can be among the best n.
    threshold: f32,
    buffer: Vec<(f32, ItemIx)>,
}

/// The order of the list: best first.
fn better(a: &(f32, ItemIx), b: &(f32, ItemIx)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

impl TopN {
    /// Starts a selection of the best `n`.
    pub fn reset(&mut self, n: usize) {
        self.n = n;
        self.threshold = f32::NEG_INFINITY;
        self.buffer.clear();
        self.buffer.reserve(2 * n + 1);
    }

    /// Whether a candidate with this score can still enter; a cheap test before filters.
    #[inline]
    pub fn admits(&self, score: f32) -> bool {
        score >= self.threshold
    }

    /// Offers a candidate. Scores must not be NaN; each item is offered once.
    #[inline]
    pub fn push(&mut self, score: f32, item: ItemIx) {
        if !self.admits(score) {
            return;
        }
        self.buffer.push((score, item));
        if self.buffer.len() > 2 * self.n {
            self.cut();
        }
    }

    #[cold]
    fn cut(&mut self) {
        if self.n == 0 {
            self.buffer.clear();
            return;
        }
        let (_, worst, _) = self.buffer.select_nth_unstable_by(self.n - 1, better);
        self.threshold = worst.0;
        self.buffer.truncate(self.n);
    }

    /// The best n, best first: (score, item).
    pub fn finish(&mut self) -> &[(f32, ItemIx)] {
        self.buffer.sort_unstable_by(better);
        self.buffer.truncate(self.n);
        &self.buffer
    }
}
