//! Untrained weights for tests and scenarios.

use endcap_core::encoder::{EncoderShape, Projection};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::weights::{Layer, Weights};

impl Weights {
    /// Weights drawn from `seed`, untrained: they recommend nothing sensible, and exercise every part. The output
    /// table is tied to the embedding. The same seed gives the same weights on every machine.
    pub fn random(shape: &EncoderShape, seed: u64) -> Self {
        let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
        Self {
            embedding: draw.matrix([shape.items, shape.dim]),
            output: None,
            layers: (0..shape.layers).map(|_| draw.layer(shape)).collect(),
            norm: draw.gains(shape.dim),
            shape: shape.clone(),
        }
    }
}

#[cfg(feature = "encoder")]
impl Weights {
    /// Weights to begin a training with: gains of 1, and what a layer adds small at first, so that depth does not blow up
    /// the residual stream (Radford et al., 2019).
    pub(super) fn fresh(shape: &EncoderShape, seed: u64) -> Self {
        let mut weights = Self::random(shape, seed);
        let scale = 1.0 / (2.0 * shape.layers as f32).sqrt();
        for layer in &mut weights.layers {
            layer.attention_norm.fill(1.0);
            layer.mlp_norm.fill(1.0);
            for projection in [Projection::Output, Projection::Down] {
                layer.projections[projection as usize].iter_mut().for_each(|weight| *weight *= scale);
            }
        }
        weights.norm.fill(1.0);
        weights
    }
}

struct Draw(ChaCha8Rng);

impl Draw {
    fn layer(&mut self, shape: &EncoderShape) -> Layer {
        Layer {
            attention_norm: self.gains(shape.dim),
            mlp_norm: self.gains(shape.dim),
            projections: Projection::ALL.map(|projection| self.matrix(projection.size(shape))),
        }
    }

    /// Uniform with variance `1 / inputs`, which keeps activations near 1 from layer to layer (the fan-in rule of
    /// LeCun et al., Efficient BackProp, 1998).
    fn matrix(&mut self, [outputs, inputs]: [usize; 2]) -> Vec<f32> {
        let bound = (3.0 / inputs as f32).sqrt();
        (0..outputs * inputs).map(|_| self.0.random_range(-bound..bound)).collect()
    }

    /// Around 1 and different, so that gains which were left out or mixed up show in a comparison.
    fn gains(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.0.random_range(0.8..1.2)).collect()
    }
}
