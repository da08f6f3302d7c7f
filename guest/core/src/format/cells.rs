//! Section `endcap.encoder.cells`: the second level over the encoder's item vectors.

use crate::ItemIx;
use crate::encoder::{Cells, EncoderShape, ItemTable, Values};

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::encoder::{Names, ValuesSlot, all_finite, check_values};
use super::error::FormatError;
use super::section::ENCODER_CELLS;
use super::sessions::offsets_cover;

/// Item vectors once more, in the order of the cells: rows that are searched together lie together.
const ROWS: Names = ("ce.row", "ce.row.s");

/// Writes the section body: for each cell a vector of the encoder's width, `[cells x dim]`, and its items, rising; `table` has the
/// vectors of all items.
///
/// # Panics
/// Where an item of a cell is not in the table: a programming error.
pub fn encode_cells(centres: &[f32], cells: &[Vec<ItemIx>], table: ItemTable<'_>) -> Vec<u8> {
    let mut offsets = vec![0_u32];
    let mut items = Vec::new();
    for cell in cells {
        items.extend_from_slice(cell);
        offsets.push(items.len() as u32);
    }
    let body = ArraysBuilder::new().with("ce.vec", centres).with("ce.off", &offsets).with("ce.item", &items);
    let rows = items.iter().map(|&item| item as usize * table.dim()..(item as usize + 1) * table.dim());
    match table.values() {
        Values::F32(values) => {
            let rows: Vec<f32> = rows.flat_map(|row| &values[row]).copied().collect();
            body.with(ROWS.0, &rows).finish()
        }
        Values::Int8 { codes, scales } => {
            let rows: Vec<i8> = rows.flat_map(|row| &codes[row]).copied().collect();
            let scales: Vec<f32> = items.iter().map(|&item| scales[item as usize]).collect();
            body.with(ROWS.0, &rows).with(ROWS.1, &scales).finish()
        }
    }
}

/// Where the cells' arrays lie.
#[derive(Debug)]
pub(super) struct CellSlots {
    centres: Slot<f32>,
    offsets: Slot<u32>,
    items: Slot<u32>,
    rows: ValuesSlot,
}

impl CellSlots {
    pub(super) fn parse(file: &[u8], arrays: &Arrays, shape: &EncoderShape) -> Result<Self, FormatError> {
        let slots =
            Self::find(arrays).map_err(|error| FormatError::Arrays { section: ENCODER_CELLS, error })?;
        slots.check(file, shape).map_err(|what| FormatError::Invariant { section: ENCODER_CELLS, what })?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            centres: arrays.slot("ce.vec")?,
            offsets: arrays.slot("ce.off")?,
            items: arrays.slot("ce.item")?,
            rows: ValuesSlot::find(arrays, ROWS)?,
        })
    }

    fn check(&self, file: &[u8], shape: &EncoderShape) -> Result<(), &'static str> {
        let (centres, offsets, items) = (self.centres.of(file), self.offsets.of(file), self.items.of(file));
        if !offsets_cover(offsets, items.len()) || centres.len() != (offsets.len() - 1) * shape.dim {
            return Err("cells do not ascend from 0 to the number of items, one vector a cell");
        }
        if !all_finite(centres) {
            return Err("the vector of a cell is not finite");
        }
        check_values(self.rows.view(file), shape.items, shape.dim)?;
        // An item that is offered twice would be proposed twice, and one in no cell never.
        let mut seen = vec![false; shape.items];
        let each_once = items.len() == shape.items
            && items
                .iter()
                .all(|&item| seen.get_mut(item as usize).is_some_and(|seen| !std::mem::replace(seen, true)));
        if each_once { Ok(()) } else { Err("an item is in no cell or in two, or does not exist") }
    }

    pub(super) fn view<'a>(&self, file: &'a [u8], shape: &EncoderShape, asked: u32) -> Cells<'a> {
        let centres = ItemTable::new(Values::F32(self.centres.of(file)), shape.dim);
        let rows = ItemTable::new(self.rows.view(file), shape.dim);
        Cells::new(centres, rows, self.offsets.of(file), self.items.of(file), asked as usize)
    }
}
