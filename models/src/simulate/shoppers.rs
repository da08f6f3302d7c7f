//! The shoppers and their tastes.

use super::random::Draw;
use super::words::{CATEGORY_COUNT, STYLE_COUNT};

/// Share of shoppers whose taste changes over the period.
const DRIFTING: f64 = 0.5;
/// Tail of the activity: with 1.3 a fifth of the shoppers make some two thirds of the visits.
const ACTIVITY_TAIL: f64 = 1.3;
/// The most active may come this many times as often as the least: no shopper is a robot.
const MAX_ACTIVITY: f64 = 150.0;

/// What a shopper likes. Each list sums to 1.
#[derive(Clone)]
pub(super) struct Taste {
    pub(super) styles: [f64; STYLE_COUNT],
    pub(super) categories: [f64; CATEGORY_COUNT],
}

/// A shopper.
pub(super) struct Shopper {
    before: Taste,
    after: Taste,
    /// How strongly a dear item is avoided, from 0.
    pub(super) price_sensitivity: f64,
    /// How often the shopper comes, relative to others.
    pub(super) activity: f64,
}

impl Shopper {
    pub(super) fn many(users: usize, draw: &mut Draw) -> Vec<Self> {
        (0..users).map(|_| Self::new(draw)).collect()
    }

    /// A shopper of whom nothing is known.
    pub(super) fn new(draw: &mut Draw) -> Self {
        let before = Taste::new(draw);
        let after = if draw.chance(DRIFTING) { Taste::new(draw) } else { before.clone() };
        Self {
            before,
            after,
            price_sensitivity: 0.2 + draw.exponential() * 0.6,
            activity: (1.0 - draw.unit()).powf(-1.0 / ACTIVITY_TAIL).min(MAX_ACTIVITY),
        }
    }

    /// The taste at `progress` through the period, 0 to 1.
    pub(super) fn taste(&self, progress: f64) -> Taste {
        let mix = |before: f64, after: f64| before * (1.0 - progress) + after * progress;
        let mut taste = self.before.clone();
        for (value, after) in taste.styles.iter_mut().zip(self.after.styles) {
            *value = mix(*value, after);
        }
        for (value, after) in taste.categories.iter_mut().zip(self.after.categories) {
            *value = mix(*value, after);
        }
        taste
    }
}

impl Taste {
    /// Two or three styles and three to five categories stand out, the rest is liked a little.
    fn new(draw: &mut Draw) -> Self {
        let mut styles = [0.25 / STYLE_COUNT as f64; STYLE_COUNT];
        favour(&mut styles, 2 + draw.below(2), draw);
        let mut categories = [0.2 / CATEGORY_COUNT as f64; CATEGORY_COUNT];
        favour(&mut categories, 3 + draw.below(3), draw);
        Self { styles, categories }
    }
}

/// Spreads what is missing from 1 over `count` entries, unevenly.
fn favour(weights: &mut [f64], count: usize, draw: &mut Draw) {
    let missing = 1.0 - weights.iter().sum::<f64>();
    let shares: Vec<(usize, f64)> =
        (0..count).map(|_| (draw.below(weights.len()), 0.3 + draw.exponential())).collect();
    let total: f64 = shares.iter().map(|(_, share)| share).sum();
    for (i, share) in shares {
        weights[i] += missing * share / total;
    }
}
