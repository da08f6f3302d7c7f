//! Section `endcap.together`: for every item, the items that occur with it, best first.

use crate::ItemIx;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::TOGETHER;
use super::sessions::{all_sane, largest, offsets_cover};

/// Writes the section body from rows in item order, each sorted by falling score.
pub fn encode_neighbors(rows: &[Vec<(ItemIx, f32)>]) -> Vec<u8> {
    let mut offsets = vec![0_u32];
    let mut items = Vec::new();
    let mut scores = Vec::new();
    for row in rows {
        items.extend(row.iter().map(|(item, _)| *item));
        scores.extend(row.iter().map(|(_, score)| *score));
        offsets.push(items.len() as u32);
    }
    ArraysBuilder::new().with("ro.off", &offsets).with("ro.item", &items).with("ro.score", &scores).finish()
}

/// Item-item rows in compressed sparse row form.
#[derive(Debug, Clone, Copy)]
pub struct NeighborRows<'a> {
    offsets: &'a [u32],
    items: &'a [u32],
    scores: &'a [f32],
}

impl<'a> NeighborRows<'a> {
    /// The neighbours of `item`, best first: their numbers and similarities in (0, 1].
    pub fn row(&self, item: ItemIx) -> (&'a [ItemIx], &'a [f32]) {
        let range = self.offsets[item as usize] as usize..self.offsets[item as usize + 1] as usize;
        (&self.items[range.clone()], &self.scores[range])
    }

    /// Number of stored pairs.
    pub fn pairs(&self) -> usize {
        self.items.len()
    }

    fn check(&self, items: usize) -> Result<(), &'static str> {
        if self.offsets.len() != items + 1 || !offsets_cover(self.offsets, self.items.len()) {
            return Err("row offsets do not ascend from 0 to the number of pairs, one row per item");
        }
        if self.scores.len() != self.items.len() {
            return Err("rows have more items than scores, or fewer");
        }
        if !self.items.is_empty() && largest(self.items) as usize >= items {
            return Err("a row names an item that does not exist");
        }
        if !all_sane(self.scores) {
            return Err("a score is negative or not finite");
        }
        Ok(())
    }
}

/// Where the rows' arrays lie.
#[derive(Debug)]
pub(super) struct NeighborSlots {
    offsets: Slot<u32>,
    items: Slot<u32>,
    scores: Slot<f32>,
}

impl NeighborSlots {
    pub(super) fn parse(file: &[u8], arrays: &Arrays, items: usize) -> Result<Self, FormatError> {
        let slots = Self::find(arrays).map_err(|error| FormatError::Arrays { section: TOGETHER, error })?;
        slots.view(file).check(items).map_err(|what| FormatError::Invariant { section: TOGETHER, what })?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            offsets: arrays.slot("ro.off")?,
            items: arrays.slot("ro.item")?,
            scores: arrays.slot("ro.score")?,
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> NeighborRows<'a> {
        NeighborRows {
            offsets: self.offsets.of(file),
            items: self.items.of(file),
            scores: self.scores.of(file),
        }
    }
}
