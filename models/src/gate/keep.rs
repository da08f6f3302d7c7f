//! Which visits are kept back.

use endcap_core::format::{MAX_QUESTIONS, Question, encode_sample};
use xxhash_rust::xxh3::Xxh3;

use crate::evaluate::{ASKED_FROM, Case, questions};
use crate::train::{Log, Session};

/// Share of the newest tenth of the visits that is kept back: an eightieth of everything.
const SHARE: f64 = 1.0 / 8.0;
/// Visits beyond which a smaller share is enough: they give at most two questions each.
const MOST_VISITS: usize = MAX_QUESTIONS / 2;
/// With fewer questions nothing is told apart, and every visit is learned from.
const LEAST_QUESTIONS: usize = 100;

/// A log without the visits that are kept back.
#[derive(Debug, Clone)]
pub struct KeptBack {
    /// What may be learned from; items are numbered as in the whole log.
    pub rest: Log,
    /// Questions about the others.
    pub questions: Vec<Case>,
}

/// Keeps some of the newest visits of `log` back; `None` where they would be too few to compare by.
pub fn keep_back(log: &Log) -> Option<KeptBack> {
    let newest = (log.sessions.len() as f64 * ASKED_FROM) as usize;
    let places: Vec<f64> = log.sessions[newest..].iter().map(|session| place(log, session)).collect();
    // Halved, not cut off: a smaller sample is a part of the larger one that another training keeps back.
    let mut share = SHARE;
    while places.iter().filter(|&&place| place < share).count() > MOST_VISITS {
        share /= 2.0;
    }
    let kept = |number: usize| number >= newest && places[number - newest] < share;
    let mut questions: Vec<Case> = questions(log, 0, kept).into_iter().map(|(_, case)| case).collect();
    questions.truncate(MAX_QUESTIONS);
    if questions.len() < LEAST_QUESTIONS {
        return None;
    }
    let mut number = 0;
    let rest = log.filtered(|_| {
        number += 1;
        !kept(number - 1)
    });
    Some(KeptBack { rest, questions })
}

/// A number in [0, 1) that is the visit's own: neither its place in the log nor the numbers of its items matter.
fn place(log: &Log, session: &Session) -> f64 {
    let mut digest = Xxh3::new();
    for click in &session.clicks {
        digest.update(&click.time.to_le_bytes());
        digest.update(log.items[click.item as usize].id.as_bytes());
    }
    (digest.digest() >> 11) as f64 / (1_u64 << 53) as f64
}

impl KeptBack {
    /// The body of section `endcap.sample`.
    pub fn section(&self) -> Vec<u8> {
        let targets: Vec<_> = self.questions.iter().map(Case::distinct_targets).collect();
        let questions = self.questions.iter().zip(&targets);
        encode_sample(questions.map(|(case, targets)| Question {
            history: &case.history,
            earlier: case.earlier,
            targets,
        }))
    }
}
