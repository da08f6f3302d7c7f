//! From a row to an event, or to the reason why not.

use super::field::Field;
use super::mapping::{Mapping, Profile};
use super::reason::{Reason, Reject};
use super::row::{Row, Value};
use super::source::Source;
use super::{Rules, time, values};
use crate::dataset::Event;

/// Bytes an event's name may have; longer ones are sentences in the wrong column.
const MAX_EVENT_BYTES: usize = 64;

/// An accepted row: the event, and what it says of its item.
#[derive(Debug)]
pub(super) struct Cleaned {
    pub(super) event: Event,
    pub(super) name: Option<String>,
    pub(super) name_repaired: bool,
    pub(super) category: Option<String>,
}

/// What stays the same for all rows of one file.
pub(super) struct Cleaner<'a> {
    rules: &'a Rules,
    profile: Profile,
    has_event: bool,
    decimal_comma: bool,
}

impl<'a> Cleaner<'a> {
    pub(super) fn new(rules: &'a Rules, source: &Source) -> Self {
        Self {
            rules,
            profile: source.mapping.profile,
            has_event: source.mapping.has(Field::Event),
            decimal_comma: source.decimal_comma(),
        }
    }

    /// Damage is looked for first and rules are applied after: a rule must not hide a file that is broken.
    pub(super) fn clean(&self, row: &Row) -> Result<Cleaned, Reject> {
        let item = item_id(row, self.profile)?;
        let user = values::id(row, Field::User)?;
        let session = values::id(row, Field::Session)?;
        if user.is_none() && session.is_none() {
            return Err(Reject::row(Reason::MissingVisitor, ""));
        }
        let time = event_time(row, self.rules.now)?;
        let quantity = values::number(row, Field::Quantity, self.decimal_comma)?;
        let price = values::number(row, Field::Price, self.decimal_comma)?;
        let cancelled = self.is_cancelled(session.as_deref(), quantity);
        if cancelled && !self.rules.keep_cancellations {
            return Err(Reject::row(Reason::Cancellation, ""));
        }
        self.check_product(&item)?;
        self.check_price(price)?;
        let event = if cancelled { "cancel".to_owned() } else { self.event_name(row)? };
        let (name, name_repaired) = values::name(row, Field::Name);
        let (category, _) = values::name(row, Field::Category);
        let event = Event { user, session, item, time, event, quantity, price };
        Ok(Cleaned { event, name, name_repaired, category })
    }

    fn is_cancelled(&self, session: Option<&str>, quantity: Option<f64>) -> bool {
        match self.profile {
            Profile::OnlineRetail => {
                session.is_some_and(|invoice| invoice.starts_with(['C', 'c']))
                    || quantity.is_some_and(|units| units <= 0.0)
            }
            // Some logs write a quantity of 0 with every view.
            Profile::Generic => quantity.is_some_and(|units| units < 0.0),
        }
    }

    /// Products of Online Retail have codes that begin with five digits (`85123A`, `22423`). What else stands
    /// in the column is postage, fees, vouchers and bookkeeping: `POST`, `M`, `BANK CHARGES`, `gift_0001_20`;
    /// and 46 rows of a partner's goods (`DCGS0076`), most of them without a name or price.
    fn check_product(&self, item: &str) -> Result<(), Reject> {
        let is_product = item.len() >= 5 && item.bytes().take(5).all(|b| b.is_ascii_digit());
        if self.profile == Profile::OnlineRetail && !is_product && !self.rules.keep_non_products {
            return Err(Reject::row(Reason::NonProduct, ""));
        }
        Ok(())
    }

    fn check_price(&self, price: Option<f64>) -> Result<(), Reject> {
        match price {
            Some(price) if price <= 0.0 && self.profile == Profile::OnlineRetail => {
                Err(Reject::row(Reason::NonPositivePrice, ""))
            }
            Some(price) if price < 0.0 => {
                Err(Reject::cell(Reason::NegativePrice, Field::Price, "is below zero"))
            }
            _ => Ok(()),
        }
    }

    fn event_name(&self, row: &Row) -> Result<String, Reject> {
        if !self.has_event {
            let usual = if self.profile == Profile::OnlineRetail { "purchase" } else { "view" };
            return Ok(self.rules.event_name.clone().unwrap_or_else(|| usual.to_owned()));
        }
        let bad = |note| Reject::cell(Reason::BadEvent, Field::Event, note);
        let name = values::id(row, Field::Event)
            .map_err(|reject| Reject {
                reason: if reject.reason == Reason::NotUtf8 { Reason::NotUtf8 } else { Reason::BadEvent },
                ..reject
            })?
            .ok_or_else(|| bad("is missing"))?;
        if name.len() > MAX_EVENT_BYTES {
            Err(bad("is longer than 64 bytes"))
        } else {
            Ok(name.to_lowercase())
        }
    }
}

/// The item's id. Online Retail writes one code in both cases (`85123a`, `85123A`): there it is upper case.
pub(super) fn item_id(row: &Row, profile: Profile) -> Result<String, Reject> {
    let mut item = values::id(row, Field::Item)?.ok_or_else(|| Reject::row(Reason::MissingItem, ""))?;
    if profile == Profile::OnlineRetail {
        item.make_ascii_uppercase();
    }
    Ok(item)
}

fn event_time(row: &Row, now: i64) -> Result<i64, Reject> {
    let bad = |note| Reject::cell(Reason::BadTime, Field::Time, note);
    let time = match row.get(Field::Time) {
        Value::Missing => return Err(bad("")),
        Value::Nested => return Err(bad("is no time")),
        Value::Int(value) => time::from_int(value),
        Value::Float(value) => time::from_float(value).ok_or_else(|| bad("is no time"))?,
        Value::Micros(value) => value,
        Value::Text(bytes) => {
            let text = std::str::from_utf8(bytes).ok();
            text.and_then(time::from_text).ok_or_else(|| bad("is no time in a known form"))?
        }
    };
    if time::in_range(time, now) {
        Ok(time)
    } else {
        Err(Reject::cell(Reason::TimeOutOfRange, Field::Time, "is before 1990 or in the future"))
    }
}

/// Whether ids of a catalogue are to be read as those of Online Retail.
pub(super) fn strictest(mappings: &[Mapping]) -> Profile {
    let retail = mappings.iter().any(|mapping| mapping.profile == Profile::OnlineRetail);
    if retail { Profile::OnlineRetail } else { Profile::Generic }
}
