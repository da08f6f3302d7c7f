//! The log of all visits: exactly as many events as were asked for, in order of time.

use std::collections::HashSet;

use super::Plan;
use super::calendar::Calendar;
use super::products::Shop;
use super::random::Draw;
use super::shoppers::Shopper;
use super::visit::Walk;
use crate::progress::Progress;

/// Events of a visit expected, for the first guess at the number of visits.
const EVENTS_PER_VISIT: f64 = 5.2;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    View,
    Cart,
    Purchase,
}

/// One event of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// Seconds since 1970.
    pub(super) time: i64,
    pub(super) session: usize,
    pub(super) item: usize,
    pub(super) action: Action,
    pub(super) quantity: u32,
}

/// The log: events by time, and the user of every session.
pub(super) struct Visits {
    pub(super) events: Vec<Event>,
    pub(super) sessions: Vec<Option<usize>>,
}

/// One visit, before it has a number.
pub(super) struct Visit {
    pub(super) user: Option<usize>,
    pub(super) events: Vec<Event>,
}

impl Visits {
    /// Simulates exactly `events` events: some visits too many, of which some are taken away at random.
    pub(super) fn simulate(
        shop: &Shop,
        shoppers: &[Shopper],
        calendar: &Calendar,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Self {
        let events = plan.events;
        let mut wanted = (events as f64 / EVENTS_PER_VISIT * 1.05) as usize + 20;
        let mut attempt = 0;
        loop {
            let mut walk = Walk::new(shop, shoppers, calendar, Draw::new(plan.seed, 100 + attempt));
            let visits = walk.visits(wanted, progress);
            let made: usize = visits.iter().map(|visit| visit.events.len()).sum();
            if made >= events {
                return Self::exactly(events, made, visits, &mut walk.draw);
            }
            // At least one event a visit: this ends, in practice at the second turn.
            wanted = (wanted as f64 * events as f64 / made.max(1) as f64 * 1.02) as usize + 20;
            attempt += 1;
        }
    }

    fn exactly(events: usize, made: usize, mut visits: Vec<Visit>, draw: &mut Draw) -> Self {
        let mut extra = made - events;
        draw.shuffle(&mut visits);
        while let Some(last) = visits.pop_if(|last| last.events.len() <= extra) {
            extra -= last.events.len();
        }
        if let Some(last) = visits.last_mut() {
            let keep = last.events.len() - extra;
            last.events.truncate(keep);
        }
        visits.sort_by_key(|visit| visit.events.first().map(|event| (event.time, event.item, visit.user)));
        let sessions = visits.iter().map(|visit| visit.user).collect();
        let number = |(session, visit): (usize, Visit)| {
            visit.events.into_iter().map(move |event| Event { session, ..event })
        };
        let mut events: Vec<Event> = visits.into_iter().enumerate().flat_map(number).collect();
        // Stable: within a session the order of one second is kept.
        events.sort_by_key(|event| (event.time, event.session));
        Self { events, sessions }
    }

    pub(super) fn distinct_users(&self) -> usize {
        self.sessions.iter().flatten().collect::<HashSet<_>>().len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Pairs that go together stand side by side in visits at least 20 times as often as chance has it.
    #[test]
    fn what_goes_together_is_seen_together() {
        let (items, users, events, days) = (600, 500, 40_000, 120);
        let plan = Plan { out: "unused".into(), force: false, seed: 3, items, users, events, days };
        let shop = Shop::new(items, days, &mut Draw::new(3, 1));
        let shoppers = Shopper::many(users, &mut Draw::new(3, 2));
        let log = Visits::simulate(&shop, &shoppers, &Calendar::new(days), &plan, &mut Progress::hidden());
        assert_eq!(log.events.len(), events);

        let mut visits: HashMap<usize, Vec<usize>> = HashMap::new();
        for event in log.events.iter().filter(|event| event.action == Action::View) {
            visits.entry(event.session).or_default().push(event.item);
        }
        let mut views = vec![0.0; items];
        let (mut pairs, mut together) = (0.0, 0.0);
        for pair in visits.values().flat_map(|items| items.windows(2)) {
            views[pair[0]] += 1.0;
            pairs += 1.0;
            together += f64::from(u8::from(shop.products[pair[0]].goes_with.contains(&pair[1])));
        }
        let linked =
            |(i, n): (usize, &f64)| shop.products[i].goes_with.iter().map(|&j| n * views[j]).sum::<f64>();
        let by_chance = views.iter().enumerate().map(linked).sum::<f64>() / pairs;
        assert!(together > 20.0 * by_chance, "{together} against {by_chance} by chance, of {pairs}");
    }
}
