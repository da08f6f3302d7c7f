//! The catalogue: items with a category, a style, a price, a weight, a launch and what they go with.

use std::collections::HashSet;

use super::random::{Draw, running_sums};
use super::words::{CATEGORIES, CATEGORY_COUNT, STYLE_COUNT, STYLES};

/// Exponent of Zipf's law over items; shops measure 0.8 to 1.1.
const ZIPF: f64 = 0.9;
/// Spread of prices in a category, as the standard deviation of their logarithm.
const PRICE_SPREAD: f64 = 0.45;
/// Share of items that are there from the first day.
const FROM_START: f64 = 0.67;
/// Share of items that sell out, some days before the end.
const SOLD_OUT: f64 = 0.04;

/// One item of the shop.
pub(super) struct Product {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) category: usize,
    pub(super) style: usize,
    /// In cents.
    pub(super) price: u32,
    /// Units at the end of the period.
    pub(super) stock: u32,
    /// First day on sale, and the day after the last.
    pub(super) on_sale: std::ops::Range<usize>,
    /// How often it is looked at, before taste and price.
    pub(super) weight: f64,
    /// Logarithm of the price over its category's median.
    pub(super) dearness: f64,
    /// Indices of the items that complement it.
    pub(super) goes_with: Vec<usize>,
}

/// The items, and their order by category.
pub(super) struct Shop {
    pub(super) products: Vec<Product>,
    /// Indices of the items of each category.
    pub(super) by_category: Vec<Vec<usize>>,
    /// Sum of the weights of each category.
    pub(super) category_weight: Vec<f64>,
}

impl Shop {
    pub(super) fn new(items: usize, days: usize, draw: &mut Draw) -> Self {
        let mut ranks: Vec<usize> = (1..=items).collect();
        draw.shuffle(&mut ranks);
        let mut names = HashSet::new();
        let mut by_category = vec![Vec::new(); CATEGORY_COUNT];
        let mut products = Vec::with_capacity(items);
        for (i, rank) in ranks.into_iter().enumerate() {
            let category = i % CATEGORY_COUNT;
            by_category[category].push(i);
            products.push(Product::new(i, category, rank, days, &mut names, draw));
        }
        let category_weight =
            by_category.iter().map(|items| items.iter().map(|&i| products[i].weight).sum()).collect();
        let mut shop = Self { products, by_category, category_weight };
        shop.pair(draw);
        shop
    }

    /// Gives every item one or two that go with it. Both ways: who looks at the saucer is shown the cup.
    fn pair(&mut self, draw: &mut Draw) {
        for i in 0..self.products.len() {
            let (category, style) = (self.products[i].category, self.products[i].style);
            for &other in CATEGORIES[category].complements.iter().take(1 + draw.below(2)) {
                let candidates = &self.by_category[other];
                let same: Vec<usize> =
                    candidates.iter().copied().filter(|&j| self.products[j].style == style).collect();
                let from = if same.is_empty() { candidates } else { &same };
                // By weight, so that what goes with an item is something that shoppers get to see.
                let sums = running_sums(from.iter().map(|&j| self.products[j].weight.sqrt()));
                let j = from[draw.cumulative(&sums)];
                link(&mut self.products, i, j);
                link(&mut self.products, j, i);
            }
        }
    }
}

/// Items that one item may go with: more would dilute the signal of a pair to that of a category.
const MAX_GOES_WITH: usize = 4;

fn link(products: &mut [Product], from: usize, to: usize) {
    let list = &mut products[from].goes_with;
    if list.len() < MAX_GOES_WITH && !list.contains(&to) {
        list.push(to);
    }
}

impl Product {
    fn new(
        index: usize,
        category: usize,
        rank: usize,
        days: usize,
        names: &mut HashSet<String>,
        draw: &mut Draw,
    ) -> Self {
        let kind = &CATEGORIES[category];
        let style = draw.below(STYLE_COUNT);
        let dearness = draw.normal() * PRICE_SPREAD;
        let price = charm_price(kind.median_price * dearness.exp());
        let launch = if draw.chance(FROM_START) { 0 } else { draw.below(days) };
        let sold_out = draw.chance(SOLD_OUT);
        // Sold out in the last tenth of the period, and not before its launch.
        let end = if sold_out { (days - draw.below(days.div_ceil(10))).max(launch + 1) } else { days };
        Self {
            id: format!("{}{:05}", kind.code, 10_000 + index),
            name: name(category, style, names, draw),
            category,
            style,
            price,
            stock: if sold_out { 0 } else { 1 + (draw.exponential() * 80.0) as u32 },
            on_sale: launch..end,
            weight: (rank as f64).powf(-ZIPF),
            dearness,
            goes_with: Vec::new(),
        }
    }
}

/// The price as shops write it: 95 cents above a whole amount, or 25 and 75 below two.
fn charm_price(price: f64) -> u32 {
    let cents = (price * 100.0).max(35.0) as u32;
    if cents < 200 { (cents / 50) * 50 + 25 } else { (cents / 100) * 100 + 95 }
}

/// A name that no other item has; where the words run out, sets of 2, 3, … are sold.
fn name(category: usize, style: usize, names: &mut HashSet<String>, draw: &mut Draw) -> String {
    let kind = &CATEGORIES[category];
    let look = STYLES[style][draw.below(8)];
    let base = format!("{look} {} {}", kind.materials[draw.below(4)], kind.nouns[draw.below(6)]);
    let mut name = base.clone();
    let mut size = 2;
    while !names.insert(name.clone()) {
        name = format!("{base}, Set of {size}");
        size += 1;
    }
    name
}
