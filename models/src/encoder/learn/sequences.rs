//! What is learned from: sequences of items, cut anew for every pass.

use std::collections::HashMap;
use std::ops::Range;

use endcap_core::ItemIx;
use endcap_core::format::LinearHistory;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use xxhash_rust::xxh3::Xxh3;

use crate::train::{Log, Session};

/// Sequences end to end.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    items: Vec<ItemIx>,
    /// Where a sequence of two or more items lies.
    bounds: Vec<Range<usize>>,
    /// Runs whose order means nothing: the lines of an invoice, all of one moment.
    unordered: Vec<Range<usize>>,
}

/// Items that follow one another: all but the last are read, all but the first are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) items: Vec<ItemIx>,
    /// For each item but the first, where those end that may as well have stood in its place: one further than its own, or where
    /// its invoice does. Does not fall.
    pub(super) until: Vec<u32>,
}

impl Piece {
    /// Positions that are read, and targets.
    pub(super) fn positions(&self) -> usize {
        self.until.len()
    }
}

/// Pieces of similar length, for one step.
pub(super) type Batch = Vec<Piece>;

impl Sequences {
    /// The sequences of `log`.
    pub(super) fn of(log: &Log, rows: LinearHistory) -> Self {
        let mut sequences = Self::default();
        let mut by_user: HashMap<u32, Vec<&Session>> = HashMap::new();
        let mut order = Vec::new();
        for session in &log.sessions {
            match session.user.filter(|_| rows == LinearHistory::User) {
                Some(user) => by_user
                    .entry(user)
                    .or_insert_with(|| {
                        order.push(user);
                        Vec::new()
                    })
                    .push(session),
                None => sequences.push(&[session]),
            }
        }
        for user in order {
            sequences.push(&by_user[&user]);
        }
        sequences
    }

    fn push(&mut self, sessions: &[&Session]) {
        let (begin, runs) = (self.items.len(), self.unordered.len());
        for session in sessions {
            let at = self.items.len();
            if session.clicks.len() == 1 || session.has_order() {
                self.items.extend(session.clicks.iter().map(|click| click.item));
            } else {
                self.items.extend(session.distinct());
                self.unordered.push(at..self.items.len());
            }
        }
        if self.items.len() - begin < 2 {
            self.items.truncate(begin);
            self.unordered.truncate(runs);
        } else {
            self.bounds.push(begin..self.items.len());
        }
    }

    /// Number of sequences.
    pub(super) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// Targets of one pass.
    pub(super) fn targets(&self) -> usize {
        self.items.len() - self.bounds.len()
    }

    /// Adds all of it to a digest.
    pub(super) fn digest(&self, digest: &mut Xxh3) {
        for range in self.bounds.iter().chain(&self.unordered) {
            digest.update(&(range.start as u64).to_le_bytes());
            digest.update(&(range.end as u64).to_le_bytes());
        }
        self.items.iter().for_each(|item| digest.update(&item.to_le_bytes()));
    }

    /// How often each of `items` is a target in one pass, about.
    pub(super) fn counts(&self, items: usize) -> Vec<u32> {
        let mut counts = vec![0; items];
        for &item in &self.items {
            counts[item as usize] += 1;
        }
        counts
    }

    /// Where the unordered run with this item ends; one further where there is none.
    fn end_of_run(&self, at: usize) -> usize {
        let run = self.unordered.partition_point(|run| run.end <= at);
        self.unordered.get(run).filter(|run| run.start <= at).map_or(at + 1, |run| run.end)
    }

    /// The batches of pass number `epoch`: unordered runs in another order, long sequences cut at other places, pieces of
    /// similar length together, `positions` of them with padding to a batch, and the batches in any order.
    pub(super) fn batches(&self, seed: u64, epoch: usize, max_len: usize, positions: usize) -> Vec<Batch> {
        let mut chance = chance(seed, epoch as u64, 0);
        let mut items = self.items.clone();
        for run in &self.unordered {
            items[run.clone()].shuffle(&mut chance);
        }
        let mut pieces = Vec::with_capacity(self.bounds.len());
        for bounds in &self.bounds {
            // A sequence of several windows begins with a part of one, so that each pass cuts elsewhere.
            let positions = bounds.len() - 1;
            let mut length = match positions > max_len {
                true => chance.random_range(1..=max_len),
                false => positions,
            };
            let mut from = bounds.start;
            while from + 1 < bounds.end {
                let to = (from + length).min(bounds.end - 1);
                let until = (from + 1..=to).map(|at| (self.end_of_run(at).min(to + 1) - from) as u32);
                pieces.push(Piece { items: items[from..=to].to_vec(), until: until.collect() });
                (from, length) = (to, max_len);
            }
        }
        pieces.shuffle(&mut chance);
        pieces.sort_by_key(Piece::positions);
        let mut batches: Vec<Batch> = Vec::new();
        let mut batch = Batch::new();
        for piece in pieces {
            if (batch.len() + 1) * piece.positions() > positions && !batch.is_empty() {
                batches.push(std::mem::take(&mut batch));
            }
            batch.push(piece);
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        batches.shuffle(&mut chance);
        batches
    }
}

/// Chance for one purpose in one place of a training, so that a run that is taken up again draws as the first would have.
pub(super) fn chance(seed: u64, place: u64, purpose: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&place.to_le_bytes());
    key[16..24].copy_from_slice(&purpose.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}
