//! Softmax cross-entropy over item vectors, with its gradient, a tile of positions at a time.
//!
//! The logits of a batch would be its largest tensor by far (4,096 positions and 10,000 items are 160 MB, several times over
//! with what a chain of plain operations keeps for the way back), and all that is needed of them is a sum a row. So they
//! are made for a few positions, turned into gradients while they are in the cache, and forgotten.

use endcap_core::encoder::exp;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, NullaryFnOnce};

/// Positions of a tile: with some thousand candidates their logits stay within the second cache.
const TILE: usize = 64;

/// Vectors of the items that a batch touches, `[rows x dim]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) values: &'a [f32],
    pub(super) dim: usize,
}

impl Table<'_> {
    /// Vectors of `places`, end to end.
    pub(super) fn gather(&self, places: &[u32]) -> Vec<f32> {
        places
            .iter()
            .flat_map(|&place| &self.values[place as usize * self.dim..][..self.dim])
            .copied()
            .collect()
    }
}

/// Adds `rows` to those of `table` at `places`.
pub(super) fn scatter(table: &mut [f32], dim: usize, places: &[u32], rows: &[f32]) {
    for (&place, row) in places.iter().zip(rows.chunks_exact(dim)) {
        for (sum, value) in table[place as usize * dim..][..dim].iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// What is asked of some positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// What came next at each, as rows of the table.
    pub(super) next: &'a [u32],
    /// Where in `next` that ends which may as well have come next: the rest of an invoice, whose lines have no order. One
    /// further than the position where there is an order; does not fall.
    pub(super) until: &'a [u32],
}

impl Wanted<'_> {
    /// How many may come next at position `at`.
    fn count(&self, at: usize) -> f32 {
        (self.until[at] as usize - at) as f32
    }

    /// Whether what came next at `at` may as well have come at the position before.
    fn goes_on(&self, at: usize) -> bool {
        at > 0 && self.until[at - 1] as usize > at
    }
}

/// What takes part in the softmax beside a position's target.
#[derive(Debug, Clone, Copy)]
pub(super) enum Against<'a> {
    /// Every row of the table.
    All,
    /// Rows that were drawn; one that was drawn twice stands twice. Beside each the logarithm of how often it was expected.
    Drawn(&'a [u32], &'a [f32]),
}

/// Summed cross-entropy of some positions, and its gradient.
pub(super) struct Loss {
    /// Nats.
    pub(super) sum: f64,
    /// By user vectors, `[positions x dim]`.
    pub(super) users: Vec<f32>,
    /// By rows of the table, `[rows x dim]`.
    pub(super) table: Vec<f32>,
}

/// Cross-entropy of `users` `[positions x dim]` over what is `wanted` of them.
///
/// Where every row of the table takes part, each of those that may come next is as likely to: the mean of their
/// cross-entropies, which is what an average over all orders of an invoice comes to, at the price of one.
///
/// Where candidates are drawn, a position's partition function is exp(its target's score) plus, over all candidates but the
/// target, exp(score - correction), with the logarithm of how often each is expected: an estimate of the whole one without bias (sampled
/// softmax with logQ correction: Bengio and Senecal, 2008). It has one target, whatever else may come next.
pub(super) fn cross_entropy(
    users: &[f32],
    wanted: Wanted<'_>,
    table: Table<'_>,
    against: Against<'_>,
) -> Loss {
    let dim = table.dim;
    let alone: Vec<u32>;
    let wanted = match against {
        Against::All => wanted,
        Against::Drawn(..) => {
            alone = (1..=wanted.next.len() as u32).collect();
            Wanted { until: &alone, ..wanted }
        }
    };
    let gathered;
    let candidates = match against {
        Against::All => table.values,
        Against::Drawn(places, _) => {
            gathered = table.gather(places);
            &gathered
        }
    };
    let count = candidates.len() / dim;
    let mut of_candidates = vec![0.0; candidates.len()];
    let mut of_users = vec![0.0; users.len()];
    let means = means(wanted, table);
    // By the score of its target at each position, as a share of 1.
    let mut slopes = vec![0.0; wanted.next.len()];
    let mut tile = vec![0.0; TILE * count];
    let mut scaled = vec![0.0; TILE * dim];
    let candidates = matrix(candidates, count, dim);
    let arch = Arch::new();
    let mut sum = 0.0;
    let chunks = users.chunks(TILE * dim).zip(means.chunks(TILE * dim)).zip(wanted.next.chunks(TILE));
    let out = of_users.chunks_mut(TILE * dim).zip(slopes.chunks_mut(TILE));
    for (((users, means), targets), (of_users, slopes)) in chunks.zip(out) {
        let rows = targets.len();
        let logits = &mut tile[..rows * count];
        matmul(
            MatMut::from_row_major_slice_mut(&mut *logits, rows, count),
            Accum::Replace,
            matrix(users, rows, dim),
            candidates.transpose(),
            1.0,
            Par::Seq,
        );
        // Shares are left without their common factor, which goes into the narrower matrices instead.
        let mut factors = [0.0; TILE];
        for (at, ((user, mean), &target)) in users.chunks(dim).zip(means.chunks(dim)).zip(targets).enumerate()
        {
            let score: f32 = user.iter().zip(mean).map(|(a, b)| a * b).sum();
            let logits = &mut logits[at * count..][..count];
            let row = arch.dispatch(Shares { logits, score, target, against });
            sum += f64::from(row.loss);
            for (out, user) in scaled[at * dim..][..dim].iter_mut().zip(user) {
                *out = row.factor * user;
            }
            (factors[at], slopes[at]) = (row.factor, row.share - 1.0);
        }
        matmul(
            MatMut::from_row_major_slice_mut(&mut *of_users, rows, dim),
            Accum::Replace,
            matrix(logits, rows, count),
            candidates,
            1.0,
            Par::Seq,
        );
        let each = of_users.chunks_mut(dim).zip(means.chunks(dim)).zip(factors).zip(slopes);
        for (((of_user, mean), factor), slope) in each {
            for (out, mean) in of_user.iter_mut().zip(mean) {
                *out = *out * factor + *slope * mean;
            }
        }
        matmul(
            MatMut::from_row_major_slice_mut(&mut of_candidates, count, dim),
            Accum::Add,
            matrix(logits, rows, count).transpose(),
            matrix(&scaled[..rows * dim], rows, dim),
            1.0,
            Par::Seq,
        );
    }
    let mut of_table = match against {
        Against::All => of_candidates,
        Against::Drawn(places, _) => {
            let mut of_table = vec![0.0; table.values.len()];
            scatter(&mut of_table, dim, places, &of_candidates);
            of_table
        }
    };
    scatter(&mut of_table, dim, wanted.next, &of_wanted(users, wanted, &slopes, dim));
    Loss { sum, users: of_users, table: of_table }
}

/// At each position the mean vector of what may come next, `[positions x dim]`.
fn means(wanted: Wanted<'_>, table: Table<'_>) -> Vec<f32> {
    let mut means = table.gather(wanted.next);
    let mut sum = vec![0.0; table.dim];
    for (at, mean) in means.chunks_mut(table.dim).enumerate().rev() {
        if wanted.until[at] as usize == at + 1 {
            sum.fill(0.0);
        }
        for (sum, mean) in sum.iter_mut().zip(mean) {
            *sum += *mean;
            *mean = *sum / wanted.count(at);
        }
    }
    means
}

/// By the vector of what came next at each position, `[positions x dim]`: it may have come at those before it, too.
fn of_wanted(users: &[f32], wanted: Wanted<'_>, slopes: &[f32], dim: usize) -> Vec<f32> {
    let mut found = vec![0.0; users.len()];
    let mut sum = vec![0.0; dim];
    let each = found.chunks_mut(dim).zip(users.chunks(dim)).zip(slopes);
    for (at, ((found, user), slope)) in each.enumerate() {
        if !wanted.goes_on(at) {
            sum.fill(0.0);
        }
        let weight = slope / wanted.count(at);
        for ((found, sum), user) in found.iter_mut().zip(&mut sum).zip(user) {
            *sum += weight * user;
            *found = *sum;
        }
    }
    found
}

/// A position's part.
struct Row {
    /// Cross-entropy.
    loss: f32,
    /// What makes shares of the exponentials that are left where logits were.
    factor: f32,
    /// The target's share, where it stands beside the candidates; else 0.
    share: f32,
}

/// Turns a row of logits into shares of the partition function, up to a factor; compiled for what the processor can do.
struct Shares<'a> {
    logits: &'a mut [f32],
    /// The mean of what may come next; of the target where it is alone.
    score: f32,
    target: u32,
    against: Against<'a>,
}

impl NullaryFnOnce for Shares<'_> {
    type Output = Row;

    #[inline(always)]
    fn call(self) -> Row {
        let Self { logits, score, target, against } = self;
        // What was drawn and is the target counts once, by its own score.
        if let Against::Drawn(places, corrections) = against {
            for ((logit, correction), &place) in logits.iter_mut().zip(corrections).zip(places) {
                *logit = if place == target { f32::NEG_INFINITY } else { *logit - correction };
            }
        }
        let largest = largest(logits);
        // A mean of scores is not above the largest of them; a rounding is not worth a thought.
        let largest = if score > largest { score } else { largest };
        let others = exponentials(logits, largest);
        let own = match against {
            Against::All => 0.0,
            Against::Drawn(..) => exp(score - largest),
        };
        let sum = others + own;
        Row { loss: sum.ln() - (score - largest), factor: 1.0 / sum, share: own / sum }
    }
}

fn matrix(values: &[f32], rows: usize, columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, rows, columns)
}

/// Numbers side by side, as wide as two vector registers: sums and maxima are taken in as many, and the compiler finds
/// vector code.
const LANES: usize = 16;

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            largest[lane] = greater(largest[lane], chunk[lane]);
        }
    }
    largest.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, greater)
}

/// `values = exp(values - largest)`, and their sum.
#[inline(always)]
fn exponentials(values: &mut [f32], largest: f32) -> f32 {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - largest);
            sums[lane] += chunk[lane];
        }
    }
    let mut sum: f32 = sums.into_iter().sum();
    for value in rest {
        *value = exp(*value - largest);
        sum += *value;
    }
    sum
}
