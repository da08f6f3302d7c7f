//! The encoder's sections: round trip, and refusal of files whose parts contradict each other.
//!
//! Damage by accident is found by digests (`format.rs`); here the digests are right and the contents are not.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;
mod encoder_support;

use encoder_support::{Weights, open, small_shape};
use endcap_core::encoder::{
    EncoderShape, Precision, Projection, ShapeError, TensorError, Values, quantise_rows, shape,
};
use endcap_core::format::{ArraysBuilder, FormatError, encode_encoder, section};

/// Opens a model with `body` as its encoder, and says what was wrong.
fn refusal(shape: Option<EncoderShape>, body: Vec<u8>) -> String {
    open(shape, &[(section::ENCODER_WEIGHTS, body)]).expect_err("must be refused").to_string()
}

#[test]
fn what_was_written_is_read_back() {
    let weights = Weights::random(&small_shape(), false, 1);
    let model = weights.model(Precision::F32);
    let view = model.encoder().expect("an encoder");
    assert_eq!(*view.shape, weights.shape);
    assert_eq!((view.embedding.items(), view.embedding.dim()), (40, 16));
    let mut row = vec![0.0; 16];
    view.embedding.read(7, &mut row);
    assert_eq!(row, weights.embedding[7 * 16..8 * 16]);
    view.output.read(7, &mut row);
    assert_eq!(row, weights.output.as_ref().expect("untied")[7 * 16..8 * 16]);
    assert_eq!(view.norm, weights.norm);
    assert_eq!(view.mlp_norm[16..], weights.layers[1].mlp_norm);
    // Panel 1 of layer 1: outputs 8 to 15, input by input.
    let Values::F32(up) = view.projections[Projection::Up as usize] else { panic!("plain numbers") };
    let (layer, row) = (24 * 16, |output: usize| output * 16);
    let matrix = &weights.layers[1].projections[Projection::Up as usize];
    assert_eq!(up[layer + 8 * 16 + 3 * 8 + 2], matrix[row(10) + 3]);
    // Position 1 turns the first pair by one radian.
    assert_eq!((view.cos[4], view.sin[4]), (1.0_f32.cos(), 1.0_f32.sin()));
}

#[test]
fn int8_is_a_quarter_of_the_size() {
    let shape = EncoderShape { dim: 64, hidden: 128, items: 2000, ..small_shape() };
    let weights = Weights::random(&shape, true, 2);
    let (plain, int8) = (weights.body(Precision::F32).len(), weights.body(Precision::Int8).len());
    assert!(int8 * 100 < plain * 28, "{int8} of {plain} bytes");
}

#[test]
fn rows_of_zeros_and_of_tiny_weights_survive_quantising() {
    let (codes, scales) = quantise_rows(&[0.0, 0.0, 1.0e-45, -1.0e-45, -254.0, 2.0], 2);
    assert_eq!(codes, [0, 0, 0, 0, -127, 1]);
    assert_eq!(scales, [0.0, 0.0, 2.0]);
}

#[test]
fn engine_files_are_handed_out_as_they_are() {
    let bodies = [(section::ENCODER_ONNX, b"onnx".to_vec()), (section::ENCODER_GGUF, b"gguf".to_vec())];
    let model = open(Some(small_shape()), &bodies).expect("opens");
    assert_eq!(model.encoder_onnx(), Some(&b"onnx"[..]));
    assert_eq!(model.encoder_gguf(), Some(&b"gguf"[..]));
    assert!(model.encoder().is_none());
    assert!(open(None, &[]).expect("opens").encoder_onnx().is_none());
}

#[test]
fn dimensions_out_of_range_name_the_field() {
    let check = |change: fn(&mut EncoderShape)| {
        let mut shape = small_shape();
        change(&mut shape);
        shape.check().expect_err("out of range").to_string()
    };
    type Case = (fn(&mut EncoderShape), &'static str);
    let cases: [Case; 12] = [
        (|shape| shape.items = 0, "items is 0; allowed are 1 to 4194304"),
        (|shape| shape.dim = 520, "dim is 520; allowed are 8 to 512"),
        (|shape| shape.layers = 17, "layers is 17; allowed are 1 to 16"),
        (|shape| shape.heads = 0, "heads is 0; allowed are 1 to 64"),
        (|shape| shape.kv_heads = 3, "kv_heads is 3; allowed are 1 to 2"),
        (|shape| shape.hidden = 2056, "hidden is 2056; allowed are 8 to 2048"),
        (|shape| shape.max_len = 513, "max_len is 513; allowed are 1 to 512"),
        (|shape| shape.rope_theta = f32::NAN, "rope_theta is NaN; allowed are 10 to 10000000"),
        (|shape| shape.norm_eps = 0.0, "norm_eps is 0; allowed are 0.000000000001 to 0.01"),
        (|shape| shape.heads = 3, "dim is 16, not a multiple of heads"),
        (|shape| shape.dim = 8, "dim / heads is 4, not a multiple of 8"),
        (|shape| shape.hidden = 20, "hidden is 20, not a multiple of 8"),
    ];
    for (change, expected) in cases {
        assert_eq!(check(change), expected);
    }
    let odd = EncoderShape { heads: 6, kv_heads: 4, dim: 48, ..small_shape() };
    assert_eq!(odd.check(), Err(ShapeError::Multiple { field: "heads", found: 6, of: "kv_heads" }));
}

#[test]
fn products_of_dimensions_fit_32_bits() {
    // What the checks of a section multiply on a 32-bit guest.
    let table = *shape::ITEMS.end() as u64 * *shape::DIM.end() as u64;
    let matrices = (shape::LAYERS.end() * shape::HIDDEN.end() * shape::DIM.end()) as u64;
    assert!(table < 1 << 32 && matrices < 1 << 32);
}

#[test]
fn a_manifest_with_impossible_dimensions_is_refused() {
    let shape = EncoderShape { max_len: 0, ..small_shape() };
    let error = open(Some(shape), &[]).expect_err("refused").to_string();
    assert_eq!(error, "manifest: parameters.encoder: max_len is 0; allowed are 1 to 512");
}

#[test]
fn an_encoder_needs_dimensions_and_as_many_items_as_the_catalogue() {
    let body = Weights::random(&small_shape(), true, 3).body(Precision::F32);
    let expected = "section `endcap.manifest`: there is an encoder without its dimensions";
    assert_eq!(refusal(None, body), expected);
    for name in [section::ENCODER_ONNX, section::ENCODER_GGUF] {
        let error = open(None, &[(name, vec![1])]).expect_err("refused");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn weights_of_other_dimensions_are_refused() {
    let body = Weights::random(&small_shape(), true, 3).body(Precision::F32);
    let wrong = "section `endcap.encoder.weights`: weights or scales are not as many as the shape asks for";
    for shape in [
        EncoderShape { items: 41, ..small_shape() },
        EncoderShape { dim: 32, ..small_shape() },
        EncoderShape { layers: 1, ..small_shape() },
        EncoderShape { kv_heads: 2, ..small_shape() },
        EncoderShape { hidden: 32, ..small_shape() },
    ] {
        assert_eq!(refusal(Some(shape), body.clone()), wrong);
    }
    let shape = EncoderShape { max_len: 13, ..small_shape() };
    let expected = "section `endcap.encoder.weights`: gains or angles are not as many as the shape asks for";
    assert_eq!(refusal(Some(shape), body), expected);
}

#[test]
fn a_missing_or_mistyped_array_is_named() {
    let shape = small_shape();
    let table = vec![0.0_f32; 40 * 16];
    let codes = vec![0_i8; 40 * 16];
    let cases: [(ArraysBuilder, &str); 4] = [
        (ArraysBuilder::new(), "array `emb` is missing"),
        (ArraysBuilder::new().with("emb", &table), "array `at.q` is missing"),
        (ArraysBuilder::new().with("emb", &codes), "array `emb.s` is missing"),
        (ArraysBuilder::new().with("emb", &[0_u16]), "array `emb` holds elements of kind 2, not 6"),
    ];
    for (builder, expected) in cases {
        let error = refusal(Some(shape.clone()), builder.finish());
        assert_eq!(error, format!("section `endcap.encoder.weights`: {expected}"));
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused_on_both_ways() {
    let mut weights = Weights::random(&small_shape(), true, 4);
    let body = weights.body(Precision::F32);
    weights.layers[1].projections[2][5] = f32::NAN;
    let expected = TensorError::NotFinite { tensor: "layer 1: projection Value".to_owned() };
    assert_eq!(encode_encoder(&weights.tensors(), Precision::F32), Err(expected));

    // In the body, the first weight of the embedding: found by its bytes.
    let first = weights.embedding[0].to_le_bytes();
    let at = body.windows(4).position(|bytes| bytes == first).expect("the first weight");
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let mut body = body.clone();
        body[at..at + 4].copy_from_slice(&bad.to_le_bytes());
        let expected = "section `endcap.encoder.weights`: a weight or a scale is not finite";
        assert_eq!(refusal(Some(small_shape()), body), expected);
    }
    let mut body = body;
    let last = body.len() - 8;
    body[last..last + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let expected = "section `endcap.encoder.weights`: a gain or an angle is not finite";
    assert_eq!(refusal(Some(small_shape()), body), expected);
}

#[test]
fn tensors_of_another_size_are_named_when_written() {
    let mut weights = Weights::random(&small_shape(), true, 4);
    weights.layers[0].projections[Projection::Down as usize].pop();
    let expected =
        TensorError::Length { tensor: "layer 0: projection Down".to_owned(), found: 383, expected: 384 };
    assert_eq!(encode_encoder(&weights.tensors(), Precision::Int8), Err(expected));
    weights.layers.pop();
    let expected = TensorError::Layers { found: 1, expected: 2 };
    assert_eq!(encode_encoder(&weights.tensors(), Precision::Int8), Err(expected));
}

#[test]
fn every_cut_of_the_section_is_refused() {
    let body = Weights::random(&small_shape(), false, 7).body(Precision::Int8);
    for len in (0..body.len()).step_by(13) {
        let cut = [(section::ENCODER_WEIGHTS, body[..len].to_vec())];
        let error = open(Some(small_shape()), &cut).expect_err("refused");
        assert!(matches!(error, FormatError::Arrays { .. }), "{len} bytes: {error}");
    }
}
