//! AdamW over all weights, with item vectors brought forward only where a batch touched them.

use super::options::EncoderOptions;
use super::step::Gradient;
use crate::adamw::Update;
use crate::encoder::Weights;

/// Decay of the running mean of their squares; shorter than the usual 0.999, as rare items are seen rarely.
const BETA2: f32 = 0.98;
/// Largest norm of a gradient over all weights; a longer one is shortened to it.
const LONGEST: f64 = 1.0;
/// Steps over which the step size rises from 0.
const WARM_UP: f32 = 100.0;

/// Running means, and the step size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Optimizer {
    /// Of gradients.
    pub(super) mean: Weights,
    /// Of their squares.
    pub(super) square: Weights,
    /// Steps done.
    pub(super) steps: u64,
    /// Step size after the warm-up.
    pub(super) rate: f32,
}

impl Optimizer {
    pub(super) fn new(weights: &Weights, rate: f32) -> Self {
        let mut zeros = weights.clone();
        zeros.embedding.fill(0.0);
        zeros.layer_tensors_mut().into_iter().for_each(|tensor| tensor.fill(0.0));
        Self { mean: zeros.clone(), square: zeros, steps: 0, rate }
    }

    /// Moves `weights` against `gradient`, whose norm is `norm`.
    pub(super) fn step(
        &mut self,
        weights: &mut Weights,
        gradient: &Gradient,
        norm: f64,
        options: &EncoderOptions,
    ) {
        let clip = (LONGEST / norm.max(LONGEST)) as f32;
        self.steps += 1;
        let rate = self.rate * (self.steps as f32 / WARM_UP).min(1.0);
        let decay = rate * options.weight_decay;
        let update = Update { clip, decay, ..Update::new(rate, BETA2, self.steps) };
        let dim = weights.shape.dim;
        let Self { mean, square, .. } = self;
        match &gradient.rows {
            None => update.apply(
                &mut weights.embedding,
                &gradient.table,
                &mut mean.embedding,
                &mut square.embedding,
            ),
            Some(rows) => {
                for (&row, gradient) in rows.iter().zip(gradient.table.chunks_exact(dim)) {
                    let at = row as usize * dim..(row as usize + 1) * dim;
                    update.apply(
                        &mut weights.embedding[at.clone()],
                        gradient,
                        &mut mean.embedding[at.clone()],
                        &mut square.embedding[at],
                    );
                }
            }
        }
        let means = mean.layer_tensors_mut().into_iter().zip(square.layer_tensors_mut());
        for ((tensor, gradient), (mean, square)) in
            weights.layer_tensors_mut().into_iter().zip(&gradient.layers).zip(means)
        {
            // Gains stay near 1: pulling them to 0 would only shrink what follows.
            let decay = if tensor.len() == dim { 0.0 } else { update.decay };
            Update { decay, ..update }.apply(tensor, gradient, mean, square);
        }
    }
}
