//! The three forms of one encoder on the engines that serve them: the built-in executor, ONNX on tract, GGUF on
//! llama.cpp. All must give the same user vector and the same twenty items. So must ONNX Runtime, which serves nothing here,
//! but is what others run such files with; and `onnx` itself finds nothing wrong with them.
//!
//! `ENDCAP_PYTHON` names a Python with `onnx` and `onnxruntime`.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::path::Path;
use std::process::Command;

use endcap_core::encoder::{Decoder, DecoderScratch, EncoderShape, EncoderWeights, Precision};
use endcap_core::format::{
    Card, CatalogueBuilder, DataSummary, ItemRecord, Manifest, Model, Parameters, Rankings, Verify,
    encode_neighbors, encode_rankings, encode_sessions, section, write_model,
};
use endcap_core::inference::FIRST_ITEM_TOKEN;
use endcap_core::knn::SessionIndex;
use endcap_core::topn::TopN;
use endcap_core::{AlignedBytes, ItemIx};
use endcap_models::encoder::{Weights, gguf, onnx};
use endcap_nn::{Context, Device, Encoding, Engine, Graph, Key, Limits, Registry, Tensor};

/// Largest difference of a component as a share of the vector's length. Engines sum in different orders.
const TOLERANCE: f32 = 1e-4;
/// Items of an answer.
const N: usize = 20;

fn shape() -> EncoderShape {
    EncoderShape {
        items: 500,
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

/// One layer, shared keys and values, uneven widths.
fn other_shape() -> EncoderShape {
    EncoderShape { items: 90, dim: 96, layers: 1, heads: 6, kv_heads: 2, hidden: 40, max_len: 20, ..shape() }
}

/// Histories of lengths around every block and bucket.
fn histories(shape: &EncoderShape) -> Vec<Vec<ItemIx>> {
    let item = |at: usize| (at * at * 31 + at * 7 + 3) as u32 % shape.items as u32;
    [1, 2, 7, 8, 9, 16, 19, shape.max_len].into_iter().map(|len| (0..len).map(item).collect()).collect()
}

/// A model file with the encoder and nothing else of interest.
fn model(weights: &Weights, precision: Precision) -> Model {
    let items = weights.shape.items;
    let mut catalogue = CatalogueBuilder::new();
    for item in 0..items {
        catalogue.push(&ItemRecord { id: format!("i{item}"), ..ItemRecord::default() });
    }
    let sessions = SessionIndex {
        session_offsets: &[0],
        session_items: &[],
        posting_offsets: &(0..=items as u32).collect::<Vec<_>>(),
        postings: &vec![0; items],
        idf: &vec![0.0; items],
    };
    let empty = (&[][..], &[][..]);
    let manifest = Manifest {
        format_version: 0,
        name: "encoder".into(),
        created: String::new(),
        generator: String::new(),
        sections: Vec::new(),
        data: DataSummary::default(),
        parameters: Parameters { encoder: Some(weights.shape.clone()), ..Parameters::default() },
        card: Card::default(),
    };
    let bodies = [
        (section::ITEMS, catalogue.finish()),
        (section::SESSIONS, encode_sessions(sessions)),
        (section::TOGETHER, encode_neighbors(&vec![Vec::new(); items])),
        (section::RANKINGS, encode_rankings(Rankings { popular: empty, trending: empty, latest: empty })),
        (section::ENCODER_WEIGHTS, weights.section(precision).expect("encodes")),
        (section::ENCODER_ONNX, onnx::write(weights).expect("writes ONNX")),
        (section::ENCODER_GGUF, gguf::write(weights).expect("writes GGUF")),
    ];
    let file = write_model(manifest, &bodies).expect("writes");
    Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens")
}

fn load(bytes: &[u8], encoding: Encoding) -> Graph {
    Engine::new(Limits::default(), Registry::default()).load(&[bytes], encoding, Device::Cpu).expect("loads")
}

fn builtin(view: &EncoderWeights<'_>, history: &[ItemIx]) -> Vec<f32> {
    let mut scratch = DecoderScratch::default();
    Decoder::new(view).encode(view.embedding, history, &mut scratch).expect("encodes").to_vec()
}

/// The history filled up to `positions` with item 1.
fn by_onnx(context: &mut Context, history: &[ItemIx], positions: usize) -> Vec<f32> {
    let mut items: Vec<i64> = history.iter().map(|&item| i64::from(item)).collect();
    items.resize(positions, 1);
    let items = Tensor::i64(&[1, positions as u32], &items);
    let length = Tensor::i64(&[1], &[history.len() as i64]);
    context.set_input(Key::Name("items"), items.view()).expect("items");
    context.set_input(Key::Name("length"), length.view()).expect("length");
    context.compute().expect("computes");
    context.output(Key::Name("user")).expect("an output").to_tensor().to_f32().expect("f32")
}

fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let length = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / length
}

/// Items by falling score.
fn best(view: &EncoderWeights<'_>, user: &[f32]) -> Vec<ItemIx> {
    let mut scores = vec![0.0; view.shape.items];
    view.output.score_all(user, &mut scores);
    let mut top = TopN::default();
    top.reset(N);
    for (&score, item) in scores.iter().zip(0..) {
        top.push(score, item);
    }
    top.finish().iter().map(|&(_, item)| item).collect()
}

fn check(view: &EncoderWeights<'_>, engine: &str, history: &[ItemIx], found: &[f32]) {
    let expected = builtin(view, history);
    let off = distance(found, &expected);
    assert!(off <= TOLERANCE, "{engine}, {} items: off by {off}", history.len());
    assert_eq!(best(view, found), best(view, &expected), "{engine}, {} items", history.len());
}

#[test]
fn onnx_gives_the_builtin_vector_however_far_it_is_filled_up() {
    for shape in [shape(), other_shape()] {
        let model = model(&Weights::random(&shape, 1), Precision::F32);
        let view = model.encoder().expect("weights");
        let graph = load(model.encoder_onnx().expect("ONNX"), Encoding::Onnx);
        let mut context = graph.context().expect("a context");
        for history in histories(&shape) {
            for positions in
                [history.len(), history.len().next_multiple_of(8), onnx::positions(shape.max_len)]
            {
                check(&view, "onnx", &history, &by_onnx(&mut context, &history, positions));
            }
        }
    }
}

#[test]
fn onnx_runtime_gives_the_builtin_vector() {
    let Some(python) = common::python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/run_encoder.py");
    let folder = tempfile::tempdir().expect("a folder");
    for shape in [shape(), other_shape()] {
        let model = model(&Weights::random(&shape, 1), Precision::F32);
        let view = model.encoder().expect("weights");
        let file = folder.path().join("encoder.onnx");
        std::fs::write(&file, model.encoder_onnx().expect("ONNX")).expect("writes");
        let asked = histories(&shape);
        let ran = Command::new(&python)
            .args(["-W", "ignore"])
            .arg(&script)
            .arg(&file)
            .arg(onnx::positions(shape.max_len).to_string())
            .arg(serde_json::to_string(&asked).expect("JSON"))
            .output()
            .expect("starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let users: Vec<Vec<f32>> = serde_json::from_slice(&ran.stdout).expect("user vectors");
        assert_eq!(users.len(), asked.len());
        for (history, user) in asked.iter().zip(&users) {
            check(&view, "ONNX Runtime", history, user);
        }
    }
}

#[test]
fn gguf_gives_the_builtin_vector() {
    for shape in [shape(), other_shape()] {
        let model = model(&Weights::random(&shape, 2), Precision::F32);
        let view = model.encoder().expect("weights");
        let graph = load(model.encoder_gguf().expect("GGUF"), Encoding::Ggml);
        for history in histories(&shape) {
            let mut context = graph.context().expect("a context");
            let tokens: Vec<i32> = history.iter().map(|&item| item as i32 + FIRST_ITEM_TOKEN).collect();
            let prompt: String = history.iter().map(|item| format!("<i{item}>")).collect();
            let by_number = Tensor::i32(&[tokens.len() as u32], &tokens);
            let by_text = Tensor::u8(prompt.as_bytes());
            for (how, prompt) in [("gguf by numbers", by_number), ("gguf by text", by_text)] {
                context.set_input(Key::Index(0), prompt.view()).expect("a prompt");
                let metadata = Tensor::u8(br#"{"embedding":true,"threads":1}"#);
                context.set_input(Key::Index(1), metadata.view()).expect("metadata");
                context.compute().expect("computes");
                let user = context.output(Key::Name("embedding")).expect("an output");
                check(&view, how, &history, &user.to_tensor().to_f32().expect("f32"));
            }
        }
    }
}

#[test]
fn rounded_weights_make_int8_agree_with_the_other_engines() {
    let weights = Weights::random(&shape(), 3).rounded(Precision::Int8);
    let model = model(&weights, Precision::Int8);
    let view = model.encoder().expect("weights");
    let graph = load(model.encoder_onnx().expect("ONNX"), Encoding::Onnx);
    let mut context = graph.context().expect("a context");
    for history in histories(&shape()) {
        check(&view, "onnx", &history, &by_onnx(&mut context, &history, 64));
    }
}
