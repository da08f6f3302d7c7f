//! Session kNN against its methods as they are stated: maps, full sorts, no index tricks.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::HashMap;

use common::Shop;
use endcap_core::format::{KnnMatching, KnnParameters};
use endcap_core::knn::{KnnScratch, Scores, vote};
use proptest::prelude::*;

/// VMIS-kNN by the book, in f64.
fn reference(shop: &Shop, session: &[u32], params: &KnnParameters) -> HashMap<u32, f64> {
    let window = &session[session.len().saturating_sub(params.last_items as usize)..];
    let mut distinct: Vec<u32> = window.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let age = |item: u32| window.iter().rev().position(|&other| other == item);
    let mut sample: Vec<(usize, f64)> = Vec::new();
    for (number, items) in shop.sessions.iter().enumerate().rev() {
        // Summed in integers: equal similarities must be equal, or a tie is broken by rounding and not by time.
        let shared = distinct.iter().filter(|&item| items.contains(item));
        let sum: usize = shared.filter_map(|&item| Some(window.len() - age(item)?)).sum();
        let similarity = sum as f64 / distinct.len() as f64;
        if similarity > 0.0 && sample.len() < params.sample as usize {
            sample.push((number, similarity));
        }
    }
    // Stable: ties stay most recent first.
    sample.sort_by(|a, b| b.1.total_cmp(&a.1));
    sample.truncate(params.neighbors as usize);
    let mut scores = HashMap::new();
    for (number, similarity) in sample {
        let items = &shop.sessions[number];
        let newest = window.iter().rev().position(|item| items.contains(item)).expect("shares an item");
        let weight = (1.0 - f64::from(params.match_decay) * (newest + 1) as f64).max(0.0) * similarity;
        for &item in items {
            *scores.entry(item).or_insert(0.0) += weight * f64::from(shop.idf[item as usize]);
        }
    }
    scores
}

fn fast(shop: &Shop, session: &[u32], params: &KnnParameters, scratch: &mut KnnScratch, scores: &mut Scores) {
    scores.reset(shop.items);
    vote(shop.index(), session, 0, params, scratch, scores);
    scores.scale(shop.idf.as_slice());
}

/// Whole histories, in f64: the votes for items that the visit has not yet.
fn whole_reference(
    shop: &Shop,
    history: &[u32],
    earlier: usize,
    params: &KnnParameters,
) -> HashMap<u32, f64> {
    let from = history.len().saturating_sub(50);
    let mut distinct: Vec<u32> = history[from..].to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    // Of each item only so many sessions are in its list.
    let listed = |item: u32, number: usize| {
        let later = shop.sessions[number + 1..].iter().filter(|items| items.contains(&item)).count();
        shop.sessions[number].contains(&item) && later < params.sample as usize
    };
    let mut nearest: Vec<(usize, f64)> = Vec::new();
    for (number, items) in shop.sessions.iter().enumerate().rev() {
        let shared = distinct.iter().filter(|&&item| listed(item, number));
        let weight = |item: u32| {
            let age =
                history.iter().rev().position(|&other| other == item).expect("it is of the history") as f64;
            f64::from(shop.idf[item as usize]).powi(2) / (1.0 + f64::from(params.match_decay) * age)
        };
        let sum: f64 = shared.map(|&item| weight(item)).sum();
        if sum > 0.0 {
            nearest.push((number, sum / (items.len() as f64).sqrt()));
        }
    }
    nearest.sort_by(|a, b| b.1.total_cmp(&a.1));
    nearest.truncate(params.neighbors as usize);
    let best = nearest.first().map_or(1.0, |(_, similarity)| *similarity);
    let mut scores = HashMap::new();
    for (number, similarity) in nearest {
        for &item in &shop.sessions[number] {
            if !history[earlier.max(from)..].contains(&item) {
                *scores.entry(item).or_insert(0.0) +=
                    (similarity / best).powi(3) * f64::from(shop.idf[item as usize]);
            }
        }
    }
    scores
}

#[test]
fn a_whole_history_finds_the_basket_that_shares_most_of_it() {
    let whole = KnnParameters { matching: KnnMatching::Whole, neighbors: 1, ..KnnParameters::default() };
    // The older basket shares three of four items, the newer one the last alone.
    let shop = Shop::new(8, vec![vec![0, 1, 2, 5], vec![3, 6], vec![4, 7]], 10);
    let mut scores = Scores::default();
    scores.reset(shop.items);
    vote(shop.index(), &[0, 1, 2, 3], 0, &whole, &mut KnnScratch::default(), &mut scores);
    assert_eq!(scores.touched(), [5], "and no vote for what the basket has already");
    scores.reset(shop.items);
    vote(shop.index(), &[0, 1, 2, 3], 2, &whole, &mut KnnScratch::default(), &mut scores);
    let mut found = scores.touched().to_vec();
    found.sort_unstable();
    assert_eq!(found, [0, 1, 5], "items of earlier visits may come again");
}

#[test]
fn a_session_of_unknown_company_has_no_votes() {
    let shop = Shop::new(3, vec![vec![0, 1]], 10);
    let mut scores = Scores::default();
    fast(&shop, &[2], &KnnParameters::default(), &mut KnnScratch::default(), &mut scores);
    assert!(scores.touched().is_empty());
    fast(&shop, &[], &KnnParameters::default(), &mut KnnScratch::default(), &mut scores);
    assert!(scores.touched().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_gives_the_papers_scores(
        sessions in proptest::collection::vec(proptest::collection::btree_set(0_u32..25, 1..9), 1..60),
        running in proptest::collection::vec(0_u32..25, 1..14),
        sample in 1_u32..40,
        neighbors in 1_u32..30,
        last_items in 1_u32..=10,
        match_decay in 0.0_f32..0.2,
    ) {
        let sessions: Vec<Vec<u32>> = sessions.into_iter().map(|set| set.into_iter().collect()).collect();
        let shop = Shop::new(25, sessions, sample as usize);
        let params = KnnParameters { sample, neighbors, last_items, match_decay, ..KnnParameters::default() };
        let (mut scratch, mut scores) = (KnnScratch::default(), Scores::default());
        // Twice with one scratch: nothing may be left over from the first.
        fast(&shop, &[0, 1, 2], &params, &mut scratch, &mut scores);
        fast(&shop, &running, &params, &mut scratch, &mut scores);
        let expected = reference(&shop, &running, &params);
        for item in 0..25 {
            let want = expected.get(&item).copied().unwrap_or(0.0);
            let got = f64::from(scores.get(item));
            prop_assert!((want - got).abs() <= 1e-4 * want.max(1.0), "item {}: {} but the paper says {}", item, got, want);
        }
    }

    #[test]
    fn whole_histories_are_matched_as_stated(
        sessions in proptest::collection::vec(proptest::collection::btree_set(0_u32..25, 1..9), 1..60),
        history in proptest::collection::vec(0_u32..25, 0..60),
        earlier in 0_usize..60,
        sample in 1_u32..40,
        match_decay in 0.0_f32..0.5,
    ) {
        let sessions: Vec<Vec<u32>> = sessions.into_iter().map(|set| set.into_iter().collect()).collect();
        let shop = Shop::new(25, sessions, sample as usize);
        // All of them: which of two equals in exact numbers comes first, rounding decides.
        let params = KnnParameters {
            matching: KnnMatching::Whole, sample, neighbors: 1_000, match_decay, ..KnnParameters::default()
        };
        let earlier = earlier.min(history.len());
        let (mut scratch, mut scores) = (KnnScratch::default(), Scores::default());
        fast(&shop, &[0, 1, 2], &params, &mut scratch, &mut scores);
        scores.reset(shop.items);
        vote(shop.index(), &history, earlier, &params, &mut scratch, &mut scores);
        scores.scale(shop.idf.as_slice());
        let expected = whole_reference(&shop, &history, earlier, &params);
        prop_assert_eq!(scores.touched().len(), expected.len());
        for item in 0..25 {
            let want = expected.get(&item).copied().unwrap_or(0.0);
            let got = f64::from(scores.get(item));
            prop_assert!((want - got).abs() <= 1e-4 * want.max(1.0), "item {}: {} instead of {}", item, got, want);
        }
    }
}
