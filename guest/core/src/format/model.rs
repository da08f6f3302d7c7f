//! Opens a model file: checks everything once, then gives views in place.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::encoder::EncoderWeights;
use crate::inference::{RankerInput, RankerSpec};
use crate::knn::SessionIndex;
use crate::{AlignedBytes, ItemIx};

use super::arrays::Arrays;
use super::cells::CellSlots;
use super::content::{ContentRows, ContentSlots};
use super::encoder::EncoderSlots;
use super::error::FormatError;
use super::items::{Catalogue, CatalogueSlots};
use super::manifest::{KnnParameters, LinearParameters, Manifest, Opening, Parameters, TransitionParameters};
use super::neighbors::{NeighborRows, NeighborSlots};
use super::ranker::{RankerSlots, RankerWeights};
use super::rankings::{RankingSlots, Rankings};
use super::sample::{Questions, SampleSlots};
use super::sessions::SessionSlots;
use super::sparse::{OF_LINEAR, OF_TRANSITIONS, SparseRows, SparseSlots};
use super::writer::{hex, xxh3_hex};
use super::{MAX_MODEL_BYTES, section, wasm};

/// How much of the digests is checked when a model is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// SHA-256 of the manifest, XXH3-64 of every body: finds every accidental change, at memory speed.
    #[default]
    Fast,
    /// SHA-256 of every body as well: what a file from an untrusted place needs.
    Full,
}

/// An open, fully validated model. Owns its bytes; views borrow from it.
///
/// Whatever the bytes, opening never panics, and no later access can go out of bounds.
#[derive(Debug)]
pub struct Model {
    bytes: AlignedBytes,
    manifest: Manifest,
    items: CatalogueSlots,
    sessions: SessionSlots,
    together: NeighborSlots,
    linear: Option<SparseSlots>,
    transitions: Option<SparseSlots>,
    content: Option<ContentSlots>,
    rankings: RankingSlots,
    /// Of each item its value among those that trend: the list is by value, and rankers ask by item.
    trending: Vec<f32>,
    sample: Option<SampleSlots>,
    encoder: Option<EncoderSlots>,
    cells: Option<CellSlots>,
    ranker: Option<RankerSlots>,
    engines: EngineFiles,
}

/// Where the files for inference engines lie: opaque here, the engine checks them.
#[derive(Debug)]
struct EngineFiles {
    encoder_onnx: Option<Range<usize>>,
    encoder_gguf: Option<Range<usize>>,
    ranker_onnx: Option<Range<usize>>,
}

impl Model {
    /// Validates `bytes` as a model file. Linear in their length.
    ///
    /// # Errors
    /// [`FormatError`] names the section and what is wrong with it.
    pub fn open(bytes: AlignedBytes, verify: Verify) -> Result<Self, FormatError> {
        let file = bytes.as_slice();
        if file.len() as u64 > MAX_MODEL_BYTES {
            return Err(FormatError::TooLarge { bytes: file.len() as u64, limit: MAX_MODEL_BYTES });
        }
        let raw = wasm::sections(file)?;
        let manifest_at = match raw.first() {
            Some(first) if first.name == section::MANIFEST => first.body(file)?,
            _ => return Err(FormatError::NoManifest),
        };
        check_seal(file, &raw, &file[manifest_at.clone()])?;
        let manifest = Manifest::parse(&file[manifest_at])?;
        for found in raw.iter().filter(|found| found.name.starts_with("endcap.")) {
            let known = [section::MANIFEST, section::SEAL].contains(&found.name)
                || manifest.entry(found.name).is_ok();
            let first = raw.iter().find(|other| other.name == found.name);
            if !known || first.is_some_and(|first| first.offset != found.offset) {
                return Err(FormatError::UnexpectedSection {
                    section: found.name.to_owned(),
                    offset: found.offset,
                });
            }
        }
        let mut bodies: Vec<(&str, Range<usize>)> = Vec::with_capacity(manifest.sections.len());
        for entry in &manifest.sections {
            let missing = || FormatError::MissingSection { section: entry.name.clone() };
            let found = raw.iter().find(|found| found.name == entry.name).ok_or_else(missing)?;
            let body = found.body(file)?;
            let damaged = |digest| FormatError::Digest { section: entry.name.clone(), digest };
            if body.len() as u64 != entry.bytes {
                return Err(damaged("length"));
            }
            if xxh3_hex(&file[body.clone()]) != entry.xxh3 {
                return Err(damaged("xxh3"));
            }
            if verify == Verify::Full && hex(&Sha256::digest(&file[body.clone()])) != entry.sha256 {
                return Err(damaged("sha256"));
            }
            bodies.push((found.name, body));
        }
        let body = |name: &str| bodies.iter().find(|(found, _)| *found == name).map(|(_, body)| body.clone());
        let arrays = |name: &'static str| {
            let body = body(name).ok_or_else(|| FormatError::MissingSection { section: name.to_owned() })?;
            Arrays::parse(file, body).map_err(|error| FormatError::Arrays { section: name, error })
        };
        let items = CatalogueSlots::parse(file, &arrays(section::ITEMS)?)?;
        let n = items.view(file).len();
        let sessions = SessionSlots::parse(file, &arrays(section::SESSIONS)?, n)?;
        let together = NeighborSlots::parse(file, &arrays(section::TOGETHER)?, n)?;
        let rankings = RankingSlots::parse(file, &arrays(section::RANKINGS)?, n)?;
        let mut trending = vec![0.0; n];
        let (listed, values) = rankings.view(file).trending;
        listed.iter().zip(values).for_each(|(&item, &value)| trending[item as usize] = value);
        let linear = match body(section::LINEAR) {
            Some(_) => Some(SparseSlots::parse(OF_LINEAR, file, &arrays(section::LINEAR)?, n)?),
            None => None,
        };
        let transitions = match body(section::TRANSITIONS) {
            Some(_) => Some(SparseSlots::parse(OF_TRANSITIONS, file, &arrays(section::TRANSITIONS)?, n)?),
            None => None,
        };
        let content = match body(section::CONTENT) {
            Some(_) => Some(ContentSlots::parse(file, &arrays(section::CONTENT)?, n)?),
            None => None,
        };
        let sample = match body(section::SAMPLE) {
            Some(_) => Some(SampleSlots::parse(file, &arrays(section::SAMPLE)?, n)?),
            None => None,
        };
        let engines = EngineFiles {
            encoder_onnx: body(section::ENCODER_ONNX),
            encoder_gguf: body(section::ENCODER_GGUF),
            ranker_onnx: body(section::RANKER_ONNX),
        };
        let has_weights = body(section::ENCODER_WEIGHTS).is_some();
        let has_encoder = has_weights || engines.encoder_onnx.is_some() || engines.encoder_gguf.is_some();
        let shape = manifest.parameters.encoder.as_ref();
        let invariant = |what| Err(FormatError::Invariant { section: section::MANIFEST, what });
        if linear.is_some() && manifest.parameters.linear.is_none() {
            return invariant("there is a linear model without its parameters");
        }
        if transitions.is_some() && manifest.parameters.transitions.is_none() {
            return invariant("there are transitions without their parameters");
        }
        let encoder = match shape {
            None if has_encoder => return invariant("there is an encoder without its dimensions"),
            Some(shape) if shape.items != n => return invariant("the encoder has another number of items"),
            Some(shape) if has_weights => {
                Some(EncoderSlots::parse(file, &arrays(section::ENCODER_WEIGHTS)?, shape)?)
            }
            _ => None,
        };
        let cells = match (body(section::ENCODER_CELLS), shape) {
            (None, _) => None,
            (Some(_), Some(shape)) if encoder.is_some() && manifest.parameters.cells.is_some() => {
                Some(CellSlots::parse(file, &arrays(section::ENCODER_CELLS)?, shape)?)
            }
            (Some(_), _) => {
                return invariant("there are cells without an encoder or without their parameters");
            }
        };
        let ranker = match (body(section::RANKER), &manifest.parameters.ranker) {
            (None, _) => None,
            (Some(_), None) => return invariant("there is a ranker without its specification"),
            (Some(_), Some(spec)) => {
                let [RankerInput::Features { columns, .. }] = spec.inputs.as_slice() else {
                    return invariant("the built-in ranker takes features and nothing else");
                };
                Some(RankerSlots::parse(file, &arrays(section::RANKER)?, columns.len())?)
            }
        };
        Ok(Self {
            manifest,
            items,
            sessions,
            together,
            linear,
            transitions,
            content,
            rankings,
            trending,
            sample,
            encoder,
            cells,
            ranker,
            engines,
            bytes,
        })
    }

    /// What the file says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Serves the same file with other weights and other questions to the same index: a search over them would otherwise
    /// write, digest and check it anew for each. What the sections were made with stays.
    ///
    /// # Errors
    /// [`FormatError::Invariant`] where a parameter is out of its range; the model then must not be used.
    pub fn ask_with(&mut self, parameters: &Parameters) -> Result<(), FormatError> {
        let own = &mut self.manifest.parameters;
        own.blend = parameters.blend.clone();
        let KnnParameters { sample, idf_exponent, .. } = own.knn;
        let asked = |knn: &KnnParameters| KnnParameters { sample, idf_exponent, ..knn.clone() };
        own.knn = asked(&parameters.knn);
        own.opening = parameters
            .opening
            .as_ref()
            .map(|opening| Opening { knn: asked(&opening.knn), ..opening.clone() });
        if let (Some(own), Some(linear)) = (&mut own.linear, &parameters.linear) {
            own.position_decay = linear.position_decay;
        }
        if let (Some(own), Some(transitions)) = (&mut own.transitions, &parameters.transitions) {
            own.position_decay = transitions.position_decay;
        }
        own.check()
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The item catalogue.
    pub fn items(&self) -> Catalogue<'_> {
        self.items.view(self.bytes.as_slice())
    }

    /// The session kNN index.
    pub fn sessions(&self) -> SessionIndex<'_> {
        self.sessions.view(self.bytes.as_slice())
    }

    /// The co-occurrence rows.
    pub fn together(&self) -> NeighborRows<'_> {
        self.together.view(self.bytes.as_slice())
    }

    /// What reads like the items without enough events of their own.
    pub fn content(&self) -> Option<ContentRows<'_>> {
        self.content.as_ref().map(|slots| slots.view(self.bytes.as_slice()))
    }

    /// Questions with known answers that it has not learned from; none in files that were packed without.
    pub fn sample(&self) -> Questions<'_> {
        self.sample.as_ref().map_or_else(Questions::default, |slots| slots.view(self.bytes.as_slice()))
    }

    /// The linear item-item weights, and how a history is summed up with them.
    pub fn linear(&self) -> Option<(SparseRows<'_>, &LinearParameters)> {
        let slots = self.linear.as_ref()?;
        Some((slots.view(self.bytes.as_slice()), self.manifest.parameters.linear.as_ref()?))
    }

    /// What comes after an item within a visit, and how a visit is summed up with it.
    pub fn transitions(&self) -> Option<(SparseRows<'_>, &TransitionParameters)> {
        let slots = self.transitions.as_ref()?;
        Some((slots.view(self.bytes.as_slice()), self.manifest.parameters.transitions.as_ref()?))
    }

    /// The sequence encoder for the built-in executor.
    pub fn encoder(&self) -> Option<EncoderWeights<'_>> {
        let shape = self.manifest.parameters.encoder.as_ref()?;
        let file = self.bytes.as_slice();
        let weights = self.encoder.as_ref()?.view(file, shape);
        let cells = self.cells.as_ref().zip(self.manifest.parameters.cells.as_ref());
        let cells = cells.map(|(slots, search)| slots.view(file, shape, search.asked));
        Some(EncoderWeights { cells, ..weights })
    }

    /// The learned ranker for the built-in executor, and what it takes.
    pub fn ranker(&self) -> Option<(RankerWeights<'_>, &RankerSpec)> {
        let slots = self.ranker.as_ref()?;
        Some((slots.view(self.bytes.as_slice()), self.manifest.parameters.ranker.as_ref()?))
    }

    /// The sequence encoder as an ONNX file, not checked here.
    pub fn encoder_onnx(&self) -> Option<&[u8]> {
        self.engine_file(&self.engines.encoder_onnx)
    }

    /// The sequence encoder as a GGUF file, not checked here.
    pub fn encoder_gguf(&self) -> Option<&[u8]> {
        self.engine_file(&self.engines.encoder_gguf)
    }

    /// The ranker as an ONNX file, not checked here.
    pub fn ranker_onnx(&self) -> Option<&[u8]> {
        self.engine_file(&self.engines.ranker_onnx)
    }

    fn engine_file(&self, at: &Option<Range<usize>>) -> Option<&[u8]> {
        at.clone().map(|at| &self.bytes.as_slice()[at])
    }

    /// Popular, trending and latest items.
    pub fn rankings(&self) -> Rankings<'_> {
        self.rankings.view(self.bytes.as_slice())
    }

    /// The value of `item` among trending items, in [0, 1] relative to the first of them; 0 where it is not listed.
    pub fn trending(&self, item: ItemIx) -> f32 {
        self.trending[item as usize]
    }
}

/// The last section holds the SHA-256 of the manifest, which in turn names every other digest.
fn check_seal(file: &[u8], raw: &[wasm::RawSection<'_>], manifest: &[u8]) -> Result<(), FormatError> {
    let missing = || FormatError::MissingSection { section: section::SEAL.to_owned() };
    let last = raw.last().filter(|last| last.name == section::SEAL).ok_or_else(missing)?;
    if file[last.body(file)?] == Sha256::digest(manifest)[..] {
        return Ok(());
    }
    // A manifest of a later version may be sealed in another way: say so rather than "damaged".
    match Manifest::parse(manifest) {
        Err(future @ FormatError::FutureVersion { .. }) => Err(future),
        _ => Err(FormatError::Digest { section: section::MANIFEST.to_owned(), digest: "sha256" }),
    }
}
