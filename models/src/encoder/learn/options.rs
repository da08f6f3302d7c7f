//! What an encoder's training is told.

use endcap_core::encoder::EncoderShape;
use endcap_core::format::LinearHistory;
use serde::{Deserialize, Serialize};

use super::LearnError;

/// Dimensions and training of a sequence encoder. The defaults are right without tuning for shops of a few thousand
/// items and some hundred thousand events; what they cost stands in models/README.md.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderOptions {
    /// Width of item and user vectors, a multiple of 8 times `heads`.
    pub dim: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Items of a history that are read, at most 512; the service remembers 50.
    pub max_len: usize,
    /// Whose events make a sequence: a visit's, or all of a user's.
    pub rows: LinearHistory,
    /// Share of activations taken away in training, in [0, 1); `None`: [`Self::dropout_of`] the log.
    pub dropout: Option<f32>,
    /// Step size of AdamW after the warm-up, above 0.
    pub learning_rate: f32,
    /// Decay of matrices a step, as a share of the step size (Loshchilov and Hutter, ICLR 2019).
    pub weight_decay: f32,
    /// Positions of a batch, padding counted.
    pub batch: usize,
    /// Most passes over the log.
    pub epochs: usize,
    /// Passes without a better NDCG@10 on the held-out questions after which training stops.
    pub patience: usize,
    /// Items drawn a batch to stand against its targets, where the catalogue is larger than [`Self::FULL_SOFTMAX`].
    pub negatives: usize,
    /// Where chance begins: the same seed, log and options give the same weights.
    pub seed: u64,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self {
            dim: 64,
            layers: 2,
            heads: 2,
            max_len: 50,
            rows: LinearHistory::Session,
            dropout: None,
            learning_rate: 3e-3,
            weight_decay: 0.05,
            batch: 1024,
            epochs: 60,
            patience: 3,
            negatives: 4096,
            seed: 1,
        }
    }
}

impl EncoderOptions {
    /// Largest catalogue whose every item takes part in the softmax of every step.
    pub const FULL_SOFTMAX: usize = 12_000;
    /// Base of the rotary frequencies. A history has 50 positions, so the slowest pair need not turn more slowly.
    const ROPE_THETA: f32 = 10_000.0;
    const NORM_EPS: f32 = 1e-6;

    /// What dropout is right for so many targets a pass over a catalogue of `items`: the fewer an item has, the more; 0.1 to 0.6.
    ///
    /// By the encoder's own NDCG@10 about held-out sessions, on data of 3 (best at 0.6 or more), 5 (0.5) and 118 targets an item (0.1):
    /// benches/results/2026-11-27.md.
    pub fn dropout_of(targets: usize, items: usize) -> f32 {
        let density = targets.max(1) as f32 / items.max(1) as f32;
        (0.7 - 0.3 * density.log10()).clamp(0.1, 0.6)
    }

    /// The share that is given, or that of the log.
    pub(super) fn dropout_over(&self, targets: usize, items: usize) -> f32 {
        self.dropout.unwrap_or_else(|| Self::dropout_of(targets, items))
    }

    /// The dimensions over a catalogue of `items`.
    ///
    /// # Errors
    /// [`LearnError::Option`] names the option that is out of its range.
    pub fn shape(&self, items: usize) -> Result<EncoderShape, LearnError> {
        let shape = EncoderShape {
            items,
            dim: self.dim,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.heads,
            // Eight thirds of the width: as many weights as a plain layer of four times the width (Shazeer, 2020).
            hidden: (self.dim * 8 / 3).next_multiple_of(8),
            max_len: self.max_len,
            rope_theta: Self::ROPE_THETA,
            norm_eps: Self::NORM_EPS,
        };
        shape.check().map_err(|error| LearnError::Option(error.to_string()))?;
        // Written so that NaN fails too.
        let checks = [
            (self.dropout.is_none_or(|share| (0.0..1.0).contains(&share)), "dropout is outside [0, 1)"),
            (
                self.learning_rate > 0.0 && self.learning_rate < f32::INFINITY,
                "the learning rate is not above 0",
            ),
            ((0.0..1.0).contains(&self.weight_decay), "the weight decay is outside [0, 1)"),
            (self.max_len >= 2, "it must read at least 2 items"),
            (self.batch >= self.max_len, "a batch must hold one history at least"),
            (self.epochs >= 1 && self.patience >= 1, "epochs and patience must be at least 1"),
            (self.negatives >= 1, "there must be a negative item"),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(LearnError::Option(what.to_owned())),
            None => Ok(shape),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_targets_an_item_has_the_more_is_taken_away() {
        let dropout = |density: usize| EncoderOptions::dropout_of(density * 1_000, 1_000);
        assert_eq!((dropout(1), dropout(1_000)), (0.6, 0.1));
        assert!((dropout(10) - 0.4).abs() < 1e-6);
        assert_eq!(EncoderOptions::dropout_of(0, 0), 0.6, "neither is divided by");
        let given = EncoderOptions { dropout: Some(0.0), ..EncoderOptions::default() };
        assert_eq!(given.dropout_over(10, 10), 0.0);
    }
}
