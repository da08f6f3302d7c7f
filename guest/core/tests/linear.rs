//! The linear model: its section in the file, and its sums against naive ones.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{
    ArraysBuilder, Blend, FormatError, LinearParameters, Model, Verify, encode_linear, section, write_model,
};
use endcap_core::knn::Scores;
use endcap_core::linear::{LinearScratch, accumulate};
use endcap_core::recommend::{Engine, Recommendation, Request, Scratch, Source, Strategy as Kind};
use proptest::prelude::*;

/// (item, weight) by rising item.
type Row = Vec<(u32, f32)>;

/// Opens a shop of `items` items with `body` as its linear section.
fn open(items: usize, parameters: Option<LinearParameters>, body: Vec<u8>) -> Result<Model, FormatError> {
    let shop = Shop::new(items, vec![vec![0, 1]], 10);
    let mut manifest = shop.manifest();
    manifest.parameters.linear = parameters;
    manifest.parameters.blend = Blend { linear: 2.0, ..Blend::default() };
    let mut bodies = shop.bodies();
    bodies.push((section::LINEAR, body));
    let file = write_model(manifest, &bodies).expect("writes");
    Model::open(AlignedBytes::copy_from(&file), Verify::Full)
}

fn model(rows: &[Row], parameters: LinearParameters) -> Model {
    open(rows.len(), Some(parameters), encode_linear(rows)).expect("opens")
}

fn default() -> LinearParameters {
    LinearParameters::default()
}

/// Twelve items: a speaks for b more than for c, and against d.
fn small() -> Vec<Row> {
    let mut rows = vec![Row::new(); 12];
    rows[0] = vec![(1, 0.5), (2, 0.25), (3, -0.5)];
    rows[4] = vec![(2, 0.3), (3, 0.6), (11, 0.1)];
    rows
}

fn answer(model: &Model, request: &Request<'_>) -> Vec<Recommendation> {
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    Engine::new(model).recommend(request, &mut scratch, &mut out);
    out
}

#[test]
fn a_history_is_summed_with_both_signs() {
    let request = Request { strategy: Kind::Linear, history: &[4, 0], fallback: false, ..Request::default() };
    let found = answer(&model(&small(), default()), &request);
    let items: Vec<u32> = found.iter().map(|found| found.item).collect();
    assert_eq!(items, [2, 1, 3, 11], "0.55, 0.5, 0.6 - 0.5, 0.1");
    assert!(found.iter().all(|found| found.source == Source::Linear));
    assert_eq!(found[0].score, 1.0);
}

#[test]
fn older_items_count_less() {
    let decayed = LinearParameters { position_decay: 0.1, ..default() };
    let request = Request { strategy: Kind::Linear, history: &[4, 0], fallback: false, ..Request::default() };
    let items = |found: Vec<Recommendation>| found.iter().map(|found| found.item).collect::<Vec<_>>();
    assert_eq!(items(answer(&model(&small(), decayed), &request)), [1, 2, 11], "3: 0.06 - 0.5");
    let newest = LinearParameters { history: 1, ..default() };
    assert_eq!(items(answer(&model(&small(), newest), &request)), [1, 2]);
}

#[test]
fn it_is_part_of_the_personal_list_where_the_file_has_it() {
    let request = Request { history: &[4], n: 3, ..Request::default() };
    let found = answer(&model(&small(), default()), &request);
    assert_eq!((found[0].item, found[0].source), (3, Source::Linear));
    let without = Model::open(AlignedBytes::copy_from(&Shop::golden().file()), Verify::Full).expect("opens");
    assert!(without.linear().is_none());
    assert!(answer(&without, &request).iter().all(|found| found.source != Source::Linear));
    // Asked for by name where there is none: filled up, as every strategy that finds nothing.
    let asked = answer(&without, &Request { strategy: Kind::Linear, ..request });
    assert!(asked.len() == 3 && asked.iter().all(|found| found.source != Source::Linear));
}

#[test]
fn weights_keep_their_sign_and_two_digits() {
    let model = model(&small(), default());
    let (rows, _) = model.linear().expect("a linear model");
    assert_eq!(rows.pairs(), 6);
    let read: Row = rows.row(0).entries().collect();
    for (read, written) in read.iter().zip(&small()[0]) {
        assert_eq!(read.0, written.0);
        assert!((read.1 - written.1).abs() <= 0.5 / 254.0, "{read:?} was {written:?}");
    }
    assert_eq!(rows.row(1).entries().count(), 0);
}

#[test]
fn more_than_65536_items_are_named_in_32_bits() {
    let items = 70_000;
    let mut rows = vec![Row::new(); items];
    rows[69_999] = vec![(3, 0.5), (69_998, 1.0)];
    let model = model(&rows, default());
    let found =
        answer(&model, &Request { strategy: Kind::Linear, history: &[69_999], n: 2, ..Request::default() });
    assert_eq!(found.iter().map(|found| found.item).collect::<Vec<_>>(), [69_998, 3]);
}

#[test]
fn contradicting_arrays_are_refused() {
    type Change = fn(&mut Vec<u32>, &mut Vec<u16>, &mut Vec<i8>, &mut Vec<f32>);
    let check = |change: Change, words: &str| {
        let (mut offsets, mut items) = (vec![0, 2, 3], vec![0_u16, 1, 0]);
        let (mut codes, mut scales) = (vec![1_i8, -2, 3], vec![1.0, 0.5]);
        change(&mut offsets, &mut items, &mut codes, &mut scales);
        let body = ArraysBuilder::new()
            .with("li.off", &offsets)
            .with("li.item", &items)
            .with("li.code", &codes)
            .with("li.scale", &scales)
            .finish();
        let error = open(2, Some(default()), body).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            error.contains(words) && error.contains("endcap.linear") | words.is_empty(),
            "{words}: {error}"
        );
    };
    check(|_, _, _, _| {}, "");
    check(|offsets, _, _, _| offsets[1] = 4, "offsets");
    check(|offsets, _, _, _| offsets.truncate(2), "offsets");
    check(|_, items, _, _| items[1] = 2, "does not exist");
    check(|_, items, _, _| items[1] = 0, "do not rise");
    check(|_, _, codes, _| codes.truncate(2), "codes");
    for wrong in [f32::NAN, f32::INFINITY, -1.0, 1e7, 1e-30] {
        let body = ArraysBuilder::new()
            .with("li.off", &[0_u32, 0, 0])
            .with::<u16>("li.item", &[])
            .with::<i8>("li.code", &[])
            .with("li.scale", &[wrong, 0.0])
            .finish();
        let error = open(2, Some(default()), body).expect_err("a scale").to_string();
        assert!(error.contains("scales"), "{wrong}: {error}");
    }
    check(|_, _, _, scales| scales.truncate(1), "scales");
}

#[test]
fn the_manifest_and_the_section_belong_together() {
    let error = open(12, None, encode_linear(&small())).expect_err("no parameters").to_string();
    assert!(error.contains("linear model without its parameters"), "{error}");
    let missing = ArraysBuilder::new().with("li.off", &[0_u32; 13]).finish();
    let error = open(12, Some(default()), missing).expect_err("no arrays").to_string();
    assert!(error.contains("`li.item` is missing"), "{error}");
    let error = open(3, Some(default()), encode_linear(&small())).expect_err("other items").to_string();
    assert!(error.contains("one row per item"), "{error}");
    // What was written without the section, with or without parameters, opens.
    let shop = Shop::golden();
    let mut manifest = shop.manifest();
    manifest.parameters.linear = Some(default());
    let file = write_model(manifest, &shop.bodies()).expect("writes");
    assert!(Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens").linear().is_none());
}

#[test]
fn parameters_out_of_range_are_named() {
    type Change = fn(&mut LinearParameters);
    let cases: [(Change, &str); 10] = [
        (|p| p.lambda = 0.0, "lambda"),
        (|p| p.lambda = f32::NAN, "lambda"),
        (|p| p.lambda = -1.0, "lambda"),
        (|p| p.dropout = 1.0, "dropout"),
        (|p| p.half_life_days = -1.0, "half_life"),
        (|p| p.regressors = 0, "regressors"),
        (|p| p.neighbors = 0, "neighbors"),
        (|p| p.history = 51, "history"),
        (|p| p.position_decay = 0.0, "position_decay"),
        (|p| p.position_decay = f32::NAN, "position_decay"),
    ];
    for (change, word) in cases {
        let mut parameters = default();
        change(&mut parameters);
        assert!(parameters.check().expect_err("out of range").contains(word), "{word}");
    }
    let lambda = LinearParameters { lambda: -1.0, ..default() };
    let error = open(12, Some(lambda), encode_linear(&small())).expect_err("out of range");
    assert!(error.to_string().contains("linear.lambda"), "{error}");
}

/// Rows of at most `longest` weights over `items` items.
fn rows(items: u32, longest: usize) -> impl Strategy<Value = Vec<Row>> {
    let row = proptest::collection::btree_map(0..items, -2.0_f32..2.0, 0..=longest);
    proptest::collection::vec(row, items as usize)
        .prop_map(|rows| rows.into_iter().map(|row| row.into_iter().collect()).collect())
}

proptest! {
    #[test]
    fn any_rows_round_trip(rows in rows(40, 12), factor in prop_oneof![Just(1.0_f32), Just(1e-12), Just(1e5)]) {
        let rows: Vec<Row> =
            rows.into_iter().map(|row| row.into_iter().map(|(item, w)| (item, w * factor)).collect()).collect();
        let model = model(&rows, default());
        let (read, _) = model.linear().expect("a linear model");
        for (item, row) in (0..).zip(&rows) {
            let largest = row.iter().fold(0.0_f32, |largest, (_, weight)| largest.max(weight.abs()));
            let stored: Row = read.row(item).entries().collect();
            for &(other, weight) in row {
                let found = stored.iter().find(|(item, _)| *item == other).map_or(0.0, |(_, weight)| *weight);
                prop_assert!((found - weight).abs() <= largest / 250.0, "{} became {}", weight, found);
            }
        }
        prop_assert_eq!(encode_linear(&rows), encode_linear(&rows));
    }

    /// With few and many weights: sums over noted items, and over all.
    #[test]
    fn serving_equals_the_naive_sum(
        rows in prop_oneof![rows(30, 2), rows(30, 25)],
        histories in proptest::collection::vec(proptest::collection::vec(0_u32..30, 1..60), 1..4),
        decay in 0.3_f32..=1.0,
        history in 1_u32..=50,
    ) {
        let model = model(&rows, LinearParameters { position_decay: decay, history, ..default() });
        let (stored, parameters) = model.linear().expect("a linear model");
        let (mut scratch, mut scores) = (LinearScratch::default(), Scores::default());
        // One scratch for all: nothing may be left over.
        for asked in &histories {
            scores.reset(30);
            accumulate(stored, asked, parameters, &mut scratch, &mut scores);
            let newest = &asked[asked.len().saturating_sub(history as usize)..];
            let mut expected = [0.0_f64; 30];
            for (age, &item) in newest.iter().rev().enumerate() {
                if !newest[newest.len() - age..].contains(&item) {
                    for (other, weight) in stored.row(item).entries() {
                        expected[other as usize] += f64::from(weight) * f64::from(decay).powi(age as i32);
                    }
                }
            }
            for item in 0..30 {
                let want = expected[item as usize].max(0.0);
                prop_assert!((f64::from(scores.get(item)) - want).abs() < 1e-4, "item {}", item);
            }
            let mut touched = scores.touched().to_vec();
            touched.sort_unstable();
            touched.dedup();
            prop_assert_eq!(touched.len(), scores.touched().len(), "an item stands twice");
            prop_assert!(touched.iter().all(|&item| scores.get(item) > 0.0));
        }
    }
}
