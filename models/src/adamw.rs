//! AdamW (Loshchilov and Hutter, ICLR 2019) over one tensor.

/// Decay of the running mean of gradients.
const BETA1: f32 = 0.9;
const EPSILON: f32 = 1e-8;

/// A step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update {
    /// Factor on gradients.
    pub(crate) clip: f32,
    /// Step size.
    pub(crate) rate: f32,
    /// What a weight loses of itself.
    pub(crate) decay: f32,
    /// Decay of the running mean of squares.
    pub(crate) beta2: f32,
    /// What the running means lack of their sums of weights, as they begin at 0 (Kingma and Ba, 2015).
    pub(crate) bias1: f32,
    pub(crate) bias2: f32,
}

impl Update {
    /// Step number `steps`, from 1, with nothing clipped and no decay.
    pub(crate) fn new(rate: f32, beta2: f32, steps: u64) -> Self {
        // Long before the bound there is no bias left.
        let steps = steps.min(1_000_000) as i32;
        let (bias1, bias2) = (1.0 - BETA1.powi(steps), 1.0 - beta2.powi(steps));
        Self { clip: 1.0, rate, decay: 0.0, beta2, bias1, bias2 }
    }

    /// Moves `weights` against `gradient`; `mean` and `square` are the running means of both.
    pub(crate) fn apply(self, weights: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]) {
        for (((weight, gradient), mean), square) in weights.iter_mut().zip(gradient).zip(mean).zip(square) {
            let gradient = gradient * self.clip;
            *mean = BETA1 * *mean + (1.0 - BETA1) * gradient;
            *square = self.beta2 * *square + (1.0 - self.beta2) * gradient * gradient;
            let step = *mean / self.bias1 / ((*square / self.bias2).sqrt() + EPSILON);
            *weight -= self.rate * step + self.decay * *weight;
        }
    }
}
