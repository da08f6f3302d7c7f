//! An encoder as sections of a model.

use endcap_core::encoder::{Precision, TensorError};
use endcap_core::format::section;
use endcap_core::inference::InferenceError;

use super::cells::{CELLS_FROM, cells};
use super::{Weights, gguf, onnx};
use crate::train::{TrainError, Trained};

/// Forms in which a model carries its encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderForms {
    /// Precision of the built-in form, which is always there; with int8 the others compute with the same rounded numbers.
    pub precision: Precision,
    /// For wasi-nn with ONNX.
    pub onnx: bool,
    /// For wasi-nn with GGML.
    pub gguf: bool,
}

impl Default for EncoderForms {
    /// The built-in form alone, as int8.
    fn default() -> Self {
        Self { precision: Precision::Int8, onnx: false, gguf: false }
    }
}

impl Trained {
    /// Adds an encoder over the items of this model, with `weight` in the personal list, and cells over its item vectors where
    /// there are [`CELLS_FROM`] of them.
    ///
    /// # Errors
    /// [`TrainError::Encoder`] where it is over another number of items, or its weights do not fit its shape.
    pub fn add_encoder(
        &mut self,
        weights: &Weights,
        weight: f32,
        forms: &EncoderForms,
    ) -> Result<(), TrainError> {
        let (found, items) = (weights.shape.items, self.manifest.data.items);
        if found as u64 != items {
            return Err(TrainError::Encoder(format!(
                "an encoder over {found} items; the model has {items}: train it on this model"
            )));
        }
        let failed = |error: TensorError| TrainError::Encoder(error.to_string());
        let weights = weights.clone().rounded(forms.precision);
        self.bodies.push((section::ENCODER_WEIGHTS, weights.section(forms.precision).map_err(failed)?));
        if forms.onnx {
            self.bodies.push((section::ENCODER_ONNX, onnx::write(&weights).map_err(failed)?));
        }
        if forms.gguf {
            self.bodies.push((section::ENCODER_GGUF, gguf::write(&weights).map_err(failed)?));
        }
        let items = weights.shape.items;
        self.manifest.parameters.encoder = Some(weights.shape);
        self.manifest.parameters.blend.sequence = weight;
        self.manifest.parameters.cells = None;
        if items >= CELLS_FROM {
            let model = self.open()?;
            if let Some(weights) = model.encoder() {
                let failed = |error: InferenceError| TrainError::Encoder(error.to_string());
                let (body, search) = cells(&model, &weights).map_err(failed)?;
                self.bodies.push((section::ENCODER_CELLS, body));
                self.manifest.parameters.cells = Some(search);
            }
        }
        Ok(())
    }
}
