//! Section `endcap.ranker`: the weights of a learned ranker for the built-in executor.

use crate::inference::HIDDEN;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::RANKER;

/// Weights of the network that `inference/network.rs` describes; φ has two elements a column.
#[derive(Debug, Clone, Copy)]
pub struct RankerWeights<'a> {
    /// `[φ x HIDDEN]`, a row for each element of φ.
    pub hidden: &'a [f32],
    /// `[HIDDEN]`.
    pub hidden_bias: &'a [f32],
    /// `[φ]`, past the hidden layer.
    pub direct: &'a [f32],
    /// `[HIDDEN]`.
    pub out: &'a [f32],
    /// Added at the end.
    pub bias: f32,
}

/// Writes the section body.
pub fn encode_ranker(weights: RankerWeights<'_>) -> Vec<u8> {
    ArraysBuilder::new()
        .with("hi.w", weights.hidden)
        .with("hi.bias", weights.hidden_bias)
        .with("out.w", weights.out)
        .with("out.dir", weights.direct)
        .with("out.bias", &[weights.bias])
        .finish()
}

/// Where the arrays lie.
#[derive(Debug)]
pub(super) struct RankerSlots {
    hidden: Slot<f32>,
    hidden_bias: Slot<f32>,
    direct: Slot<f32>,
    out: Slot<f32>,
    bias: Slot<f32>,
}

impl RankerSlots {
    /// `columns`: of the features that the manifest names.
    pub(super) fn parse(file: &[u8], arrays: &Arrays, columns: usize) -> Result<Self, FormatError> {
        let slots = Self::find(arrays).map_err(|error| FormatError::Arrays { section: RANKER, error })?;
        slots.check(file, columns).map_err(|what| FormatError::Invariant { section: RANKER, what })?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            hidden: arrays.slot("hi.w")?,
            hidden_bias: arrays.slot("hi.bias")?,
            out: arrays.slot("out.w")?,
            direct: arrays.slot("out.dir")?,
            bias: arrays.slot("out.bias")?,
        })
    }

    fn check(&self, file: &[u8], columns: usize) -> Result<(), &'static str> {
        let [hidden, hidden_bias, direct, out, bias] =
            [&self.hidden, &self.hidden_bias, &self.direct, &self.out, &self.bias].map(|slot| slot.of(file));
        let phi = 2 * columns;
        let lengths = [hidden.len(), hidden_bias.len(), direct.len(), out.len(), bias.len()];
        if lengths != [phi * HIDDEN, HIDDEN, phi, HIDDEN, 1] {
            return Err("an array has another length than the ranker's columns ask for");
        }
        let mut weights = [hidden, hidden_bias, direct, out, bias].into_iter().flatten();
        if weights.all(|weight| weight.is_finite()) { Ok(()) } else { Err("a weight is not finite") }
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> RankerWeights<'a> {
        RankerWeights {
            hidden: self.hidden.of(file),
            hidden_bias: self.hidden_bias.of(file),
            direct: self.direct.of(file),
            out: self.out.of(file),
            bias: self.bias.of(file)[0],
        }
    }
}
