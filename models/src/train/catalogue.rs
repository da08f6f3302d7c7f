//! From a dataset to a grouped log with catalogue records.

use std::collections::HashMap;
use std::time::Duration;

use endcap_core::format::ItemRecord;

use crate::dataset::{Dataset, Item};

use super::TrainError;
use super::log::{Log, LogBuilder, event_weight};

/// Reads a dataset whole; `gap` is the pause that ends a visit of users without session ids, if any does. `heard` is called with the number of events read so far, now and then.
///
/// # Errors
/// Where the dataset is damaged, or has more distinct ids than 32 bits can number.
pub fn records(
    dataset: &Dataset,
    gap: Option<Duration>,
    heard: &mut dyn FnMut(u64),
) -> Result<Log, TrainError> {
    /// Events between two calls of `heard`.
    const TICK: u64 = 1 << 16;
    let mut builder = LogBuilder::with_gap(gap);
    for (number, event) in (1_u64..).zip(dataset.events()?) {
        let event = event?;
        if let Some(weight) = event_weight(&event.event) {
            builder.push(event.user.as_deref(), event.session.as_deref(), &event.item, event.time, weight)?;
        }
        if number.is_multiple_of(TICK) {
            heard(number);
        }
    }
    let items: HashMap<String, Item> =
        dataset.items()?.into_iter().map(|item| (item.item.clone(), item)).collect();
    let silent: Vec<String> = items.keys().cloned().collect();
    builder.finish(|id| items.get(id).map_or_else(|| bare(id), record), silent)
}

fn bare(id: &str) -> ItemRecord {
    ItemRecord { id: id.to_owned(), price: f32::NAN, ..ItemRecord::default() }
}

fn record(item: &Item) -> ItemRecord {
    ItemRecord {
        id: item.item.clone(),
        name: item.name.clone().unwrap_or_default(),
        category: item.category.clone().unwrap_or_default(),
        price: item.price.map_or(f32::NAN, |price| price as f32),
        out_of_stock: item.stock.is_some_and(|stock| stock <= 0.0),
        ..ItemRecord::default()
    }
}
