//! Section `endcap.sample`: questions with known answers that the model has not learned from.
//!
//! By them a model is compared with the one that it shall replace, long after its log is gone.

use crate::ItemIx;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::SAMPLE;
use super::sessions::{largest, offsets_cover};

/// Most questions that a file holds: more tell no more, and a gate must be quick.
pub const MAX_QUESTIONS: usize = 4_096;

/// A question, and what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// Items so far, oldest first; at least one.
    pub history: &'a [ItemIx],
    /// How many of them are of earlier visits.
    pub earlier: usize,
    /// Items that came, rising; at least one.
    pub targets: &'a [ItemIx],
}

/// The questions of a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Questions<'a> {
    history_offsets: &'a [u32],
    history_items: &'a [ItemIx],
    earlier: &'a [u32],
    target_offsets: &'a [u32],
    target_items: &'a [ItemIx],
}

impl<'a> Questions<'a> {
    /// How many.
    pub fn len(self) -> usize {
        self.earlier.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.earlier.is_empty()
    }

    /// Number `at` of them, from 0.
    pub fn get(self, at: usize) -> Option<Question<'a>> {
        (at < self.len()).then(|| self.at(at))
    }

    fn at(self, at: usize) -> Question<'a> {
        Question {
            history: of(self.history_offsets, self.history_items, at),
            earlier: self.earlier[at] as usize,
            targets: of(self.target_offsets, self.target_items, at),
        }
    }

    /// All of them, in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Question<'a>> {
        (0..self.len()).map(move |at| self.at(at))
    }
}

fn of<'a>(offsets: &[u32], items: &'a [ItemIx], at: usize) -> &'a [ItemIx] {
    &items[offsets[at] as usize..offsets[at + 1] as usize]
}

/// Writes the section body.
pub fn encode_sample<'a>(questions: impl IntoIterator<Item = Question<'a>>) -> Vec<u8> {
    let (mut history_offsets, mut target_offsets) = (vec![0_u32], vec![0_u32]);
    let (mut history_items, mut earlier, mut target_items) = (Vec::new(), Vec::new(), Vec::new());
    for question in questions {
        history_items.extend_from_slice(question.history);
        target_items.extend_from_slice(question.targets);
        earlier.push(question.earlier as u32);
        history_offsets.push(history_items.len() as u32);
        target_offsets.push(target_items.len() as u32);
    }
    ArraysBuilder::new()
        .with("hi.off", &history_offsets)
        .with("hi.item", &history_items)
        .with("hi.early", &earlier)
        .with("ta.off", &target_offsets)
        .with("ta.item", &target_items)
        .finish()
}

/// Where the arrays lie.
#[derive(Debug)]
pub(super) struct SampleSlots {
    history_offsets: Slot<u32>,
    history_items: Slot<u32>,
    earlier: Slot<u32>,
    target_offsets: Slot<u32>,
    target_items: Slot<u32>,
}

impl SampleSlots {
    pub(super) fn parse(file: &[u8], arrays: &Arrays, items: usize) -> Result<Self, FormatError> {
        let slots = Self::find(arrays).map_err(|error| FormatError::Arrays { section: SAMPLE, error })?;
        check(slots.view(file), items).map_err(|what| FormatError::Invariant { section: SAMPLE, what })?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            history_offsets: arrays.slot("hi.off")?,
            history_items: arrays.slot("hi.item")?,
            earlier: arrays.slot("hi.early")?,
            target_offsets: arrays.slot("ta.off")?,
            target_items: arrays.slot("ta.item")?,
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> Questions<'a> {
        Questions {
            history_offsets: self.history_offsets.of(file),
            history_items: self.history_items.of(file),
            earlier: self.earlier.of(file),
            target_offsets: self.target_offsets.of(file),
            target_items: self.target_items.of(file),
        }
    }
}

fn check(questions: Questions<'_>, items: usize) -> Result<(), &'static str> {
    let Questions { history_offsets, history_items, earlier, target_offsets, target_items } = questions;
    if earlier.len() > MAX_QUESTIONS {
        return Err("there are more than 4096 questions");
    }
    for (offsets, of) in [(history_offsets, history_items), (target_offsets, target_items)] {
        if offsets.len() != earlier.len() + 1 || !offsets_cover(offsets, of.len()) {
            return Err(
                "offsets do not ascend from 0 to the number of items, one more of them than questions",
            );
        }
        if !of.is_empty() && largest(of) as usize >= items {
            return Err("a question names an item that does not exist");
        }
    }
    for question in questions.iter() {
        if question.history.is_empty() || question.earlier > question.history.len() {
            return Err("a history is empty, or has fewer items than are of earlier visits");
        }
        if question.targets.is_empty() || !question.targets.is_sorted_by(|a, b| a < b) {
            return Err("targets are none, or do not rise");
        }
    }
    Ok(())
}
