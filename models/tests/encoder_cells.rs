//! Cells over the item vectors of a large catalogue, from packing to serving.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use endcap_core::encoder::EncoderShape;
use endcap_core::format::{ItemRecord, section};
use endcap_core::inference::SequenceEncoder;
use endcap_core::topn::TopN;
use endcap_models::encoder::{EncoderForms, Weights};
use endcap_models::train::{LogBuilder, Options, Trained, train};

const VISITS: usize = 400;

/// A catalogue of so many items, of which few were ever seen, with an encoder.
fn trained(items: usize) -> Trained {
    let mut log = LogBuilder::new();
    for visit in 0..VISITS {
        for at in 0..4 {
            let (session, item) = (format!("s{visit}"), format!("i{}", (visit * 7 + at * 13) % 500));
            log.push(None, Some(&session), &item, (visit * 3600 + at * 10) as i64 * 1_000_000, 1.0).unwrap();
        }
    }
    let describe = |id: &str| ItemRecord { id: id.to_owned(), ..ItemRecord::default() };
    let log = log.finish(describe, (500..items).map(|item| format!("i{item}"))).unwrap();
    let mut trained = train(&log, &Options::default(), &mut |_| {}).unwrap();
    let shape = EncoderShape {
        items,
        dim: 16,
        layers: 1,
        heads: 1,
        kv_heads: 1,
        hidden: 16,
        max_len: 20,
        rope_theta: 10_000.0,
        norm_eps: 1e-6,
    };
    trained.add_encoder(&Weights::random(&shape, 3), 1.0, &EncoderForms::default()).unwrap();
    trained
}

#[test]
fn the_best_of_a_large_catalogue_are_found_by_a_search_of_few_items() {
    let trained = trained(100_000);
    let search = trained.manifest.parameters.cells.clone().expect("it is large enough");
    assert!((0.97..=1.0).contains(&search.recall), "{search:?}");
    let model = trained.open().unwrap();
    let weights = model.encoder().unwrap();
    let cells = weights.cells.expect("cells");
    assert_eq!(cells.len(), 1264, "four times the root of the number of items");
    assert!(cells.asked() * 4 < cells.len(), "{} of {} cells", cells.asked(), cells.len());
    let mut encoder = SequenceEncoder::builtin(&weights);
    let (mut found, mut wanted, mut top) = (0, 0, TopN::default());
    for first in 0..200 {
        // Other histories than those that the search was measured by.
        let history = [first, (first * 31 + 7) % 500, (first * 17 + 3) % 500];
        let user = encoder.user_vector(&weights, &history).unwrap().to_vec();
        top.reset(10);
        weights.output.offer_all(&user, &mut top);
        let near = encoder.propose(&weights, &history).unwrap();
        found += top.finish().iter().filter(|best| near.contains(best)).count();
        wanted += 10;
    }
    assert!(found * 100 > wanted * 93, "{found} of {wanted}");
}

#[test]
fn a_smaller_catalogue_is_searched_as_a_whole() {
    let trained = trained(99_999);
    assert_eq!(trained.manifest.parameters.cells, None);
    assert!(trained.bodies.iter().all(|(name, _)| *name != section::ENCODER_CELLS));
}
