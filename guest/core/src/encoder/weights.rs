//! Weights of an encoder as they are viewed in a model file.

use super::cells::Cells;
use super::projection::Projection;
use super::shape::{EncoderShape, LANES};
use super::table::ItemTable;

/// Weights as stored.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Plain, finite.
    F32(&'a [f32]),
    /// Codes, and one factor for each output or item.
    Int8 {
        /// Codes in -127..=127.
        codes: &'a [i8],
        /// What a row's codes are multiplied by, finite, at least 0.
        scales: &'a [f32],
    },
}

/// The encoder's weights in a validated model file. Matrices are those of all layers end to end, each in panels of
/// eight outputs: panel by panel, input by input, eight weights, the order in which [`super::Decoder`] reads them.
#[derive(Debug, Clone, Copy)]
pub struct EncoderWeights<'a> {
    /// Dimensions.
    pub shape: &'a EncoderShape,
    /// Item vectors that a history is read through.
    pub embedding: ItemTable<'a>,
    /// Item vectors that a user vector is scored against; the same where they are tied.
    pub output: ItemTable<'a>,
    /// A second level over those, where the catalogue is so large that scoring all of it would take too long.
    pub cells: Option<Cells<'a>>,
    /// Gains before attention, `[layers x dim]`.
    pub attention_norm: &'a [f32],
    /// Gains before the gated layer, `[layers x dim]`.
    pub mlp_norm: &'a [f32],
    /// Matrices, in the order of [`Projection::ALL`].
    pub projections: [Values<'a>; 7],
    /// Gains of the last norm, `[dim]`.
    pub norm: &'a [f32],
    /// Cosines of the rotary angles, `[max_len x head_dim / 2]`.
    pub cos: &'a [f32],
    /// Sines, likewise.
    pub sin: &'a [f32],
}

impl EncoderWeights<'_> {
    /// The panels of one layer's matrix, as plain numbers.
    pub(super) fn panels(&self, layer: usize, projection: Projection) -> Vec<f32> {
        let [outputs, inputs] = projection.size(self.shape);
        let size = outputs * inputs;
        match self.projections[projection as usize] {
            Values::F32(values) => values[layer * size..][..size].to_vec(),
            Values::Int8 { codes, scales } => {
                let scales = scales[layer * outputs..][..outputs].as_chunks::<LANES>().0;
                let panels = codes[layer * size..][..size].chunks_exact(inputs * LANES);
                let mut plain = Vec::with_capacity(size);
                for (panel, scales) in panels.zip(scales) {
                    for lanes in panel.as_chunks::<LANES>().0 {
                        plain.extend(lanes.iter().zip(scales).map(|(&code, scale)| f32::from(code) * scale));
                    }
                }
                plain
            }
        }
    }
}
