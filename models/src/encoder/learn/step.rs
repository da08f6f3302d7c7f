//! One step: the mean loss of a batch and its gradient, computed in parts on all cores.

use candle_core::{Result, Tensor};
use endcap_core::ItemIx;
use endcap_core::encoder::EncoderShape;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::graph::{Dropout, Leaves, Tables, hidden, leaf};
use super::loss::{Against, Table, Wanted, cross_entropy, scatter};
use super::sequences::{Batch, Piece, chance};
use crate::encoder::Weights;

/// Positions of a part of a batch: a fixed number, not a share for every core, as sums of floats depend on their order, and the
/// same log shall give the same weights on every machine. So few that the widest tensor has not more than 65,536 elements:
/// beyond, candle works with threads of its own, which wait in a loop and get in the way of the other parts.
pub(super) fn part_positions(shape: &EncoderShape) -> usize {
    (65_000 / shape.hidden).clamp(1, 256)
}

/// Items that take part in the softmax beside a position's target.
pub(super) enum Candidates {
    /// All of the catalogue.
    All,
    /// Drawn anew for each batch, with the logarithm of how often each is expected.
    Drawn(Proposal),
}

/// What negatives are drawn from.
pub(super) struct Proposal {
    /// Running sums of the items' weights.
    sums: Vec<f64>,
    draws: usize,
}

impl Proposal {
    /// Exponent on an item's count: between as popular and uniform, as published for words and items alike (Mikolov et
    /// al., 2013).
    const EXPONENT: f64 = 0.75;

    /// `draws` items a batch, by their `counts`.
    pub(super) fn new(counts: &[u32], draws: usize) -> Self {
        let mut sum = 0.0;
        let weight = |&count: &u32| (f64::from(count) + 1.0).powf(Self::EXPONENT);
        let sums = counts.iter().map(|count| {
            sum += weight(count);
            sum
        });
        Self { sums: sums.collect(), draws }
    }

    /// Items, and the correction of each.
    fn draw(&self, chance: &mut ChaCha8Rng) -> (Vec<ItemIx>, Vec<f32>) {
        let total = self.sums.last().copied().unwrap_or_default();
        let draw = |_| {
            let at = chance.random::<f64>() * total;
            let item = self.sums.partition_point(|&sum| sum <= at).min(self.sums.len() - 1);
            let weight = self.sums[item] - if item == 0 { 0.0 } else { self.sums[item - 1] };
            (item as ItemIx, (self.draws as f64 * weight / total).ln() as f32)
        };
        (0..self.draws).map(draw).unzip()
    }
}

/// Gradient of the mean loss of a batch.
pub(super) struct Gradient {
    /// Mean cross-entropy of a target, nats.
    pub(super) loss: f64,
    /// Items whose vectors it touches, rising; all where `None`.
    pub(super) rows: Option<Vec<ItemIx>>,
    /// Of their vectors, row by row.
    pub(super) table: Vec<f32>,
    /// Of the layers' weights, in the order of `Weights::layer_tensors_mut`.
    pub(super) layers: Vec<Vec<f32>>,
}

impl Gradient {
    /// Its length over all weights.
    pub(super) fn norm(&self) -> f64 {
        let values = std::iter::once(&self.table).chain(&self.layers).flatten();
        values.map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt()
    }
}

/// What a step needs to know.
pub(super) struct Stepper<'a> {
    pub(super) tables: &'a Tables,
    pub(super) candidates: &'a Candidates,
    pub(super) dropout: f32,
    pub(super) seed: u64,
}

/// The rows of a batch's table, and where candidates lie in it.
struct Rows {
    /// Rising; `None`: every item.
    items: Option<Vec<ItemIx>>,
    /// Places of the candidates that were drawn.
    candidates: Vec<u32>,
    corrections: Vec<f32>,
}

impl Rows {
    /// Place of an item in the table.
    fn place(&self, item: ItemIx) -> u32 {
        match &self.items {
            None => item,
            // Every item of the batch is among them.
            Some(items) => items.partition_point(|&row| row < item) as u32,
        }
    }
}

impl Stepper<'_> {
    /// Loss and gradient of `batch`, which is step number `step`.
    pub(super) fn gradient(&self, weights: &Weights, batch: &Batch, step: u64) -> Result<Gradient> {
        let rows = self.rows(batch, step);
        let whole = Table { values: &weights.embedding, dim: weights.shape.dim };
        let touched = rows.items.as_ref().map(|items| whole.gather(items));
        let table = Table { values: touched.as_ref().unwrap_or(&weights.embedding), ..whole };
        let longest = batch.iter().map(Piece::positions).max().unwrap_or(1);
        let parts: Vec<&[Piece]> = batch.chunks((part_positions(&weights.shape) / longest).max(1)).collect();
        let parts: Vec<Result<Part>> = parts
            .into_par_iter()
            .enumerate()
            .map(|(at, pieces)| {
                let mut chance = chance(self.seed, step, 1 + at as u64);
                self.part(weights, &rows, table, pieces, &mut chance)
            })
            .collect();
        let targets: usize = batch.iter().map(Piece::positions).sum();
        let mut total: Option<Gradient> = None;
        for part in parts {
            let Part { loss, table, layers } = part?;
            match &mut total {
                None => total = Some(Gradient { loss, rows: None, table, layers }),
                Some(total) => {
                    total.loss += loss;
                    add(&mut total.table, &table);
                    for (sum, part) in total.layers.iter_mut().zip(&layers) {
                        add(sum, part);
                    }
                }
            }
        }
        let mut total = total.ok_or_else(|| candle_core::Error::Msg("an empty batch".to_owned()))?;
        let scale = 1.0 / targets.max(1) as f32;
        total.loss /= targets.max(1) as f64;
        total.rows = rows.items;
        for values in std::iter::once(&mut total.table).chain(&mut total.layers) {
            values.iter_mut().for_each(|value| *value *= scale);
        }
        Ok(total)
    }

    fn rows(&self, batch: &Batch, step: u64) -> Rows {
        match self.candidates {
            Candidates::All => Rows { items: None, candidates: Vec::new(), corrections: Vec::new() },
            Candidates::Drawn(proposal) => {
                let (candidates, corrections) = proposal.draw(&mut chance(self.seed, step, 0));
                let read = batch.iter().flat_map(|piece| &piece.items);
                let mut items: Vec<ItemIx> = read.chain(&candidates).copied().collect();
                items.sort_unstable();
                items.dedup();
                let mut rows = Rows { items: Some(items), candidates: Vec::new(), corrections };
                rows.candidates = candidates.into_iter().map(|item| rows.place(item)).collect();
                rows
            }
        }
    }

    /// Summed loss of some pieces, and its gradient by the table and by the layers.
    fn part(
        &self,
        weights: &Weights,
        rows: &Rows,
        table: Table<'_>,
        pieces: &[Piece],
        chance: &mut ChaCha8Rng,
    ) -> Result<Part> {
        let dim = table.dim;
        let length = pieces.iter().map(Piece::positions).max().unwrap_or(0);
        let (mut read, mut live) = (Vec::new(), Vec::new());
        let (mut next, mut until): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for (at, piece) in pieces.iter().enumerate() {
            let Piece { items, until: ends } = piece;
            let positions = piece.positions();
            // Behind a shorter piece anything may stand: attention does not look back from there.
            let padded = items[..positions].iter().chain(std::iter::repeat_n(&items[0], length - positions));
            read.extend(padded.map(|&item| rows.place(item)));
            live.extend((0..positions).map(|position| (at * length + position) as u32));
            // An item's place among targets is one before its place in the piece.
            let first = next.len() as u32;
            until.extend(ends.iter().map(|end| first + end - 1));
            next.extend(items[1..].iter().map(|&item| rows.place(item)));
        }
        let leaves = Leaves::new(weights, true)?;
        let x = leaf(&table.gather(&read), (read.len(), dim), true)?;
        let mut dropout = Dropout { share: self.dropout, chance };
        let users = hidden(&leaves, &weights.shape, self.tables, x.clone(), length, &mut dropout)?;
        let users = users.index_select(&Tensor::new(live, users.device())?, 0)?;
        let against = match &rows.items {
            None => Against::All,
            Some(_) => Against::Drawn(&rows.candidates, &rows.corrections),
        };
        let wanted = Wanted { next: &next, until: &until };
        let mut loss = cross_entropy(&users.flatten_all()?.to_vec1::<f32>()?, wanted, table, against);
        // The scalar whose gradient by the user vectors is that of the loss.
        let slope = Tensor::from_vec(std::mem::take(&mut loss.users), users.shape(), users.device())?;
        let mut gradients = (users * slope)?.sum_all()?.backward()?;
        let mut take = |leaf: &Tensor| match gradients.remove(leaf) {
            Some(gradient) => gradient.flatten_all()?.to_vec1::<f32>(),
            None => Ok(vec![0.0; leaf.elem_count()]),
        };
        scatter(&mut loss.table, dim, &read, &take(&x)?);
        let layers = leaves.all().map(&mut take).collect::<Result<_>>()?;
        Ok(Part { loss: loss.sum, table: loss.table, layers })
    }
}

/// What a part of a batch adds.
struct Part {
    loss: f64,
    table: Vec<f32>,
    layers: Vec<Vec<f32>>,
}

fn add(sum: &mut [f32], part: &[f32]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> EncoderShape {
        EncoderShape {
            items: 40,
            dim: 16,
            layers: 2,
            heads: 2,
            kv_heads: 2,
            hidden: 24,
            max_len: 12,
            rope_theta: 10_000.0,
            norm_eps: 1e-6,
        }
    }

    /// Pieces of several lengths, so that some are padded, with items that come twice. From the third on the second to fifth items are
    /// in no order.
    fn batch() -> Batch {
        let piece = |length: u32| {
            let until = (1..length).map(|at| if length > 4 && at < 5 { 5 } else { at + 1 });
            Piece {
                items: (0..length).map(|at| (length * 7 + at * at) % 40).collect(),
                until: until.collect(),
            }
        };
        (2..9).map(piece).collect()
    }

    /// Central differences of the loss against what the step says.
    fn check_slopes(candidates: &Candidates) {
        let tables = Tables::new(&shape());
        let stepper = Stepper { tables: &tables, candidates, dropout: 0.0, seed: 3 };
        let weights = Weights::random(&shape(), 5);
        let gradient = stepper.gradient(&weights, &batch(), 7).unwrap();
        let loss = |weights: &Weights| stepper.gradient(weights, &batch(), 7).unwrap().loss;
        let slope = |change: &dyn Fn(&mut Weights, f32)| {
            /// Small beside the weights, and large beside the rounding of single precision.
            const STEP: f32 = 4e-3;
            let [up, down] = [STEP, -STEP].map(|step| {
                let mut weights = weights.clone();
                change(&mut weights, step);
                loss(&weights)
            });
            (up - down) / (2.0 * f64::from(STEP))
        };
        let close = |found: f32, expected: f64, what: &str| {
            let off = (f64::from(found) - expected).abs();
            assert!(off < 2e-4 + 0.02 * expected.abs(), "{what}: {found}, by differences {expected}");
        };
        for element in (0..shape().items * shape().dim).step_by(23) {
            let (item, at) = (element / shape().dim, element % shape().dim);
            let row = match &gradient.rows {
                None => Some(item),
                Some(rows) => rows.iter().position(|&row| row as usize == item),
            };
            let found = row.map_or(0.0, |row| gradient.table[row * shape().dim + at]);
            let expected = slope(&|weights, step| weights.embedding[element] += step);
            close(found, expected, &format!("item {item}, component {at}"));
        }
        for (tensor, of_tensor) in gradient.layers.iter().enumerate() {
            for at in (0..of_tensor.len()).step_by(97) {
                let expected = slope(&|weights, step| weights.layer_tensors_mut()[tensor][at] += step);
                close(of_tensor[at], expected, &format!("tensor {tensor}, element {at}"));
            }
        }
    }

    #[test]
    fn the_gradient_of_the_full_softmax_is_the_slope_of_its_loss() {
        check_slopes(&Candidates::All);
    }

    #[test]
    fn the_gradient_of_the_sampled_softmax_is_the_slope_of_its_loss() {
        let counts: Vec<u32> = (0..40).map(|item| 100 / (item + 1)).collect();
        check_slopes(&Candidates::Drawn(Proposal::new(&counts, 64)));
    }

    #[test]
    fn drawn_negatives_estimate_the_whole_softmax() {
        let tables = Tables::new(&shape());
        let weights = Weights::random(&shape(), 5);
        let stepper = |candidates| Stepper { tables: &tables, candidates, dropout: 0.0, seed: 3 };
        let ordered = |piece: Piece| Piece { until: (2..=piece.items.len() as u32).collect(), ..piece };
        let batch = || -> Batch { batch().into_iter().map(ordered).collect() };
        let full = stepper(&Candidates::All).gradient(&weights, &batch(), 0).unwrap().loss;
        let counts: Vec<u32> = (0..40).map(|item| 100 / (item + 1)).collect();
        let drawn = Candidates::Drawn(Proposal::new(&counts, 256));
        let mean = (0..200).map(|step| stepper(&drawn).gradient(&weights, &batch(), step).unwrap().loss);
        let mean = mean.sum::<f64>() / 200.0;
        // The partition function is estimated without bias; its logarithm nearly so.
        assert!((mean - full).abs() < 0.01, "{mean} is not {full}");
    }
}
