//! Sums by item that are cheap to reset.

use crate::ItemIx;

/// Sums of scores by item, sparse to reset: a dense array and the list of items that are not zero.
#[derive(Debug, Default)]
pub struct Scores {
    values: Vec<f32>,
    touched: Vec<ItemIx>,
}

impl Scores {
    /// Makes room for items `0..n` and forgets everything.
    pub fn reset(&mut self, n: usize) {
        for &item in &self.touched {
            self.values[item as usize] = 0.0;
        }
        self.touched.clear();
        if self.values.len() != n {
            self.values.clear();
            self.values.resize(n, 0.0);
        }
    }

    /// Adds `weight` > 0 to `item`.
    #[inline]
    pub fn add(&mut self, item: ItemIx, weight: f32) {
        debug_assert!(weight >= 0.0, "scores only grow");
        let value = &mut self.values[item as usize];
        if *value == 0.0 {
            self.touched.push(item);
        }
        *value += weight;
    }

    /// Adds `weight` > 0 to each of `items`.
    ///
    /// As [`Self::add`] for each, but without its branch: whether an item is new is as good as random, and
    /// there are thousands in one answer. Every item is written behind the touched ones, and stays if it is new.
    pub fn add_all(&mut self, items: &[ItemIx], weight: f32) {
        debug_assert!(weight >= 0.0, "scores only grow");
        let mut count = self.touched.len();
        self.touched.resize(count + items.len(), 0);
        // Slices outside the loop: their addresses stay in registers.
        let (values, touched) = (self.values.as_mut_slice(), self.touched.as_mut_slice());
        for &item in items {
            let value = &mut values[item as usize];
            touched[count] = item;
            // As bits: an integer comparison is a shorter way to a 0 or 1. There is no negative zero here.
            count += usize::from(value.to_bits() == 0);
            *value += weight;
        }
        self.touched.truncate(count);
    }

    /// Adds `weight` > 0 to each of `items`; where votes are `dense`, [`Self::collect`] must follow the last of them.
    #[inline]
    pub(super) fn vote(&mut self, items: &[ItemIx], weight: f32, dense: bool) {
        if dense {
            self.add_all_untold(items, weight);
        } else {
            self.add_all(items, weight);
        }
    }

    /// As [`Self::add_all`], but leaves out which items are touched: [`Self::collect`] must follow. Cheaper where
    /// more is added than there are items.
    fn add_all_untold(&mut self, items: &[ItemIx], weight: f32) {
        let values = self.values.as_mut_slice();
        // By fours: the step is so short that counting is a tenth of it, and bounds checks keep the compiler
        // from doing this itself.
        let (fours, rest) = items.as_chunks::<4>();
        for &[a, b, c, d] in fours {
            values[a as usize] += weight;
            values[b as usize] += weight;
            values[c as usize] += weight;
            values[d as usize] += weight;
        }
        for &item in rest {
            values[item as usize] += weight;
        }
    }

    /// Finds the touched items by looking at all.
    pub(super) fn collect(&mut self) {
        self.touched.clear();
        self.touched.resize(self.values.len(), 0);
        let mut count = 0;
        for (item, value) in (0..).zip(&self.values) {
            self.touched[count] = item;
            count += usize::from(value.to_bits() != 0);
        }
        self.touched.truncate(count);
    }

    /// Takes away the scores of `items`. O(touched).
    pub(super) fn forget(&mut self, items: &[ItemIx]) {
        for &item in items {
            self.values[item as usize] = 0.0;
        }
        let values = &self.values;
        self.touched.retain(|&item| values[item as usize].to_bits() != 0);
    }

    /// Takes the positive ones of `sums`, one for each item, as scores, and leaves zeros behind. There are no scores yet.
    pub fn add_positive(&mut self, sums: &mut [f32]) {
        self.touched.clear();
        self.touched.resize(sums.len(), 0);
        let mut count = 0;
        for ((item, value), sum) in (0..).zip(&mut self.values).zip(sums) {
            let positive = *sum > 0.0;
            *value = if positive { *sum } else { 0.0 };
            *sum = 0.0;
            self.touched[count] = item;
            count += usize::from(positive);
        }
        self.touched.truncate(count);
    }

    /// Multiplies every score by its item's factor, at least 0, and gives the largest product (0 if none).
    pub fn scale(&mut self, factors: &[f32]) -> f32 {
        let mut largest = 0.0_f32;
        for &item in &self.touched {
            let value = &mut self.values[item as usize];
            *value *= factors[item as usize];
            largest = larger(largest, *value);
        }
        largest
    }

    /// The largest score, 0 if there is none.
    pub fn largest(&self) -> f32 {
        self.touched.iter().map(|&item| self.values[item as usize]).fold(0.0, larger)
    }

    /// The score of `item`, 0 if it has none.
    #[inline]
    pub fn get(&self, item: ItemIx) -> f32 {
        self.values[item as usize]
    }

    /// Items with a score, in no order.
    pub fn touched(&self) -> &[ItemIx] {
        &self.touched
    }
}

/// The larger of two numbers, neither of them NaN.
///
/// Not `f32::max`: for its NaN rule LLVM 19 calls libm's `fmaxf` in x86-64 code without SSE4, and
/// `wasmedge compile --generic-binary` (0.14.1) takes a symbol that begins with `f` for one of its functions:
/// the loader then refuses the section ("number of codes not matching") and interprets.
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
