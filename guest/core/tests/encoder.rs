//! The encoder's arithmetic: the executor against a plain one in double precision, and what must not change it.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;
mod encoder_support;

use encoder_support::{Weights, reference, small_shape};
use endcap_core::encoder::{
    Decoder, DecoderMemory, DecoderScratch, EncodeError, EncoderShape, Precision, Projection, quantise_rows,
};
use endcap_core::topn::TopN;
use proptest::prelude::*;

/// Shapes around every edge that the kernels have: row blocks of 4, panels of 8, shared heads, one layer.
fn shapes() -> impl Strategy<Value = EncoderShape> {
    (1..=4_usize, 1..=3_usize, 1..=3_usize, 1..=3_usize, 1..=4_usize, 1..=21_usize, 10.0..20_000.0_f32)
        .prop_map(|(kv_heads, group, width, layers, hidden, max_len, rope_theta)| EncoderShape {
            items: 30,
            dim: kv_heads * group * width * 8,
            layers,
            heads: kv_heads * group,
            kv_heads,
            hidden: hidden * 8,
            max_len,
            rope_theta,
            norm_eps: 1e-5,
        })
}

fn histories(items: u32, max_len: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..items, 1..=max_len)
}

fn cases() -> impl Strategy<Value = (Weights, Vec<u32>)> {
    (shapes(), any::<bool>(), any::<u64>()).prop_flat_map(|(shape, tied, seed)| {
        let weights = Weights::random(&shape, tied, seed);
        (Just(weights), histories(30, shape.max_len))
    })
}

/// The user vector and the scores of all items.
fn run(weights: &Weights, precision: Precision, history: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let model = weights.model(precision);
    let view = model.encoder().expect("an encoder");
    let mut scratch = DecoderScratch::default();
    let user = Decoder::new(&view).encode(view.embedding, history, &mut scratch).expect("encodes").to_vec();
    let mut scores = vec![0.0; weights.shape.items];
    view.output.score_all(&user, &mut scores);
    (user, scores)
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Largest difference, as a share of the length of `expected`.
fn distance(found: &[f32], expected: &[f64]) -> f64 {
    let largest =
        found.iter().zip(expected).fold(0.0, |largest, (&a, b)| f64::max(largest, (f64::from(a) - b).abs()));
    largest / norm(expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn plain_weights_give_what_double_precision_gives((weights, history) in cases()) {
        let (user, scores) = run(&weights, Precision::F32, &history);
        let expected = reference::encode(&weights, &history);
        let off = distance(&user, &expected);
        prop_assert!(off < 1e-5, "the user vector is off by {off}");
        let off = distance(&scores, &reference::scores(&weights, &expected));
        prop_assert!(off < 1e-5, "the scores are off by {off}");
    }

    #[test]
    fn a_history_that_grows_gives_the_vectors_of_whole_histories(
        (weights, history) in cases(),
        steps in prop::collection::vec(1..6_usize, 1..8),
        other in histories(30, 5),
    ) {
        let model = weights.model(Precision::Int8);
        let view = model.encoder().expect("an encoder");
        let decoder = Decoder::new(&view);
        let (mut scratch, mut whole, mut memory) =
            (DecoderScratch::default(), DecoderScratch::default(), DecoderMemory::default());
        let ends = steps.iter().scan(0, |end, step| {
            *end = history.len().min(*end + step);
            Some(*end)
        });
        // What it knows of another history is forgotten, and that the same is asked again changes nothing.
        let asked = ends.map(|end| &history[..end]);
        let asked: Vec<&[u32]> =
            std::iter::once(&other[..]).chain(asked).chain([&history[..], &history[..], &other[..]]).collect();
        for history in asked {
            let found = decoder.encode_more(view.embedding, history, &mut memory, &mut scratch);
            let expected = decoder.encode(view.embedding, history, &mut whole);
            prop_assert_eq!(found.expect("encodes"), expected.expect("encodes"));
            let newest = history.len().saturating_sub(weights.shape.max_len);
            prop_assert_eq!(memory.items(), &history[newest..]);
        }
    }

    #[test]
    fn int8_weights_give_what_double_precision_gives_for_them((weights, history) in cases()) {
        let (user, scores) = run(&weights, Precision::Int8, &history);
        // Of the rounded weights: how far rounding moves a vector has no bound over all weights.
        let rounded = rounded(&weights);
        let expected = reference::encode(&rounded, &history);
        let off = distance(&user, &expected);
        prop_assert!(off < 1e-4, "the user vector is off by {off}");
        let off = distance(&scores, &reference::scores(&rounded, &expected));
        prop_assert!(off < 1e-4, "the scores are off by {off}");
    }
}

/// The weights as int8 storage gives them back.
fn rounded(weights: &Weights) -> Weights {
    let mut weights = weights.clone();
    let shape = weights.shape.clone();
    round(&mut weights.embedding, shape.dim);
    if let Some(output) = &mut weights.output {
        round(output, shape.dim);
    }
    for layer in &mut weights.layers {
        for (projection, matrix) in Projection::ALL.into_iter().zip(&mut layer.projections) {
            round(matrix, projection.size(&shape)[1]);
        }
    }
    weights
}

fn round(rows: &mut [f32], width: usize) {
    let (codes, scales) = quantise_rows(rows, width);
    for (at, weight) in rows.iter_mut().enumerate() {
        let back = f32::from(codes[at]) * scales[at / width];
        assert!((*weight - back).abs() <= scales[at / width] * 0.5001, "{weight} came back as {back}");
        *weight = back;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn int8_loses_nothing_but_its_rounding((weights, history) in cases()) {
        let (user, scores) = run(&weights, Precision::Int8, &history);
        let weights = rounded(&weights);
        prop_assert_eq!(&user, &run(&weights, Precision::F32, &history).0);
        let expected = reference::encode(&weights, &history);
        let off = distance(&scores, &reference::scores(&weights, &expected));
        prop_assert!(off < 5e-5, "the scores are off by {off}");
    }

    #[test]
    fn what_the_scratch_saw_before_changes_nothing((weights, history) in cases(), other in histories(30, 21)) {
        let model = weights.model(Precision::F32);
        let view = model.encoder().expect("an encoder");
        let decoder = Decoder::new(&view);
        let mut scratch = DecoderScratch::default();
        let fresh = decoder.encode(view.embedding, &history, &mut scratch).expect("encodes").to_vec();
        let mut used = DecoderScratch::default();
        decoder.encode(view.embedding, &other, &mut used).expect("encodes");
        prop_assert_eq!(decoder.encode(view.embedding, &history, &mut used).expect("encodes"), fresh);
    }

    #[test]
    fn of_a_long_history_the_newest_items_count((weights, history) in cases(), older in histories(30, 30)) {
        let mut history = history;
        history.resize(weights.shape.max_len, 3);
        let newest = run(&weights, Precision::F32, &history);
        let long = [older, history].concat();
        prop_assert_eq!(run(&weights, Precision::F32, &long), newest);
    }

    #[test]
    fn some_scores_are_those_of_all((weights, history) in cases(), asked in histories(30, 40)) {
        for precision in [Precision::F32, Precision::Int8] {
            let (user, all) = run(&weights, precision, &history);
            let model = weights.model(precision);
            let mut some = vec![7.0];
            model.encoder().expect("an encoder").output.score_some(&user, &asked, &mut some);
            let expected: Vec<f32> = asked.iter().map(|&item| all[item as usize]).collect();
            prop_assert_eq!(some, expected);
        }
    }
}

#[test]
fn a_history_without_a_vector_is_an_error() {
    let weights = Weights::random(&small_shape(), true, 5);
    let model = weights.model(Precision::F32);
    let view = model.encoder().expect("an encoder");
    let (decoder, mut scratch) = (Decoder::new(&view), DecoderScratch::default());
    let mut encode =
        |history: &[u32]| decoder.encode(view.embedding, history, &mut scratch).map(<[f32]>::len);
    assert_eq!(encode(&[]), Err(EncodeError::Empty));
    assert_eq!(encode(&[0, 40, 1]), Err(EncodeError::UnknownItem { item: 40, items: 40 }));
    assert_eq!(encode(&[39]), Ok(16));
}

#[test]
fn weights_out_of_scale_are_an_error_and_spoil_nothing() {
    let mut weights = Weights::random(&small_shape(), true, 6);
    // The first item overflows, the others do not.
    weights.embedding[..16].fill(3.0e38);
    let model = weights.model(Precision::F32);
    let view = model.encoder().expect("an encoder");
    let (decoder, mut scratch) = (Decoder::new(&view), DecoderScratch::default());
    let sound = decoder.encode(view.embedding, &[1, 2], &mut scratch).map(<[f32]>::to_vec);
    assert!(sound.is_ok());
    let broken = decoder.encode(view.embedding, &[1, 0], &mut scratch).map(<[f32]>::to_vec);
    assert_eq!(broken, Err(EncodeError::NotFinite));
    assert_eq!(decoder.encode(view.embedding, &[1, 2], &mut scratch).map(<[f32]>::to_vec), sound);
}

#[test]
fn the_best_items_are_those_with_the_best_scores() {
    // More than one tile, the last of them cut.
    let shape = EncoderShape { items: 2_500, ..small_shape() };
    let weights = Weights::random(&shape, true, 5);
    for precision in [Precision::F32, Precision::Int8] {
        let (user, scores) = run(&weights, precision, &[3, 1, 2_499]);
        let mut expected: Vec<(f32, u32)> = scores.into_iter().zip(0..).collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let model = weights.model(precision);
        let view = model.encoder().expect("an encoder");
        let mut top = TopN::default();
        top.reset(200);
        view.output.offer_all(&user, &mut top);
        assert_eq!(top.finish(), &expected[..200], "{precision:?}");
    }
}

#[test]
fn an_item_whose_score_is_infinite_is_not_offered() {
    let weights = Weights::random(&small_shape(), true, 6);
    let model = weights.model(Precision::F32);
    let view = model.encoder().expect("an encoder");
    let mut top = TopN::default();
    top.reset(10);
    view.output.offer_all(&vec![f32::MAX; small_shape().dim], &mut top);
    assert!(top.finish().iter().all(|(score, _)| score.is_finite()));
}
