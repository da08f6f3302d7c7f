//! The files of an encoder: safetensors there and back, what is refused and how it is said, and the exact bytes of the
//! ONNX and GGUF writers.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

use std::collections::HashMap;

use endcap_core::encoder::{EncoderShape, Precision};
use endcap_models::encoder::{Weights, WeightsError, gguf, onnx};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};

fn shape() -> EncoderShape {
    EncoderShape {
        items: 5,
        dim: 16,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        hidden: 24,
        max_len: 6,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
    }
}

/// Every weight a small multiple of a power of two, so that the bytes below depend on no arithmetic of ours.
fn weights() -> Weights {
    let mut weights = Weights::random(&shape(), 0);
    let mut next = 0_u32;
    let mut fill = |values: &mut Vec<f32>| {
        for value in values {
            next = (next + 37) % 256;
            *value = next as f32 / 128.0 - 1.0;
        }
    };
    fill(&mut weights.embedding);
    fill(&mut weights.norm);
    for layer in &mut weights.layers {
        fill(&mut layer.attention_norm);
        fill(&mut layer.mlp_norm);
        layer.projections.iter_mut().for_each(&mut fill);
    }
    weights
}

/// An untied output table, all its weights 0.25.
fn untied() -> Weights {
    Weights { output: Some(vec![0.25; 5 * 16]), ..weights() }
}

/// Rewrites a file through the crate that defines the format: `change` gets name, type, shape and bytes.
type Entry = (String, Dtype, Vec<usize>, Vec<u8>);

fn rewritten(change: impl FnOnce(&mut Vec<Entry>, &mut HashMap<String, String>)) -> Vec<u8> {
    let file = weights().to_safetensors().expect("writes");
    let (_, metadata) = SafeTensors::read_metadata(&file).expect("metadata");
    let mut metadata = metadata.metadata().clone().expect("metadata");
    let mut tensors: Vec<Entry> = SafeTensors::deserialize(&file)
        .expect("reads")
        .tensors()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.dtype(), tensor.shape().to_vec(), tensor.data().to_vec()))
        .collect();
    change(&mut tensors, &mut metadata);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).expect("a view"))
    });
    safetensors::serialize(views, Some(metadata)).expect("writes")
}

fn refusal(change: impl FnOnce(&mut Vec<Entry>, &mut HashMap<String, String>)) -> String {
    Weights::from_safetensors(&rewritten(change)).expect_err("must be refused").to_string()
}

fn find<'t>(tensors: &'t mut [Entry], name: &str) -> &'t mut Entry {
    tensors.iter_mut().find(|(found, ..)| found == name).expect("the tensor")
}

#[test]
fn weights_come_back_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("encoder.safetensors");
    for weights in [weights(), untied()] {
        weights.save(&path).expect("saves");
        assert_eq!(Weights::load(&path).expect("loads"), weights);
    }
    let error = Weights::load(&folder.path().join("absent")).expect_err("absent").to_string();
    assert!(error.starts_with("cannot read ") && error.contains("absent"), "{error}");
    std::fs::write(&path, b"").expect("writes");
    let error = Weights::load(&path).expect_err("empty").to_string();
    assert!(error.contains("encoder.safetensors: not a safetensors file"), "{error}");
}

#[test]
fn a_rewritten_file_without_change_is_the_same() {
    assert_eq!(Weights::from_safetensors(&rewritten(|_, _| ())).expect("loads"), weights());
}

#[test]
fn names_and_shapes_are_those_of_llama_checkpoints() {
    let file = untied().to_safetensors().expect("writes");
    let tensors = SafeTensors::deserialize(&file).expect("reads");
    let shape = |name: &str| tensors.tensor(name).expect("the tensor").shape().to_vec();
    assert_eq!(shape("model.embed_tokens.weight"), [5, 16]);
    assert_eq!(shape("lm_head.weight"), [5, 16]);
    assert_eq!(shape("model.norm.weight"), [16]);
    assert_eq!(shape("model.layers.1.self_attn.k_proj.weight"), [8, 16]);
    assert_eq!(shape("model.layers.1.mlp.down_proj.weight"), [16, 24]);
    assert_eq!(shape("model.layers.0.input_layernorm.weight"), [16]);
    assert_eq!(tensors.len(), 3 + 2 * 9);
}

#[test]
fn a_file_that_is_no_encoder_says_which_tensor_is_wrong() {
    let query = "model.layers.1.self_attn.q_proj.weight";
    assert_eq!(
        refusal(|tensors, _| tensors.retain(|(name, ..)| name != query)),
        format!("tensor `{query}` is missing")
    );
    assert_eq!(
        refusal(|tensors, _| find(tensors, query).2 = vec![8, 32]),
        format!("tensor `{query}` has shape [8, 32]; the dimensions ask for [16, 16]")
    );
    assert_eq!(
        refusal(|tensors, _| {
            let tensor = find(tensors, query);
            (tensor.1, tensor.2) = (Dtype::BF16, vec![32, 16]);
        }),
        format!("tensor `{query}` holds BF16; only F32 is read")
    );
    assert_eq!(
        refusal(|tensors, _| {
            let bias = "model.layers.0.self_attn.q_proj.bias".to_owned();
            tensors.push((bias, Dtype::F32, vec![1], vec![0; 4]));
        }),
        "tensor `model.layers.0.self_attn.q_proj.bias` is no part of this architecture (no biases, no further layers)"
    );
    assert_eq!(
        refusal(|tensors, _| find(tensors, query).3[..4].copy_from_slice(&f32::NAN.to_le_bytes())),
        "layer 1: projection Query has a weight that is not finite"
    );
}

#[test]
fn a_file_without_sound_dimensions_says_so() {
    assert_eq!(
        refusal(|_, metadata| metadata.clear()),
        "the metadata of the safetensors file has no `endcap.encoder`, which holds the encoder's dimensions as JSON"
    );
    let with = |json: &str| {
        refusal(|_, metadata| {
            metadata.insert("endcap.encoder".to_owned(), json.to_owned());
        })
    };
    let error = with(r#"{"items": 5"#);
    assert!(error.starts_with("the metadata's `endcap.encoder` is not the JSON of"), "{error}");
    assert!(with(r#"{"items": 5}"#).contains("missing field `dim`"));
    let json = serde_json::to_string(&EncoderShape { hidden: 12, ..shape() }).expect("JSON");
    assert_eq!(with(&json), "hidden is 12, not a multiple of 8");
}

#[test]
fn every_cut_of_a_file_is_refused() {
    let file = weights().to_safetensors().expect("writes");
    for len in (0..file.len()).step_by(101) {
        let error = Weights::from_safetensors(&file[..len]).expect_err("cut");
        assert!(matches!(error, WeightsError::Format(_)), "{len} bytes: {error}");
    }
}

#[test]
fn every_writer_refuses_weights_that_do_not_fit() {
    let broken = Weights { norm: vec![1.0; 15], ..weights() };
    let expected = "the last norm has 15 elements, not 16";
    assert_eq!(onnx::write(&broken).expect_err("refused").to_string(), expected);
    assert_eq!(gguf::write(&broken).expect_err("refused").to_string(), expected);
    assert_eq!(broken.section(Precision::Int8).expect_err("refused").to_string(), expected);
    assert_eq!(broken.to_safetensors().expect_err("refused").to_string(), expected);
}

#[test]
fn rounding_keeps_to_half_a_step_and_is_done_once() {
    let plain = Weights::random(&shape(), 9);
    assert_eq!(plain.clone().rounded(Precision::F32), plain);
    let rounded = plain.clone().rounded(Precision::Int8);
    for (row, back) in plain.embedding.chunks(16).zip(rounded.embedding.chunks(16)) {
        let step = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs())) / 127.0;
        for (weight, back) in row.iter().zip(back) {
            assert!((weight - back).abs() <= step * 0.5001);
        }
    }
    assert_ne!(rounded, plain);
    assert_eq!(rounded.clone().rounded(Precision::Int8), rounded);
}

#[test]
fn the_graph_takes_every_length_that_histories_are_filled_up_to() {
    let found = [1, 8, 9, 33, 50, 64, 512].map(onnx::positions);
    assert_eq!(found, [8, 8, 16, 64, 64, 64, 512]);
}

/// Bytes that engines were seen to read: another digest is a change of what is written, to be made on purpose and
/// after `encoder_engines` has passed.
#[test]
fn the_writers_write_the_same_bytes() {
    let digest = |bytes: Vec<u8>| -> String {
        Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let found = [
        onnx::write(&weights()).expect("ONNX"),
        gguf::write(&weights()).expect("GGUF"),
        gguf::write(&untied()).expect("GGUF"),
        weights().section(Precision::Int8).expect("a section"),
    ];
    assert_eq!(
        found.map(digest),
        ["717f2252eb67c78c", "571da50ca3e10f5e", "dd52d762abc564b4", "28f103b193096b91"]
    );
}
