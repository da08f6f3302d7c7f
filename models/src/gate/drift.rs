//! How far the items of two models' visits lie apart.

use std::collections::HashMap;

use endcap_core::format::Model;

/// Jensen-Shannon distance of two models' distributions of items over indexed visits, logarithm to base 2: 0 where
/// every item has the same share of both, 1 where they have no item in common: another catalogue, or ids that are
/// written otherwise.
pub fn drift(old: &Model, new: &Model) -> f64 {
    let (old, new) = (shares(old), shares(new));
    let of = |shares: &HashMap<&str, f64>, id: &str| shares.get(id).copied().unwrap_or_default();
    let divergence = |own: &HashMap<&str, f64>, other: &HashMap<&str, f64>| -> f64 {
        // In a fixed order: the order of a map is another one each time, and so would be the last digits.
        let mut terms: Vec<(&str, f64)> = own
            .iter()
            .map(|(&id, &share)| (id, share * (2.0 * share / (share + of(other, id))).log2()))
            .collect();
        terms.sort_unstable_by_key(|(id, _)| *id);
        terms.iter().map(|(_, term)| term).sum()
    };
    let divergence = f64::midpoint(divergence(&old, &new), divergence(&new, &old));
    divergence.clamp(0.0, 1.0).sqrt()
}

/// Shares of items, by id.
fn shares(model: &Model) -> HashMap<&str, f64> {
    let items = model.items();
    let visits = model.sessions().session_items;
    let one = 1.0 / visits.len().max(1) as f64;
    let mut shares = HashMap::new();
    for &item in visits {
        *shares.entry(items.get(item).id).or_insert(0.0) += one;
    }
    shares
}
