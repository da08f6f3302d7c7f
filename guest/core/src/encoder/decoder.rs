//! Runs the encoder: a history in, a user vector out.

use crate::ItemIx;

use super::kernels::rms_norm;
use super::layer::{Buffers, Layer, Positions, Read};
use super::shape::EncoderShape;
use super::table::ItemTable;
use super::weights::EncoderWeights;

/// Why a history has no user vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// There is nothing to read.
    #[error("the history is empty")]
    Empty,
    /// An item beyond the table.
    #[error("item {item} is not among the encoder's {items} items")]
    UnknownItem {
        /// The item.
        item: ItemIx,
        /// Items of the table.
        items: usize,
    },
    /// Weights so large that the arithmetic leaves the range of single precision.
    #[error("the user vector is not finite: the weights are out of scale")]
    NotFinite,
}

/// An encoder ready to run. Owns its matrices as plain numbers, whatever their stored precision: they are small
/// beside the item table, which stays where it is and is handed in.
#[derive(Debug)]
pub struct Decoder {
    shape: EncoderShape,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    positions: Positions,
}

/// Buffers of a [`Decoder`]. They grow to the longest history and stay.
#[derive(Debug, Default)]
pub struct DecoderScratch {
    buffers: Buffers,
    user: Vec<f32>,
    /// Of [`Decoder::encode`], which forgets it.
    memory: DecoderMemory,
}

/// What a [`Decoder`] knows of a history: every layer's keys and values of its items, `2 * layers * max_len * kv_dim`
/// numbers of 4 bytes.
#[derive(Debug, Default)]
pub struct DecoderMemory {
    items: Vec<ItemIx>,
    layers: Vec<Read>,
}

impl DecoderMemory {
    /// The history that is known, oldest item first.
    pub fn items(&self) -> &[ItemIx] {
        &self.items
    }
}

impl Decoder {
    /// Copies the matrices out of `weights`. O(weights of the layers); the item table is not touched.
    pub fn new(weights: &EncoderWeights<'_>) -> Self {
        let shape = weights.shape.clone();
        let layers = (0..shape.layers).map(|layer| Layer::new(weights, layer)).collect();
        let positions = Positions::new(weights);
        Self { shape, layers, norm: weights.norm.to_vec(), positions }
    }

    /// Dimensions.
    pub fn shape(&self) -> &EncoderShape {
        &self.shape
    }

    /// The user vector `[dim]` of a history, oldest item first: the hidden state of its last item after the last
    /// norm. Of a history longer than `max_len` the newest items are read. `embedding` is the table of the model
    /// that this decoder was made from.
    ///
    /// With `s` items, `d` the width and `h` the hidden width, a layer costs O(s d (d + h) + s^2 d); the last layer
    /// only O(s d kv_dim + d h), because nothing but keys and values of earlier items reaches the last one.
    /// Memory: O(s (d + h)). No allocation once the scratch has seen the longest history.
    ///
    /// # Errors
    /// Where the history is empty, has an item beyond the table, or the result is not finite.
    pub fn encode<'s>(
        &self,
        embedding: ItemTable<'_>,
        history: &[ItemIx],
        scratch: &'s mut DecoderScratch,
    ) -> Result<&'s [f32], EncodeError> {
        let mut memory = std::mem::take(&mut scratch.memory);
        memory.items.clear();
        let done = self.run(embedding, history, &mut memory, scratch);
        scratch.memory = memory;
        done.map(|()| scratch.user.as_slice())
    }

    /// The same vector, bit by bit, where `memory` knows the history but for its newest items: only those are read, O(d (d + h)
    /// + s d) a layer for one. Of any other history everything is read, and `memory` knows that one then.
    ///
    /// # Errors
    /// As [`Self::encode`]; nothing is known then.
    pub fn encode_more<'s>(
        &self,
        embedding: ItemTable<'_>,
        history: &[ItemIx],
        memory: &mut DecoderMemory,
        scratch: &'s mut DecoderScratch,
    ) -> Result<&'s [f32], EncodeError> {
        let done = self.run(embedding, history, memory, scratch);
        if done.is_err() {
            memory.items.clear();
        }
        done.map(|()| scratch.user.as_slice())
    }

    /// Leaves the user vector in the scratch.
    fn run(
        &self,
        embedding: ItemTable<'_>,
        history: &[ItemIx],
        memory: &mut DecoderMemory,
        scratch: &mut DecoderScratch,
    ) -> Result<(), EncodeError> {
        let history = &history[history.len().saturating_sub(self.shape.max_len)..];
        let items = embedding.items();
        if let Some(&item) = history.iter().find(|&&item| item as usize >= items) {
            return Err(EncodeError::UnknownItem { item, items });
        }
        let last = history.len().checked_sub(1).ok_or(EncodeError::Empty)?;
        let dim = self.shape.dim;
        let DecoderScratch { buffers, user, .. } = scratch;
        // The last item is always read: its hidden state is what is asked for.
        let known = if history.starts_with(&memory.items) { memory.items.len().min(last) } else { 0 };
        let last = last - known;
        buffers.reset(&self.shape, known, last + 1);
        memory.layers.resize_with(self.layers.len(), Read::default);
        for (&item, row) in history[known..].iter().zip(buffers.residual.chunks_exact_mut(dim)) {
            embedding.read(item, row);
        }
        for (at, (layer, read)) in self.layers.iter().zip(&mut memory.layers).enumerate() {
            let from = if at + 1 == self.layers.len() { last } else { 0 };
            read.reserve(&self.shape);
            layer.run(&self.shape, &self.positions, from, read, buffers);
        }
        user.resize(dim, 0.0);
        rms_norm(&buffers.residual[last * dim..][..dim], &self.norm, self.shape.norm_eps, user);
        if !user.iter().all(|value| value.is_finite()) {
            return Err(EncodeError::NotFinite);
        }
        memory.items.clear();
        memory.items.extend_from_slice(history);
        Ok(())
    }
}
