//! The executor of the ranker that `endcap-model train` learns: a small network over features, without any engine.
//!
//! ```text
//! φ = [x, √x]                    columns and their roots
//! log odds = bias + direct · φ + out · max(0, hidden φ + hidden bias)
//! ```
//!
//! Shares and sums of shares are long-tailed: their roots tell small ones apart, at the price of one instruction.

use crate::format::RankerWeights;

use super::{Graph, InferenceError, Input, Output, Values};

/// Units of the hidden layer.
pub const HIDDEN: usize = 16;

/// A unit each.
type Units = [f32; HIDDEN];

/// The network as a graph with one input, the features, and one output, the score.
#[derive(Debug)]
pub struct RankerNetwork {
    columns: usize,
    /// A row for each element of φ.
    hidden: Vec<Units>,
    hidden_bias: Units,
    direct: Vec<f32>,
    out: Units,
    bias: f32,
}

impl RankerNetwork {
    /// A copy of `weights`.
    pub fn new(weights: RankerWeights<'_>) -> Self {
        let units = |from: &[f32]| {
            let mut units = [0.0; HIDDEN];
            units.copy_from_slice(from);
            units
        };
        Self {
            columns: weights.direct.len() / 2,
            hidden: weights.hidden.chunks_exact(HIDDEN).map(units).collect(),
            hidden_bias: units(weights.hidden_bias),
            direct: weights.direct.to_vec(),
            out: units(weights.out),
            bias: weights.bias,
        }
    }

    /// The log odds of one row of features, each at least 0. O(columns · units).
    pub fn log_odds(&self, row: &[f32]) -> f32 {
        let mut sums = self.hidden_bias;
        let mut direct = self.bias;
        let (plain, roots) = self.hidden.split_at(self.columns);
        let (direct_plain, direct_roots) = self.direct.split_at(self.columns);
        for (at, &x) in row.iter().enumerate() {
            let root = x.sqrt();
            direct += x * direct_plain[at] + root * direct_roots[at];
            for unit in 0..HIDDEN {
                sums[unit] += x * plain[at][unit] + root * roots[at][unit];
            }
        }
        for (sum, out) in sums.iter().zip(&self.out) {
            // Not `max`: see the arithmetic of the encoder.
            direct += if *sum > 0.0 { sum * out } else { 0.0 };
        }
        direct
    }
}

impl Graph for RankerNetwork {
    fn compute(
        &mut self,
        inputs: &[Input<'_>],
        output: Output<'_>,
        values: &mut Vec<f32>,
    ) -> Result<(), InferenceError> {
        values.clear();
        let [Input { values: Values::F32(features), .. }] = inputs else {
            let reason = "the built-in ranker takes features and nothing else".to_owned();
            return Err(InferenceError::Compute { step: "set_input", reason });
        };
        values.extend(features.chunks_exact(self.columns).map(|row| self.log_odds(row)));
        if values.len() == output.elements {
            return Ok(());
        }
        let (expected, found) = (output.elements, values.len());
        Err(InferenceError::Output { name: output.name.to_owned(), found, expected })
    }
}
