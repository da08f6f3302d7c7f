//! The trained folder between `train` and `pack`: one file per section body, and the manifest to be.

use std::path::Path;

use endcap_core::AlignedBytes;
use endcap_core::format::{Manifest, Model, Verify, section, write_model};

use super::TrainError;
use crate::encoder::Weights;

/// The manifest without digests, as JSON.
const MANIFEST_FILE: &str = "manifest.json";
/// Weights of the encoder, where one was trained.
const ENCODER_FILE: &str = "encoder.safetensors";
/// Sections that `train` makes, in file order.
const SECTIONS: [&str; 10] = [
    section::ITEMS,
    section::SESSIONS,
    section::TOGETHER,
    section::LINEAR,
    section::TRANSITIONS,
    section::CONTENT,
    section::RANKINGS,
    section::SAMPLE,
    section::RANKER,
    section::RANKER_ONNX,
];

/// Section bodies and the manifest that describes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Manifest; digests are added when packing.
    pub manifest: Manifest,
    /// Sections by name, in file order.
    pub bodies: Vec<(&'static str, Vec<u8>)>,
}

impl Trained {
    /// The bytes of `model.wasm`, opened once to prove that they are readable.
    ///
    /// # Errors
    /// Where a metric is not finite, or the result does not open.
    pub fn pack(&self) -> Result<Vec<u8>, TrainError> {
        let bytes = write_model(self.manifest.clone(), &self.bodies)?;
        Model::open(AlignedBytes::copy_from(&bytes), Verify::Full)?;
        Ok(bytes)
    }

    /// Packed and opened, for evaluation in memory.
    ///
    /// # Errors
    /// As [`Self::pack`].
    pub fn open(&self) -> Result<Model, TrainError> {
        let bytes = write_model(self.manifest.clone(), &self.bodies)?;
        Ok(Model::open(AlignedBytes::copy_from(&bytes), Verify::Fast)?)
    }

    /// Writes the folder, the manifest last: a folder without one is not taken for trained. The encoder is kept as weights,
    /// from which [`Self::add_encoder`] makes its sections when packing.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(&self, folder: &Path, encoder: Option<&Weights>) -> Result<(), TrainError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| TrainError::Io { action, path, source }
        };
        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
        let manifest = folder.join(MANIFEST_FILE);
        if manifest.exists() {
            std::fs::remove_file(&manifest).map_err(io("replace", &manifest))?;
        }
        for (name, body) in &self.bodies {
            let path = folder.join(name);
            std::fs::write(&path, body).map_err(io("write", &path))?;
        }
        if let Some(encoder) = encoder {
            encoder
                .save(&folder.join(ENCODER_FILE))
                .map_err(|error| TrainError::Encoder(error.to_string()))?;
        }
        let mut described = self.manifest.clone();
        described.parameters.encoder = encoder.map(|encoder| encoder.shape.clone());
        std::fs::write(&manifest, serde_json::to_vec_pretty(&described)?).map_err(io("write", &manifest))
    }

    /// Reads a folder written by [`Self::save`], and the encoder that was trained with it, if there was one.
    ///
    /// # Errors
    /// [`TrainError::NotTrained`] where a file is missing or not what `train` writes.
    pub fn load(folder: &Path) -> Result<(Self, Option<Weights>), TrainError> {
        let not = |reason: String| TrainError::NotTrained { path: folder.to_owned(), reason };
        let json = std::fs::read(folder.join(MANIFEST_FILE))
            .map_err(|error| not(format!("{MANIFEST_FILE}: {error}")))?;
        let mut manifest: Manifest =
            serde_json::from_slice(&json).map_err(|error| not(format!("{MANIFEST_FILE}: {error}")))?;
        let mut bodies = Vec::new();
        for name in SECTIONS {
            // A file of an earlier training may lie there: what counts is the manifest.
            let there = match name {
                section::LINEAR => manifest.parameters.linear.is_some(),
                section::TRANSITIONS => manifest.parameters.transitions.is_some(),
                section::CONTENT => manifest.parameters.content.is_some(),
                section::SAMPLE => manifest.data.questions > 0,
                section::RANKER | section::RANKER_ONNX => manifest.parameters.ranker.is_some(),
                _ => true,
            };
            if !there {
                continue;
            }
            bodies.push((
                name,
                std::fs::read(folder.join(name)).map_err(|error| not(format!("{name}: {error}")))?,
            ));
        }
        let encoder = match manifest.parameters.encoder.take() {
            Some(_) => {
                Some(Weights::load(&folder.join(ENCODER_FILE)).map_err(|error| not(error.to_string()))?)
            }
            None => None,
        };
        Ok((Self { manifest, bodies }, encoder))
    }
}
