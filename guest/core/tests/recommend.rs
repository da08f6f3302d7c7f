//! The engine: strategies, filters, fallbacks, order.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{Blend, KnnMatching, KnnParameters, Model, Opening, Verify, write_model};
use endcap_core::recommend::{Engine, Recommendation, Request, Scratch, Source, Strategy};
use proptest::prelude::*;

fn model() -> Model {
    Model::open(AlignedBytes::copy_from(&Shop::golden().file()), Verify::Full).expect("opens")
}

fn answer(request: &Request<'_>) -> Vec<Recommendation> {
    let model = model();
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    Engine::new(&model).recommend(request, &mut scratch, &mut out);
    out
}

fn items(found: &[Recommendation]) -> Vec<u32> {
    found.iter().map(|found| found.item).collect()
}

#[test]
fn without_history_it_falls_back_to_trending() {
    let found = answer(&Request { n: 3, ..Request::default() });
    assert_eq!(items(&found), [0, 1, 2]);
    assert!(found.iter().all(|found| found.source == Source::Trending));
}

#[test]
fn without_fallback_it_gives_what_it_has() {
    assert!(answer(&Request { fallback: false, ..Request::default() }).is_empty());
    let found = answer(&Request { n: 12, history: &[4], fallback: false, ..Request::default() });
    assert!(!found.is_empty() && found.len() < 12);
}

#[test]
fn history_exclusions_and_sold_out_items_are_never_returned() {
    let found = answer(&Request { n: 12, history: &[7, 8], exclude: &[10], ..Request::default() });
    for gone in [7, 8, 9, 10] {
        assert!(!items(&found).contains(&gone), "{gone} in {found:?}");
    }
    assert_eq!(found.len(), 8, "everything else fills the list");
}

#[test]
fn what_earlier_visits_had_comes_again_by_how_often() {
    let mut manifest = Shop::golden().manifest();
    manifest.parameters.blend.again = 100.0;
    let file = write_model(manifest, &Shop::golden().bodies()).expect("writes");
    let model = Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens");
    let answer = |request: &Request<'_>| {
        let mut out = Vec::new();
        Engine::new(&model).recommend(request, &mut Scratch::default(), &mut out);
        out
    };
    // 5 twice, 4 and 6 once, in earlier visits; 1 and 2 in the running one.
    let history = [4, 5, 6, 5, 1, 2];
    let request = Request { n: 3, history: &history, earlier: 4, repeat: true, ..Request::default() };
    let found = answer(&request);
    assert_eq!(found[0].item, 5);
    assert!(found.iter().all(|found| found.source == Source::Again && found.item >= 4), "{found:?}");
    // Where nothing may come again, it has no say; nor does what the running visit has had.
    for request in [Request { repeat: false, ..request }, Request { earlier: 0, ..request }] {
        assert!(answer(&request).iter().all(|found| found.source != Source::Again));
    }
    // The newest item of a visit is what the shopper looks at; of an earlier visit it is one like others.
    assert!(!items(&answer(&Request { n: 12, ..request })).contains(&2));
    assert!(items(&answer(&Request { n: 12, earlier: 6, ..request })).contains(&2));
    // More of a history than counts: the boundary moves with what is cut off.
    let long: Vec<u32> = std::iter::repeat_n(3, 60).chain([7]).collect();
    let found = answer(&Request { n: 1, history: &long, earlier: 60, ..request });
    assert_eq!((found[0].item, found[0].source), (3, Source::Again));
}

#[test]
fn where_a_visit_begins_other_weights_count() {
    let mut manifest = Shop::golden().manifest();
    let opening = Opening {
        blend: Blend { again: 100.0, ..manifest.parameters.blend.clone() },
        knn: KnnParameters { matching: KnnMatching::Whole, ..manifest.parameters.knn.clone() },
        linear_decay: 1.0,
    };
    manifest.parameters.opening = Some(opening.clone());
    let open = |manifest| {
        let file = write_model(manifest, &Shop::golden().bodies()).expect("writes");
        Model::open(AlignedBytes::copy_from(&file), Verify::Full)
    };
    let model = open(manifest.clone()).expect("opens");
    let source = |earlier, strategy| {
        let mut out = Vec::new();
        let request =
            Request { n: 1, history: &[5, 4, 1], earlier, repeat: true, strategy, ..Request::default() };
        Engine::new(&model).recommend(&request, &mut Scratch::default(), &mut out);
        out[0].source
    };
    assert_eq!(source(3, Strategy::Personal), Source::Again, "nothing of the running visit is known");
    assert_ne!(source(2, Strategy::Personal), Source::Again, "its first item is");
    let mut out = Vec::new();
    let new = Request { n: 12, history: &[5, 4, 1], earlier: 3, ..Request::default() };
    Engine::new(&model).recommend(&new, &mut Scratch::default(), &mut out);
    assert!(out.iter().all(|found| found.source != Source::Again && ![5, 4, 1].contains(&found.item)));
    assert_eq!(
        source(3, Strategy::Session),
        Source::Session,
        "a source that is asked for by name is asked as ever"
    );
    for opening in [
        Opening { linear_decay: 0.0, ..opening.clone() },
        Opening { blend: Blend { knn: -1.0, ..opening.blend.clone() }, ..opening.clone() },
        Opening { knn: KnnParameters { last_items: 11, ..opening.knn.clone() }, ..opening },
    ] {
        manifest.parameters.opening = Some(opening);
        let error = open(manifest.clone()).expect_err("out of its range");
        assert!(error.to_string().contains("endcap.manifest"), "{error}");
    }
}

#[test]
fn repeat_brings_back_all_but_the_newest() {
    let found = answer(&Request { n: 12, history: &[1, 2], repeat: true, ..Request::default() });
    assert!(items(&found).contains(&1) && !items(&found).contains(&2));
}

#[test]
fn reranking_returns_exactly_the_candidates() {
    let candidates = [11, 3, 6, 0];
    let request = Request { n: 10, history: &[1, 2], candidates: Some(&candidates), ..Request::default() };
    let mut found = items(&answer(&request));
    assert_eq!(found[0], 0, "seen with both");
    found.sort_unstable();
    assert_eq!(found, [0, 3, 6, 11]);
}

#[test]
fn a_together_reason_names_its_item() {
    let found = answer(&Request { strategy: Strategy::Together, history: &[4], n: 2, ..Request::default() });
    assert_eq!(found[0].source, Source::Together);
    assert_eq!(found[0].because, Some(4));
}

#[test]
fn lists_come_in_their_packed_order() {
    assert_eq!(
        items(&answer(&Request { strategy: Strategy::Latest, n: 3, ..Request::default() })),
        [11, 10, 8]
    );
    assert_eq!(items(&answer(&Request { strategy: Strategy::Popular, n: 2, ..Request::default() })), [0, 1]);
}

#[test]
fn min_score_cuts_the_tail() {
    let all = answer(&Request { n: 10, history: &[1, 2], ..Request::default() });
    let some = answer(&Request { n: 10, history: &[1, 2], min_score: 0.6, ..Request::default() });
    assert!(some.len() < all.len() && some.iter().all(|found| found.score >= 0.6));
}

proptest! {
    #[test]
    fn any_request_gives_a_clean_list(
        history in proptest::collection::vec(0_u32..12, 0..70),
        exclude in proptest::collection::vec(0_u32..12, 0..5),
        candidates in proptest::option::of(proptest::collection::vec(0_u32..12, 0..9)),
        n in 1_usize..30,
        strategy in prop_oneof![
            Just(Strategy::Personal), Just(Strategy::Session), Just(Strategy::Together), Just(Strategy::Linear), Just(Strategy::Transitions),
            Just(Strategy::Trending), Just(Strategy::Popular), Just(Strategy::Latest),
        ],
        repeat in any::<bool>(),
    ) {
        let request = Request { n, strategy, history: &history, exclude: &exclude, repeat, candidates: candidates.as_deref(), ..Request::default() };
        let model = model();
        let (mut scratch, mut out) = (Scratch::default(), Vec::new());
        let engine = Engine::new(&model);
        engine.recommend(&request, &mut scratch, &mut out);
        prop_assert!(out.len() <= n);
        prop_assert!(out.windows(2).all(|pair| pair[0].score >= pair[1].score), "scores rise: {:?}", out);
        prop_assert!(out.iter().all(|found| (0.0..=1.0).contains(&found.score)));
        let mut seen = items(&out);
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), out.len(), "an item stands twice");
        for found in &out {
            prop_assert!(!exclude.contains(&found.item));
            prop_assert!(candidates.as_ref().is_none_or(|listed| listed.contains(&found.item)));
        }
        // The same request on a used scratch gives the same answer.
        let mut again = Vec::new();
        engine.recommend(&request, &mut scratch, &mut again);
        prop_assert_eq!(out, again);
    }
}
