//! The items of one model among those of another.

use crate::ItemIx;
use crate::format::Model;

/// In place of a number: the other model does not have the item.
const UNKNOWN: ItemIx = ItemIx::MAX;

/// What the items of an old model are in a new one, and back. Eight bytes an item.
#[derive(Debug, Default)]
pub struct Renumbering {
    /// By old number.
    forward: Vec<ItemIx>,
    /// By new number.
    back: Vec<ItemIx>,
}

impl Renumbering {
    /// Of all items of `old`.
    pub fn new(old: &Model, new: &Model) -> Self {
        let mut whole = Self::default();
        whole.extend(old, new, usize::MAX);
        whole
    }

    /// Looks up the next items of `old`, at most so many; whether all are known now. The models must be the same in every
    /// call.
    pub fn extend(&mut self, old: &Model, new: &Model, most: usize) -> bool {
        let (items, others) = (old.items(), new.items());
        self.back.resize(others.len(), UNKNOWN);
        let from = self.forward.len();
        let until = from.saturating_add(most).min(items.len());
        for item in from as ItemIx..until as ItemIx {
            let found = others.find(items.id(item)).unwrap_or(UNKNOWN);
            self.forward.push(found);
            if let Some(back) = self.back.get_mut(found as usize) {
                *back = item;
            }
        }
        until == items.len()
    }

    /// The new number of an old item.
    pub fn forward(&self, item: ItemIx) -> Option<ItemIx> {
        self.forward.get(item as usize).copied().filter(|&found| found != UNKNOWN)
    }

    /// The old number of a new item.
    pub fn back(&self, item: ItemIx) -> Option<ItemIx> {
        self.back.get(item as usize).copied().filter(|&found| found != UNKNOWN)
    }
}
