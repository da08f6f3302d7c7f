//! Transition counts: their section in the file, what a visit makes of them, and their place among the other sources.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{
    Blend, FormatError, Model, TransitionParameters, Verify, encode_transitions, section, write_model,
};
use endcap_core::recommend::{Engine, Feature, Recommendation, Request, Scratch, Source, Strategy as Kind};
use proptest::prelude::*;

/// After 1 come 2 and, half as often, 3; after 2 comes 5; after 4 come 3 and, less often, 1.
fn rows() -> Vec<Vec<(u32, f32)>> {
    let mut rows = vec![Vec::new(); 12];
    rows[1] = vec![(2, 0.66), (3, 0.33)];
    rows[2] = vec![(5, 1.0)];
    rows[4] = vec![(1, 0.25), (3, 0.75)];
    rows
}

fn open(parameters: Option<TransitionParameters>, blend: Blend, linear: bool) -> Result<Model, FormatError> {
    let mut shop = Shop::golden();
    shop.linear = linear;
    let mut manifest = shop.manifest();
    manifest.parameters.transitions = parameters;
    manifest.parameters.blend = blend;
    let mut bodies = shop.bodies();
    bodies.push((section::TRANSITIONS, encode_transitions(&rows())));
    let file = write_model(manifest, &bodies).expect("writes");
    Model::open(AlignedBytes::copy_from(&file), Verify::Full)
}

fn model(blend: Blend) -> Model {
    open(Some(TransitionParameters::default()), blend, true).expect("opens")
}

fn answer(model: &Model, request: &Request<'_>) -> Vec<Recommendation> {
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    Engine::new(model).recommend(request, &mut scratch, &mut out);
    out
}

fn items(found: &[Recommendation]) -> Vec<u32> {
    found.iter().map(|found| found.item).collect()
}

#[test]
fn what_came_after_the_newest_items_is_found() {
    let model = model(Blend::default());
    let request = Request { strategy: Kind::Transitions, fallback: false, ..Request::default() };
    let found = answer(&model, &Request { history: &[1], ..request });
    assert_eq!(items(&found), [2, 3]);
    assert!(found.iter().all(|found| found.source == Source::Transitions));
    assert!((found[1].score - 0.5).abs() < 0.01, "{found:?}");
    // 4, a position older, counts half: 3 has .33 + .75 / 2, 2 has .66.
    assert_eq!(items(&answer(&model, &Request { history: &[4, 1], ..request })), [3, 2]);
    assert_eq!(items(&answer(&model, &Request { history: &[1, 4], ..request })), [3, 2], "1 was had");
    assert!(answer(&model, &Request { history: &[7], ..request }).is_empty());
}

#[test]
fn earlier_visits_are_followed_by_nothing() {
    let model = model(Blend::default());
    let request = Request {
        strategy: Kind::Transitions,
        fallback: false,
        repeat: true,
        history: &[1, 4],
        ..Request::default()
    };
    assert_eq!(items(&answer(&model, &Request { earlier: 1, ..request })), [3, 1]);
    assert!(answer(&model, &Request { earlier: 2, ..request }).is_empty());
}

#[test]
fn a_ranker_is_told_of_them_and_of_what_trends() {
    let model = model(Blend { transitions: 2.0, ..Blend::default() });
    let (engine, mut scratch) = (Engine::new(&model), Scratch::default());
    let request = Request { history: &[1], ..Request::default() };
    for _ in 0..2 {
        engine.gather(&request, &mut scratch);
        engine.shortlist(&request, &[Feature::Transitions, Feature::Trending], &mut scratch);
        let rows: Vec<&[f32]> = scratch.features().chunks_exact(2).collect();
        let told = |item: u32| {
            let at = scratch.shortlisted().position(|other| other == item).expect("shortlisted");
            (rows[at][0], rows[at][1])
        };
        assert_eq!(told(2), (1.0, 1.0 / 3.0), "the third that trends");
        assert!((told(3).0 - 0.5).abs() < 0.01);
        assert_eq!(told(0), (0.0, 1.0));
    }
}

#[test]
fn a_section_without_sane_parameters_is_refused() {
    let error = open(None, Blend::default(), false).expect_err("no parameters");
    assert!(error.to_string().contains("transitions without their parameters"), "{error}");
    let broken = [
        TransitionParameters { gaps: 0, ..TransitionParameters::default() },
        TransitionParameters { history: 51, ..TransitionParameters::default() },
        TransitionParameters { position_decay: 1.5, ..TransitionParameters::default() },
        TransitionParameters { half_life_days: -1.0, ..TransitionParameters::default() },
    ];
    for parameters in broken {
        let error = open(Some(parameters.clone()), Blend::default(), false).expect_err("out of range");
        assert!(error.to_string().contains("transitions."), "{parameters:?}: {error}");
    }
}

proptest! {
    /// Whatever the sources weigh, an item is offered once, with the sum of all that is said of it.
    #[test]
    fn the_list_is_that_of_the_summed_parts(
        weights in proptest::array::uniform6(prop_oneof![Just(0.0_f32), 0.1_f32..4.0]),
        history in proptest::collection::vec(0_u32..12, 1..9),
        earlier in 0_usize..4,
        sequence in proptest::option::of(Just([(2.0_f32, 3_u32), (1.0, 7), (0.5, 11)])),
        repeat in any::<bool>(),
    ) {
        let [knn, together, linear, transitions, sequence_weight, again] = weights;
        let blend = Blend { knn, together, linear, transitions, sequence: sequence_weight, again, content: 0.0 };
        let model = model(blend.clone());
        let request = Request {
            n: 12, history: &history, earlier: earlier.min(history.len()), repeat, fallback: false,
            sequence: sequence.as_ref().map(<[_; 3]>::as_slice), ..Request::default()
        };
        let found = answer(&model, &request);
        let mut seen = items(&found);
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), found.len(), "an item stands twice");
        // The same by each source asked alone with its weight: nothing else than their sum.
        let mut sums = [0.0_f32; 12];
        let nothing = Blend {
            knn: 0.0, together: 0.0, linear: 0.0, transitions: 0.0, sequence: 0.0, again: 0.0, content: 0.0,
        };
        let alone = [
            Blend { knn, ..nothing.clone() }, Blend { together, ..nothing.clone() },
            Blend { linear, ..nothing.clone() }, Blend { transitions, ..nothing.clone() },
            Blend { sequence: sequence_weight, ..nothing.clone() }, Blend { again, ..nothing },
        ];
        for (blend, weight) in alone.into_iter().zip(weights).filter(|(_, weight)| *weight > 0.0) {
            let source = self::model(blend);
            // With what the request hides, which is what the best of a source may be.
            let (engine, mut scratch) = (Engine::new(&source), Scratch::default());
            engine.gather(&request, &mut scratch);
            engine.shortlist(&request, &[Feature::Blended], &mut scratch);
            for (item, score) in scratch.shortlisted().zip(scratch.features()) {
                prop_assert!(*score <= weight * 1.0001);
                sums[item as usize] += score;
            }
        }
        let best = found.first().map_or(1.0, |best| sums[best.item as usize]);
        for found in &found {
            let expected = sums[found.item as usize] / best;
            prop_assert!((found.score - expected).abs() < 1e-4, "{:?} is not {}", found, expected);
        }
    }
}
