//! The encoder as a graph of tensors with gradients: the same arithmetic as [`endcap_core::encoder::Decoder`].

use candle_core::{CpuStorage, CustomOp1, D, Device, Layout, Result, Shape, Tensor, Var, bail};
use endcap_core::encoder::{EncoderShape, Projection};
use endcap_core::format::rotary_angles;
use rand::Rng;
use rand::rngs::ChaCha8Rng;

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
    fn apply(&mut self, x: Tensor) -> Result<Tensor> {
        if self.share <= 0.0 {
            return Ok(x);
        }
        // A byte a number: 1 in 256 is fine enough for a share that is a guess.
        let keep_from = (self.share * 256.0) as u8;
        let factor = 256.0 / (256.0 - f32::from(keep_from));
        let mut bytes = vec![0_u8; x.elem_count()];
        self.chance.fill_bytes(&mut bytes);
        let mask: Vec<f32> =
            bytes.into_iter().map(|byte| if byte < keep_from { 0.0 } else { factor }).collect();
        let mask = Tensor::from_vec(mask, x.shape(), x.device())?;
        x * mask
    }
}

/// Hidden states after the last norm, `[rows * length, dim]`, of `rows` histories of `length` items whose vectors are
/// `x` `[rows * length, dim]`. Attention is causal, so what stands behind a shorter history changes nothing before it.
pub(super) fn hidden(
    leaves: &Leaves,
    shape: &EncoderShape,
    tables: &Tables,
    x: Tensor,
    [rows, length]: [usize; 2],
    dropout: &mut Dropout<'_>,
) -> Result<Tensor> {
    let mask: Vec<f32> = (0..length * length)
        .map(|at| if at % length > at / length { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    let mask = Tensor::from_vec(mask, (1, 1, length, length), &Device::Cpu)?;
    let mut x = dropout.apply(x)?;
    for layer in &leaves.layers {
        let through =
            |x: &Tensor, projection: Projection| x.matmul(&layer.projections[projection as usize].t()?);
        let normed = rms_norm(&x, &layer.attention_norm, shape.norm_eps)?;
        let heads = |projection: Projection, heads: usize| {
            through(&normed, projection)?
                .reshape((rows, length, heads, shape.head_dim()))?
                .transpose(1, 2)?
                .contiguous()
        };
        let turn = |x: Tensor| x.apply_op1(Rotate::new(tables, length, shape.head_dim()));
        let query = turn(heads(Projection::Query, shape.heads)?)?;
        let key = turn(heads(Projection::Key, shape.kv_heads)?)?;
        let value = heads(Projection::Value, shape.kv_heads)?;
        let scale = 1.0 / (shape.head_dim() as f64).sqrt();
        let scores = (query.matmul(&key.transpose(2, 3)?)? * scale)?.broadcast_add(&mask)?;
        let found = softmax(&scores)?.matmul(&value)?;
        let found = found.transpose(1, 2)?.reshape((rows * length, shape.dim))?;
        x = (x + dropout.apply(through(&found, Projection::Output)?)?)?;
        let normed = rms_norm(&x, &layer.mlp_norm, shape.norm_eps)?;
        let gated = (through(&normed, Projection::Gate)?.silu()? * through(&normed, Projection::Up)?)?;
        x = (x + dropout.apply(through(&gated, Projection::Down)?)?)?;
    }
    rms_norm(&x, &leaves.norm, shape.norm_eps)
}

fn rms_norm(x: &Tensor, gain: &Tensor, eps: f32) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(eps))?.sqrt()?;
    x.broadcast_div(&scale)?.broadcast_mul(gain)
}

fn softmax(x: &Tensor) -> Result<Tensor> {
    let shares = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    shares.broadcast_div(&shares.sum_keepdim(D::Minus1)?)
}

/// Turns the pairs of every head by its position's angles, `[rows, heads, length, head_dim]`.
struct Rotate {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotate {
    fn new(tables: &Tables, length: usize, head_dim: usize) -> Self {
        let (cos, sin) = &tables.angles;
        let angles = length * head_dim / 2;
        Self { cos: cos[..angles].to_vec(), sin: sin[..angles].to_vec() }
    }

    fn back(&self) -> Self {
        let sin = self.sin.iter().map(|sin| -sin).collect();
        Self { cos: self.cos.clone(), sin }
    }
}

impl CustomOp1 for Rotate {
    fn name(&self) -> &'static str {
        "rotate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((from, to)) = layout.contiguous_offsets() else {
            bail!("rotate: a tensor is not contiguous")
        };
        let x = &x.as_slice::<f32>()?[from..to];
        let mut out = Vec::with_capacity(x.len());
        for rows in x.chunks_exact(self.cos.len() * 2) {
            for ((pair, cos), sin) in rows.as_chunks::<2>().0.iter().zip(&self.cos).zip(&self.sin) {
                let [a, b] = *pair;
                out.extend([a * cos - b * sin, a * sin + b * cos]);
            }
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// A rotation's gradient is turned back.
    fn bwd(&self, _: &Tensor, _: &Tensor, outer: &Tensor) -> Result<Option<Tensor>> {
        outer.contiguous()?.apply_op1_no_bwd(&self.back()).map(Some)
    }
}
