//! How far the items of two models' visits lie apart.

use crate::ItemIx;
use crate::format::Model;

use super::Renumbering;

/// Jensen-Shannon distance of two models' distributions of items over indexed visits, logarithm to base 2: 0 where
/// every item has the same share of both, 1 where they have no item in common: another catalogue, or ids that are
/// written otherwise.
pub fn drift(old: &Model, new: &Model, numbers: &Renumbering) -> f64 {
    let (old, new) = (shares(old), shares(new));
    let of = |shares: &[f64], item: Option<ItemIx>| item.map_or(0.0, |item| shares[item as usize]);
    let term = |own: f64, other: f64| if own > 0.0 { own * (2.0 * own / (own + other)).log2() } else { 0.0 };
    let sum = |own: &[f64], other: &dyn Fn(ItemIx) -> f64| -> f64 {
        own.iter().zip(0..).map(|(&share, item)| term(share, other(item))).sum()
    };
    let from_old = sum(&old, &|item| of(&new, numbers.forward(item)));
    let from_new = sum(&new, &|item| of(&old, numbers.back(item)));
    f64::midpoint(from_old, from_new).clamp(0.0, 1.0).sqrt()
}

/// Shares of items.
fn shares(model: &Model) -> Vec<f64> {
    let visits = model.sessions().session_items;
    let one = 1.0 / visits.len().max(1) as f64;
    let mut shares = vec![0.0; model.items().len()];
    for &item in visits {
        shares[item as usize] += one;
    }
    shares
}
