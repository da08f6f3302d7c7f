//! The model file of this bench: an encoder, and a catalogue without anything else.

use std::path::{Path, PathBuf};

use anyhow::Context;
use endcap_core::AlignedBytes;
use endcap_core::encoder::{EncoderShape, Precision};
use endcap_core::format::{
    Card, CatalogueBuilder, DataSummary, ItemRecord, Manifest, Model, Parameters, Rankings, Verify,
    encode_neighbors, encode_rankings, encode_sessions, section, write_model,
};
use endcap_core::knn::SessionIndex;
use endcap_models::encoder::{Weights, onnx};

/// A small shop's encoder, of the width that sequence recommenders are published with.
const SHAPE: EncoderShape = EncoderShape {
    items: 10_000,
    dim: 64,
    layers: 2,
    heads: 4,
    kv_heads: 4,
    hidden: 176,
    max_len: 50,
    rope_theta: 10_000.0,
    norm_eps: 1e-5,
};

/// Writes the file into `folder`, and opens it.
pub(crate) fn write(folder: &Path) -> anyhow::Result<(PathBuf, Model)> {
    let bytes = bytes()?;
    let file = folder.join("encoder.wasm");
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    Ok((file, Model::open(AlignedBytes::copy_from(&bytes), Verify::Full)?))
}

fn bytes() -> anyhow::Result<Vec<u8>> {
    // Rounded first, so that ONNX computes with the numbers that int8 stores.
    let weights = Weights::random(&SHAPE, 0).rounded(Precision::Int8);
    let mut catalogue = CatalogueBuilder::new();
    for item in 0..SHAPE.items {
        catalogue.push(&ItemRecord { id: format!("i{item}"), ..ItemRecord::default() });
    }
    let no_sessions = SessionIndex {
        session_offsets: &[0],
        session_items: &[],
        // A list of one item is closed by a 0 of its own.
        posting_offsets: &(0..=SHAPE.items as u32).collect::<Vec<_>>(),
        postings: &vec![0; SHAPE.items],
        idf: &vec![0.0; SHAPE.items],
    };
    let empty = (&[][..], &[][..]);
    let manifest = Manifest {
        format_version: 0,
        name: "encoder".into(),
        created: String::new(),
        generator: "bench-encoder".into(),
        sections: Vec::new(),
        data: DataSummary::default(),
        parameters: Parameters { encoder: Some(SHAPE), ..Parameters::default() },
        card: Card::default(),
    };
    let bodies = [
        (section::ITEMS, catalogue.finish()),
        (section::SESSIONS, encode_sessions(no_sessions)),
        (section::TOGETHER, encode_neighbors(&vec![Vec::new(); SHAPE.items])),
        (section::RANKINGS, encode_rankings(Rankings { popular: empty, trending: empty, latest: empty })),
        (section::ENCODER_WEIGHTS, weights.section(Precision::Int8)?),
        (section::ENCODER_ONNX, onnx::write(&weights)?),
    ];
    Ok(write_model(manifest, &bodies)?)
}
