//! The reader of `model.wasm`: whatever the bytes, it refuses them or serves without a panic.
//!
//! The input is a golden file with the sections that later releases added, with some bytes overwritten and then sealed anew,
//! because a random file never gets past its digests. Input: a sequence of (offset as u16, byte); a leading odd
//! byte means: take the rest as the file itself.
#![no_main]

use endcap_core::AlignedBytes;
use endcap_core::format::{
    ContentParameters, LinearParameters, Manifest, Model, Question, RankerWeights, TransitionParameters, Verify,
    encode_content, encode_linear, encode_ranker, encode_sample, encode_transitions, section, sections, write_model,
};
use endcap_core::inference::{HIDDEN, Ranker, RankerScope, RankerSpec};
use endcap_core::recommend::{Engine, Feature, Request, Scratch, Strategy};
use libfuzzer_sys::fuzz_target;

const GOLDEN: &[u8] = include_bytes!("../../tests/golden/v1.model.wasm");

/// The golden file's bodies, overwritten by the edits, under a manifest with fresh digests.
fn resealed(edits: &[u8]) -> Option<Vec<u8>> {
    let raw = sections(GOLDEN).ok()?;
    let mut manifest = None;
    let mut bodies: Vec<(&str, Vec<u8>)> = Vec::new();
    for found in &raw {
        let body = GOLDEN[found.body(GOLDEN).ok()?].to_vec();
        match found.name {
            section::MANIFEST => manifest = Manifest::parse(&body).ok(),
            section::SEAL => {}
            name => bodies.push((name, body)),
        }
    }
    // The golden file is of the first release, which had no such section.
    let linear: Vec<_> = (0..12).map(|item| vec![(item / 2, 0.5), (item / 2 + 3, -0.25)]).collect();
    bodies.push((section::LINEAR, encode_linear(&linear)));
    let transitions: Vec<_> = (0..12).map(|item| vec![(item / 3, 0.5), (item / 3 + 4, 0.25)]).collect();
    bodies.push((section::TRANSITIONS, encode_transitions(&transitions)));
    let question = Question { history: &[0, 3, 5], earlier: 1, targets: &[2, 7] };
    bodies.push((section::SAMPLE, encode_sample([question; 3])));
    bodies.push((section::CONTENT, encode_content(&[(11, vec![(2, 0.5)])])));
    let weights = RankerWeights {
        hidden: &[0.5; 4 * HIDDEN],
        hidden_bias: &[-0.5; HIDDEN],
        direct: &[1.0, -1.0, 0.5, -0.5],
        out: &[0.25; HIDDEN],
        bias: -3.0,
    };
    bodies.push((section::RANKER, encode_ranker(weights)));
    let mut manifest = manifest?;
    let columns = [Feature::Session, Feature::Linear];
    manifest.parameters.ranker = Some(RankerSpec::of_network(&columns, RankerScope::All));
    manifest.parameters.content = Some(ContentParameters::default());
    manifest.parameters.blend.content = 1.0;
    manifest.parameters.linear = Some(LinearParameters::default());
    manifest.parameters.blend.linear = 1.0;
    manifest.parameters.transitions = Some(TransitionParameters::default());
    manifest.parameters.blend.transitions = 1.0;
    let total: usize = bodies.iter().map(|(_, body)| body.len()).sum();
    for edit in edits.chunks_exact(3) {
        let mut at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % total;
        for (_, body) in &mut bodies {
            if at < body.len() {
                body[at] = edit[2];
                break;
            }
            at -= body.len();
        }
    }
    write_model(manifest, &bodies).ok()
}

fuzz_target!(|data: &[u8]| {
    let file = match data.split_first() {
        Some((first, rest)) if first % 2 == 1 => rest.to_vec(),
        Some((_, edits)) => resealed(edits).expect("the golden file is whole"),
        None => return,
    };
    let Ok(model) = Model::open(AlignedBytes::copy_from(&file), Verify::Full) else { return };
    let items = model.items().len() as u32;
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    let history: Vec<u32> = (0..20).map(|at| (at * 7) % items).collect();
    for strategy in [Strategy::Personal, Strategy::Linear, Strategy::Transitions] {
        out.clear();
        let request = Request { n: 100, strategy, history: &history, ..Request::default() };
        Engine::new(&model).recommend(&request, &mut scratch, &mut out);
        assert!(out.iter().all(|found| found.score.is_finite()));
    }
    let ranker = model.ranker().map(|(weights, spec)| Ranker::builtin(weights, spec.clone()));
    if let Some(Ok(mut ranker)) = ranker {
        out.clear();
        let request = Request { n: 100, history: &history, ..Request::default() };
        let engine = Engine::new(&model);
        engine.gather(&request, &mut scratch);
        // Finite weights may give scores that are not, which is an error and changes nothing.
        let _ = ranker.rerank(engine, &request, &mut scratch);
        engine.select(&request, &mut scratch, &mut out);
        assert!(out.iter().all(|found| found.score.is_finite()));
    }
    for question in model.sample().iter() {
        out.clear();
        let Question { history, earlier, .. } = question;
        let request = Request { history, earlier, repeat: true, ..Request::default() };
        Engine::new(&model).recommend(&request, &mut scratch, &mut out);
    }
    for item in 0..items {
        let view = model.items().get(item);
        let _ = model.items().find(view.id);
    }
});
