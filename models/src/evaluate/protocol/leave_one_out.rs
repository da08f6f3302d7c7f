//! Leave one out on lines of items: the whole catalogue is ranked, the history is not masked.
//!
//! The last item of a line is the test target, the second last the validation target; both are kept from training. Two
//! forms of lines:
//!
//! - `invoice<TAB>item item ...`, UniSRec's protocol on Online Retail. Lines come in the order of their invoices, so that
//!   the number of the line stands for time; the lines of an invoice are of one moment, and in no order.
//! - `user item item ...`, as the published sequence models read their data: in order of time. Nothing is known of time between
//!   lines: all end at one moment, and ties stay in the order of the file.

use std::path::Path;

use crate::evaluate::EvaluateError;
use crate::train::{LogBuilder, event_weight};

use super::lines::{bare, for_each, numbers};
use super::{Case, Split, Task};

/// Longest history, as in the published runs.
const MAX_HISTORY: usize = 50;
/// Shortest line that has a history beside its two targets.
const SHORTEST: usize = 3;

/// Where all lines of users end, microseconds since 1970: steps of a microsecond before it are an order, and no age.
const END: i64 = 1_000_000_000;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `invoice<TAB>item item ...`, in order of time.
    Invoices,
    /// `user item item ...`, the items in order of time.
    Users,
}

impl Form {
    /// The line's name and its items.
    fn split(self, line: &str) -> Result<(&str, &str), &'static str> {
        match self {
            Self::Invoices => {
                line.split_once('\t').ok_or("expected an invoice, a tab, and item ids separated by spaces")
            }
            Self::Users => line
                .split_once(|c: char| c.is_ascii_whitespace())
                .ok_or("expected a user and item ids, separated by spaces or tabs"),
        }
    }

    /// Microseconds since 1970 of an item of the line with this number, behind which `later` items of it come.
    fn time(self, number: i64, later: i64) -> i64 {
        match self {
            Self::Invoices => number * 1_000_000,
            Self::Users => END - later,
        }
    }
}

pub(super) fn task(path: &Path, split: Split, form: Form) -> Result<Task, EvaluateError> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for_each(path, |number, line| {
        let (name, items) = form.split(line).map_err(|reason| EvaluateError::Line {
            path: path.to_owned(),
            line: number,
            reason,
        })?;
        lines.push((name.to_owned(), items.split_ascii_whitespace().map(str::to_owned).collect()));
        Ok(())
    })?;
    let mut builder = LogBuilder::new();
    let weight = event_weight("purchase").unwrap_or(1.0);
    for (number, (name, items)) in (1_i64..).zip(&lines) {
        let train = &items[..items.len().saturating_sub(2)];
        for (later, item) in (0..train.len() as i64).rev().zip(train) {
            builder.push(None, Some(name), item, form.time(number, later), weight)?;
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
        // A line is trained on as one session, and asked about as the running one.
        cases.push(Case { last_basket: numbered.len(), earlier: 0, history: numbered, targets });
    }
    Ok(Task { train: log, cases })
}
