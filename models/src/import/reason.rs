//! Why a row is left out, and the count of such rows.

use std::borrow::Cow;
use std::path::Path;

use super::field::Field;
use super::row::Row;
use crate::dataset::{Dropped, Example};

/// Examples kept for each reason: enough to see a pattern, few enough to read.
pub const MAX_EXAMPLES: usize = 5;

/// Why a row was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A cancelled or returned line, left out by rule.
    Cancellation,
    /// A fee, voucher or adjustment rather than an item, left out by rule.
    NonProduct,
    /// An adjustment of stock or a free sample, left out by rule.
    NonPositivePrice,
    /// No item.
    MissingItem,
    /// Neither a user nor a session.
    MissingVisitor,
    /// An id that is too long, has control characters or is a list.
    BadId,
    /// An id or event that is not UTF-8.
    NotUtf8,
    /// No time, or one in no known form.
    BadTime,
    /// A time before 1990 or in the future.
    TimeOutOfRange,
    /// A quantity, price or stock that is no number.
    BadNumber,
    /// A price below zero.
    NegativePrice,
    /// An event column without an event.
    BadEvent,
    /// A CSV row with more or fewer fields than the header.
    FieldCount,
    /// A line that is no JSON object.
    BadJson,
}

impl Reason {
    /// Every reason, in declaration order.
    pub const ALL: [Self; 14] = [
        Self::Cancellation,
        Self::NonProduct,
        Self::NonPositivePrice,
        Self::MissingItem,
        Self::MissingVisitor,
        Self::BadId,
        Self::NotUtf8,
        Self::BadTime,
        Self::TimeOutOfRange,
        Self::BadNumber,
        Self::NegativePrice,
        Self::BadEvent,
        Self::FieldCount,
        Self::BadJson,
    ];

    /// The stable code used in `import.json`.
    pub fn code(self) -> &'static str {
        self.texts().0
    }

    /// The reason in words.
    pub fn meaning(self) -> &'static str {
        self.texts().1
    }

    /// True for damage, which counts towards the share of bad rows; false for a rule of the import.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::Cancellation | Self::NonProduct | Self::NonPositivePrice)
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Cancellation => ("cancellation", "cancelled: invoice C… or quantity ≤ 0"),
            Self::NonProduct => ("non-product", "no product: code without five leading digits"),
            Self::NonPositivePrice => ("non-positive-price", "adjustment or sample: price ≤ 0"),
            Self::MissingItem => ("missing-item", "no item id"),
            Self::MissingVisitor => ("missing-visitor", "neither user nor session"),
            Self::BadId => ("bad-id", "unusable id"),
            Self::NotUtf8 => ("not-utf8", "id or event is not UTF-8"),
            Self::BadTime => ("bad-time", "no readable time"),
            Self::TimeOutOfRange => ("time-out-of-range", "time before 1990 or in the future"),
            Self::BadNumber => ("bad-number", "quantity, price or stock is no number"),
            Self::NegativePrice => ("negative-price", "price below zero"),
            Self::BadEvent => ("bad-event", "no usable event name"),
            Self::FieldCount => ("field-count", "other number of fields than the header"),
            Self::BadJson => ("bad-json", "line is no JSON object"),
        }
    }
}

/// The refusal of one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reject {
    pub(super) reason: Reason,
    /// The cell at fault; `None` where it is the row as a whole.
    pub(super) field: Option<Field>,
    pub(super) note: Cow<'static, str>,
}

impl Reject {
    pub(super) fn cell(reason: Reason, field: Field, note: &'static str) -> Self {
        Self { reason, field: Some(field), note: note.into() }
    }

    pub(super) fn row(reason: Reason, note: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, field: None, note: note.into() }
    }

    fn detail(&self, row: &Row) -> String {
        let at = |field| format!("{field} {}", row.show(field).unwrap_or_else(|| "missing".to_owned()));
        let parts = [self.field.map(at), (!self.note.is_empty()).then(|| self.note.to_string())];
        let what = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        if what.is_empty() { row.excerpt() } else { format!("{what} | {}", row.excerpt()) }
    }
}

/// Counts of rows left out, with the first few of each reason.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [u64; Reason::ALL.len()],
    examples: [Vec<Example>; Reason::ALL.len()],
}

impl Tally {
    pub(super) fn add(&mut self, reject: &Reject, file: &Path, row: &Row) {
        let index = reject.reason as usize;
        self.counts[index] += 1;
        if self.examples[index].len() < MAX_EXAMPLES {
            let detail = reject.detail(row);
            self.examples[index].push(Example { file: file.to_owned(), line: row.line, detail });
        }
    }

    pub(super) fn bad(&self) -> u64 {
        Reason::ALL.into_iter().filter(|r| r.is_bad()).map(|r| self.counts[r as usize]).sum()
    }

    /// What was left out, most frequent first; ties in declaration order.
    pub(super) fn into_drops(self) -> Vec<Dropped> {
        let counted = Reason::ALL.into_iter().zip(self.counts).zip(self.examples);
        let mut drops: Vec<Dropped> = counted
            .filter(|((_, count), _)| *count > 0)
            .map(|((reason, count), examples)| Dropped {
                reason: reason.code().to_owned(),
                meaning: reason.meaning().to_owned(),
                bad: reason.is_bad(),
                count,
                examples,
            })
            .collect();
        drops.sort_by_key(|drop| std::cmp::Reverse(drop.count));
        drops
    }
}
