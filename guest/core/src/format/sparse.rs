//! Sections `endcap.linear` (what seeing an item says for and against others) and `endcap.transitions` (what comes after
//! it): rows of int8 codes, one for each item.

use crate::ItemIx;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::{LINEAR, TRANSITIONS};
use super::sessions::{largest, offsets_cover};

/// Catalogues of at most this many items name them in 16 bits, which makes an entry 3 bytes instead of 5.
const NARROW_ITEMS: usize = 1 << 16;
/// The largest code. -128 is not used, so that a row and its negative round alike.
const LARGEST_CODE: f32 = 127.0;

/// Scales that are not 0 lie between these: no sum over a history can then overflow, nor the inverse of one.
const SCALES: std::ops::RangeInclusive<f32> = 1e-20..=1e6;

/// A section of such rows, and the names of its arrays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    section: &'static str,
    offsets: &'static str,
    items: &'static str,
    codes: &'static str,
    scales: &'static str,
}

/// Section [`LINEAR`].
pub(super) const OF_LINEAR: Layout =
    Layout { section: LINEAR, offsets: "li.off", items: "li.item", codes: "li.code", scales: "li.scale" };

/// Section [`TRANSITIONS`].
pub(super) const OF_TRANSITIONS: Layout = Layout {
    section: TRANSITIONS,
    offsets: "tr.off",
    items: "tr.item",
    codes: "tr.code",
    scales: "tr.scale",
};

/// Writes the body of [`LINEAR`] from rows in item order: (item, weight) by rising item, weights finite.
///
/// A weight becomes an int8 code times a scale of its row, rounded to the nearest; those that round to 0 are left out.
/// Weights beyond 1e8 are none that a regression gives, and make a section that is not read.
pub fn encode_linear(rows: &[Vec<(ItemIx, f32)>]) -> Vec<u8> {
    encode(OF_LINEAR, rows)
}

/// Writes the body of [`TRANSITIONS`] in the same way; weights are at least 0.
pub fn encode_transitions(rows: &[Vec<(ItemIx, f32)>]) -> Vec<u8> {
    encode(OF_TRANSITIONS, rows)
}

fn encode(layout: Layout, rows: &[Vec<(ItemIx, f32)>]) -> Vec<u8> {
    let mut offsets = vec![0_u32];
    let (mut items, mut codes, mut scales) = (Vec::new(), Vec::new(), Vec::with_capacity(rows.len()));
    for row in rows {
        let largest = row.iter().fold(0.0_f32, |largest, (_, weight)| largest.max(weight.abs()));
        let scale = if largest / LARGEST_CODE < *SCALES.start() { 0.0 } else { largest / LARGEST_CODE };
        for &(item, weight) in row {
            let code = if scale > 0.0 { (weight / scale).round() as i8 } else { 0 };
            if code != 0 {
                items.push(item);
                codes.push(code);
            }
        }
        scales.push(scale);
        offsets.push(items.len() as u32);
    }
    let builder = ArraysBuilder::new().with(layout.offsets, &offsets);
    let builder = if rows.len() <= NARROW_ITEMS {
        builder.with(layout.items, &items.iter().map(|&item| item as u16).collect::<Vec<_>>())
    } else {
        builder.with(layout.items, &items)
    };
    builder.with(layout.codes, &codes).with(layout.scales, &scales).finish()
}

/// The items of entries.
#[derive(Debug, Clone, Copy)]
pub enum Columns<'a> {
    /// Of a catalogue of at most 65,536 items.
    Narrow(&'a [u16]),
    /// Of a larger one.
    Wide(&'a [u32]),
}

impl Columns<'_> {
    fn len(self) -> usize {
        match self {
            Self::Narrow(items) => items.len(),
            Self::Wide(items) => items.len(),
        }
    }

    /// The largest item, 0 where there is none.
    fn largest(self) -> u32 {
        match self {
            Self::Narrow(items) => items.iter().copied().fold(0, Ord::max).into(),
            Self::Wide(items) => largest(items),
        }
    }

    /// Whether the items between two offsets rise, for every two offsets.
    fn rise_in(self, offsets: &[u32]) -> bool {
        match self {
            Self::Narrow(items) => rows_rise(items, offsets),
            Self::Wide(items) => rows_rise(items, offsets),
        }
    }
}

/// Offsets must cover `items`.
fn rows_rise<T: Ord>(items: &[T], offsets: &[u32]) -> bool {
    offsets.windows(2).all(|ends| {
        let row = &items[ends[0] as usize..ends[1] as usize];
        let next = row.get(1..).unwrap_or_default();
        // Without an early exit inside a row, of which the compiler makes SIMD.
        row.iter().zip(next).fold(true, |rise, (this, next)| rise & (this < next))
    })
}

/// A row: the items that an item says something of, by rising number, and the int8 codes of their weights.
#[derive(Debug, Clone, Copy)]
pub struct SparseRow<'a> {
    /// Items.
    pub items: Columns<'a>,
    /// A code an item; the weight is code times [`Self::scale`].
    pub codes: &'a [i8],
    /// 0, or from 1e-20 to 1e6.
    pub scale: f32,
}

impl SparseRow<'_> {
    /// The row as (item, weight).
    pub fn entries(self) -> impl Iterator<Item = (ItemIx, f32)> {
        let item = move |at: usize| match self.items {
            Columns::Narrow(items) => items[at].into(),
            Columns::Wide(items) => items[at],
        };
        self.codes.iter().enumerate().map(move |(at, &code)| (item(at), f32::from(code) * self.scale))
    }
}

/// Sparse item-item weights in compressed row form: the row of an item is what a history with it adds to others.
#[derive(Debug, Clone, Copy)]
pub struct SparseRows<'a> {
    offsets: &'a [u32],
    items: Columns<'a>,
    codes: &'a [i8],
    scales: &'a [f32],
}

impl<'a> SparseRows<'a> {
    /// The row of `item`.
    #[inline]
    pub fn row(&self, item: ItemIx) -> SparseRow<'a> {
        let range = self.offsets[item as usize] as usize..self.offsets[item as usize + 1] as usize;
        let items = match self.items {
            Columns::Narrow(items) => Columns::Narrow(&items[range.clone()]),
            Columns::Wide(items) => Columns::Wide(&items[range.clone()]),
        };
        SparseRow { items, codes: &self.codes[range], scale: self.scales[item as usize] }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Number of stored weights.
    pub fn pairs(&self) -> usize {
        self.codes.len()
    }

    fn check(&self, items: usize) -> Result<(), &'static str> {
        if self.offsets.len() != items + 1 || !offsets_cover(self.offsets, self.items.len()) {
            return Err("row offsets do not ascend from 0 to the number of weights, one row per item");
        }
        if self.codes.len() != self.items.len() {
            return Err("rows have more items than codes, or fewer");
        }
        if self.scales.len() != items
            || !self.scales.iter().all(|scale| *scale == 0.0 || SCALES.contains(scale))
        {
            return Err("scales are not one per item, 0 or within 1e-20 to 1e6");
        }
        if self.items.len() > 0 && self.items.largest() as usize >= items {
            return Err("a row names an item that does not exist");
        }
        if !self.items.rise_in(self.offsets) {
            return Err("the items of a row do not rise");
        }
        Ok(())
    }
}

/// Where the items of entries lie.
#[derive(Debug)]
enum ColumnSlot {
    Narrow(Slot<u16>),
    Wide(Slot<u32>),
}

/// Where the rows' arrays lie.
#[derive(Debug)]
pub(super) struct SparseSlots {
    offsets: Slot<u32>,
    items: ColumnSlot,
    codes: Slot<i8>,
    scales: Slot<f32>,
}

impl SparseSlots {
    pub(super) fn parse(
        layout: Layout,
        file: &[u8],
        arrays: &Arrays,
        items: usize,
    ) -> Result<Self, FormatError> {
        let section = layout.section;
        let slots = Self::find(layout, arrays).map_err(|error| FormatError::Arrays { section, error })?;
        slots.view(file).check(items).map_err(|what| FormatError::Invariant { section, what })?;
        Ok(slots)
    }

    fn find(layout: Layout, arrays: &Arrays) -> Result<Self, ArrayError> {
        let items = match arrays.slot(layout.items) {
            Err(ArrayError::Kind { .. }) => ColumnSlot::Wide(arrays.slot(layout.items)?),
            narrow => ColumnSlot::Narrow(narrow?),
        };
        Ok(Self {
            offsets: arrays.slot(layout.offsets)?,
            items,
            codes: arrays.slot(layout.codes)?,
            scales: arrays.slot(layout.scales)?,
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> SparseRows<'a> {
        SparseRows {
            offsets: self.offsets.of(file),
            items: match &self.items {
                ColumnSlot::Narrow(items) => Columns::Narrow(items.of(file)),
                ColumnSlot::Wide(items) => Columns::Wide(items.of(file)),
            },
            codes: self.codes.of(file),
            scales: self.scales.of(file),
        }
    }
}
