//! A shop that does not exist, and what it would hand over: `events.csv.gz` and `items.csv`.
//!
//! For demonstrations, load tests and tests of the pipeline. It is no benchmark of accuracy: a model that finds
//! what was put in here has shown that it works, not that it is good.
//!
//! # The generative model
//!
//! **Items** (`products`). Each has a category (24 under 6 departments, `words`), one of 8 styles, a name of
//! a style's word, a material and a noun, a price that is log-normal around its category's, a weight that is Zipf
//! over all items, and a launch: two thirds are there from the start, the others arrive over the period. A few
//! sell out near the end and have no stock. Each *goes with* one or two items of the categories that complement
//! its own, of its own style where there are any: the saucer to the cup.
//!
//! **Shoppers** (`shoppers`). Each has a taste before and a taste after, a mixture over styles and over
//! categories, and drifts from one to the other over the period; a sensitivity to price; and an activity with a
//! heavy tail.
//!
//! **Visits** (`visit`, `log`). Their times follow growth, the seasons of the period, the day of the week and the hour
//! of the day (`calendar`). A fifth are anonymous. A visit is a Markov walk over items: it stays in the
//! category, follows *goes with*, moves to a complementary category or begins anew by taste and season; a known
//! shopper may begin at what goes with an earlier purchase. Each view may become a cart, more often where the
//! style is liked or the item goes with one in the cart; a cart may become a purchase of all that is in it.
//!
//! So popularity, order (Markov), co-occurrence, taste, recency and season each carry signal, and none all of it.
//!
//! # Determinism
//!
//! The same [`Plan`] gives the same bytes: ChaCha8 is value-stable by specification, every draw is made from its
//! 64 bits by this module, and the gzip header has no time. Logarithms come from the platform's C library, so
//! bytes are promised for one platform, not across all.

mod calendar;
mod log;
mod output;
mod products;
mod random;
mod shoppers;
mod visit;
mod words;

use std::path::PathBuf;

use serde::Serialize;

use crate::progress::Progress;
use crate::staging::StagingError;
use calendar::Calendar;
use log::{Action, Visits};
use products::Shop;
use random::Draw;
use shoppers::Shopper;

/// Fewest items: one for every category.
pub const MIN_ITEMS: usize = 24;
/// Most items: names are built from words, and there are some 70,000 different ones.
pub const MAX_ITEMS: usize = 50_000;
/// Most shoppers: beyond, memory for their tastes passes 1 GB.
pub const MAX_USERS: usize = 2_000_000;
/// Most events: all are held in memory, for a moment twice, at 32 bytes each, to be written in order of time.
pub const MAX_EVENTS: usize = 50_000_000;
/// Most days: ten years.
pub const MAX_DAYS: usize = 3_650;

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Folder for the two files.
    pub out: PathBuf,
    /// Replace a simulation that is there.
    pub force: bool,
    /// Seed of all randomness.
    pub seed: u64,
    /// Items, [`MIN_ITEMS`] to [`MAX_ITEMS`].
    pub items: usize,
    /// Shoppers, 1 to [`MAX_USERS`].
    pub users: usize,
    /// Events, 1 to [`MAX_EVENTS`]; exactly as many are written.
    pub events: usize,
    /// Days, 1 to [`MAX_DAYS`]; the last is 2024-12-31.
    pub days: usize,
}

/// Why a simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// A number is outside its range.
    #[error("--{name} {value} is outside {least} to {most}")]
    Range {
        /// The option.
        name: &'static str,
        /// The value given.
        value: usize,
        /// The least allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// The output folder could not be made.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SimulateError {
    /// True where the arguments are at fault, false for a failing system.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Range { .. } => true,
            Self::Staging(e) => e.is_bad_input(),
            Self::Write { .. } => false,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The log.
    pub events_file: PathBuf,
    /// The catalogue.
    pub items_file: PathBuf,
    /// Events in all.
    pub events: usize,
    /// Views among them.
    pub views: usize,
    /// Carts among them.
    pub carts: usize,
    /// Purchases among them.
    pub purchases: usize,
    /// Visits with at least one event.
    pub sessions: usize,
    /// Visits without a user.
    pub anonymous_sessions: usize,
    /// Shoppers with at least one event.
    pub users: usize,
    /// Items in the catalogue.
    pub items: usize,
    /// Items without stock.
    pub out_of_stock: usize,
    /// Pairs of items that go together, each way counted.
    pub goes_with: usize,
}

/// Simulates the shop and writes its two files. `progress` goes to twice [`Plan::events`]: once simulated, once
/// written.
///
/// # Errors
/// [`SimulateError`]; nothing is left behind then.
pub fn run(plan: &Plan, progress: &mut Progress) -> Result<Summary, SimulateError> {
    check(plan)?;
    // Each part draws from its own stream: more users must not change the catalogue.
    let calendar = Calendar::new(plan.days);
    let shop = Shop::new(plan.items, plan.days, &mut Draw::new(plan.seed, 1));
    let shoppers = Shopper::many(plan.users, &mut Draw::new(plan.seed, 2));
    let visits = Visits::simulate(&shop, &shoppers, &calendar, plan, progress);
    let (events_file, items_file) = output::write(plan, &shop, &visits, progress)?;
    let count = |action| visits.events.iter().filter(|event| event.action == action).count();
    Ok(Summary {
        events_file,
        items_file,
        events: visits.events.len(),
        views: count(Action::View),
        carts: count(Action::Cart),
        purchases: count(Action::Purchase),
        sessions: visits.sessions.len(),
        anonymous_sessions: visits.sessions.iter().filter(|user| user.is_none()).count(),
        users: visits.distinct_users(),
        items: shop.products.len(),
        out_of_stock: shop.products.iter().filter(|product| product.stock == 0).count(),
        goes_with: shop.products.iter().map(|product| product.goes_with.len()).sum(),
    })
}

fn check(plan: &Plan) -> Result<(), SimulateError> {
    let range = |name, value, least, most| match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(SimulateError::Range { name, value, least, most }),
    };
    range("items", plan.items, MIN_ITEMS, MAX_ITEMS)?;
    range("users", plan.users, 1, MAX_USERS)?;
    range("events", plan.events, 1, MAX_EVENTS)?;
    range("days", plan.days, 1, MAX_DAYS)
}
