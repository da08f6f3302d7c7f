//! Popular, trending and latest items.

use endcap_core::ItemIx;
use endcap_core::format::{Rankings, TrendingParameters};

use super::log::Log;
use super::together::decay;

/// Entries per list: ten full answers, after a full history and a full exclusion list.
const LONGEST_LIST: usize = 1_000;
/// Half-life of the value of a new item, days: what a shop calls new.
const NEW_HALF_LIFE_DAYS: f32 = 30.0;

/// Owned lists of [`Rankings`].
#[derive(Debug)]
pub(super) struct Lists {
    popular: (Vec<ItemIx>, Vec<f32>),
    trending: (Vec<ItemIx>, Vec<f32>),
    latest: (Vec<ItemIx>, Vec<f32>),
}

impl Lists {
    pub(super) fn build(log: &Log, params: &TrendingParameters) -> Self {
        let mut recent = vec![0.0_f64; log.items.len()];
        for click in log.sessions.iter().flat_map(|session| &session.clicks) {
            let age = log.last_event - click.time;
            recent[click.item as usize] += f64::from(click.weight * decay(age, params.half_life_days));
        }
        let newness = log.items.iter().map(|item| match item.first_seen {
            // No event and no date: not known to be new.
            0 => 0.0,
            seen => f64::from(decay(log.last_event - seen * 1_000_000, NEW_HALF_LIFE_DAYS)),
        });
        Self { popular: list(log.weights()), trending: list(recent), latest: list(newness.collect()) }
    }

    pub(super) fn view(&self) -> Rankings<'_> {
        Rankings {
            popular: (&self.popular.0, &self.popular.1),
            trending: (&self.trending.0, &self.trending.1),
            latest: (&self.latest.0, &self.latest.1),
        }
    }
}

/// The items with the largest positive values, as shares of the largest.
fn list(values: Vec<f64>) -> (Vec<ItemIx>, Vec<f32>) {
    let mut order: Vec<ItemIx> =
        (0..values.len() as ItemIx).filter(|&item| values[item as usize] > 0.0).collect();
    order.sort_unstable_by(|&a, &b| values[b as usize].total_cmp(&values[a as usize]).then(a.cmp(&b)));
    order.truncate(LONGEST_LIST);
    let largest = order.first().map_or(1.0, |&item| values[item as usize]);
    let shares = order.iter().map(|&item| (values[item as usize] / largest) as f32).collect();
    (order, shares)
}
