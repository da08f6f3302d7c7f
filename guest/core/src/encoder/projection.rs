//! The seven matrices of a layer, by name.

use super::shape::EncoderShape;

/// A matrix of every layer; without bias, like all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// Norm to queries of all heads, `[dim x dim]`.
    Query,
    /// Norm to keys, `[kv_dim x dim]`.
    Key,
    /// Norm to values, `[kv_dim x dim]`.
    Value,
    /// Heads to what attention adds, `[dim x dim]`.
    Output,
    /// Norm to gates, `[hidden x dim]`.
    Gate,
    /// Norm to what is gated, `[hidden x dim]`.
    Up,
    /// Gated to what the second half adds, `[dim x hidden]`.
    Down,
}

impl Projection {
    /// All of them, in the order of arrays indexed by `projection as usize`.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// `[outputs, inputs]`, each a multiple of eight.
    pub fn size(self, shape: &EncoderShape) -> [usize; 2] {
        match self {
            Self::Query | Self::Output => [shape.dim, shape.dim],
            Self::Key | Self::Value => [shape.kv_dim(), shape.dim],
            Self::Gate | Self::Up => [shape.hidden, shape.dim],
            Self::Down => [shape.dim, shape.hidden],
        }
    }

    /// Elements of one layer's matrix.
    pub fn elements(self, shape: &EncoderShape) -> usize {
        self.size(shape).iter().product()
    }
}
