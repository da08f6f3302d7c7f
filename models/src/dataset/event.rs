//! What a dataset holds, row by row.

/// One interaction of a shopper with an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The shopper's id; `None` for an anonymous visit.
    pub user: Option<String>,
    /// The id of the visit, basket or invoice; `None` where the source has no such notion. At least one of
    /// `user` and `session` is present in every imported event.
    pub session: Option<String>,
    /// The item's id, never empty.
    pub item: String,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// What happened, a lower-case word: `view`, `cart`, `purchase`, `cancel` or the source's own.
    pub event: String,
    /// Units; negative for a cancellation that was kept.
    pub quantity: Option<f64>,
    /// Price of one unit in the shop's currency.
    pub price: Option<f64>,
}

/// One item of the catalogue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item {
    /// The item's id, never empty, unique in a dataset.
    pub item: String,
    /// What a shopper reads.
    pub name: Option<String>,
    /// The category as the source writes it, such as `Kitchen > Mugs`.
    pub category: Option<String>,
    /// Price of one unit in the shop's currency: the catalogue's, else that of the latest event with a price.
    pub price: Option<f64>,
    /// Units in stock; `None` where the source does not say.
    pub stock: Option<f64>,
    /// Time of the first event, microseconds since 1970; `None` for an item without events.
    pub first_seen: Option<i64>,
    /// Time of the last event, as `first_seen`.
    pub last_seen: Option<i64>,
}
