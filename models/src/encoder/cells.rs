//! The second level over an encoder's item vectors, made when it is packed: items in cells by what they are like.

use endcap_core::ItemIx;
use endcap_core::encoder::{EncoderWeights, dot};
use endcap_core::format::{CellParameters, Model, encode_cells};
use endcap_core::inference::{InferenceError, SequenceEncoder};
use endcap_core::topn::TopN;
use rand::rngs::ChaCha8Rng;
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::products::products;

/// Items from which on there are cells. Below, a search of everything takes less than a millisecond under WasmEdge.
pub const CELLS_FROM: usize = 100_000;
/// Cells for the root of the number of items: with more, fewer items must be looked at for the same recall, and the search for
/// cells itself takes longer.
const CELLS_BY_ROOT: f64 = 4.0;
/// Items of a cell by which its vector is learned.
const LEARNED_BY: usize = 64;
/// Rounds in which the cells' vectors are learned; later ones move little.
const ROUNDS: usize = 10;
/// Items that are compared with all cells at once.
const TILE: usize = 256;
/// Share of the best items that are to be found.
const RECALL: f64 = 0.97;
/// The best items that are counted: the softmax leaves little to those behind them.
const BEST: usize = 10;
/// Histories by which it is measured.
const HISTORIES: usize = 256;

/// The section's body for the encoder of `model`, and how many of its cells must be searched so that [`RECALL`] of the best
/// items are found, by sessions of its own index. The same model gives the same cells.
///
/// # Errors
/// Where the encoder gives no user vector.
pub(super) fn cells(
    model: &Model,
    weights: &EncoderWeights<'_>,
) -> Result<(Vec<u8>, CellParameters), InferenceError> {
    let (table, dim) = (weights.output, weights.shape.dim);
    let mut vectors = vec![0.0; table.items() * dim];
    for (item, row) in (0..).zip(vectors.chunks_exact_mut(dim)) {
        table.read(item, row);
    }
    let clusters = Clusters::of(&vectors, dim);
    let mut cell_of = vec![0; table.items()];
    for (cell, items) in clusters.items.iter().enumerate() {
        items.iter().for_each(|&item| cell_of[item as usize] = cell);
    }
    let (sessions, mut encoder) = (model.sessions(), SequenceEncoder::builtin(weights));
    let (mut top, mut places) = (TopN::default(), Vec::new());
    let step = sessions.sessions().div_ceil(HISTORIES).max(1);
    for range in sessions.session_offsets.windows(2).step_by(step) {
        let history = &sessions.session_items[range[0] as usize..range[1] as usize];
        if history.is_empty() {
            continue;
        }
        let user = encoder.user_vector(weights, history)?;
        let products: Vec<f32> = clusters.centres.chunks_exact(dim).map(|centre| dot(centre, user)).collect();
        top.reset(BEST);
        table.offer_all(user, &mut top);
        // How many cells must be searched until the item is found.
        places.extend(top.finish().iter().map(|&(_, item)| {
            let own = products[cell_of[item as usize]];
            products.iter().filter(|&&product| product >= own).count()
        }));
    }
    places.sort_unstable();
    let asked = places.get((places.len() as f64 * RECALL) as usize).copied().unwrap_or(clusters.items.len());
    let found = places.partition_point(|&place| place <= asked);
    let recall = found as f32 / places.len().max(1) as f32;
    Ok((
        encode_cells(&clusters.centres, &clusters.items, table),
        CellParameters { asked: asked as u32, recall },
    ))
}

/// Vectors in cells.
#[derive(Debug, Clone)]
struct Clusters {
    /// The mean of each cell's vectors, `[cells x dim]`.
    centres: Vec<f32>,
    /// Items of each cell, rising; every item is in one.
    items: Vec<Vec<ItemIx>>,
}

impl Clusters {
    /// Cells of `vectors` `[items x dim]` for a search by the largest product: by k-means (Lloyd, 1982), over some of the
    /// vectors, each with one component more that makes all of them equally long, as that search is then one for the nearest
    /// (Bachrach et al., RecSys 2014).
    fn of(vectors: &[f32], dim: usize) -> Self {
        let items = vectors.len() / dim;
        let squares: Vec<f32> =
            vectors.chunks_exact(dim).map(|row| row.iter().map(|x| x * x).sum()).collect();
        let largest = squares.iter().copied().fold(0.0, f32::max);
        let wide = dim + 1;
        let level: Vec<f32> = (vectors.chunks_exact(dim).zip(&squares))
            .flat_map(|(row, square)| row.iter().copied().chain([(largest - square).sqrt()]))
            .collect();
        let cells = (((items as f64).sqrt() * CELLS_BY_ROOT) as usize).clamp(1, items);
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        let drawn = index::sample(&mut chance, items, (cells * LEARNED_BY).min(items));
        let drawn: Vec<f32> = drawn.iter().flat_map(|at| &level[at * wide..][..wide]).copied().collect();
        let mut centres = drawn[..cells * wide].to_vec();
        for _ in 0..ROUNDS {
            centres = means(&drawn, wide, &nearest(&drawn, &centres, wide), cells, || {
                let at = chance.random_range(0..drawn.len() / wide);
                drawn[at * wide..][..wide].to_vec()
            });
        }
        let nearest = nearest(&level, &centres, wide);
        let mut items = vec![Vec::new(); cells];
        for (item, &cell) in (0..).zip(&nearest) {
            items[cell as usize].push(item);
        }
        // An empty cell is never worth a search before another.
        Self { centres: means(vectors, dim, &nearest, cells, || vec![0.0; dim]), items }
    }
}

/// The nearest of `centres` for each of `vectors`.
fn nearest(vectors: &[f32], centres: &[f32], dim: usize) -> Vec<u32> {
    let cells = centres.len() / dim;
    // |x - c|^2 is smallest where x c - |c|^2 / 2 is largest.
    let half = |centre: &[f32]| centre.iter().map(|x| x * x).sum::<f32>() / 2.0;
    let halves: Vec<f32> = centres.chunks_exact(dim).map(half).collect();
    let parts = vectors.par_chunks(TILE * dim).map_init(Vec::new, |found, vectors| {
        found.resize(vectors.len() / dim * cells, 0.0);
        products(vectors, centres, dim, found);
        let best = |row: &[f32]| {
            let mut best = (f32::NEG_INFINITY, 0);
            for ((product, half), cell) in row.iter().zip(&halves).zip(0..) {
                if product - half > best.0 {
                    best = (product - half, cell);
                }
            }
            best.1
        };
        found.chunks_exact(cells).map(best).collect::<Vec<u32>>()
    });
    parts.collect::<Vec<_>>().concat()
}

/// The mean of the vectors that are nearest to each cell, or another vector for a cell without any.
fn means(
    vectors: &[f32],
    dim: usize,
    nearest: &[u32],
    cells: usize,
    mut other: impl FnMut() -> Vec<f32>,
) -> Vec<f32> {
    let mut sums = vec![0.0; cells * dim];
    let mut counts = vec![0.0_f32; cells];
    for (row, &cell) in vectors.chunks_exact(dim).zip(nearest) {
        counts[cell as usize] += 1.0;
        for (sum, x) in sums[cell as usize * dim..][..dim].iter_mut().zip(row) {
            *sum += x;
        }
    }
    for (row, &count) in sums.chunks_exact_mut(dim).zip(&counts) {
        if count > 0.0 {
            row.iter_mut().for_each(|sum| *sum /= count);
        } else {
            row.copy_from_slice(&other());
        }
    }
    sums
}
