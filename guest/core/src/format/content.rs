//! Section `endcap.content`: items without enough events of their own, and the items that read like them.

use crate::ItemIx;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::CONTENT;
use super::sessions::{largest, offsets_cover};

/// An item and what reads like it: (item, similarity in (0, 1]), best first.
pub type ContentRow = (ItemIx, Vec<(ItemIx, f32)>);

/// Writes the section body from rows by rising item.
pub fn encode_content(rows: &[ContentRow]) -> Vec<u8> {
    let items: Vec<u32> = rows.iter().map(|(item, _)| *item).collect();
    let mut offsets = vec![0_u32];
    let (mut near, mut similarities) = (Vec::new(), Vec::new());
    for (_, row) in rows {
        near.extend(row.iter().map(|(item, _)| *item));
        similarities.extend(row.iter().map(|(_, similarity)| *similarity));
        offsets.push(near.len() as u32);
    }
    ArraysBuilder::new()
        .with("co.item", &items)
        .with("co.off", &offsets)
        .with("co.near", &near)
        .with("co.sim", &similarities)
        .finish()
}

/// Rows of some items.
#[derive(Debug, Clone, Copy)]
pub struct ContentRows<'a> {
    items: &'a [ItemIx],
    offsets: &'a [u32],
    near: &'a [ItemIx],
    similarities: &'a [f32],
}

/// Items that read like another, best first, and their similarities.
pub type Near<'a> = (&'a [ItemIx], &'a [f32]);

impl<'a> ContentRows<'a> {
    /// How many items have a row.
    pub fn len(self) -> usize {
        self.items.len()
    }

    /// Whether none has.
    pub fn is_empty(self) -> bool {
        self.items.is_empty()
    }

    /// Every item that has a row, and the row.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (ItemIx, Near<'a>)> {
        self.items.iter().enumerate().map(move |(at, &item)| (item, self.at(at)))
    }

    /// What reads like `item`; nothing where it has no row.
    pub fn row(self, item: ItemIx) -> Near<'a> {
        self.items.binary_search(&item).map_or((&[], &[]), |at| self.at(at))
    }

    fn at(self, at: usize) -> Near<'a> {
        let range = self.offsets[at] as usize..self.offsets[at + 1] as usize;
        (&self.near[range.clone()], &self.similarities[range])
    }

    fn check(self, items: usize) -> Result<(), &'static str> {
        if self.offsets.len() != self.items.len() + 1 || !offsets_cover(self.offsets, self.near.len()) {
            return Err("row offsets do not ascend from 0 to the number of pairs, one row per item with one");
        }
        if self.similarities.len() != self.near.len() {
            return Err("rows have more items than similarities, or fewer");
        }
        let below = |numbers: &[u32]| numbers.is_empty() || (largest(numbers) as usize) < items;
        if !below(self.items) || !below(self.near) || !self.items.is_sorted_by(|a, b| a < b) {
            return Err("items with rows do not rise, or an item does not exist");
        }
        if !self.similarities.iter().all(|&similarity| similarity > 0.0 && similarity <= 1.0) {
            return Err("a similarity is outside (0, 1]");
        }
        Ok(())
    }
}

/// Where the rows' arrays lie.
#[derive(Debug)]
pub(super) struct ContentSlots {
    items: Slot<u32>,
    offsets: Slot<u32>,
    near: Slot<u32>,
    similarities: Slot<f32>,
}

impl ContentSlots {
    pub(super) fn parse(file: &[u8], arrays: &Arrays, items: usize) -> Result<Self, FormatError> {
        let slots = Self::find(arrays).map_err(|error| FormatError::Arrays { section: CONTENT, error })?;
        slots.view(file).check(items).map_err(|what| FormatError::Invariant { section: CONTENT, what })?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            items: arrays.slot("co.item")?,
            offsets: arrays.slot("co.off")?,
            near: arrays.slot("co.near")?,
            similarities: arrays.slot("co.sim")?,
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> ContentRows<'a> {
        ContentRows {
            items: self.items.of(file),
            offsets: self.offsets.of(file),
            near: self.near.of(file),
            similarities: self.similarities.of(file),
        }
    }
}
