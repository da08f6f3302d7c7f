//! Visits: the walk of a shopper over items, and what becomes of it.

use super::calendar::Calendar;
use super::log::{Action, Event, Visit};
use super::products::Shop;
use super::random::{Draw, running_sums};
use super::shoppers::{Shopper, Taste};
use super::words::{CATEGORIES, CATEGORY_COUNT, STYLE_COUNT};
use crate::progress::Progress;

/// Share of visits without a user.
const ANONYMOUS: f64 = 0.2;
/// After each view the visit ends with this probability: 4 views on average.
const END: f64 = 0.25;
/// Views of one visit at most.
const MAX_VIEWS: usize = 60;
/// A known shopper begins at what goes with a recent purchase.
const RETURN_TO_PURCHASE: f64 = 0.35;
/// What the next view is: more of the category, what goes with this item, a complementary category; else anew.
const STAY: f64 = 0.40;
const GOES_WITH: f64 = 0.30;
const COMPLEMENT: f64 = 0.12;
/// A view becomes a cart with this probability, times how much the style is liked.
const CART: f64 = 0.12;
/// The same where the item goes with one that is in the cart.
const CART_PAIR: f64 = 0.35;
/// A cart is bought.
const BUY: f64 = 0.6;
/// Purchases that a shopper remembers.
const MEMORY: usize = 4;
/// Seconds between two events on average.
const PACE: f64 = 40.0;

/// The state of all shoppers while time goes on.
pub(super) struct Walk<'a> {
    shop: &'a Shop,
    shoppers: &'a [Shopper],
    calendar: &'a Calendar,
    pub(super) draw: Draw,
    /// Last purchases of each user, the latest last.
    bought: Vec<Vec<usize>>,
    weights: Vec<f64>,
}

/// What stays the same during a visit.
struct Mood {
    taste: Taste,
    price_sensitivity: f64,
    day: usize,
    categories: [f64; CATEGORY_COUNT],
}

impl<'a> Walk<'a> {
    pub(super) fn new(shop: &'a Shop, shoppers: &'a [Shopper], calendar: &'a Calendar, draw: Draw) -> Self {
        Self { shop, shoppers, calendar, draw, bought: vec![Vec::new(); shoppers.len()], weights: Vec::new() }
    }

    /// Visits in order of time, so that a shopper can come back to what was bought before.
    pub(super) fn visits(&mut self, count: usize, progress: &mut Progress) -> Vec<Visit> {
        let activity = running_sums(self.shoppers.iter().map(|shopper| shopper.activity));
        let mut starts: Vec<(i64, usize)> = (0..count)
            .map(|_| {
                let (day, time) = self.calendar.visit(&mut self.draw);
                (time, day)
            })
            .collect();
        starts.sort_unstable();
        let mut events = 0;
        starts
            .into_iter()
            .map(|(time, day)| {
                progress.set(events);
                let user = (!self.draw.chance(ANONYMOUS)).then(|| self.draw.cumulative(&activity));
                let visit = self.visit(user, day, time);
                events += visit.events.len() as u64;
                visit
            })
            .collect()
    }

    fn visit(&mut self, user: Option<usize>, day: usize, start: i64) -> Visit {
        let mood = self.mood(user, day);
        let mut clock = start as f64;
        let (mut events, mut cart) = (Vec::new(), Vec::new());
        let mut item = self.first(user, &mood);
        for view in 0..MAX_VIEWS {
            if view > 0 {
                if self.draw.chance(END) {
                    break;
                }
                item = self.next(item, &mood);
            }
            let mut tell = |action, quantity, clock: f64| {
                events.push(Event { time: clock as i64, session: 0, item, action, quantity });
            };
            tell(Action::View, 1, clock);
            clock += self.draw.exponential() * PACE;
            if !cart.iter().any(|&(inside, _)| inside == item)
                && self.draw.chance(self.cart_chance(item, &cart, &mood))
            {
                let quantity = 1 + self.draw.geometric(0.7).min(23) as u32;
                tell(Action::Cart, quantity, clock);
                clock += self.draw.exponential() * PACE;
                cart.push((item, quantity));
            }
        }
        if !cart.is_empty() && self.draw.chance(BUY) {
            clock += self.draw.exponential() * 2.0 * PACE;
            for &(item, quantity) in &cart {
                let time = clock as i64;
                events.push(Event { time, session: 0, item, action: Action::Purchase, quantity });
            }
            self.remember(user, &cart);
        }
        Visit { user, events }
    }

    /// A stranger is a shopper who is made up for the visit.
    fn mood(&mut self, user: Option<usize>, day: usize) -> Mood {
        let progress = day as f64 / self.calendar.days as f64;
        let stranger;
        let shopper = match user {
            Some(user) => &self.shoppers[user],
            None => {
                stranger = Shopper::new(&mut self.draw);
                &stranger
            }
        };
        let taste = shopper.taste(progress);
        let season = self.calendar.season(day);
        let categories =
            std::array::from_fn(|c| taste.categories[c] * season[c] * self.shop.category_weight[c].sqrt());
        Mood { taste, price_sensitivity: shopper.price_sensitivity, day, categories }
    }

    fn first(&mut self, user: Option<usize>, mood: &Mood) -> usize {
        let memory = user.map(|user| &self.bought[user]).filter(|memory| !memory.is_empty());
        if let Some(memory) = memory
            && self.draw.chance(RETURN_TO_PURCHASE)
        {
            let from = memory[self.draw.below(memory.len())];
            if let Some(item) = self.partner(from, mood.day) {
                return item;
            }
        }
        self.anew(mood)
    }

    fn next(&mut self, item: usize, mood: &Mood) -> usize {
        let product = &self.shop.products[item];
        let turn = self.draw.unit();
        if turn < STAY {
            return self.in_category(product.category, mood);
        }
        if turn < STAY + GOES_WITH
            && let Some(item) = self.partner(item, mood.day)
        {
            return item;
        }
        if turn < STAY + GOES_WITH + COMPLEMENT {
            let complements = CATEGORIES[product.category].complements;
            let category = complements[self.draw.below(complements.len())];
            return self.in_category(category, mood);
        }
        self.anew(mood)
    }

    fn anew(&mut self, mood: &Mood) -> usize {
        let category = self.draw.weighted(&mood.categories);
        self.in_category(category, mood)
    }

    /// What goes with an item and is on sale, the first twice as often as the second and so on.
    fn partner(&mut self, item: usize, day: usize) -> Option<usize> {
        let partners = &self.shop.products[item].goes_with;
        let weight = |(i, &j): (usize, &usize)| match self.shop.products[j].on_sale.contains(&day) {
            true => 0.5f64.powi(i as i32),
            false => 0.0,
        };
        let weights: Vec<f64> = partners.iter().enumerate().map(weight).collect();
        if weights.iter().all(|&weight| weight == 0.0) {
            return None;
        }
        partners.get(self.draw.weighted(&weights)).copied()
    }

    /// An item of the category by weight, taste and price. Where nothing is on sale yet, any.
    fn in_category(&mut self, category: usize, mood: &Mood) -> usize {
        let items = &self.shop.by_category[category];
        self.weights.clear();
        self.weights.extend(items.iter().map(|&i| {
            let product = &self.shop.products[i];
            let on_sale = f64::from(u8::from(product.on_sale.contains(&mood.day)));
            let price = (-mood.price_sensitivity * product.dearness).exp();
            on_sale * product.weight * mood.taste.styles[product.style] * price
        }));
        items[self.draw.weighted(&self.weights)]
    }

    fn cart_chance(&self, item: usize, cart: &[(usize, u32)], mood: &Mood) -> f64 {
        let product = &self.shop.products[item];
        if cart.iter().any(|(inside, _)| product.goes_with.contains(inside)) {
            return CART_PAIR;
        }
        let liked = mood.taste.styles[product.style] * STYLE_COUNT as f64;
        (CART * liked.clamp(0.4, 2.5)).min(CART_PAIR)
    }

    fn remember(&mut self, user: Option<usize>, cart: &[(usize, u32)]) {
        let Some(user) = user else { return };
        let memory = &mut self.bought[user];
        memory.extend(cart.iter().map(|(item, _)| item));
        let old = memory.len().saturating_sub(MEMORY);
        memory.drain(..old);
    }
}
