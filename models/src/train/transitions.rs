//! Transition counts with gaps: what comes after an item within a visit.
//!
//! share(i, j) is the sum, over every j that comes after an i within `gaps` events of a visit, of 1 / gap, the weight of the
//! event and 2^(-age of the visit / half-life), divided by the sum over all j: a first-order Markov model with longer reach.
//! Events of one moment have no order, and say nothing of it.

use endcap_core::ItemIx;
use endcap_core::format::TransitionParameters;
use rayon::prelude::*;

use super::linear::prune;
use super::log::{Log, Session};
use super::together::decay;

/// A row: successors and shares, by rising item.
type Row = Vec<(ItemIx, f32)>;

/// Rows for every item of `log`, the `params.neighbors` largest shares of each; empty where nothing follows anything.
/// O(events · gaps) over all cores; 4 bytes per item and thread, and 8 an event.
pub(super) fn rows(log: &Log, params: &TransitionParameters) -> Vec<Row> {
    let sessions: Vec<&Session> = log.sessions.iter().filter(|session| session.has_order()).collect();
    if sessions.is_empty() {
        return Vec::new();
    }
    let weights: Vec<f32> =
        sessions.iter().map(|session| decay(log.last_event - session.end(), params.half_life_days)).collect();
    let mut places: Vec<Vec<(u32, u32)>> = vec![Vec::new(); log.items.len()];
    for (number, session) in (0..).zip(&sessions) {
        for (at, click) in (0..).zip(&session.clicks) {
            places[click.item as usize].push((number, at));
        }
    }
    let row = |sums: &mut Vec<f32>, (item, places): (usize, &Vec<(u32, u32)>)| {
        let mut touched = Vec::new();
        for &(number, at) in places {
            let clicks = &sessions[number as usize].clicks;
            let (from, weight) = (&clicks[at as usize], weights[number as usize]);
            let after = (1_u32..=params.gaps).zip(&clicks[at as usize + 1..]);
            for (gap, to) in after.filter(|(_, to)| to.time > from.time && to.item as usize != item) {
                let sum = &mut sums[to.item as usize];
                if *sum == 0.0 {
                    touched.push(to.item);
                }
                *sum += weight * to.weight / gap as f32;
            }
        }
        touched.sort_unstable();
        // An item stands twice where nothing that can be told from 0 was added to it.
        touched.dedup();
        let mut row: Row = touched.iter().map(|&to| (to, std::mem::take(&mut sums[to as usize]))).collect();
        let total: f32 = row.iter().map(|(_, sum)| sum).sum();
        row.iter_mut().for_each(|(_, share)| *share /= total);
        row.retain(|(_, share)| *share > 0.0);
        prune(&mut row, params.neighbors as usize);
        row
    };
    let rows: Vec<Row> =
        places.par_iter().enumerate().map_init(|| vec![0.0_f32; log.items.len()], row).collect();
    if rows.iter().all(Vec::is_empty) { Vec::new() } else { rows }
}

#[cfg(test)]
mod tests {
    use super::super::log::LogBuilder;
    use super::*;
    use endcap_core::format::ItemRecord;

    /// A log of visits of one letter an item, `a` the most frequent; all of one moment where `apart` is 0.
    fn rows_of(visits: &[&str], apart: i64, params: &TransitionParameters) -> Vec<Row> {
        let mut builder = LogBuilder::new();
        for (number, visit) in (0_i64..).zip(visits) {
            for (at, item) in (0_i64..).zip(visit.chars()) {
                let (session, time) = (number.to_string(), number * 1_000_000 + at * apart);
                builder.push(None, Some(&session), &item.to_string(), time, 1.0).unwrap();
            }
        }
        let describe = |id: &str| ItemRecord { id: id.to_owned(), ..ItemRecord::default() };
        rows(&builder.finish(describe, []).unwrap(), params)
    }

    #[test]
    fn what_follows_sooner_counts_more() {
        let params = TransitionParameters { gaps: 2, ..TransitionParameters::default() };
        // a is 0, b 1, c 2 and d 3, by falling number of events.
        let rows = rows_of(&["aabcd", "abc", "a"], 1, &params);
        // After a: b at gaps 2, 1 and 1, c at 2 and 2; never d, nor a itself.
        let total = 0.5 + 1.0 + 1.0 + 0.5 + 0.5;
        assert_eq!(rows[0], [(1, 2.5 / total), (2, 1.0 / total)]);
        assert_eq!(rows[1], [(2, 2.0 / 2.5), (3, 0.5 / 2.5)]);
        assert!(rows[3].is_empty());
    }

    #[test]
    fn rows_keep_the_largest_shares() {
        let params = TransitionParameters { neighbors: 1, ..TransitionParameters::default() };
        let rows = rows_of(&["ab", "ab", "ac"], 1, &params);
        assert_eq!(rows[0], [(1, 2.0 / 3.0)]);
    }

    #[test]
    fn events_of_one_moment_follow_nothing() {
        assert!(rows_of(&["abc", "abc"], 0, &TransitionParameters::default()).is_empty());
    }
}
