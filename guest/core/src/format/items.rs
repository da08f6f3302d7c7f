//! Section `endcap.items`: the catalogue, and the index from string ids to dense item numbers.

use crate::ItemIx;

use super::arrays::{ArrayError, Arrays, ArraysBuilder, Slot};
use super::error::FormatError;
use super::section::ITEMS;

/// Set in an item's flags where the catalogue says that nothing is left.
const OUT_OF_STOCK: u8 = 1;

/// One item, as it is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemRecord {
    /// String id, unique, not empty.
    pub id: String,
    /// Display name, empty where unknown.
    pub name: String,
    /// Category, empty where unknown.
    pub category: String,
    /// Unit price in the shop's currency, NaN where unknown.
    pub price: f32,
    /// Whether the catalogue says that nothing is left.
    pub out_of_stock: bool,
    /// First event, seconds since 1970.
    pub first_seen: i64,
    /// Last event, seconds since 1970.
    pub last_seen: i64,
}

/// One item, viewed in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemView<'a> {
    /// String id.
    pub id: &'a str,
    /// Display name, empty where unknown.
    pub name: &'a str,
    /// Category, empty where unknown.
    pub category: &'a str,
    /// Unit price in the shop's currency, `None` where unknown.
    pub price: Option<f32>,
    /// Whether the catalogue says that nothing is left.
    pub out_of_stock: bool,
    /// First event, seconds since 1970.
    pub first_seen: i64,
    /// Last event, seconds since 1970.
    pub last_seen: i64,
}

/// Collects items in the order of their [`ItemIx`] and writes the section body.
#[derive(Debug, Default)]
pub struct CatalogueBuilder {
    ids: Strings,
    names: Strings,
    categories: Strings,
    category_of: Vec<u16>,
    prices: Vec<f32>,
    flags: Vec<u8>,
    first_seen: Vec<i64>,
    last_seen: Vec<i64>,
    category_numbers: std::collections::BTreeMap<String, u16>,
}

impl CatalogueBuilder {
    /// An empty catalogue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next item. Categories beyond the 65,535th are dropped, because the table is 16 bits wide.
    pub fn push(&mut self, item: &ItemRecord) {
        self.ids.push(&item.id);
        self.names.push(&item.name);
        let category = if item.category.is_empty() { 0 } else { self.category_number(&item.category) };
        self.category_of.push(category);
        self.prices.push(item.price);
        self.flags.push(if item.out_of_stock { OUT_OF_STOCK } else { 0 });
        self.first_seen.push(item.first_seen);
        self.last_seen.push(item.last_seen);
    }

    fn category_number(&mut self, category: &str) -> u16 {
        if let Some(&number) = self.category_numbers.get(category) {
            return number;
        }
        let Ok(number) = u16::try_from(self.category_numbers.len() + 1) else { return 0 };
        self.category_numbers.insert(category.to_owned(), number);
        self.categories.push(category);
        number
    }

    /// The section body.
    pub fn finish(self) -> Vec<u8> {
        let hash = self.ids.hash_index();
        ArraysBuilder::new()
            .with("id.off", &self.ids.offsets())
            .with("id.utf8", self.ids.text.as_bytes())
            .with("id.hash", &hash)
            .with("nm.off", &self.names.offsets())
            .with("nm.utf8", self.names.text.as_bytes())
            .with("ct.ix", &self.category_of)
            .with("ct.off", &self.categories.offsets())
            .with("ct.utf8", self.categories.text.as_bytes())
            .with("price", &self.prices)
            .with("flags", &self.flags)
            .with("first", &self.first_seen)
            .with("last", &self.last_seen)
            .finish()
    }
}

/// Strings laid end to end.
#[derive(Debug, Default)]
struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    fn push(&mut self, string: &str) {
        self.text.push_str(string);
        self.ends.push(self.text.len() as u32);
    }

    fn offsets(&self) -> Vec<u32> {
        std::iter::once(0).chain(self.ends.iter().copied()).collect()
    }

    /// Open addressing with linear probing, at most half full: slot = item number + 1, 0 = empty.
    fn hash_index(&self) -> Vec<u32> {
        let mut slots = vec![0_u32; (self.ends.len() * 2).next_power_of_two().max(2)];
        let offsets = self.offsets();
        for (number, ends) in offsets.windows(2).enumerate() {
            let id = &self.text.as_bytes()[ends[0] as usize..ends[1] as usize];
            let mut at = first_slot(id, slots.len());
            while slots[at] != 0 {
                at = (at + 1) & (slots.len() - 1);
            }
            slots[at] = number as u32 + 1;
        }
        slots
    }
}

/// Where probing for `id` begins in a table of `slots` (a power of two).
fn first_slot(id: &[u8], slots: usize) -> usize {
    xxhash_rust::xxh3::xxh3_64(id) as usize & (slots - 1)
}

/// Where the catalogue's arrays lie.
#[derive(Debug)]
pub(super) struct CatalogueSlots {
    id_offsets: Slot<u32>,
    id_text: Slot<u8>,
    id_hash: Slot<u32>,
    name_offsets: Slot<u32>,
    name_text: Slot<u8>,
    category_of: Slot<u16>,
    category_offsets: Slot<u32>,
    category_text: Slot<u8>,
    price: Slot<f32>,
    flags: Slot<u8>,
    first_seen: Slot<i64>,
    last_seen: Slot<i64>,
}

impl CatalogueSlots {
    pub(super) fn parse(file: &[u8], arrays: &Arrays) -> Result<Self, FormatError> {
        let slots = Self::find(arrays).map_err(|error| FormatError::Arrays { section: ITEMS, error })?;
        slots.view(file).check()?;
        Ok(slots)
    }

    fn find(arrays: &Arrays) -> Result<Self, ArrayError> {
        Ok(Self {
            id_offsets: arrays.slot("id.off")?,
            id_text: arrays.slot("id.utf8")?,
            id_hash: arrays.slot("id.hash")?,
            name_offsets: arrays.slot("nm.off")?,
            name_text: arrays.slot("nm.utf8")?,
            category_of: arrays.slot("ct.ix")?,
            category_offsets: arrays.slot("ct.off")?,
            category_text: arrays.slot("ct.utf8")?,
            price: arrays.slot("price")?,
            flags: arrays.slot("flags")?,
            first_seen: arrays.slot("first")?,
            last_seen: arrays.slot("last")?,
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> Catalogue<'a> {
        Catalogue {
            ids: Texts { offsets: self.id_offsets.of(file), text: self.id_text.of(file) },
            hash: self.id_hash.of(file),
            names: Texts { offsets: self.name_offsets.of(file), text: self.name_text.of(file) },
            category_of: self.category_of.of(file),
            categories: Texts { offsets: self.category_offsets.of(file), text: self.category_text.of(file) },
            price: self.price.of(file),
            flags: self.flags.of(file),
            first_seen: self.first_seen.of(file),
            last_seen: self.last_seen.of(file),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Texts<'a> {
    offsets: &'a [u32],
    text: &'a [u8],
}

impl<'a> Texts<'a> {
    fn bytes(&self, index: usize) -> &'a [u8] {
        &self.text[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// The string; its bytes were found to be UTF-8 when the model was opened.
    fn get(&self, index: usize) -> &'a str {
        std::str::from_utf8(self.bytes(index)).unwrap_or_default()
    }

    fn check(&self, expected: Option<usize>) -> Result<(), &'static str> {
        let Self { offsets, text } = *self;
        if offsets.is_empty() || expected.is_some_and(|count| offsets.len() != count + 1) {
            return Err("a string table has the wrong number of offsets");
        }
        if offsets[0] != 0 || offsets[offsets.len() - 1] as usize != text.len() || !offsets.is_sorted() {
            return Err("string offsets do not ascend from 0 to the text's length");
        }
        let text = std::str::from_utf8(text).map_err(|_| "text is not UTF-8")?;
        if offsets.iter().any(|&at| !text.is_char_boundary(at as usize)) {
            return Err("a string offset splits a character");
        }
        Ok(())
    }
}

/// The catalogue of an open model.
#[derive(Debug, Clone, Copy)]
pub struct Catalogue<'a> {
    ids: Texts<'a>,
    hash: &'a [u32],
    names: Texts<'a>,
    category_of: &'a [u16],
    categories: Texts<'a>,
    price: &'a [f32],
    flags: &'a [u8],
    first_seen: &'a [i64],
    last_seen: &'a [i64],
}

impl<'a> Catalogue<'a> {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.price.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.price.is_empty()
    }

    /// The dense number of an id; expected constant time, no allocation.
    pub fn find(&self, id: &str) -> Option<ItemIx> {
        let mut at = first_slot(id.as_bytes(), self.hash.len());
        // A checked table is at most half full, so the probe meets an empty slot.
        while self.hash[at] != 0 {
            let item = self.hash[at] - 1;
            if self.ids.bytes(item as usize) == id.as_bytes() {
                return Some(item);
            }
            at = (at + 1) & (self.hash.len() - 1);
        }
        None
    }

    /// The string id of `item`, which must be below [`Self::len`].
    pub fn id(&self, item: ItemIx) -> &'a str {
        self.ids.get(item as usize)
    }

    /// The display name of `item`, empty where unknown.
    pub fn name(&self, item: ItemIx) -> &'a str {
        self.names.get(item as usize)
    }

    /// Whether `item` is out of stock.
    pub fn out_of_stock(&self, item: ItemIx) -> bool {
        self.flags[item as usize] & OUT_OF_STOCK != 0
    }

    /// Unit price of `item`, `None` where unknown.
    pub fn price(&self, item: ItemIx) -> Option<f32> {
        Some(self.price[item as usize]).filter(|price| !price.is_nan())
    }

    /// The number of `item`'s category in this catalogue, from 1; 0 where unknown.
    pub fn category_number(&self, item: ItemIx) -> u16 {
        self.category_of[item as usize]
    }

    /// Everything about `item`, which must be below [`Self::len`].
    pub fn get(&self, item: ItemIx) -> ItemView<'a> {
        let at = item as usize;
        let category = match self.category_of[at] {
            0 => "",
            number => self.categories.get(usize::from(number) - 1),
        };
        ItemView {
            id: self.ids.get(at),
            name: self.names.get(at),
            category,
            price: self.price(item),
            out_of_stock: self.out_of_stock(item),
            first_seen: self.first_seen[at],
            last_seen: self.last_seen[at],
        }
    }

    fn check(&self) -> Result<(), FormatError> {
        self.broken_rule().map_err(|what| FormatError::Invariant { section: ITEMS, what })
    }

    fn broken_rule(&self) -> Result<(), &'static str> {
        let n = self.price.len();
        if n == 0 || n >= u32::MAX as usize {
            return Err("no items, or more than 32 bits can number");
        }
        let lens = [self.category_of.len(), self.flags.len(), self.first_seen.len(), self.last_seen.len()];
        if lens.iter().any(|&len| len != n) {
            return Err("per-item arrays differ in length");
        }
        self.ids.check(Some(n))?;
        self.names.check(Some(n))?;
        self.categories.check(None)?;
        let categories = self.categories.offsets.len() - 1;
        if self.category_of.iter().any(|&number| usize::from(number) > categories) {
            return Err("an item's category is not in the table");
        }
        let filled = self.hash.iter().filter(|&&slot| slot != 0).count();
        if !self.hash.len().is_power_of_two() || filled != n || self.hash.len() < 2 * n {
            return Err("the id index has the wrong size or fill");
        }
        if self.hash.iter().any(|&slot| slot as usize > n) {
            return Err("the id index names an item that does not exist");
        }
        Ok(())
    }
}
