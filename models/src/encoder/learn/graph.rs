//! The encoder as a graph of tensors with gradients: the same arithmetic as [`endcap_core::encoder::Decoder`].

use candle_core::{Device, Result, Shape, Tensor, Var};
use endcap_core::encoder::{EncoderShape, Projection};
use endcap_core::format::rotary_angles;
use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::ops::{Attention, Linear, Residual, RmsNorm, SwiGlu, three, two};
use crate::encoder::Weights;

/// What does not change from step to step.
pub(super) struct Tables {
    /// Cosines and sines by position, `[max_len x head_dim / 2]`.
    angles: (Vec<f32>, Vec<f32>),
}

impl Tables {
    pub(super) fn new(shape: &EncoderShape) -> Self {
        Self { angles: rotary_angles(shape) }
    }

    /// Over histories of `length` items; each head has keys and values of its own.
    fn attention(&self, shape: &EncoderShape, length: usize) -> Attention {
        let (cos, sin) = &self.angles;
        let angles = length * shape.head_dim() / 2;
        Attention {
            length,
            heads: shape.heads,
            head_dim: shape.head_dim(),
            cos: cos[..angles].to_vec(),
            sin: sin[..angles].to_vec(),
        }
    }
}

/// The layers' weights as leaves of a graph.
pub(super) struct Leaves {
    layers: Vec<LeafLayer>,
    norm: Tensor,
}

struct LeafLayer {
    attention_norm: Tensor,
    mlp_norm: Tensor,
    /// In the order of [`Projection::ALL`], `[outputs, inputs]`.
    projections: Vec<Tensor>,
}

/// A leaf that gradients are asked of, or, for validation, one without.
pub(super) fn leaf(values: &[f32], shape: impl Into<Shape>, learn: bool) -> Result<Tensor> {
    let tensor = Tensor::from_slice(values, shape, &Device::Cpu)?;
    if learn { Ok(Var::from_tensor(&tensor)?.as_tensor().clone()) } else { Ok(tensor) }
}

impl Leaves {
    pub(super) fn new(weights: &Weights, learn: bool) -> Result<Self> {
        let shape = &weights.shape;
        let gains = |values: &[f32]| leaf(values, shape.dim, learn);
        let layers = weights
            .layers
            .iter()
            .map(|layer| {
                let projections = Projection::ALL.into_iter().map(|projection| {
                    let [outputs, inputs] = projection.size(shape);
                    leaf(layer.projection(projection), (outputs, inputs), learn)
                });
                Ok(LeafLayer {
                    attention_norm: gains(&layer.attention_norm)?,
                    mlp_norm: gains(&layer.mlp_norm)?,
                    projections: projections.collect::<Result<_>>()?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, norm: gains(&weights.norm)? })
    }

    /// The leaves in the order of `Weights::layer_tensors_mut`.
    pub(super) fn all(&self) -> impl Iterator<Item = &Tensor> {
        let of_layers = self
            .layers
            .iter()
            .flat_map(|layer| [&layer.attention_norm, &layer.mlp_norm].into_iter().chain(&layer.projections));
        of_layers.chain([&self.norm])
    }
}

/// Activations taken away by chance.
pub(super) struct Dropout<'a> {
    /// Share that is taken away; 0 leaves all.
    pub(super) share: f32,
    pub(super) chance: &'a mut ChaCha8Rng,
}

impl Dropout<'_> {
    /// Factors on so many activations; `None` where all are left.
    fn mask(&mut self, count: usize) -> Option<Vec<f32>> {
        if self.share <= 0.0 {
            return None;
        }
        // A byte a number: 1 in 256 is fine enough for a share that is a guess.
        let keep_from = (self.share * 256.0) as u8;
        let factor = 256.0 / (256.0 - f32::from(keep_from));
        let mut bytes = vec![0_u8; count];
        self.chance.fill_bytes(&mut bytes);
        Some(bytes.into_iter().map(|byte| if byte < keep_from { 0.0 } else { factor }).collect())
    }

    /// `x + y`, of which some is taken away.
    fn add(&mut self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        two(Residual { dim: y.dim(1)?, mask: self.mask(y.elem_count()) }, x, y)
    }
}

/// Hidden states after the last norm, `[rows * length, dim]`, of `rows` histories of `length` items whose vectors are
/// `x` `[rows * length, dim]`. Attention is causal, so what stands behind a shorter history changes nothing before it.
pub(super) fn hidden(
    leaves: &Leaves,
    shape: &EncoderShape,
    tables: &Tables,
    x: Tensor,
    length: usize,
    dropout: &mut Dropout<'_>,
) -> Result<Tensor> {
    let mut x = match dropout.mask(x.elem_count()) {
        Some(mask) => (&x * Tensor::from_vec(mask, x.shape(), x.device())?)?,
        None => x,
    };
    let norm = |x: &Tensor, gains: &Tensor| two(RmsNorm { dim: shape.dim, eps: shape.norm_eps }, x, gains);
    for layer in &leaves.layers {
        let through = |x: &Tensor, projection: Projection| {
            let [outputs, inputs] = projection.size(shape);
            two(Linear { inputs, outputs }, x, &layer.projections[projection as usize])
        };
        let normed = norm(&x, &layer.attention_norm)?;
        let [query, key, value] = [Projection::Query, Projection::Key, Projection::Value];
        let [query, key, value] =
            [through(&normed, query)?, through(&normed, key)?, through(&normed, value)?];
        let found = three(tables.attention(shape, length), &query, &key, &value)?;
        x = dropout.add(&x, &through(&found, Projection::Output)?)?;
        let normed = norm(&x, &layer.mlp_norm)?;
        let [gate, up] = [through(&normed, Projection::Gate)?, through(&normed, Projection::Up)?];
        let gated = two(SwiGlu { hidden: shape.hidden }, &gate, &up)?;
        x = dropout.add(&x, &through(&gated, Projection::Down)?)?;
    }
    norm(&x, &leaves.norm)
}
