//! Files of every released format version stay readable for good.
//!
//! `golden/v1.model.wasm` was written by the first release of version 1, `golden/v1-learned.model.wasm` when it had every
//! section that is learned, `golden/v1-cells.model.wasm` when item vectors could be in cells, `golden/v1-transitions.model.wasm`
//! when transitions came in. Never write one anew: if this test fails, the reader is wrong. (`ENDCAP_WRITE_GOLDEN=1` writes a
//! golden file where there is none yet.)

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;
mod encoder_support;

use std::path::Path;

use common::Shop;
use encoder_support::{Weights, small_shape};
use endcap_core::AlignedBytes;
use endcap_core::encoder::{EncoderShape, Precision};
use endcap_core::format::{
    CellParameters, ContentParameters, Model, Question, RankerWeights, TransitionParameters, Verify,
    encode_cells, encode_content, encode_ranker, encode_sample, encode_transitions, section, write_model,
};
use endcap_core::inference::{HIDDEN, Ranker, RankerScope, RankerSpec, SequenceEncoder};
use endcap_core::recommend::{Engine, Feature, Request, Scratch};

/// The golden file of this name, which `write` makes where it is wanted and there is none.
fn golden(name: &str, write: impl FnOnce() -> Vec<u8>) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("ENDCAP_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, write()).expect("writes the golden file");
    }
    let file = std::fs::read(&path).expect("the golden file");
    Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("version 1 opens")
}

#[test]
fn version_1_is_read_and_gives_the_same_answer() {
    let model = golden("v1.model.wasm", || Shop::golden().file());
    assert_eq!(model.manifest().format_version, 1);
    assert_eq!(model.items().get(5).name, "Item № 5");
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    Engine::new(&model).recommend(
        &Request { n: 4, history: &[1, 2], ..Request::default() },
        &mut scratch,
        &mut out,
    );
    let ids: Vec<&str> = out.iter().map(|found| model.items().id(found.item)).collect();
    assert_eq!(ids, ["sku-00", "sku-03", "sku-04", "sku-06"]);
}

/// The golden shop with a section of every kind that is learned. Never change it.
fn learned() -> Vec<u8> {
    let mut shop = Shop::golden();
    shop.linear = true;
    let encoder = Weights::random(&EncoderShape { items: shop.items, ..small_shape() }, true, 4);
    let units: Vec<f32> = (0..4 * HIDDEN).map(|at| at as f32 / 64.0 - 0.5).collect();
    let ranker = RankerWeights {
        hidden: &units,
        hidden_bias: &[0.125; HIDDEN],
        direct: &[1.0, 0.5, 0.75, 0.25],
        out: &[0.125; HIDDEN],
        bias: -2.0,
    };
    let mut manifest = shop.manifest();
    manifest.parameters.encoder = Some(encoder.shape.clone());
    manifest.parameters.content = Some(ContentParameters::default());
    manifest.parameters.ranker =
        Some(RankerSpec::of_network(&[Feature::Linear, Feature::Session], RankerScope::All));
    (manifest.parameters.blend.sequence, manifest.parameters.blend.content) = (0.5, 0.75);
    let question = Question { history: &[0, 3, 5], earlier: 1, targets: &[2, 7] };
    let mut bodies = shop.bodies();
    bodies.extend([
        (section::ENCODER_WEIGHTS, encoder.body(Precision::Int8)),
        (section::CONTENT, encode_content(&[(11, vec![(2, 0.5)])])),
        (section::SAMPLE, encode_sample([question])),
        (section::RANKER, encode_ranker(ranker)),
    ]);
    write_model(manifest, &bodies).expect("writes")
}

/// The golden shop with an encoder and cells over its item vectors. Never change it.
fn with_cells() -> Vec<u8> {
    let shop = Shop::golden();
    let encoder = Weights::random(&EncoderShape { items: shop.items, ..small_shape() }, true, 4);
    let alone = encoder.model(Precision::Int8);
    let table = alone.encoder().expect("an encoder").output;
    let mut centres = vec![0.0; 3 * table.dim()];
    for (item, centre) in [2, 4, 8].into_iter().zip(centres.chunks_exact_mut(table.dim())) {
        table.read(item, centre);
    }
    let cells = [vec![0, 2, 5, 9], vec![1, 4, 7, 10], vec![3, 6, 8, 11]];
    let mut manifest = shop.manifest();
    manifest.parameters.encoder = Some(encoder.shape.clone());
    manifest.parameters.cells = Some(CellParameters { asked: 2, recall: 0.75 });
    let mut bodies = shop.bodies();
    bodies.extend([
        (section::ENCODER_WEIGHTS, encoder.body(Precision::Int8)),
        (section::ENCODER_CELLS, encode_cells(&centres, &cells, table)),
    ]);
    write_model(manifest, &bodies).expect("writes")
}

/// The golden shop with transitions. Never change it.
fn with_transitions() -> Vec<u8> {
    let shop = Shop::golden();
    let mut manifest = shop.manifest();
    manifest.parameters.transitions = Some(TransitionParameters::default());
    manifest.parameters.blend.transitions = 2.0;
    let mut rows = vec![Vec::new(); shop.items];
    rows[1] = vec![(2, 0.5), (9, 0.25)];
    rows[2] = vec![(3, 0.125), (10, 1.0)];
    let mut bodies = shop.bodies();
    bodies.push((section::TRANSITIONS, encode_transitions(&rows)));
    write_model(manifest, &bodies).expect("writes")
}

#[test]
fn transitions_are_read_and_the_same_follow() {
    let model = golden("v1-transitions.model.wasm", with_transitions);
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    let request = Request { n: 5, history: &[1, 2], ..Request::default() };
    Engine::new(&model).recommend(&request, &mut scratch, &mut out);
    let ids: Vec<&str> = out.iter().map(|found| model.items().id(found.item)).collect();
    assert_eq!(ids, ["sku-10", "sku-00", "sku-03", "sku-04", "sku-06"]);
}

#[test]
fn cells_are_read_and_the_same_are_searched() {
    let model = golden("v1-cells.model.wasm", with_cells);
    let encoder = model.encoder().expect("an encoder");
    let mut sequence = SequenceEncoder::builtin(&encoder);
    let proposed = sequence.propose(&encoder, &[1, 2]).expect("proposes");
    let items: Vec<u32> = proposed.iter().map(|&(_, item)| item).collect();
    assert_eq!(items, [2, 4, 1, 10, 0, 5, 9, 7]);
}

#[test]
fn every_learned_section_is_read_and_gives_the_same_answer() {
    let model = golden("v1-learned.model.wasm", learned);
    let (weights, spec) = model.ranker().expect("a ranker");
    let mut ranker = Ranker::builtin(weights, spec.clone()).expect("a built-in ranker");
    let encoder = model.encoder().expect("an encoder");
    let mut sequence = SequenceEncoder::builtin(&encoder);
    let proposed = sequence.propose(&encoder, &[1, 2]).expect("proposes").to_vec();
    let first: Vec<u32> = proposed.iter().take(3).map(|&(_, item)| item).collect();
    assert_eq!(first, [2, 4, 8]);
    let request = Request { n: 5, history: &[1, 2], sequence: Some(&proposed), ..Request::default() };
    let (engine, mut scratch, mut out) = (Engine::new(&model), Scratch::default(), Vec::new());
    engine.gather(&request, &mut scratch);
    ranker.rerank(engine, &request, &mut scratch).expect("ranks");
    engine.select(&request, &mut scratch, &mut out);
    let ids: Vec<&str> = out.iter().map(|found| model.items().id(found.item)).collect();
    assert_eq!(ids, ["sku-00", "sku-03", "sku-04", "sku-06", "sku-11"]);
    let told: Vec<u32> =
        out.iter().map(|found| (found.probability.expect("a probability") * 1e4).round() as u32).collect();
    assert_eq!(told, [5183, 2785, 2321, 2321, 2069]);
    let questions: Vec<_> = model.sample().iter().collect();
    assert_eq!(questions.len(), 1);
    assert_eq!(
        (questions[0].history, questions[0].earlier, questions[0].targets),
        (&[0, 3, 5][..], 1, &[2, 7][..])
    );
    assert_eq!(model.content().expect("content").row(11), (&[2][..], &[0.5][..]));
}
