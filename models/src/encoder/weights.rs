//! Weights of an encoder in memory.

use endcap_core::encoder::{
    EncoderShape, EncoderTensors, LayerTensors, Precision, Projection, TensorError, quantise_rows,
};
use endcap_core::format::encode_encoder;

/// Weights of a whole encoder. Matrices are row-major `[outputs x inputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Dimensions.
    pub shape: EncoderShape,
    /// Item vectors that a history is read through, `[items x dim]`.
    pub embedding: Vec<f32>,
    /// Item vectors that a user vector is scored against, `[items x dim]`; `None` where they are the same.
    pub output: Option<Vec<f32>>,
    /// One entry a layer.
    pub layers: Vec<Layer>,
    /// Gains of the last norm, `[dim]`.
    pub norm: Vec<f32>,
}

/// Weights of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Gains of the norm before attention, `[dim]`.
    pub attention_norm: Vec<f32>,
    /// Gains of the norm before the gated layer, `[dim]`.
    pub mlp_norm: Vec<f32>,
    /// Matrices in the order of [`Projection::ALL`].
    pub projections: [Vec<f32>; 7],
}

impl Layer {
    /// One of the matrices.
    pub fn projection(&self, projection: Projection) -> &[f32] {
        &self.projections[projection as usize]
    }

    fn tensors(&self) -> LayerTensors<'_> {
        LayerTensors {
            attention_norm: &self.attention_norm,
            mlp_norm: &self.mlp_norm,
            projections: self.projections.each_ref().map(Vec::as_slice),
        }
    }
}

impl Weights {
    /// How many there are, item vectors among them.
    pub fn count(&self) -> usize {
        let layer = |layer: &Layer| {
            let matrices: usize = layer.projections.iter().map(Vec::len).sum();
            matrices + layer.attention_norm.len() + layer.mlp_norm.len()
        };
        let tables = self.embedding.len() + self.output.as_ref().map_or(0, Vec::len);
        tables + self.layers.iter().map(layer).sum::<usize>() + self.norm.len()
    }

    /// The weights as the core wants them.
    pub fn tensors(&self) -> EncoderTensors<'_> {
        EncoderTensors {
            shape: &self.shape,
            embedding: &self.embedding,
            output: self.output.as_deref(),
            layers: self.layers.iter().map(Layer::tensors).collect(),
            norm: &self.norm,
        }
    }

    /// Every tensor but the item vectors, in a fixed order: layer by layer both norms and the matrices, then the last norm.
    #[cfg(feature = "encoder")]
    pub(super) fn layer_tensors_mut(&mut self) -> Vec<&mut Vec<f32>> {
        let mut tensors = Vec::with_capacity(self.layers.len() * 9 + 1);
        for Layer { attention_norm, mlp_norm, projections } in &mut self.layers {
            tensors.extend([attention_norm, mlp_norm]);
            tensors.extend(projections);
        }
        tensors.push(&mut self.norm);
        tensors
    }

    /// The body of section `endcap.encoder.weights`, for the built-in executor.
    ///
    /// # Errors
    /// Where the weights do not fit their shape or are not finite.
    pub fn section(&self, precision: Precision) -> Result<Vec<u8>, TensorError> {
        encode_encoder(&self.tensors(), precision)
    }

    /// The weights as they come back from storage with `precision`. Exported after this, ONNX and GGUF compute with
    /// the very numbers of the int8 section, and the engines differ by rounding only.
    #[must_use]
    pub fn rounded(mut self, precision: Precision) -> Self {
        if precision == Precision::F32 {
            return self;
        }
        let shape = self.shape.clone();
        for table in std::iter::once(&mut self.embedding).chain(&mut self.output) {
            round(table, shape.dim);
        }
        for layer in &mut self.layers {
            for (projection, matrix) in Projection::ALL.into_iter().zip(&mut layer.projections) {
                round(matrix, projection.size(&shape)[1]);
            }
        }
        self
    }
}

fn round(rows: &mut [f32], width: usize) {
    let (codes, scales) = quantise_rows(rows, width);
    let coded = rows.chunks_exact_mut(width).zip(codes.chunks_exact(width)).zip(scales);
    for ((row, codes), scale) in coded {
        for (weight, code) in row.iter_mut().zip(codes) {
            *weight = f32::from(*code) * scale;
        }
    }
}
