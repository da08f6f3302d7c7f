//! Rows of the Gram matrix G = XᵀX.

use endcap_core::ItemIx;

use super::blocks::for_items;
use super::interactions::Interactions;
use super::plan::LinearPlan;

/// G without its diagonal, sparse, as far as the plan has room.
#[derive(Debug)]
pub(super) struct Gram<'m> {
    rows: Vec<GramRow>,
    diagonal: &'m [f32],
    lambda: f32,
}

#[derive(Debug)]
struct GramRow {
    /// By rising item.
    pairs: Box<[(ItemIx, f32)]>,
    /// The largest share that was cut off, 0 where the row is whole: see [`Gram::share`].
    cut: f32,
}

/// Sums by item of one thread, all 0 between two rows.
struct Sums {
    values: Vec<f32>,
    touched: Vec<ItemIx>,
}

impl<'m> Gram<'m> {
    pub(super) fn count(
        matrix: &'m Interactions,
        lambda: f32,
        plan: &LinearPlan,
        heard: &mut dyn FnMut(u64),
    ) -> Self {
        let items = matrix.items();
        let scratch = || Sums { values: vec![0.0; items], touched: Vec::new() };
        let mut gram = Self { rows: Vec::new(), diagonal: matrix.diagonal(), lambda };
        let rows = for_items(
            items,
            plan.threads,
            scratch,
            |sums, item| gram.row(matrix, item, plan.gram_row, sums),
            heard,
        );
        gram.rows = rows;
        gram
    }

    fn row(&self, matrix: &Interactions, item: usize, longest: usize, sums: &mut Sums) -> GramRow {
        let Sums { values, touched } = sums;
        touched.clear();
        matrix.products(item, |other, product| {
            let sum = &mut values[other as usize];
            if *sum == 0.0 {
                touched.push(other);
            }
            *sum += product;
        });
        let mut pairs: Vec<(ItemIx, f32)> = touched
            .iter()
            .map(|&other| (other, std::mem::take(&mut values[other as usize])))
            .filter(|(other, sum)| *other as usize != item && *sum > 0.0)
            .collect();
        let mut cut = 0.0;
        if pairs.len() > longest {
            pairs.select_nth_unstable_by(longest, |a, b| self.order(*a, *b));
            cut = self.share(pairs[longest]);
            pairs.truncate(longest);
        }
        pairs.sort_unstable_by_key(|(other, _)| *other);
        GramRow { pairs: pairs.into(), cut }
    }

    /// By falling share, then by item.
    fn order(&self, a: (ItemIx, f32), b: (ItemIx, f32)) -> std::cmp::Ordering {
        self.share(b).total_cmp(&self.share(a)).then(a.0.cmp(&b.0))
    }

    /// G(i, j) / sqrt(G(i, i) + lambda): its square is what item i alone explains of j by ridge regression.
    fn share(&self, (item, sum): (ItemIx, f32)) -> f32 {
        sum / self.spread(item)
    }

    fn spread(&self, item: ItemIx) -> f32 {
        (self.diagonal[item as usize] + self.lambda).sqrt()
    }

    /// The `most` items that explain most of `target`, each alone, with their G(i, target); by rising item.
    pub(super) fn regressors(&self, target: usize, most: usize, out: &mut Vec<(ItemIx, f32)>) {
        out.clear();
        out.extend_from_slice(&self.rows[target].pairs);
        if out.len() > most {
            out.select_nth_unstable_by(most, |a, b| self.order(*a, *b));
            out.truncate(most);
        }
        out.sort_unstable_by_key(|(item, _)| *item);
    }

    /// G(a, b) for each of the rising `others`, and by how much it may be more or less, into `out`.
    ///
    /// What stands in neither row was cut off from both (or is 0, where either is whole): it lies between 0 and what
    /// the larger of the shares cut off allows, so the middle is off by half of that at most.
    pub(super) fn sums(&self, a: ItemIx, others: &[(ItemIx, f32)], out: &mut Vec<(f32, f32)>) {
        out.clear();
        let row = &self.rows[a as usize];
        let mut rest = &*row.pairs;
        for &(b, _) in others {
            rest = &rest[rest.partition_point(|(item, _)| *item < b)..];
            if let Some(&(_, sum)) = rest.first().filter(|(item, _)| *item == b) {
                out.push((sum, 0.0));
                continue;
            }
            let other = &self.rows[b as usize];
            if row.cut == 0.0 {
                out.push((0.0, 0.0));
            } else if let Ok(at) = other.pairs.binary_search_by_key(&a, |(item, _)| *item) {
                out.push((other.pairs[at].1, 0.0));
            } else {
                let most = (row.cut * self.spread(b)).min(other.cut * self.spread(a));
                out.push((most / 2.0, most / 2.0));
            }
        }
    }
}
