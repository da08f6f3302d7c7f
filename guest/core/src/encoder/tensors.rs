//! Weights of an encoder as they are handed over for packing.

use super::projection::Projection;
use super::shape::{EncoderShape, ShapeError};

/// How matrices and item vectors are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As trained.
    #[default]
    F32,
    /// One byte a weight, and a scale for each output or item: a quarter of the size.
    Int8,
}

/// Weights for packing, matrices row-major `[outputs x inputs]`.
#[derive(Debug, Clone)]
pub struct EncoderTensors<'a> {
    /// Dimensions.
    pub shape: &'a EncoderShape,
    /// Item vectors that a history is read through, `[items x dim]`.
    pub embedding: &'a [f32],
    /// Item vectors that a user vector is scored against, `[items x dim]`; `None` where they are the same.
    pub output: Option<&'a [f32]>,
    /// One entry a layer.
    pub layers: Vec<LayerTensors<'a>>,
    /// Gains of the last norm, `[dim]`.
    pub norm: &'a [f32],
}

/// Weights of one layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerTensors<'a> {
    /// Gains of the norm before attention, `[dim]`.
    pub attention_norm: &'a [f32],
    /// Gains of the norm before the gated layer, `[dim]`.
    pub mlp_norm: &'a [f32],
    /// Matrices in the order of [`Projection::ALL`].
    pub projections: [&'a [f32]; 7],
}

/// Tensors that do not make an encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The dimensions themselves.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Another number of layers.
    #[error("there are {found} layers, not {expected}")]
    Layers {
        /// Layers found.
        found: usize,
        /// Layers that the shape asks for.
        expected: usize,
    },
    /// A tensor of another size.
    #[error("{tensor} has {found} elements, not {expected}")]
    Length {
        /// Which tensor.
        tensor: String,
        /// Elements found.
        found: usize,
        /// Elements that the shape asks for.
        expected: usize,
    },
    /// A weight that is infinite or no number.
    #[error("{tensor} has a weight that is not finite")]
    NotFinite {
        /// Which tensor.
        tensor: String,
    },
}

impl EncoderTensors<'_> {
    /// Checks the shape, the size of every tensor and that every weight is finite.
    ///
    /// # Errors
    /// [`TensorError`] names the tensor.
    pub fn check(&self) -> Result<(), TensorError> {
        self.shape.check()?;
        let (dim, table) = (self.shape.dim, self.shape.items * self.shape.dim);
        tensor("the embedding", self.embedding, table)?;
        if let Some(output) = self.output {
            tensor("the output table", output, table)?;
        }
        tensor("the last norm", self.norm, dim)?;
        if self.layers.len() != self.shape.layers {
            return Err(TensorError::Layers { found: self.layers.len(), expected: self.shape.layers });
        }
        for (at, layer) in self.layers.iter().enumerate() {
            tensor(&format!("layer {at}: the norm before attention"), layer.attention_norm, dim)?;
            tensor(&format!("layer {at}: the norm before the gated layer"), layer.mlp_norm, dim)?;
            for (projection, weights) in Projection::ALL.into_iter().zip(layer.projections) {
                let name = format!("layer {at}: projection {projection:?}");
                tensor(&name, weights, projection.elements(self.shape))?;
            }
        }
        Ok(())
    }
}

fn tensor(name: &str, weights: &[f32], expected: usize) -> Result<(), TensorError> {
    if weights.len() != expected {
        return Err(TensorError::Length { tensor: name.to_owned(), found: weights.len(), expected });
    }
    if weights.iter().all(|weight| weight.is_finite()) {
        Ok(())
    } else {
        Err(TensorError::NotFinite { tensor: name.to_owned() })
    }
}

/// Largest int8 code. -128 is not used, so that a row's range is the same on both sides of 0.
const LARGEST_CODE: f32 = 127.0;

/// Int8 codes of rows of `width` weights, symmetric about 0, and for each row the factor that gives its weights back
/// within half of it.
pub fn quantise_rows(rows: &[f32], width: usize) -> (Vec<i8>, Vec<f32>) {
    let mut codes = Vec::with_capacity(rows.len());
    let mut scales = Vec::with_capacity(rows.len() / width);
    for row in rows.chunks_exact(width) {
        let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        let scale = largest / LARGEST_CODE;
        // A row of zeros, or of numbers so small that their scale is 0, has only zeros for codes.
        codes.extend(row.iter().map(|weight| if scale > 0.0 { (weight / scale).round() as i8 } else { 0 }));
        scales.push(scale);
    }
    (codes, scales)
}
