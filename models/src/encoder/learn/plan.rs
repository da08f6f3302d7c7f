//! What a training will take, told before it begins.

use endcap_core::encoder::{EncoderShape, Projection};

use super::options::EncoderOptions;
use super::sequences::Sequences;
use super::step::part_positions;

/// Size of the work and of the memory.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnPlan {
    /// Sequences.
    pub sequences: usize,
    /// Targets of one pass.
    pub targets: usize,
    /// Weights, item vectors among them.
    pub weights: usize,
    /// Items in the softmax of a step.
    pub candidates: usize,
    /// Share of activations that is taken away.
    pub dropout: f32,
    /// Most bytes held at a time, about, beside the log.
    pub bytes: u64,
}

impl LearnPlan {
    pub(super) fn new(shape: &EncoderShape, sequences: &Sequences, options: &EncoderOptions) -> Self {
        let layer: usize = Projection::ALL.iter().map(|projection| projection.elements(shape)).sum();
        let layers = shape.layers * (layer + 2 * shape.dim) + shape.dim;
        let table = shape.items * shape.dim;
        let full = shape.items <= EncoderOptions::FULL_SOFTMAX;
        let candidates = if full { shape.items } else { options.negatives };
        let rows = if full { shape.items } else { (candidates + options.batch).min(shape.items) };
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // Weights, the best of them, two running means.
        let kept = 4 * (table + layers);
        // The rows, and for each part their gradient, a copy of the candidates and a tile of logits.
        let parts = options.batch.div_ceil(part_positions(shape));
        let copies = (1 + parts) * rows * shape.dim + parts.min(threads) * candidates * (shape.dim + 64);
        // Tensors that a layer keeps for the way back and their gradients, by what they are as large as; attention keeps none of
        // its shares.
        let wide = 30 * shape.dim + 8 * shape.hidden;
        let positions = part_positions(shape).max(shape.max_len) * parts.min(threads);
        let activations = positions * (shape.layers * wide + 8 * shape.dim);
        Self {
            sequences: sequences.len(),
            targets: sequences.targets(),
            weights: table + layers,
            candidates,
            dropout: options.dropout_over(sequences.targets(), shape.items),
            bytes: 4 * (kept + copies + activations) as u64 + 16 * sequences.targets() as u64,
        }
    }
}
