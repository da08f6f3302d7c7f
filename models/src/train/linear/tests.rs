//! The trained weights against naive ones, within memory, whatever the threads, and refusals.

use proptest::prelude::*;

use super::*;
use crate::train::{Log, LogBuilder};
use endcap_core::format::{ItemRecord, LinearHistory};

/// A log of (user, session, items).
fn log(visits: &[(u32, Vec<u32>)]) -> Log {
    let mut builder = LogBuilder::new();
    for (number, (user, items)) in visits.iter().enumerate() {
        for (at, item) in items.iter().enumerate() {
            let time = (number * 1000 + at) as i64 * 1_000_000;
            let (user, session) = (user.to_string(), number.to_string());
            // Numbers in the order of ids, as far as weights are equal.
            builder.push(Some(&user), Some(&session), &format!("{item:05}"), time, 1.0).unwrap();
        }
    }
    builder.finish(|id| ItemRecord { id: id.to_owned(), ..ItemRecord::default() }, []).unwrap()
}

/// Sessions of a shop with some structure, without randomness: each is around an item of its own.
fn shop(items: u32, sessions: u32, length: u32) -> Log {
    let item = |session: u32, at: u32| {
        let spread = at * at + session.wrapping_mul(2_654_435_761) % 7;
        (session.wrapping_mul(40_503) % items + spread) % items
    };
    let visits: Vec<(u32, Vec<u32>)> =
        (0..sessions).map(|s| (s % 50, (0..length + s % 3).map(|at| item(s, at)).collect())).collect();
    log(&visits)
}

/// Without decay, so that counts are whole.
fn default() -> LinearParameters {
    LinearParameters { half_life_days: 0.0, ..LinearParameters::default() }
}

fn rows_of(log: &Log, params: &LinearParameters) -> Vec<Row> {
    train(log, params, &Limits::default(), &mut |_| {}).unwrap()
}

/// EASE by the book: Gram matrix, ridge, inverse by Gauss-Jordan, in double precision.
fn naive(log: &Log, lambda: f64, dropout: f64) -> Vec<Vec<f64>> {
    let n = log.items.len();
    let mut matrix = vec![vec![0.0; 2 * n]; n];
    for session in &log.sessions {
        let items = session.distinct();
        for &a in &items {
            for &b in &items {
                matrix[a as usize][b as usize] += 1.0;
            }
        }
    }
    for (at, row) in matrix.iter_mut().enumerate() {
        row[at] += lambda + dropout / (1.0 - dropout) * row[at];
        row[n + at] = 1.0;
    }
    for pivot in 0..n {
        let by = matrix[pivot][pivot];
        matrix[pivot].iter_mut().for_each(|value| *value /= by);
        let pivot_row = matrix[pivot].clone();
        for (at, row) in matrix.iter_mut().enumerate().filter(|(at, _)| *at != pivot) {
            let by = row[pivot];
            assert!(at < n);
            row.iter_mut().zip(&pivot_row).for_each(|(value, pivot)| *value -= by * pivot);
        }
    }
    let inverse = |a: usize, b: usize| matrix[a][n + b];
    (0..n)
        .map(|a| (0..n).map(|b| if a == b { 0.0 } else { -inverse(a, b) / inverse(b, b) }).collect())
        .collect()
}

/// Visits of users to up to 15 items.
fn visits() -> impl Strategy<Value = Vec<(u32, Vec<u32>)>> {
    let items = proptest::collection::btree_set(0_u32..15, 1..6);
    proptest::collection::vec((0_u32..5, items.prop_map(|items| items.into_iter().collect())), 2..40)
}

proptest! {
    #[test]
    fn ease_is_the_published_closed_form(visits in visits(), lambda in 0.5_f32..20.0, dropout in 0.0_f32..0.6) {
        let log = log(&visits);
        let params = LinearParameters { lambda, dropout, ..default() };
        let dense = train_dense(&log, &params, &Limits::default()).unwrap();
        let expected = naive(&log, lambda.into(), dropout.into());
        let mut sums = Vec::new();
        for (item, row) in (0..).zip(&expected) {
            dense.sum(std::iter::once((item, 2.0)), &mut sums);
            for (target, &want) in (0..).zip(row) {
                let found = f64::from(dense.weight(item, target));
                prop_assert!((found - want).abs() < 1e-4, "{}, {}: {} and not {}", item, target, found, want);
                prop_assert!((f64::from(sums[target as usize]) - 2.0 * want).abs() < 1e-3);
            }
        }
    }

    /// A regression on all other items, target by target, is EASE.
    #[test]
    fn the_local_model_on_all_items_is_ease(visits in visits(), lambda in 0.5_f32..20.0, dropout in 0.0_f32..0.6) {
        let log = log(&visits);
        let rows = rows_of(&log, &LinearParameters { lambda, dropout, ..default() });
        let expected = naive(&log, lambda.into(), dropout.into());
        // What never meets an item is none of its regressors, and has little weight in EASE; where all have met, none.
        let met_all = |item: ItemIx| {
            log.sessions.iter().filter(|s| s.distinct().contains(&item)).flat_map(crate::train::Session::distinct)
                .collect::<std::collections::HashSet<_>>().len() == log.items.len()
        };
        for (item, row) in (0..).zip(&rows) {
            for &(target, weight) in row.iter().filter(|(target, _)| met_all(*target)) {
                let want = expected[item as usize][target as usize];
                prop_assert!((f64::from(weight) - want).abs() < 1e-5, "{}, {}: {} and not {}", item, target, weight, want);
            }
        }
    }
}

#[test]
fn weights_do_not_depend_on_threads() {
    let log = shop(700, 3000, 9);
    for method in [LinearMethod::Local, LinearMethod::Dense] {
        let params = LinearParameters { method, lambda: 5.0, ..default() };
        let with =
            |threads| train(&log, &params, &Limits { threads, ..Limits::default() }, &mut |_| {}).unwrap();
        let one = with(1);
        assert!(one.iter().map(Vec::len).sum::<usize>() > 10_000, "there is something to compare");
        for threads in [2, 3, 8] {
            assert!(one == with(threads), "{method:?} with {threads} threads");
        }
    }
}

#[test]
fn rows_are_pruned_to_the_largest_weights() {
    let log = shop(100, 600, 6);
    let all = train_exact(&log, &default(), &Limits::default()).unwrap();
    let pruned = rows_of(&log, &LinearParameters { neighbors: 5, ..default() });
    for (all, pruned) in all.iter().zip(&pruned) {
        assert!(pruned.len() == all.len().min(5) && pruned.is_sorted_by_key(|(item, _)| *item));
        let least = pruned.iter().map(|(_, weight)| weight.abs()).fold(f32::INFINITY, f32::min);
        assert!(all.iter().filter(|entry| !pruned.contains(entry)).all(|(_, weight)| weight.abs() <= least));
    }
}

#[test]
fn little_memory_cuts_sums_and_not_sense() {
    let log = shop(400, 6000, 12);
    let exact = rows_of(&log, &LinearParameters { regressors: 20, ..default() });
    let params = LinearParameters { regressors: 20, ..default() };
    let mut cut = 0;
    let limits = Limits { memory: 400_000, threads: 2 };
    let rows = train(&log, &params, &limits, &mut |step| {
        if let Step::LinearPlan(plan) = step {
            assert!(plan.memory <= limits.memory, "{plan}");
            cut = plan.gram_row;
        }
    });
    let rows = rows.unwrap();
    assert!(cut < 300, "sums are cut off: rows of {cut}");
    let largest = |rows: &[Row]| rows.iter().flatten().map(|(_, weight)| weight.abs()).fold(0.0, f32::max);
    // Without the allowance for what was cut off, systems are singular and weights in the hundreds.
    assert!(largest(&rows) <= 1.5 * largest(&exact), "{} against {}", largest(&rows), largest(&exact));
}

#[test]
fn too_little_memory_says_how_much_there_should_be() {
    let log = shop(400, 3000, 8);
    let limits = Limits { memory: 10_000, threads: 1 };
    for (method, words) in
        [(LinearMethod::Local, "the linear model of 400 items"), (LinearMethod::Dense, "dense")]
    {
        let params = LinearParameters { method, ..default() };
        let error = train(&log, &params, &limits, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("--linear-memory-mb"), "{error}");
    }
}

#[test]
fn rows_are_sessions_or_users() {
    // Items 0 and 1 meet in no session, and in every user.
    let visits: Vec<(u32, Vec<u32>)> = (0..40).map(|at| (at / 2, vec![at % 2, 2 + at % 5])).collect();
    let log = log(&visits);
    let weight = |rows: LinearHistory| {
        let number = |id: &str| log.items.iter().position(|item| item.id == id).unwrap();
        let trained = rows_of(&log, &LinearParameters { rows, lambda: 1.0, ..default() });
        let target = number("00001") as ItemIx;
        trained[number("00000")].iter().find(|(item, _)| *item == target).map_or(0.0, |(_, weight)| *weight)
    };
    assert_eq!(weight(LinearHistory::Session), 0.0);
    assert!(weight(LinearHistory::User) > 0.3);
}

#[test]
fn old_events_count_less() {
    // First item 0 goes with 1, then with 2.
    let visits: Vec<(u32, Vec<u32>)> = (0..2000).map(|at| (at, vec![0, 1 + at / 1000])).collect();
    let log = log(&visits);
    let number = |id: &str| log.items.iter().position(|item| item.id == id).unwrap();
    let (first, old, new) = (number("00000"), number("00001") as ItemIx, number("00002") as ItemIx);
    let of = |half_life_days: f32| {
        let rows = rows_of(&log, &LinearParameters { half_life_days, ..default() });
        let weight = |target| rows[first].iter().find(|(item, _)| *item == target).map_or(0.0, |(_, w)| *w);
        (weight(old), weight(new))
    };
    let (old_weight, new_weight) = of(0.0);
    assert!((old_weight - new_weight).abs() < 1e-3, "{old_weight} and {new_weight}");
    let (old_weight, new_weight) = of(2.0);
    assert!(new_weight > 2.0 * old_weight, "{old_weight} and {new_weight}");
}

#[test]
fn logs_with_nothing_to_relate_give_empty_rows() {
    for visits in [vec![(0, vec![7])], vec![(0, vec![1]), (1, vec![2]), (2, vec![3])]] {
        let log = log(&visits);
        for method in [LinearMethod::Local, LinearMethod::Dense] {
            let rows = rows_of(&log, &LinearParameters { method, ..default() });
            assert_eq!(rows, vec![Row::new(); log.items.len()]);
        }
    }
}

#[test]
fn parameters_are_checked_first() {
    let log = shop(20, 40, 4);
    for lambda in [0.0, -3.0, f32::NAN, f32::INFINITY] {
        let params = LinearParameters { lambda, ..default() };
        let error = train(&log, &params, &Limits::default(), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("linear.lambda is not above 0"), "{error}");
    }
}
