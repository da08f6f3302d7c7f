//! Item-item co-occurrence: cosine over decayed session counts, with shrinkage.
//!
//! similarity(i, j) = c(i, j) / (sqrt(n(i) · n(j)) + shrinkage), where c and n count sessions with both items
//! and with one, each session weighted by 2^(-age / half-life). Shrinkage keeps pairs that met once or twice
//! from outranking pairs that meet all the time (Koren, "Factor in the Neighbors", 2010).

use std::sync::atomic::{AtomicUsize, Ordering};

use endcap_core::ItemIx;
use endcap_core::format::TogetherParameters;

use super::log::Log;

/// Distinct items of one session that are paired; the newest count. Pairs grow with the square: one robot
/// session of 10,000 items would cost as much as a million honest ones.
const MAX_SESSION_ITEMS: usize = 500;
/// Items that a thread takes at a time.
const BLOCK: usize = 64;

/// A row: neighbours and similarities, best first.
type Row = Vec<(ItemIx, f32)>;

/// Rows for every item of `log`, at most `params.neighbors` long. O(sum of squared session lengths) over all
/// cores; 4 bytes per item and thread of working memory.
pub(super) fn rows(log: &Log, params: &TogetherParameters) -> Vec<Row> {
    let n = log.items.len();
    let mut sessions: Vec<(Vec<ItemIx>, f32)> = Vec::new();
    for session in &log.sessions {
        let mut items = session.distinct();
        if items.len() > 1 {
            items.drain(..items.len().saturating_sub(MAX_SESSION_ITEMS));
            sessions.push((items, decay(log.last_event - session.end(), params.half_life_days)));
        }
    }
    let mut counts = vec![0.0_f32; n];
    let mut of_item: Vec<Vec<u32>> = vec![Vec::new(); n];
    for (number, (items, weight)) in sessions.iter().enumerate() {
        for &item in items {
            counts[item as usize] += weight;
            of_item[item as usize].push(number as u32);
        }
    }
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut blocks: Vec<(usize, Vec<Row>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut sums = vec![0.0_f32; n];
                    let mut done = Vec::new();
                    loop {
                        let first = next.fetch_add(BLOCK, Ordering::Relaxed);
                        if first >= n {
                            break done;
                        }
                        let block = (first..(first + BLOCK).min(n))
                            .map(|item| row(item, &of_item[item], &sessions, &counts, params, &mut sums))
                            .collect();
                        done.push((first, block));
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    blocks.sort_unstable_by_key(|(first, _)| *first);
    blocks.into_iter().flat_map(|(_, rows)| rows).collect()
}

/// 2^(-age / half-life); 1 where the half-life is 0.
pub(super) fn decay(age_micros: i64, half_life_days: f32) -> f32 {
    /// Microseconds of a day.
    const DAY: f64 = 86_400e6;
    if half_life_days <= 0.0 {
        return 1.0;
    }
    (-(age_micros.max(0) as f64) / DAY / f64::from(half_life_days)).exp2() as f32
}

fn row(
    item: usize,
    with_item: &[u32],
    sessions: &[(Vec<ItemIx>, f32)],
    counts: &[f32],
    params: &TogetherParameters,
    sums: &mut [f32],
) -> Row {
    let mut touched = Vec::new();
    for &number in with_item {
        let (items, weight) = &sessions[number as usize];
        for &other in items {
            let sum = &mut sums[other as usize];
            if *sum == 0.0 {
                touched.push(other);
            }
            *sum += weight;
        }
    }
    let mut row: Row = touched
        .iter()
        .filter(|&&other| other as usize != item)
        .map(|&other| {
            let norm = (counts[item] * counts[other as usize]).sqrt() + params.shrinkage;
            (other, sums[other as usize] / norm)
        })
        .filter(|(_, similarity)| *similarity > 0.0)
        .collect();
    for other in touched {
        sums[other as usize] = 0.0;
    }
    row.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    row.truncate(params.neighbors as usize);
    row
}
