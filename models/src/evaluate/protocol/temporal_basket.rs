//! The product's own task: the next basket of known customers, split by time.
//!
//! Baskets (sessions) are ordered by their last event. Validation begins after 80 % of the baskets, the test
//! after 90 %; everything before the asked part is trained on. A case is a basket of a customer with at least
//! one earlier basket; its history is all that the customer bought before it, also within the asked part, as a
//! running service would know. Items that were never sold before stay targets: missing them is a fault.
//! Ties in time stay in the order of the log; the order inside a basket is the log's and carries no meaning.

use std::collections::HashMap;
use std::path::Path;

use endcap_core::ItemIx;
use endcap_core::format::ItemRecord;

use crate::dataset::Dataset;
use crate::evaluate::EvaluateError;
use crate::train::{LogBuilder, SESSION_GAP, TrainError, records};

use super::lines::{bare, numbers};
use super::{Case, Split, Task};

/// Shares of baskets before validation and before test.
const VALID_FROM: f64 = 0.8;
const TEST_FROM: f64 = 0.9;
/// Items of a history that are kept: more than any method looks at.
const MAX_HISTORY: usize = 1_000;

pub(super) fn task(path: &Path, split: Split) -> Result<Task, EvaluateError> {
    let all = records(&Dataset::open(path).map_err(TrainError::from)?, Some(SESSION_GAP), &mut |_| {})?;
    let count = all.sessions.len() as f64;
    let (from, to) = match split {
        Split::Valid => ((count * VALID_FROM) as usize, (count * TEST_FROM) as usize),
        Split::Test => ((count * TEST_FROM) as usize, all.sessions.len()),
    };
    // Numbered anew from the training part alone, because item numbers rise with popularity and break ties.
    let mut builder = LogBuilder::new();
    let id = |item: ItemIx| all.items[item as usize].id.as_str();
    for (number, session) in all.sessions[..from].iter().enumerate() {
        let user = session.user.map(|user| user.to_string());
        for click in &session.clicks {
            builder.push(
                user.as_deref(),
                Some(&number.to_string()),
                id(click.item),
                click.time,
                click.weight,
            )?;
        }
    }
    let records: HashMap<&str, &ItemRecord> = all.items.iter().map(|item| (item.id.as_str(), item)).collect();
    // What the catalogue says, without the dates of events that are still to come.
    let described = |id: &str| match records.get(id) {
        Some(&record) => ItemRecord { first_seen: 0, last_seen: 0, ..record.clone() },
        None => bare(id),
    };
    let train = builder.finish(described, all.items.iter().map(|item| item.id.clone()))?;
    let numbers = numbers(&train);
    let renumber = |item: ItemIx| numbers.get(id(item)).copied();
    let mut histories: HashMap<u32, (Vec<ItemIx>, usize)> = HashMap::new();
    let mut cases = Vec::new();
    for (at, session) in all.sessions[..to].iter().enumerate() {
        let Some(user) = session.user else { continue };
        let basket: Vec<ItemIx> = session.distinct().into_iter().filter_map(renumber).collect();
        let (history, last_basket) = histories.entry(user).or_default();
        if at >= from && !history.is_empty() {
            cases.push(Case {
                history: history.clone(),
                targets: basket.clone(),
                last_basket: *last_basket,
                earlier: history.len(),
            });
        }
        *last_basket = basket.len();
        history.extend(basket);
        history.drain(..history.len().saturating_sub(MAX_HISTORY));
        *last_basket = (*last_basket).min(history.len());
    }
    Ok(Task { train, cases })
}
