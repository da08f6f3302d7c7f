//! A second level over an item table: items in cells by what they are like, of which a user vector is held against the most
//! promising only (an inverted file: Sivic and Zisserman, ICCV 2003; Jégou, Douze and Schmid, TPAMI 2011).

use crate::ItemIx;
use crate::topn::TopN;

use super::table::ItemTable;

/// The cells of an item table. Each item is in one.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    centres: ItemTable<'a>,
    /// Item vectors, cell by cell.
    rows: ItemTable<'a>,
    offsets: &'a [u32],
    items: &'a [ItemIx],
    asked: usize,
}

/// Buffers of a search; they grow to the largest cell and stay.
#[derive(Debug, Default)]
pub struct CellScratch {
    nearest: TopN,
    scores: Vec<f32>,
}

impl<'a> Cells<'a> {
    /// Views of checked arrays: a vector for each cell, the vectors of items, where those of a cell begin, and which they are.
    pub(crate) fn new(
        centres: ItemTable<'a>,
        rows: ItemTable<'a>,
        offsets: &'a [u32],
        items: &'a [ItemIx],
        asked: usize,
    ) -> Self {
        debug_assert_eq!(offsets.len(), centres.items() + 1);
        Self { centres, rows, offsets, items, asked }
    }

    /// The same cells where so many of them are searched.
    #[must_use]
    pub fn asking(self, asked: usize) -> Self {
        Self { asked, ..self }
    }

    /// How many are searched for a user vector.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.centres.items()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Offers the items of those cells whose vectors have the largest products with `user` to `top`, with the scores that
    /// [`ItemTable::score_all`] gives for the table that these cells are of. Exact where all cells are asked. O((cells +
    /// items of the cells asked) * dim).
    ///
    /// # Panics
    /// As [`ItemTable::score_all`].
    pub fn offer_near(&self, user: &[f32], scratch: &mut CellScratch, top: &mut TopN) {
        let CellScratch { nearest, scores } = scratch;
        nearest.reset(self.asked);
        self.centres.offer_all(user, nearest);
        for &(_, cell) in nearest.finish() {
            let range = self.offsets[cell as usize] as usize..self.offsets[cell as usize + 1] as usize;
            scores.resize(range.len(), 0.0);
            self.rows.score_from(range.start, user, scores);
            for (&item, &score) in self.items[range].iter().zip(&*scores) {
                if top.admits(score) && score.is_finite() {
                    top.push(score, item);
                }
            }
        }
    }
}
