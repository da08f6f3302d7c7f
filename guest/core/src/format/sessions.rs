//! Section `endcap.sessions`: the index of session kNN.

use crate::knn::SessionIndex;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::SESSIONS;

/// Writes the section body. The arrays are described at [`SessionIndex`].
pub fn encode_sessions(index: SessionIndex<'_>) -> Vec<u8> {
    ArraysBuilder::new()
        .with("se.off", index.session_offsets)
        .with("se.item", index.session_items)
        .with("po.off", index.posting_offsets)
        .with("po.sess", index.postings)
        .with("idf", index.idf)
        .finish()
}

/// Where the index's arrays lie.
#[derive(Debug)]
pub(super) struct SessionSlots {
    session_offsets: Slot<u32>,
    session_items: Slot<u32>,
    posting_offsets: Slot<u32>,
    postings: Slot<u32>,
    idf: Slot<f32>,
}

impl SessionSlots {
    pub(super) fn parse(file: &[u8], arrays: &Arrays, items: usize) -> Result<Self, FormatError> {
        let slots = Self::find(arrays).map_err(|error| FormatError::Arrays { section: SESSIONS, error })?;
        check(slots.view(file), items).map_err(|what| FormatError::Invariant { section: SESSIONS, what })?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            session_offsets: arrays.slot("se.off")?,
            session_items: arrays.slot("se.item")?,
            posting_offsets: arrays.slot("po.off")?,
            postings: arrays.slot("po.sess")?,
            idf: arrays.slot("idf")?,
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> SessionIndex<'a> {
        SessionIndex {
            session_offsets: self.session_offsets.of(file),
            session_items: self.session_items.of(file),
            posting_offsets: self.posting_offsets.of(file),
            postings: self.postings.of(file),
            idf: self.idf.of(file),
        }
    }
}

/// Offsets ascend from 0 to `end`, one more of them than rows.
pub(super) fn offsets_cover(offsets: &[u32], end: usize) -> bool {
    offsets.first() == Some(&0) && offsets.last() == Some(&(end as u32)) && offsets.is_sorted()
}

/// The largest number, 0 where there is none. Without an early exit the compiler makes SIMD of it: a start walks
/// through millions of them.
pub(super) fn largest(numbers: &[u32]) -> u32 {
    numbers.iter().copied().fold(0, Ord::max)
}

/// Whether every value is finite and at least 0: as bits such floats are ordered, and lie below infinity.
pub(super) fn all_sane(values: &[f32]) -> bool {
    values.iter().map(|value| value.to_bits()).fold(0, Ord::max) < f32::INFINITY.to_bits()
}

fn check(index: SessionIndex<'_>, items: usize) -> Result<(), &'static str> {
    let sessions = index.session_offsets.len().saturating_sub(1);
    if index.posting_offsets.len() != items + 1 || index.idf.len() != items {
        return Err("posting lists and idf are not one per item");
    }
    if !offsets_cover(index.session_offsets, index.session_items.len()) {
        return Err("session offsets do not ascend from 0 to the number of session items");
    }
    if !offsets_cover(index.posting_offsets, index.postings.len()) {
        return Err("posting offsets do not ascend from 0 to the number of postings");
    }
    if !index.session_items.is_empty() && largest(index.session_items) as usize >= items {
        return Err("a session holds an item that does not exist");
    }
    if !all_sane(index.idf) {
        return Err("an idf is negative or not finite");
    }
    for list in index.posting_offsets.windows(2) {
        let list = &index.postings[list[0] as usize..list[1] as usize];
        let next = list.get(1..).unwrap_or_default();
        let falls = list.iter().zip(next).fold(true, |falls, (this, next)| falls & (this > next));
        if list.last() != Some(&0) || !falls || list[0] as usize > sessions {
            return Err("a posting list does not fall strictly from an existing session to 0");
        }
    }
    Ok(())
}
