//! The items: what the events say of them, completed by a catalogue file.

use std::collections::HashMap;
use std::path::Path;

use super::clean::{Cleaned, item_id};
use super::field::Field;
use super::mapping::{Profile, Purpose};
use super::reason::{MAX_EXAMPLES, Reason, Reject, Tally};
use super::row::Row;
use super::source::{ReadOptions, Source, Step};
use super::{BadShare, ImportError, values};
use crate::dataset::{CatalogueReport, Example, Item};

/// Distinct items of an import. Ten times the largest catalogue that an edge node can serve in its memory; a
/// count above it means that another column is mapped as item.
pub const MAX_ITEMS: usize = 2_000_000;

/// Items by id. Memory: some 250 bytes an item, whatever the number of events.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    items: HashMap<String, Entry>,
}

/// An item and the time of the event that each of its values is from: the latest wins, the later row at a tie.
#[derive(Debug, Default)]
struct Entry {
    name: Option<(i64, String)>,
    category: Option<(i64, String)>,
    price: Option<(i64, f64)>,
    stock: Option<f64>,
    seen: Option<(i64, i64)>,
    /// Line of the catalogue file that was about it last.
    listed: Option<u64>,
}

/// A value from the catalogue file is later than every event's.
const FROM_FILE: i64 = i64::MAX;

impl Catalogue {
    /// Takes note of an event. False where there would be more than [`MAX_ITEMS`].
    pub(super) fn observe(&mut self, cleaned: &Cleaned) -> bool {
        let time = cleaned.event.time;
        let Some(entry) = self.entry(&cleaned.event.item) else { return false };
        let (first, last) = entry.seen.unwrap_or((time, time));
        entry.seen = Some((first.min(time), last.max(time)));
        keep_text(&mut entry.name, time, cleaned.name.as_deref());
        keep_text(&mut entry.category, time, cleaned.category.as_deref());
        if let Some(price) = cleaned.event.price
            && entry.price.is_none_or(|(known, _)| known <= time)
        {
            entry.price = Some((time, price));
        }
        true
    }

    /// Completes the items from a catalogue file; what it says goes before what the events say.
    pub(super) fn read(
        &mut self,
        path: &Path,
        options: &ReadOptions,
        profile: Profile,
        limit: BadShare,
    ) -> Result<CatalogueReport, ImportError> {
        let mut source = Source::open(path, options, Purpose::Catalogue)?;
        let (mut row, mut tally) = (Row::default(), Tally::default());
        let (mut repeated, mut repeated_examples) = (0, Vec::new());
        loop {
            let outcome = match source.next_row(&mut row)? {
                Step::End => break,
                Step::Malformed(reject) => Err(reject),
                Step::Row => parse(&row, profile, source.decimal_comma()),
            };
            match outcome {
                Ok(item) => {
                    let Some(before) = self.complete(&item, row.line) else {
                        return Err(ImportError::TooManyItems {
                            path: path.to_owned(),
                            line: row.line,
                            limit: MAX_ITEMS,
                        });
                    };
                    if let Some(line) = before {
                        repeated += 1;
                        if repeated_examples.len() < MAX_EXAMPLES {
                            let detail =
                                format!("item `{}` is on line {line} already; this line counts", item.item);
                            repeated_examples.push(Example { file: path.to_owned(), line: row.line, detail });
                        }
                    }
                }
                Err(reject) => tally.add(&reject, path, &row),
            }
            limit.check_early(source.report.rows, &mut tally)?;
        }
        let read = source.report.rows;
        if read == 0 {
            return Err(ImportError::HeaderOnly(path.to_owned()));
        }
        limit.check(read, &mut tally)?;
        let dropped = tally.into_drops();
        let rows_kept = read - dropped.iter().map(|drop| drop.count).sum::<u64>();
        let without_events = self.items.values().filter(|entry| entry.seen.is_none()).count() as u64;
        Ok(CatalogueReport {
            source: source.report,
            rows_kept,
            dropped,
            without_events,
            repeated,
            repeated_examples,
        })
    }

    /// The items, ordered by id.
    pub(super) fn into_items(self) -> Vec<Item> {
        let mut items: Vec<Item> = self.items.into_iter().map(|(id, entry)| entry.into_item(id)).collect();
        items.sort_unstable_by(|a, b| a.item.cmp(&b.item));
        items
    }

    /// The line that was about the same item before, if any; `None` where there would be more than [`MAX_ITEMS`].
    fn complete(&mut self, item: &Item, line: u64) -> Option<Option<u64>> {
        let entry = self.entry(&item.item)?;
        keep_text(&mut entry.name, FROM_FILE, item.name.as_deref());
        keep_text(&mut entry.category, FROM_FILE, item.category.as_deref());
        entry.price = item.price.map(|price| (FROM_FILE, price)).or(entry.price);
        entry.stock = item.stock.or(entry.stock);
        Some(entry.listed.replace(line))
    }

    fn entry(&mut self, id: &str) -> Option<&mut Entry> {
        if !self.items.contains_key(id) {
            if self.items.len() == MAX_ITEMS {
                return None;
            }
            self.items.insert(id.to_owned(), Entry::default());
        }
        self.items.get_mut(id)
    }
}

impl Entry {
    fn into_item(self, item: String) -> Item {
        Item {
            item,
            name: self.name.map(|(_, text)| text),
            category: self.category.map(|(_, text)| text),
            price: self.price.map(|(_, price)| price),
            stock: self.stock,
            first_seen: self.seen.map(|(first, _)| first),
            last_seen: self.seen.map(|(_, last)| last),
        }
    }
}

fn keep_text(slot: &mut Option<(i64, String)>, time: i64, text: Option<&str>) {
    let Some(text) = text else { return };
    match slot {
        Some((known, _)) if *known > time => {}
        // Most events repeat the name: no new string for them.
        Some((known, same)) if same == text => *known = time,
        _ => *slot = Some((time, text.to_owned())),
    }
}

fn parse(row: &Row, profile: Profile, decimal_comma: bool) -> Result<Item, Reject> {
    let price = values::number(row, Field::Price, decimal_comma)?;
    if price.is_some_and(|price| price < 0.0) {
        return Err(Reject::cell(Reason::NegativePrice, Field::Price, "is below zero"));
    }
    Ok(Item {
        item: item_id(row, profile)?,
        name: values::name(row, Field::Name).0,
        category: values::name(row, Field::Category).0,
        price,
        // Oversold items are written as negative stock; for a shopper that is none.
        stock: values::number(row, Field::Stock, decimal_comma)?.map(|units| units.max(0.0)),
        ..Item::default()
    })
}
