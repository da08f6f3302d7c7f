//! What is remembered of sessions and users between requests: the port, and the store in memory.

mod memory;

pub use memory::MemoryStore;

use crate::ItemIx;

/// Whose events these are. A session is one visit, possibly anonymous; a user comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner<'a> {
    /// A session id.
    Session(&'a str),
    /// A user id.
    User(&'a str),
}

/// What happened. The number is what the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EventKind {
    /// The item was looked at.
    #[default]
    View,
    /// It was put into the basket.
    Cart,
    /// It was bought.
    Purchase,
    /// It was liked, saved or rated well.
    Like,
    /// It was disliked or hidden: it is not recommended to this owner again.
    Dislike,
}

impl EventKind {
    /// The kind for a word of the API, or `None`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "view" | "click" | "read" => Self::View,
            "cart" | "add-to-cart" => Self::Cart,
            "purchase" | "buy" => Self::Purchase,
            "like" | "star" => Self::Like,
            "dislike" | "hide" => Self::Dislike,
            _ => return None,
        })
    }

    /// Words that [`Self::parse`] takes, for messages.
    pub const WORDS: &str = "view, click, read, cart, add-to-cart, purchase, buy, like, star, dislike, hide";
}

/// An event of the running service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredEvent {
    /// The item.
    pub item: ItemIx,
    /// What happened.
    pub kind: EventKind,
    /// When, milliseconds since 1970.
    pub time_ms: i64,
}

/// A port: the service keeps events in memory here, later stores are durable or shared.
pub trait EventStore {
    /// Remembers an event of `owner`. Events may come late or out of order; they are kept by time.
    fn append(&mut self, owner: Owner<'_>, event: StoredEvent);

    /// Appends to `history` the items of `owner`, oldest first, and to `disliked` those it disliked.
    /// Unknown owners have none. `now_ms` decides what has expired.
    fn recent(
        &mut self,
        owner: Owner<'_>,
        now_ms: i64,
        history: &mut Vec<ItemIx>,
        disliked: &mut Vec<ItemIx>,
    );

    /// Gives every item another number, as the next model has it. Events of items without one are forgotten.
    fn renumber(&mut self, number: &dyn Fn(ItemIx) -> Option<ItemIx>);

    /// Owners remembered now.
    fn owners(&self) -> usize;
}
