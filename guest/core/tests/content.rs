//! Items without enough events: the section that says what reads like them, and how they get into a list.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{ContentRow, FormatError, Model, Verify, encode_content, section, write_model};
use endcap_core::recommend::{Engine, Recommendation, Request, Scratch, Source, Strategy};
use proptest::prelude::*;

/// The golden shop, whose items 3, 10 and 11 stand for new ones.
fn with_rows(rows: &[ContentRow], weight: f32) -> Result<Model, FormatError> {
    let shop = Shop::golden();
    let mut manifest = shop.manifest();
    manifest.parameters.blend.content = weight;
    let mut bodies = shop.bodies();
    bodies.push((section::CONTENT, encode_content(rows)));
    Model::open(AlignedBytes::copy_from(&write_model(manifest, &bodies).expect("writes")), Verify::Full)
}

fn answer(model: &Model, request: &Request<'_>) -> Vec<Recommendation> {
    let mut out = Vec::new();
    Engine::new(model).recommend(request, &mut Scratch::default(), &mut out);
    out
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |rows: &[ContentRow]| with_rows(rows, 1.0).expect_err("must be refused").to_string();
    assert!(refused(&[(12, vec![(1, 0.5)])]).contains("does not exist"));
    assert!(refused(&[(3, vec![(12, 0.5)])]).contains("does not exist"));
    assert!(refused(&[(3, vec![(1, 0.5)]), (3, vec![(2, 0.5)])]).contains("do not rise"));
    for similarity in [0.0, -0.5, 1.5, f32::NAN, f32::INFINITY] {
        assert!(refused(&[(3, vec![(1, similarity)])]).contains("outside (0, 1]"), "{similarity}");
    }
}

#[test]
fn a_new_item_is_listed_beside_what_reads_like_it() {
    // Sessions know nothing of 9 that 5 has had; 6 goes with 5, and 11 reads like 6.
    let model = with_rows(&[(11, vec![(6, 1.0), (10, 0.25)])], 1.0).expect("opens");
    let request = Request { n: 12, history: &[5], fallback: false, ..Request::default() };
    let found = answer(&model, &request);
    let place = |item| found.iter().position(|found| found.item == item);
    let new = place(11).expect("the new item is listed");
    assert_eq!(found[new].source, Source::Content);
    assert!(place(6).expect("its neighbour") < new, "less surely than what it reads like: {found:?}");
    // A list of its own source has nothing of it, nor does a weight of 0, and what is excluded stays so.
    for request in [Request { strategy: Strategy::Session, ..request }, Request { exclude: &[11], ..request }]
    {
        assert!(answer(&model, &request).iter().all(|found| found.item != 11));
    }
    let silent = with_rows(&[(11, vec![(6, 1.0)])], 0.0).expect("opens");
    assert!(answer(&silent, &request).iter().all(|found| found.item != 11));
}

#[test]
fn where_nothing_goes_together_yet_neighbours_are_what_reads_alike() {
    let mut shop = Shop::golden();
    shop = Shop::new(13, shop.sessions, 1502);
    let mut bodies = shop.bodies();
    bodies.push((section::CONTENT, encode_content(&[(11, vec![(2, 0.5)]), (12, vec![(6, 0.5), (4, 0.25)])])));
    let file = write_model(shop.manifest(), &bodies).expect("writes");
    let model = Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens");
    let near = |item| Engine::new(&model).neighbors(item, &mut Scratch::default());
    assert_eq!(near(12), [(6, 0.5), (4, 0.25)]);
    assert_eq!(near(11)[0].0, 0, "sessions know better");
}

#[test]
fn a_new_item_is_found_beside_what_it_reads_like() {
    let mut shop = Shop::golden();
    shop = Shop::new(14, shop.sessions, 1502);
    let mut bodies = shop.bodies();
    let rows = [(12, vec![(0, 1.0), (1, 0.5)]), (13, vec![(3, 0.001)])];
    bodies.push((section::CONTENT, encode_content(&rows)));
    let file = write_model(shop.manifest(), &bodies).expect("writes");
    let model = Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens");
    let mut scratch = Scratch::default();
    let mut near = |item| Engine::new(&model).neighbors(item, &mut scratch);
    for item in 0..14 {
        let (row, found) = (model.together().row(item), near(item));
        assert!(found.is_sorted_by(|a, b| a.1 >= b.1), "{found:?}");
        let known: Vec<_> = found.iter().copied().filter(|(other, _)| *other < 12).collect();
        let row: Vec<_> = row.0.iter().copied().zip(row.1.iter().copied()).collect();
        if !row.is_empty() {
            assert_eq!(known, row, "of {item}");
        }
    }
    let (_, score) = *near(0).iter().find(|(other, _)| *other == 12).expect("reads like 0");
    let (items, similarities) = model.together().row(0);
    let of_1 = items.iter().position(|&other| other == 1).map(|at| similarities[at]).expect("is listed");
    assert!((score - 0.5f32.mul_add(of_1, similarities[0]) / 2.5).abs() < 1e-6, "{score}");
    assert!((0..12).all(|item| near(item).iter().all(|(other, _)| *other != 13)), "too faint");
}

proptest! {
    #[test]
    fn rows_come_back_and_no_item_is_listed_twice(
        rows in proptest::collection::btree_map(
            0_u32..12,
            proptest::collection::vec((0_u32..12, 0.001_f32..=1.0), 0..6),
            0..12,
        ),
        history in proptest::collection::vec(0_u32..12, 1..8),
        earlier in 0_usize..8,
        repeat in any::<bool>(),
    ) {
        let rows: Vec<ContentRow> = rows.into_iter().collect();
        let model = with_rows(&rows, 0.7).expect("opens");
        let read = model.content().expect("a section");
        prop_assert_eq!(read.len(), rows.len());
        for (item, row) in &rows {
            let (near, similarities) = read.row(*item);
            prop_assert!(near.iter().copied().zip(similarities.iter().copied()).eq(row.iter().copied()));
        }
        let earlier = earlier.min(history.len());
        let found = answer(&model, &Request { n: 12, history: &history, earlier, repeat, ..Request::default() });
        let mut items: Vec<u32> = found.iter().map(|found| found.item).collect();
        items.sort_unstable();
        items.dedup();
        prop_assert_eq!(items.len(), found.len(), "{:?}", found);
        prop_assert!(found.is_sorted_by(|a, b| a.score >= b.score));
        let near = Engine::new(&model).neighbors(history[0], &mut Scratch::default());
        let best = model.together().row(history[0]).1.first().copied().unwrap_or(1.0);
        prop_assert!(near.iter().all(|(_, score)| *score > 0.0 && *score <= best), "{:?}", near);
    }
}
