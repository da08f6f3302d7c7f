//! Section `endcap.encoder.weights`: the sequence encoder for [`crate::encoder::Decoder`].

use crate::encoder::shape::LANES;
use crate::encoder::{
    EncoderShape, EncoderTensors, EncoderWeights, ItemTable, Precision, Projection, TensorError, Values,
    quantise_rows,
};

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::ENCODER_WEIGHTS;

/// An array of values and the array of its scales, which is there where the values are int8.
pub(super) type Names = (&'static str, &'static str);

const EMBEDDING: Names = ("emb", "emb.s");
const OUTPUT: Names = ("out", "out.s");

fn names(projection: Projection) -> Names {
    match projection {
        Projection::Query => ("at.q", "at.q.s"),
        Projection::Key => ("at.k", "at.k.s"),
        Projection::Value => ("at.v", "at.v.s"),
        Projection::Output => ("at.o", "at.o.s"),
        Projection::Gate => ("ml.gate", "ml.ga.s"),
        Projection::Up => ("ml.up", "ml.up.s"),
        Projection::Down => ("ml.down", "ml.do.s"),
    }
}

/// Writes the section body.
///
/// # Errors
/// Where a tensor does not have the size that the shape asks for, or a weight is not finite.
pub fn encode_encoder(tensors: &EncoderTensors<'_>, precision: Precision) -> Result<Vec<u8>, TensorError> {
    tensors.check()?;
    let EncoderTensors { shape, embedding, output, ref layers, norm } = *tensors;
    let mut builder = with_rows(ArraysBuilder::new(), EMBEDDING, embedding, shape.dim, precision);
    if let Some(output) = output {
        builder = with_rows(builder, OUTPUT, output, shape.dim, precision);
    }
    for projection in Projection::ALL {
        let of_layers = layers.iter().map(|layer| layer.projections[projection as usize]);
        builder = with_panels(builder, projection, of_layers, shape, precision);
    }
    let attention_norm: Vec<f32> = layers.iter().flat_map(|layer| layer.attention_norm).copied().collect();
    let mlp_norm: Vec<f32> = layers.iter().flat_map(|layer| layer.mlp_norm).copied().collect();
    let (cos, sin) = rotary_angles(shape);
    Ok(builder
        .with("at.norm", &attention_norm)
        .with("ml.norm", &mlp_norm)
        .with("norm", norm)
        .with("ro.cos", &cos)
        .with("ro.sin", &sin)
        .finish())
}

/// Cosines and sines of `position * theta^(-2 pair / head_dim)`, each `[max_len x head_dim / 2]`.
///
/// They are packed rather than computed at a start: all engines then turn by the same numbers, and the service has
/// no trigonometry, whose argument reduction would bring libm calls that WasmEdge refuses in compiled code.
pub fn rotary_angles(shape: &EncoderShape) -> (Vec<f32>, Vec<f32>) {
    let head_dim = shape.head_dim();
    let angle = |at: usize| {
        let (position, pair) = (at / (head_dim / 2), at % (head_dim / 2));
        let exponent = -2.0 * pair as f64 / head_dim as f64;
        position as f64 * f64::from(shape.rope_theta).powf(exponent)
    };
    (0..shape.max_len * head_dim / 2)
        .map(|at| angle(at).sin_cos())
        .map(|(sin, cos)| (cos as f32, sin as f32))
        .unzip()
}

/// Rows of `width` elements as they are.
fn with_rows(
    builder: ArraysBuilder,
    names: Names,
    rows: &[f32],
    width: usize,
    precision: Precision,
) -> ArraysBuilder {
    match precision {
        Precision::F32 => builder.with(names.0, rows),
        Precision::Int8 => {
            let (codes, scales) = quantise_rows(rows, width);
            builder.with(names.0, &codes).with(names.1, &scales)
        }
    }
}

/// The same matrix of every layer, in panels.
fn with_panels<'a>(
    builder: ArraysBuilder,
    projection: Projection,
    layers: impl Iterator<Item = &'a [f32]>,
    shape: &EncoderShape,
    precision: Precision,
) -> ArraysBuilder {
    let ([_, inputs], names) = (projection.size(shape), names(projection));
    let layers: Vec<f32> = layers.flatten().copied().collect();
    // Outputs of a layer are whole panels, so layers end to end are cut up as one matrix.
    match precision {
        Precision::F32 => builder.with(names.0, &panels(&layers, inputs)),
        Precision::Int8 => {
            let (codes, scales) = quantise_rows(&layers, inputs);
            builder.with(names.0, &panels(&codes, inputs)).with(names.1, &scales)
        }
    }
}

/// A row-major matrix in panels of [`LANES`] rows: panel by panel, input by input.
fn panels<T: Copy>(matrix: &[T], inputs: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(matrix.len());
    for panel in matrix.chunks_exact(inputs * LANES) {
        for input in 0..inputs {
            out.extend(panel.iter().skip(input).step_by(inputs).copied());
        }
    }
    out
}

/// Where values lie.
#[derive(Debug)]
pub(super) enum ValuesSlot {
    F32(Slot<f32>),
    Int8(Slot<i8>, Slot<f32>),
}

impl ValuesSlot {
    pub(super) fn find(arrays: &Arrays, (values, scales): Names) -> Result<Self, ArrayError> {
        match arrays.slot(values) {
            Ok(slot) => Ok(Self::F32(slot)),
            Err(ArrayError::Kind { .. }) => Ok(Self::Int8(arrays.slot(values)?, arrays.slot(scales)?)),
            Err(error) => Err(error),
        }
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> Values<'a> {
        match self {
            Self::F32(slot) => Values::F32(slot.of(file)),
            Self::Int8(codes, scales) => Values::Int8 { codes: codes.of(file), scales: scales.of(file) },
        }
    }
}

/// Where the encoder's arrays lie.
#[derive(Debug)]
pub(super) struct EncoderSlots {
    embedding: ValuesSlot,
    output: Option<ValuesSlot>,
    projections: [ValuesSlot; 7],
    attention_norm: Slot<f32>,
    mlp_norm: Slot<f32>,
    norm: Slot<f32>,
    cos: Slot<f32>,
    sin: Slot<f32>,
}

impl EncoderSlots {
    /// Finds and checks the arrays of a checked `shape`.
    pub(super) fn parse(file: &[u8], arrays: &Arrays, shape: &EncoderShape) -> Result<Self, FormatError> {
        let slots =
            Self::find(arrays).map_err(|error| FormatError::Arrays { section: ENCODER_WEIGHTS, error })?;
        check(&slots.view(file, shape))
            .map_err(|what| FormatError::Invariant { section: ENCODER_WEIGHTS, what })?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        let output = match ValuesSlot::find(arrays, OUTPUT) {
            Ok(slot) => Some(slot),
            Err(ArrayError::Missing { name }) if name == OUTPUT.0 => None,
            Err(error) => return Err(error),
        };
        let projection = |projection| ValuesSlot::find(arrays, names(projection));
        Ok(Self {
            embedding: ValuesSlot::find(arrays, EMBEDDING)?,
            output,
            projections: [
                projection(Projection::Query)?,
                projection(Projection::Key)?,
                projection(Projection::Value)?,
                projection(Projection::Output)?,
                projection(Projection::Gate)?,
                projection(Projection::Up)?,
                projection(Projection::Down)?,
            ],
            attention_norm: arrays.slot("at.norm")?,
            mlp_norm: arrays.slot("ml.norm")?,
            norm: arrays.slot("norm")?,
            cos: arrays.slot("ro.cos")?,
            sin: arrays.slot("ro.sin")?,
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8], shape: &'a EncoderShape) -> EncoderWeights<'a> {
        let table = |slot: &ValuesSlot| ItemTable::new(slot.view(file), shape.dim);
        EncoderWeights {
            shape,
            embedding: table(&self.embedding),
            output: table(self.output.as_ref().unwrap_or(&self.embedding)),
            cells: None,
            projections: self.projections.each_ref().map(|slot| slot.view(file)),
            attention_norm: self.attention_norm.of(file),
            mlp_norm: self.mlp_norm.of(file),
            norm: self.norm.of(file),
            cos: self.cos.of(file),
            sin: self.sin.of(file),
        }
    }
}

fn check(weights: &EncoderWeights<'_>) -> Result<(), &'static str> {
    let shape = weights.shape;
    // No product overflows 32 bits: 2^22 items of 512, 16 layers of 2,048 x 512.
    for table in [weights.embedding, weights.output] {
        check_values(table.values(), shape.items, shape.dim)?;
    }
    for (projection, values) in Projection::ALL.into_iter().zip(weights.projections) {
        let [outputs, inputs] = projection.size(shape);
        check_values(values, shape.layers * outputs, inputs)?;
    }
    let gains = shape.layers * shape.dim;
    let angles = shape.max_len * shape.head_dim() / 2;
    for (values, len) in [
        (weights.attention_norm, gains),
        (weights.mlp_norm, gains),
        (weights.norm, shape.dim),
        (weights.cos, angles),
        (weights.sin, angles),
    ] {
        if values.len() != len {
            return Err("gains or angles are not as many as the shape asks for");
        }
        if !all_finite(values) {
            return Err("a gain or an angle is not finite");
        }
    }
    Ok(())
}

pub(super) fn check_values(values: Values<'_>, rows: usize, width: usize) -> Result<(), &'static str> {
    let (len, scales, numbers) = match values {
        Values::F32(values) => (values.len(), rows, values),
        Values::Int8 { codes, scales } => (codes.len(), scales.len(), scales),
    };
    if len != rows * width || scales != rows {
        return Err("weights or scales are not as many as the shape asks for");
    }
    if all_finite(numbers) { Ok(()) } else { Err("a weight or a scale is not finite") }
}

/// As [`super::sessions::all_sane`], for numbers of both signs: bits without the sign lie below infinity's.
pub(super) fn all_finite(values: &[f32]) -> bool {
    let largest = values.iter().map(|value| value.to_bits() & 0x7fff_ffff).fold(0, Ord::max);
    largest < f32::INFINITY.to_bits()
}
