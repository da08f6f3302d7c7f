//! AdamW (Loshchilov and Hutter, ICLR 2019), with item vectors brought forward only where a batch touched them.

use super::options::EncoderOptions;
use super::step::Gradient;
use crate::encoder::Weights;

/// Decay of the running mean of gradients.
const BETA1: f32 = 0.9;
/// Decay of the running mean of their squares; shorter than the usual 0.999, as rare items are seen rarely.
const BETA2: f32 = 0.98;
const EPSILON: f32 = 1e-8;
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
        // Bias of the running means, which begin at 0 (Kingma and Ba, 2015).
        let steps = self.steps.min(1_000_000) as i32;
        let (bias1, bias2) = (1.0 - BETA1.powi(steps), 1.0 - BETA2.powi(steps));
        let update = Update { clip, rate, bias1, bias2, decay: rate * options.weight_decay };
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

#[derive(Debug, Clone, Copy)]
struct Update {
    clip: f32,
    rate: f32,
    bias1: f32,
    bias2: f32,
    decay: f32,
}

impl Update {
    fn apply(self, weights: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]) {
        for (((weight, gradient), mean), square) in weights.iter_mut().zip(gradient).zip(mean).zip(square) {
            let gradient = gradient * self.clip;
            *mean = BETA1 * *mean + (1.0 - BETA1) * gradient;
            *square = BETA2 * *square + (1.0 - BETA2) * gradient * gradient;
            let step = *mean / self.bias1 / ((*square / self.bias2).sqrt() + EPSILON);
            *weight -= self.rate * step + self.decay * *weight;
        }
    }
}
