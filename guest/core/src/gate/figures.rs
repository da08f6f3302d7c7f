//! The figures that models are compared by.

/// NDCG of the first `k` of a list, by whether each of its items is one of so many targets.
pub fn ndcg(hits: impl IntoIterator<Item = bool>, targets: usize, k: usize) -> f64 {
    let gain: f64 = (0..k).zip(hits).filter(|(_, hit)| *hit).map(|(rank, _)| discount(rank)).sum();
    let ideal: f64 = (0..targets.min(k)).map(discount).sum();
    if ideal > 0.0 { gain / ideal } else { 0.0 }
}

/// What a hit counts: 1 / log2(rank + 2), rank from 0.
fn discount(rank: usize) -> f64 {
    1.0 / ((rank + 2) as f64).log2()
}

/// The means of two figures of the same cases, of which there is one at least, and the standard error of their difference.
pub fn paired(one: &[f64], other: &[f64]) -> ([f64; 2], f64) {
    let count = one.len() as f64;
    let means = [one, other].map(|figures| figures.iter().sum::<f64>() / count);
    let gain = means[1] - means[0];
    let squares = one.iter().zip(other).map(|(one, other)| (other - one - gain).powi(2));
    let variance = squares.sum::<f64>() / (count - 1.0).max(1.0);
    (means, (variance / count).sqrt())
}
