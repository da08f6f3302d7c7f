//! UniSRec's protocol on Online Retail: leave one out on invoices, whole catalogue ranked, history not masked.
//!
//! Lines are `invoice<TAB>item item ...`. The last item of a line is the test target, the second last the
//! validation target; both are kept from training. The number of the line stands for time: lines come in the
//! order of their invoices.

use std::path::Path;

use crate::evaluate::EvaluateError;
use crate::train::{LogBuilder, event_weight};

use super::lines::{bare, for_each, numbers};
use super::{Case, Split, Task};

/// Longest history, as in the published runs.
const MAX_HISTORY: usize = 50;
/// Shortest line that has a history beside its two targets.
const SHORTEST: usize = 3;

pub(super) fn task(path: &Path, split: Split) -> Result<Task, EvaluateError> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for_each(path, |number, line| {
        let (invoice, items) = line.split_once('\t').ok_or_else(|| EvaluateError::Line {
            path: path.to_owned(),
            line: number,
            reason: "expected an invoice, a tab, and item ids separated by spaces",
        })?;
        lines.push((invoice.to_owned(), items.split_ascii_whitespace().map(str::to_owned).collect()));
        Ok(())
    })?;
    let mut builder = LogBuilder::new();
    let weight = event_weight("purchase").unwrap_or(1.0);
    for (number, (invoice, items)) in (1_i64..).zip(&lines) {
        let train = &items[..items.len().saturating_sub(2)];
        for item in train {
            builder.push(None, Some(invoice), item, number * 1_000_000, weight)?;
        }
    }
    let held_items = lines.iter().flat_map(|(_, items)| items.iter().rev().take(2).cloned());
    let log = builder.finish(bare, held_items)?;
    let numbers = numbers(&log);
    let mut cases = Vec::new();
    for (_, items) in lines.iter().filter(|(_, items)| items.len() >= SHORTEST) {
        let target = match split {
            Split::Valid => items.len() - 2,
            Split::Test => items.len() - 1,
        };
        let history = &items[target.saturating_sub(MAX_HISTORY)..target];
        let numbered: Vec<u32> =
            history.iter().filter_map(|item| numbers.get(item.as_str()).copied()).collect();
        let targets: Vec<u32> = numbers.get(items[target].as_str()).copied().into_iter().collect();
        cases.push(Case { last_basket: numbered.len(), history: numbered, targets });
    }
    Ok(Task { train: log, cases })
}
