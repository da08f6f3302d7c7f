//! The network of `endcap_core::inference::RankerNetwork`, its slope, and AdamW over it.

use endcap_core::format::RankerWeights;
use endcap_core::inference::HIDDEN;
use rand::RngExt;

use crate::adamw::Update;

/// Weights, or anything else that has a number for each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub(super) hidden: Vec<f32>,
    pub(super) hidden_bias: Vec<f32>,
    pub(super) direct: Vec<f32>,
    pub(super) out: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// What [`Network::score`] leaves behind for [`Network::add_slope`].
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    phi: Vec<f32>,
    active: [f32; HIDDEN],
}

impl Network {
    pub(super) fn zeros(columns: usize) -> Self {
        let phi = 2 * columns;
        Self {
            hidden: vec![0.0; phi * HIDDEN],
            hidden_bias: vec![0.0; HIDDEN],
            direct: vec![0.0; phi],
            out: vec![0.0; HIDDEN],
            bias: vec![0.0],
        }
    }

    /// Hidden weights drawn so that units begin alike, and weigh little at first; nothing goes past them.
    pub(super) fn fresh(columns: usize, draw: &mut impl RngExt) -> Self {
        let bound = (3.0 / (2 * columns) as f32).sqrt();
        let mut network = Self::zeros(columns);
        network.hidden.iter_mut().for_each(|weight| *weight = draw.random_range(-bound..bound));
        network.out.iter_mut().for_each(|weight| *weight = draw.random_range(-0.1..0.1));
        network
    }

    pub(super) fn weights(&self) -> RankerWeights<'_> {
        let Self { hidden, hidden_bias, direct, out, bias } = self;
        RankerWeights { hidden, hidden_bias, direct, out, bias: bias[0] }
    }

    pub(super) fn parts(&self) -> [&Vec<f32>; 5] {
        [&self.hidden, &self.hidden_bias, &self.direct, &self.out, &self.bias]
    }

    fn parts_mut(&mut self) -> [&mut Vec<f32>; 5] {
        [&mut self.hidden, &mut self.hidden_bias, &mut self.direct, &mut self.out, &mut self.bias]
    }

    /// The score of each row of `features`.
    pub(super) fn scores(&self, features: &[f32]) -> Vec<f32> {
        let mut row = Row::default();
        features.chunks_exact(self.direct.len() / 2).map(|features| self.score(features, &mut row)).collect()
    }

    /// Makes every score `slope` times as much and `shift` more.
    pub(super) fn scale(&mut self, slope: f32, shift: f32) {
        for weights in [&mut self.direct, &mut self.out, &mut self.bias] {
            weights.iter_mut().for_each(|weight| *weight *= slope);
        }
        self.bias[0] += shift;
    }

    /// Adds `factor` of `other`.
    pub(super) fn add(&mut self, other: &Self, factor: f32) {
        for (sums, parts) in self.parts_mut().into_iter().zip(other.parts()) {
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += factor * part);
        }
    }

    /// The score of one row of features, each at least 0.
    #[inline(always)]
    pub(super) fn score(&self, x: &[f32], row: &mut Row) -> f32 {
        row.phi.resize(2 * x.len(), 0.0);
        let (plain, roots) = row.phi.split_at_mut(x.len());
        plain.copy_from_slice(x);
        for (root, x) in roots.iter_mut().zip(x) {
            *root = x.sqrt();
        }
        let (hidden, _) = self.hidden.as_chunks::<HIDDEN>();
        let (hidden, of_roots) = hidden.split_at(x.len());
        let (direct, root_direct) = self.direct.split_at(x.len());
        // Two chains of sums, as one waits for itself.
        let (mut sums, mut root_sums) = ([0.0; HIDDEN], [0.0; HIDDEN]);
        let (mut score, mut root_score) = (self.bias[0], 0.0);
        for at in 0..x.len() {
            score += plain[at] * direct[at];
            root_score += roots[at] * root_direct[at];
            for unit in 0..HIDDEN {
                sums[unit] += plain[at] * hidden[at][unit];
                root_sums[unit] += roots[at] * of_roots[at][unit];
            }
        }
        for unit in 0..HIDDEN {
            let sum = self.hidden_bias[unit] + sums[unit] + root_sums[unit];
            row.active[unit] = if sum > 0.0 { sum } else { 0.0 };
            score += row.active[unit] * self.out[unit];
        }
        score + root_score
    }

    /// Adds to `slope` what a row gives with whose score the loss rises by `by`.
    #[inline(always)]
    pub(super) fn add_slope(&self, row: &Row, by: f32, slope: &mut Self) {
        slope.bias[0] += by;
        let mut behind = [0.0_f32; HIDDEN];
        let units = behind.iter_mut().zip(&mut slope.hidden_bias).zip(&self.out).zip(&mut slope.out);
        for ((((behind, bias), out), slope), active) in units.zip(&row.active) {
            *slope += by * active;
            *behind = if *active > 0.0 { by * out } else { 0.0 };
            *bias += *behind;
        }
        let (hidden, _) = slope.hidden.as_chunks_mut::<HIDDEN>();
        for ((&phi, direct), units) in row.phi.iter().zip(&mut slope.direct).zip(hidden) {
            *direct += by * phi;
            for unit in 0..HIDDEN {
                units[unit] += phi * behind[unit];
            }
        }
    }
}

/// AdamW over all weights.
#[derive(Debug)]
pub(super) struct Optimizer {
    mean: Network,
    square: Network,
    steps: u64,
}

/// Decay of the running mean of squares.
const BETA2: f32 = 0.99;

impl Optimizer {
    pub(super) fn new(columns: usize) -> Self {
        Self { mean: Network::zeros(columns), square: Network::zeros(columns), steps: 0 }
    }

    /// Steps done.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves `network` against `slope` by steps of `rate`; `decay` is a share of that.
    pub(super) fn step(&mut self, network: &mut Network, slope: &Network, rate: f32, decay: f32) {
        self.steps += 1;
        let update = Update { decay: rate * decay, ..Update::new(rate, BETA2, self.steps) };
        let means = self.mean.parts_mut().into_iter().zip(self.square.parts_mut());
        for ((weights, slope), (mean, square)) in
            network.parts_mut().into_iter().zip(slope.parts()).zip(means)
        {
            update.apply(weights, slope, mean, square);
        }
    }
}
