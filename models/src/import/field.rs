//! The fields that an input column can be mapped to, and the headers that are recognised without being told.

use std::fmt;

/// A field of an event or an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The shopper.
    User,
    /// The visit, basket or invoice.
    Session,
    /// The item.
    Item,
    /// When it happened.
    Time,
    /// What happened.
    Event,
    /// Units.
    Quantity,
    /// Price of one unit.
    Price,
    /// The item's name or description.
    Name,
    /// The item's category.
    Category,
    /// Units in stock; of a catalogue only.
    Stock,
}

impl Field {
    /// Every field, in declaration order: `Field::ALL[f as usize] == f`.
    pub const ALL: [Self; 10] = [
        Self::User,
        Self::Session,
        Self::Item,
        Self::Time,
        Self::Event,
        Self::Quantity,
        Self::Price,
        Self::Name,
        Self::Category,
        Self::Stock,
    ];

    /// The word used in `--map` and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
            Self::Item => "item",
            Self::Time => "time",
            Self::Event => "event",
            Self::Quantity => "quantity",
            Self::Price => "price",
            Self::Name => "name",
            Self::Category => "category",
            Self::Stock => "stock",
        }
    }

    /// The field that [`word`](Self::word) names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.word() == word)
    }

    /// Headers recognised for this field, [`simplified`](simplify), the most telling first. Two readings of one
    /// header never stand in two lists.
    pub(super) fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::User => &[
                "user",
                "userid",
                "uid",
                "visitorid",
                "visitor",
                "customerid",
                "customer",
                "shopperid",
                "shopper",
                "clientid",
                "memberid",
                "accountid",
            ],
            Self::Session => &[
                "session",
                "sessionid",
                "usersession",
                "sid",
                "visitid",
                "invoice",
                "invoiceno",
                "orderid",
                "order",
                "basketid",
                "basket",
                "transactionid",
            ],
            Self::Item => &[
                "item",
                "itemid",
                "productid",
                "product",
                "sku",
                "stockcode",
                "articleid",
                "article",
                "asin",
            ],
            Self::Time => &[
                "time",
                "timestamp",
                "ts",
                "eventtime",
                "eventtimestamp",
                "datetime",
                "date",
                "invoicedate",
                "createdat",
                "occurredat",
            ],
            Self::Event => &[
                "event",
                "eventtype",
                "eventname",
                "action",
                "behavior",
                "behaviour",
                "behaviortype",
                "type",
            ],
            Self::Quantity => &["quantity", "qty", "units"],
            Self::Price => &["price", "unitprice", "itemprice"],
            Self::Name => &["name", "title", "description", "itemname", "productname", "producttitle"],
            Self::Category => &["category", "categorycode", "categoryname", "categoryid", "department"],
            Self::Stock => &["stock", "stocklevel", "unitsinstock", "inventory"],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A header without case, spaces and punctuation: `Customer ID`, `customer_id` and `CustomerID` are one.
pub(super) fn simplify(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
