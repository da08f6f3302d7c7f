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
use endcap_models::encoder::{Weights, gguf, onnx};

/// An encoder of the width that sequence recommenders are published with.
fn shape(items: usize) -> EncoderShape {
    EncoderShape {
        items,
        dim: 64,
        layers: 2,
        heads: 4,
        kv_heads: 4,
        hidden: 176,
        max_len: 50,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
    }
}

/// Writes a file over so many items into `folder`, with the encoder in the forms for engines too if asked for, and opens it.
pub(crate) fn write(folder: &Path, items: usize, engines: bool) -> anyhow::Result<(PathBuf, Model)> {
    let bytes = bytes(&shape(items), engines)?;
    let file = folder.join(format!("encoder-{items}.wasm"));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    Ok((file, Model::open(AlignedBytes::copy_from(&bytes), Verify::Full)?))
}

fn bytes(shape: &EncoderShape, engines: bool) -> anyhow::Result<Vec<u8>> {
    // Rounded first, so that the other forms compute with the numbers that int8 stores.
    let weights = Weights::random(shape, 0).rounded(Precision::Int8);
    let mut catalogue = CatalogueBuilder::new();
    for item in 0..shape.items {
        catalogue.push(&ItemRecord { id: format!("i{item}"), ..ItemRecord::default() });
    }
    let no_sessions = SessionIndex {
        session_offsets: &[0],
        session_items: &[],
        // A list of one item is closed by a 0 of its own.
        posting_offsets: &(0..=shape.items as u32).collect::<Vec<_>>(),
        postings: &vec![0; shape.items],
        idf: &vec![0.0; shape.items],
    };
    let empty = (&[][..], &[][..]);
    let manifest = Manifest {
        format_version: 0,
        name: "encoder".into(),
        created: String::new(),
        generator: "bench-encoder".into(),
        sections: Vec::new(),
        data: DataSummary::default(),
        parameters: Parameters { encoder: Some(shape.clone()), ..Parameters::default() },
        card: Card::default(),
    };
    let mut bodies = vec![
        (section::ITEMS, catalogue.finish()),
        (section::SESSIONS, encode_sessions(no_sessions)),
        (section::TOGETHER, encode_neighbors(&vec![Vec::new(); shape.items])),
        (section::RANKINGS, encode_rankings(Rankings { popular: empty, trending: empty, latest: empty })),
        (section::ENCODER_WEIGHTS, weights.section(Precision::Int8)?),
    ];
    if engines {
        bodies.push((section::ENCODER_ONNX, onnx::write(&weights)?));
        bodies.push((section::ENCODER_GGUF, gguf::write(&weights)?));
    }
    Ok(write_model(manifest, &bodies)?)
}
