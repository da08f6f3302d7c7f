//! The second level over item vectors: what a search of some cells finds, and which sections are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
mod encoder_support;

use common::Shop;
use encoder_support::{Weights, small_shape};
use endcap_core::AlignedBytes;
use endcap_core::encoder::{CellScratch, Precision};
use endcap_core::format::{
    CellParameters, FormatError, Manifest, Model, Verify, encode_cells, section, write_model,
};
use endcap_core::inference::SequenceEncoder;
use endcap_core::topn::TopN;
use proptest::prelude::*;

/// A model whose encoder's items are in these cells, of which so many are searched.
fn open(centres: &[f32], cells: &[Vec<u32>], asked: Option<u32>) -> Result<Model, FormatError> {
    let weights = Weights::random(&small_shape(), true, 3);
    let shop = Shop::new(small_shape().items, vec![vec![0]], 10);
    let mut bodies = shop.bodies();
    bodies.push((section::ENCODER_WEIGHTS, weights.body(Precision::Int8)));
    let alone = weights.model(Precision::Int8);
    let table = alone.encoder().expect("an encoder").output;
    bodies.push((section::ENCODER_CELLS, encode_cells(centres, cells, table)));
    let mut manifest: Manifest = shop.manifest();
    manifest.parameters.encoder = Some(weights.shape);
    manifest.parameters.cells = asked.map(|asked| CellParameters { asked, recall: 0.5 });
    Model::open(AlignedBytes::copy_from(&write_model(manifest, &bodies).expect("writes")), Verify::Full)
}

/// Every item in the cell that is drawn for it, and vectors that tell cells apart.
fn cells() -> impl Strategy<Value = (Vec<f32>, Vec<Vec<u32>>)> {
    let shape = small_shape();
    (1..=9_usize).prop_flat_map(move |count| {
        let vectors = prop::collection::vec(-1.0..1.0_f32, count * shape.dim);
        (vectors, prop::collection::vec(0..count, shape.items)).prop_map(move |(vectors, of_items)| {
            let mut cells = vec![Vec::new(); count];
            (0..).zip(of_items).for_each(|(item, cell): (u32, usize)| cells[cell].push(item));
            (vectors, cells)
        })
    })
}

proptest! {
    #[test]
    fn the_cells_of_the_largest_products_are_searched_and_scores_are_exact(
        (centres, cells) in cells(),
        asked in 1..=9_u32,
        history in prop::collection::vec(0..small_shape().items as u32, 1..8),
    ) {
        let model = open(&centres, &cells, Some(asked)).unwrap();
        let weights = model.encoder().unwrap();
        let mut encoder = SequenceEncoder::builtin(&weights);
        let user = encoder.user_vector(&weights, &history).unwrap().to_vec();
        let mut order: Vec<(f32, usize)> = centres
            .chunks_exact(weights.shape.dim)
            .map(|centre| centre.iter().zip(&user).map(|(a, b)| a * b).sum())
            .zip(0..)
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut scores = vec![0.0; weights.output.items()];
        weights.output.score_all(&user, &mut scores);
        let searched = order.iter().take(asked as usize).flat_map(|&(_, cell)| &cells[cell]);
        let mut expected: Vec<(f32, u32)> = searched.map(|&item| (scores[item as usize], item)).collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        match encoder.propose(&weights, &history) {
            Ok(found) => prop_assert_eq!(found, &*expected),
            Err(_) => prop_assert!(expected.is_empty(), "only empty cells give nothing"),
        }
        // With all of them it is the search of everything.
        let all = weights.cells.unwrap().asking(cells.len());
        let (mut near, mut exact) = (TopN::default(), TopN::default());
        near.reset(10);
        exact.reset(10);
        all.offer_near(&user, &mut CellScratch::default(), &mut near);
        weights.output.offer_all(&user, &mut exact);
        prop_assert_eq!(near.finish(), exact.finish());
    }
}

#[test]
fn cells_that_contradict_the_encoder_are_refused() {
    let refusal = |centres: &[f32], cells: &[Vec<u32>], asked| {
        open(centres, cells, asked).map(|_| ()).expect_err("must be refused").to_string()
    };
    let centres = vec![0.5; 2 * small_shape().dim];
    let items = small_shape().items as u32;
    let halves = [(0..20).collect(), (20..items).collect::<Vec<u32>>()];
    assert!(open(&centres, &halves, Some(1)).is_ok());
    let section = "section `endcap.encoder.cells`: ";
    let alone = "section `endcap.manifest`: there are cells without an encoder or without their parameters";
    assert_eq!(refusal(&centres, &halves, None), alone);
    assert_eq!(refusal(&centres, &halves, Some(0)), "section `endcap.manifest`: cells.asked is 0");
    let lost = format!("{section}an item is in no cell or in two, or does not exist");
    for wrong in [
        [(1..21).collect(), (20..items).collect::<Vec<u32>>()],
        [(0..20).collect(), (20..items - 1).chain([3]).collect()],
    ] {
        assert_eq!(refusal(&centres, &wrong, Some(1)), lost);
    }
    let short = [(0..20).collect(), (20..items - 1).collect()];
    let size = format!("{section}weights or scales are not as many as the shape asks for");
    assert_eq!(refusal(&centres, &short, Some(1)), size);
    let shape = format!("{section}cells do not ascend from 0 to the number of items, one vector a cell");
    assert_eq!(refusal(&centres[1..], &halves, Some(1)), shape);
    let mut bad = centres;
    bad[3] = f32::NAN;
    assert_eq!(refusal(&bad, &halves, Some(1)), format!("{section}the vector of a cell is not finite"));
}
