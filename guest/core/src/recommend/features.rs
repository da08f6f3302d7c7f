//! What a ranker is told of each shortlisted item: the feature specification of rankers.
//!
//! A row per item, a column per feature, `f32`. Names, order of [`Feature::ALL`] and meaning never change; a later
//! release appends. Nothing is missing: where the catalogue does not know, the value is stated below.

use crate::ItemIx;
use crate::format::{Catalogue, Model};

use super::Scratch;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Votes of sessions like this one, in [0, 1] relative to the request's best; 0: none.
    Session,
    /// Co-occurrence with the history, in [0, 1] relative to the request's best; 0: none.
    Together,
    /// Probability after this history relative to the most probable item, in [0, 1]; 0: no encoder, or not among
    /// its best 200.
    Sequence,
    /// The sources blended as the model says: what the list is ordered by without a ranker; at least 0.
    Blended,
    /// Place in that order, from 0, divided by 100.
    Place,
    /// Place by popularity, from 0, divided by the number of items: in [0, 1).
    PopularityRank,
    /// ln(1 + price); 0 where the price is unknown.
    LogPrice,
    /// Price divided by the mean known price of the history, at most 100; 1 where either is unknown.
    PriceRatio,
    /// 1 where the item is of the same known category as the newest item of the history, else 0.
    SameCategory,
    /// Share of the history that is of the item's known category, in [0, 1].
    CategoryShare,
    /// 1 where the item is in the history, else 0.
    InHistory,
    /// Items in the history, 0 to 50, divided by 50.
    HistoryLength,
    /// The linear model's score, in [0, 1] relative to the request's best; 0: no linear model, or it speaks against it.
    Linear,
    /// What the other sources say of items that read like it, in the unit of `blended`; 0 where it has events of its own.
    Content,
    /// How often earlier visits of the history have it, in [0, 1] relative to the item that they have most often; 0
    /// where items may not come again, or none of these is weighed.
    Again,
    /// 1 / (1 + items of the history behind its newest place there), in (0, 1]; 0 where it is not in the history.
    LastSeen,
    /// 1 where nothing of the running visit is known and the history is all of earlier ones, else 0.
    Opening,
    /// The linear model's score as it is, above 0: near the probability that a history like this has the item.
    LinearScore,
    /// The sum of co-occurrence with the history's items as it is, at least 0.
    TogetherScore,
    /// Share of the item among what came after the newest items of the visit, in [0, 1] relative to the request's best; 0: none,
    /// or transitions weigh nothing.
    Transitions,
    /// Its value among trending items, in [0, 1] relative to the first of them; 0: not among the thousand that the file lists.
    Trending,
}

/// The number of no category.
const UNKNOWN: u16 = 0;
/// Above this a price ratio says nothing more.
const MAX_PRICE_RATIO: f32 = 100.0;

impl Feature {
    /// Every feature, in the order of columns.
    pub const ALL: [Self; 21] = [
        Self::Session,
        Self::Together,
        Self::Sequence,
        Self::Blended,
        Self::Place,
        Self::PopularityRank,
        Self::LogPrice,
        Self::PriceRatio,
        Self::SameCategory,
        Self::CategoryShare,
        Self::InHistory,
        Self::HistoryLength,
        Self::Linear,
        Self::Content,
        Self::Again,
        Self::LastSeen,
        Self::Opening,
        Self::LinearScore,
        Self::TogetherScore,
        Self::Transitions,
        Self::Trending,
    ];

    /// Its name in ranker specifications.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Together => "together",
            Self::Sequence => "sequence",
            Self::Blended => "blended",
            Self::Place => "place",
            Self::PopularityRank => "popularity_rank",
            Self::LogPrice => "log_price",
            Self::PriceRatio => "price_ratio",
            Self::SameCategory => "same_category",
            Self::CategoryShare => "category_share",
            Self::InHistory => "in_history",
            Self::HistoryLength => "history_length",
            Self::Linear => "linear",
            Self::Content => "content",
            Self::Again => "again",
            Self::LastSeen => "last_seen",
            Self::Opening => "opening",
            Self::LinearScore => "linear_score",
            Self::TogetherScore => "together_score",
            Self::Transitions => "transitions",
            Self::Trending => "trending",
        }
    }

    /// The feature of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.as_str() == name)
    }
}

/// What the rows of one request share.
struct Shopper<'a> {
    history: &'a [ItemIx],
    /// Numbers of the categories of the history's items, in its order.
    categories: [u16; super::MAX_HISTORY],
    /// `None` where no price of the history is known.
    mean_price: Option<f32>,
}

impl<'a> Shopper<'a> {
    fn new(catalogue: Catalogue<'a>, history: &'a [ItemIx]) -> Self {
        let mut categories = [0; super::MAX_HISTORY];
        for (category, &item) in categories.iter_mut().zip(history) {
            *category = catalogue.category_number(item);
        }
        let (sum, count) = history
            .iter()
            .filter_map(|&item| catalogue.price(item))
            .fold((0.0_f32, 0.0_f32), |(sum, count), price| (sum + price, count + 1.0));
        let mean_price = (sum > 0.0).then(|| sum / count);
        Self { history, categories, mean_price }
    }

    fn price_ratio(&self, price: Option<f32>) -> f32 {
        match (price, self.mean_price) {
            (Some(price), Some(mean)) if price < mean * MAX_PRICE_RATIO => price / mean,
            (Some(_), Some(_)) => MAX_PRICE_RATIO,
            _ => 1.0,
        }
    }

    /// 1 / (1 + items behind the newest place), 0 where it has none.
    fn last_seen(&self, item: ItemIx) -> f32 {
        let age = self.history.iter().rev().position(|&other| other == item);
        age.map_or(0.0, |age| 1.0 / (1.0 + age as f32))
    }

    /// Share of the history that is of this category; none is of an unknown one.
    fn category_share(&self, category: u16) -> f32 {
        let known = self.categories();
        if category == UNKNOWN || known.is_empty() {
            return 0.0;
        }
        known.iter().filter(|&&other| other == category).count() as f32 / known.len() as f32
    }

    /// Whether the newest item of the history is of this category, if that is known.
    fn same_category(&self, category: u16) -> bool {
        category != UNKNOWN && self.categories().last() == Some(&category)
    }

    fn categories(&self) -> &[u16] {
        &self.categories[..self.history.len()]
    }
}

/// Writes the rows of the shortlisted items, `columns.len()` values each; `opening`: nothing of the running visit is known.
/// O(shortlist · (columns + history)).
pub(super) fn write(
    model: &Model,
    history: &[ItemIx],
    opening: bool,
    columns: &[Feature],
    scratch: &Scratch,
    rows: &mut Vec<f32>,
) {
    let catalogue = model.items();
    let shopper = Shopper::new(catalogue, history);
    let scales = scratch.scales;
    for (place, found) in scratch.shortlist.iter().enumerate() {
        let (price, category) = (catalogue.price(found.item), catalogue.category_number(found.item));
        let flag = |yes: bool| f32::from(u8::from(yes));
        rows.extend(columns.iter().map(|column| match column {
            Feature::Session => scales.session.share(scratch.session.get(found.item)),
            Feature::Together => scales.together.share(scratch.together.get(found.item)),
            Feature::Sequence => scales.sequence.share(scratch.sequence.get(found.item)),
            Feature::Blended => found.score,
            Feature::Place => place as f32 / 100.0,
            Feature::PopularityRank => found.item as f32 / catalogue.len() as f32,
            Feature::LogPrice => price.map_or(0.0, f32::ln_1p),
            Feature::PriceRatio => shopper.price_ratio(price),
            Feature::SameCategory => flag(shopper.same_category(category)),
            Feature::CategoryShare => shopper.category_share(category),
            Feature::InHistory => flag(history.contains(&found.item)),
            Feature::HistoryLength => history.len() as f32 / super::MAX_HISTORY as f32,
            Feature::Linear => scales.linear.share(scratch.linear.get(found.item)),
            Feature::Content => scratch.content.get(found.item),
            Feature::Again => scales.again.share(scratch.again.get(found.item)),
            Feature::LastSeen => shopper.last_seen(found.item),
            Feature::Opening => flag(opening),
            Feature::LinearScore => scratch.linear.get(found.item),
            Feature::TogetherScore => scratch.together.get(found.item),
            Feature::Transitions => scales.transitions.share(scratch.transitions.get(found.item)),
            Feature::Trending => model.trending(found.item),
        }));
    }
}
