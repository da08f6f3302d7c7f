//! A shop's own newest sessions, kept back to choose by: weights of the personal list, and when an encoder has learned enough.

use endcap_core::ItemIx;

use super::protocol::Case;
use crate::train::Log;

/// A log without its newest tenth, and questions about that.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// What may be learned from, with its items in its own order: that of the whole log would tell what is popular later.
    pub before: Log,
    /// Questions, none with an empty history.
    pub cases: Vec<Case>,
    /// More questions about the same visits, at other places in them, for what learns from questions: each with how many of
    /// `cases` are about earlier visits.
    pub lessons: Vec<(usize, Case)>,
}

/// Share of the sessions before those that are asked about.
pub(crate) const ASKED_FROM: f64 = 0.9;
/// With fewer questions the choice would be one of chance.
pub const LEAST_CASES: usize = 300;
/// Beyond these a search takes longer and finds the same.
const MOST_CASES: usize = 3_000;
/// Places in a visit that are asked about, the first of them in [`HeldOut::cases`].
const PLACES: usize = 4;
/// Newest events that are trained on for the search: more only take memory, as weights are not many.
const MOST_EVENTS: u64 = 5_000_000;
/// Items of a history that anything looks at.
const MAX_HISTORY: usize = 50;

impl HeldOut {
    /// Holds out the newest tenth of the sessions of `log`.
    ///
    /// # Errors
    /// Where that is too little to choose by: how many questions there are, of [`LEAST_CASES`].
    pub fn of(log: &Log) -> Result<Self, usize> {
        let cut = (log.sessions.len() as f64 * ASKED_FROM) as usize;
        let (visits, mut cases): (Vec<usize>, Vec<Case>) = cases(log, cut, 0).into_iter().unzip();
        if cases.len() < LEAST_CASES {
            return Err(cases.len());
        }
        let more = (1..PLACES).flat_map(|place| self::cases(log, cut, place));
        let mut lessons: Vec<(usize, Case)> =
            more.map(|(visit, case)| (visits.partition_point(|&other| other < visit), case)).collect();
        let (before, renumbered) = before(log, cut).in_order();
        let all = cases.iter_mut().chain(lessons.iter_mut().map(|(_, case)| case));
        for item in all.flat_map(|case| case.history.iter_mut().chain(&mut case.targets)) {
            *item = renumbered[*item as usize];
        }
        Ok(Self { before, cases, lessons })
    }
}

/// The newest sessions before number `cut`, up to [`MOST_EVENTS`].
fn before(log: &Log, cut: usize) -> Log {
    let mut events = 0;
    let newest = log.sessions[..cut].iter().rev().take_while(|session| {
        events += session.clicks.len() as u64;
        events <= MOST_EVENTS
    });
    let from = cut - newest.count();
    let mut number = 0;
    log.filtered(|_| {
        number += 1;
        (from + 1..=cut).contains(&number)
    })
}

/// Questions about every session from number `cut` on, at this place of it, with its number; evenly thinned to [`MOST_CASES`].
fn cases(log: &Log, cut: usize, place: usize) -> Vec<(usize, Case)> {
    let cases = questions(log, place, |number| number >= cut);
    let step = cases.len().div_ceil(MOST_CASES).max(1);
    cases.into_iter().step_by(step).collect()
}

/// Of every session that is `asked` about: what comes next in its middle (the rest, where it has no order), and, of a user with
/// earlier sessions, what it holds at all; with the number of the session. Beyond the first `place`, only the middle is asked
/// about, elsewhere, and sessions with so many places.
pub(crate) fn questions(log: &Log, place: usize, asked: impl Fn(usize) -> bool) -> Vec<(usize, Case)> {
    let mut histories: std::collections::HashMap<u32, Vec<ItemIx>> = std::collections::HashMap::new();
    let mut cases = Vec::new();
    for (number, session) in log.sessions.iter().enumerate() {
        // With repeats: coming back to an item is an answer too.
        let mut items: Vec<ItemIx> = session.clicks.iter().map(|click| click.item).collect();
        // An invoice, all of one moment: its order is that of a file, and means nothing. Another one, always the same.
        let unordered = !session.has_order();
        if unordered {
            items.sort_by_key(|&item| (item ^ number as u32).wrapping_mul(0x9E37_79B1));
        }
        if asked(number) {
            let known = session.user.filter(|_| place == 0).and_then(|user| histories.get(&user));
            if let Some(earlier) = known {
                let history = earlier[earlier.len().saturating_sub(MAX_HISTORY)..].to_vec();
                let (last_basket, earlier) = (history.len(), history.len());
                cases.push((number, Case { last_basket, earlier, history, targets: session.distinct() }));
            }
            let places = items.len().saturating_sub(1);
            if places > place {
                // Spread over the lengths without a source of chance: the same log, the same questions.
                let at = 1 + (number + place * places.div_ceil(PLACES)) % places;
                let history = items[at.saturating_sub(MAX_HISTORY)..at].to_vec();
                let targets = if unordered { items[at..].to_vec() } else { vec![items[at]] };
                cases.push((number, Case { last_basket: history.len(), earlier: 0, history, targets }));
            }
        }
        if let Some(user) = session.user {
            let history = histories.entry(user).or_default();
            history.extend(items);
            history.drain(..history.len().saturating_sub(MAX_HISTORY));
        }
    }
    cases
}
