//! The training matrix: who had to do with what, and how much.

use endcap_core::ItemIx;
use endcap_core::format::{LinearHistory, LinearParameters};

use crate::train::log::{Click, Log};
use crate::train::together::decay;

/// Distinct items of one row that count, the newest. Work grows with the square of a row: one robot of 10,000 items
/// would cost as much as a hundred thousand honest visits.
const MAX_ROW_ITEMS: usize = 1_000;

/// The sparse matrix X, by row and by item.
///
/// A row is a session, or a user with everything that they ever did (a session without a user is then a row of its
/// own). Sessions are the default because a basket or visit has one purpose and is what is asked about; a user's whole
/// past also pairs what has nothing to do with each other, and brings the items of the most active users together. It
/// is the better choice where sessions are mostly of one item. A value is the largest of the row's event weights for the
/// item, relative to the largest in the log (so that a log of views alone is no log of weak signs), halved with every
/// half-life of age.
#[derive(Debug)]
pub(super) struct Interactions {
    rows: Sparse<ItemIx>,
    by_item: Sparse<u32>,
    /// Diagonal of the Gram matrix.
    diagonal: Vec<f32>,
}

/// Lists of (number, value), end to end.
#[derive(Debug)]
struct Sparse<T> {
    offsets: Vec<usize>,
    entries: Vec<(T, f32)>,
}

impl<T> Sparse<T> {
    fn new() -> Self {
        Self { offsets: vec![0], entries: Vec::new() }
    }

    fn list(&self, at: usize) -> &[(T, f32)] {
        &self.entries[self.offsets[at]..self.offsets[at + 1]]
    }
}

impl Interactions {
    pub(super) fn collect(log: &Log, params: &LinearParameters) -> Self {
        let all = || log.sessions.iter().flat_map(|session| &session.clicks);
        let largest = all().fold(0.0_f32, |largest, click| largest.max(click.weight));
        let value = |click: &Click| {
            let age = log.last_event - click.time;
            click.weight / largest * decay(age, params.half_life_days)
        };
        let mut rows = Sparse::new();
        match params.rows {
            LinearHistory::Session => {
                for session in &log.sessions {
                    push_row(&mut rows, session.clicks.iter(), value);
                }
            }
            LinearHistory::User => {
                let mut order: Vec<usize> = (0..log.sessions.len()).collect();
                // Users first, each with their sessions by time; stable, so those without a user stay in order.
                order.sort_by_key(|&at| log.sessions[at].user.unwrap_or(u32::MAX));
                let same = |a: &usize, b: &usize| {
                    let (a, b) = (log.sessions[*a].user, log.sessions[*b].user);
                    a.is_some() && a == b
                };
                for sessions in order.chunk_by(same) {
                    let clicks = sessions.iter().flat_map(|&at| &log.sessions[at].clicks);
                    push_row(&mut rows, clicks, value);
                }
            }
        }
        let items = rows.entries.iter().map(|(item, _)| *item as usize + 1).max().unwrap_or_default();
        let by_item = transposed(&rows, items);
        let diagonal =
            (0..items).map(|item| by_item.list(item).iter().map(|(_, value)| value * value).sum()).collect();
        Self { rows, by_item, diagonal }
    }

    /// Number of the last item with an event, plus 1: those behind it have nothing to be learned from.
    pub(super) fn items(&self) -> usize {
        self.diagonal.len()
    }

    /// Rows with at least one item.
    pub(super) fn rows(&self) -> usize {
        self.rows.offsets.len() - 1
    }

    /// Values that are not 0.
    pub(super) fn entries(&self) -> usize {
        self.rows.entries.len()
    }

    pub(super) fn diagonal(&self) -> &[f32] {
        &self.diagonal
    }

    /// Most other items that `item` can stand beside in a row.
    pub(super) fn most_partners(&self, item: usize) -> usize {
        let partners = |row: u32| self.rows.list(row as usize).len() - 1;
        let sum: usize = self.by_item.list(item).iter().map(|(row, _)| partners(*row)).sum();
        sum.min(self.items() - 1)
    }

    /// Calls `add` with every item of every row that has `item`, and the product of the two values, in the order of
    /// rows: the sum by item is a row of the Gram matrix.
    pub(super) fn products(&self, item: usize, mut add: impl FnMut(ItemIx, f32)) {
        for &(row, value) in self.by_item.list(item) {
            for &(other, other_value) in self.rows.list(row as usize) {
                add(other, value * other_value);
            }
        }
    }
}

/// Appends the distinct items of `clicks`, each with its largest value, if there is one above 0.
fn push_row<'c>(
    rows: &mut Sparse<ItemIx>,
    clicks: impl DoubleEndedIterator<Item = &'c Click>,
    value: impl Fn(&Click) -> f32,
) {
    let mut row: Vec<(ItemIx, f32)> = clicks.rev().map(|click| (click.item, value(click))).collect();
    let mut seen = std::collections::HashSet::with_capacity(row.len());
    // Newest first, so what is cut off is the oldest.
    let newest: std::collections::HashSet<ItemIx> =
        row.iter().map(|(item, _)| *item).filter(|&item| seen.insert(item)).take(MAX_ROW_ITEMS).collect();
    row.retain(|(item, value)| *value > 0.0 && newest.contains(item));
    row.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    row.dedup_by_key(|(item, _)| *item);
    if !row.is_empty() {
        rows.entries.append(&mut row);
        rows.offsets.push(rows.entries.len());
    }
}

fn transposed(rows: &Sparse<ItemIx>, items: usize) -> Sparse<u32> {
    let mut offsets = vec![0_usize; items + 1];
    for &(item, _) in &rows.entries {
        offsets[item as usize + 1] += 1;
    }
    for item in 0..items {
        offsets[item + 1] += offsets[item];
    }
    let mut next = offsets.clone();
    let mut entries = vec![(0, 0.0); rows.entries.len()];
    for row in 0..rows.offsets.len() - 1 {
        for &(item, value) in rows.list(row) {
            entries[next[item as usize]] = (row as u32, value);
            next[item as usize] += 1;
        }
    }
    Sparse { offsets, entries }
}
