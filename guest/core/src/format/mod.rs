//! `model.wasm`, version 1: a valid Wasm module that carries a model in custom sections.
//!
//! The byte grammar is written down in `GRAMMAR.md` beside this file. In short: the Wasm preamble, a custom
//! section `endcap.manifest` (JSON: version, digests of every section, parameters, model card), one custom
//! section per part of the model, and `endcap.seal` (SHA-256 of the manifest). Bodies start at file offsets
//! that are multiples of 8 and hold named arrays, so [`Model`] views them in place after one validation.

mod arrays;
mod cells;
mod content;
mod encoder;
mod error;
mod items;
mod manifest;
mod model;
mod neighbors;
mod ranker;
mod rankings;
mod sample;
mod sessions;
mod sparse;
mod wasm;
mod writer;

pub use arrays::{ArrayError, Arrays, ArraysBuilder, Element};
pub use cells::encode_cells;
pub use content::{ContentRow, ContentRows, Near, encode_content};
pub use encoder::{encode_encoder, rotary_angles};
pub use error::FormatError;
pub use items::{Catalogue, CatalogueBuilder, ItemRecord, ItemView};
pub use manifest::{
    Blend, Card, CellParameters, ContentParameters, DataSummary, KnnMatching, KnnParameters, LinearHistory,
    LinearMethod, LinearParameters, Manifest, Opening, Parameters, SectionEntry, TextParameters,
    TogetherParameters, TransitionParameters, TrendingParameters,
};
pub use model::{Model, Verify};
pub use neighbors::{NeighborRows, encode_neighbors};
pub use ranker::{RankerWeights, encode_ranker};
pub use rankings::{Rankings, encode_rankings};
pub use sample::{MAX_QUESTIONS, Question, Questions, encode_sample};
pub use sessions::encode_sessions;
pub use sparse::{Columns, SparseRow, SparseRows, encode_linear, encode_transitions};
pub use wasm::{RawSection, sections};
pub use writer::write_model;

/// Version of the grammar that this code writes. It reads every version up to this one.
pub const FORMAT_VERSION: u32 = 1;

/// Largest file that is read: 1 GiB. The product's own ceiling is 100 MB; ten times that leaves room for
/// research models and still fits a 32-bit guest's address space with the service beside it.
pub const MAX_MODEL_BYTES: u64 = 1 << 30;

/// Section names, in the order in which they are written.
pub mod section {
    /// JSON manifest; always the first section.
    pub const MANIFEST: &str = "endcap.manifest";
    /// Item catalogue: ids, names, categories, prices, stock, dates, id index.
    pub const ITEMS: &str = "endcap.items";
    /// Session kNN index (VMIS-kNN).
    pub const SESSIONS: &str = "endcap.sessions";
    /// Item-item co-occurrence rows.
    pub const TOGETHER: &str = "endcap.together";
    /// Linear item-item weights; optional.
    pub const LINEAR: &str = "endcap.linear";
    /// What comes after an item within a visit; optional.
    pub const TRANSITIONS: &str = "endcap.transitions";
    /// What reads like items without enough events; optional.
    pub const CONTENT: &str = "endcap.content";
    /// Popular, trending and latest items.
    pub const RANKINGS: &str = "endcap.rankings";
    /// Questions with known answers that the model has not learned from; optional.
    pub const SAMPLE: &str = "endcap.sample";
    /// Sequence encoder for the built-in executor; optional.
    pub const ENCODER_WEIGHTS: &str = "endcap.encoder.weights";
    /// Second level over the encoder's item vectors, for large catalogues; optional.
    pub const ENCODER_CELLS: &str = "endcap.encoder.cells";
    /// Sequence encoder as an ONNX file; optional.
    pub const ENCODER_ONNX: &str = "endcap.encoder.onnx";
    /// Sequence encoder as a GGUF file; optional.
    pub const ENCODER_GGUF: &str = "endcap.encoder.gguf";
    /// Learned ranker for the built-in executor; optional.
    pub const RANKER: &str = "endcap.ranker";
    /// Ranker as an ONNX file; optional.
    pub const RANKER_ONNX: &str = "endcap.ranker.onnx";
    /// SHA-256 of the manifest; always the last section.
    pub const SEAL: &str = "endcap.seal";
}
