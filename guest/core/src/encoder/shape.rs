//! The dimensions of a sequence encoder, and what they may be.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Rows of an item table. 2^22 rows of the usual 64 dimensions as int8 are 256 MiB, beyond what a node holds.
pub const ITEMS: RangeInclusive<usize> = 1..=1 << 22;
/// Width of an item vector. At 512, a sum of products of int8 codes and 16-bit activations still fits an `i32`
/// (512 * 127 * 32767 < 2^31), which [`super::ItemTable`] relies on; recommenders use 32 to 256.
pub const DIM: RangeInclusive<usize> = 8..=512;
/// Layers. Published sequence recommenders have 2 to 8.
pub const LAYERS: RangeInclusive<usize> = 1..=16;
/// Attention heads: as many as the widest model has in the narrowest heads.
pub const HEADS: RangeInclusive<usize> = 1..=64;
/// Width of the gated layer: four times [`DIM`], the most that decoders use.
pub const HIDDEN: RangeInclusive<usize> = 8..=2048;
/// Positions. The service remembers 50 items; attention's work grows with the square.
pub const MAX_LEN: RangeInclusive<usize> = 1..=512;
/// Base of the rotary frequencies: 10,000 in the paper, up to a million in long-context models.
pub const ROPE_THETA: RangeInclusive<f32> = 10.0..=1.0e7;
/// Added to the mean square in RMSNorm: 1e-6 to 1e-5 is usual, and 0 would divide by zero.
pub const NORM_EPS: RangeInclusive<f32> = 1.0e-12..=1.0e-2;
/// Widths are multiples of this, so that no kernel has a ragged edge: two 128-bit vectors of `f32`.
pub const LANES: usize = 8;

/// Dimensions of a Llama-style decoder over item ids (Touvron et al., 2023, arXiv:2302.13971): RMSNorm before each
/// half of a layer, causal attention with rotary positions (Su et al., 2021, arXiv:2104.09864, interleaved pairs)
/// and grouped key/value heads, SwiGLU, no biases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderShape {
    /// Rows of the item table, see [`ITEMS`]; item numbers are `0..items`.
    pub items: usize,
    /// Width of an item vector and of the residual stream, see [`DIM`]; `heads` heads share it.
    pub dim: usize,
    /// Decoder layers, see [`LAYERS`].
    pub layers: usize,
    /// Query heads, see [`HEADS`].
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of the gated layer, see [`HIDDEN`].
    pub hidden: usize,
    /// Most items that are read, see [`MAX_LEN`]; of a longer history the newest.
    pub max_len: usize,
    /// Base of the rotary frequencies, see [`ROPE_THETA`].
    pub rope_theta: f32,
    /// Added to the mean square in RMSNorm, see [`NORM_EPS`].
    pub norm_eps: f32,
}

/// Dimensions that no encoder of this build has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A field lies outside its range.
    #[error("{field} is {found}; allowed are {allowed}")]
    Range {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: String,
        /// Its range.
        allowed: String,
    },
    /// A field is not a multiple of what it must be one of.
    #[error("{field} is {found}, not a multiple of {of}")]
    Multiple {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: usize,
        /// What it must be a multiple of, in words.
        of: &'static str,
    },
}

impl EncoderShape {
    /// Checks every field. All that follows relies on it, so every way in calls it.
    ///
    /// # Errors
    /// [`ShapeError`] names the field, its value and what is allowed.
    pub fn check(&self) -> Result<(), ShapeError> {
        within("items", self.items, &ITEMS)?;
        within("dim", self.dim, &DIM)?;
        within("layers", self.layers, &LAYERS)?;
        within("heads", self.heads, &HEADS)?;
        within("kv_heads", self.kv_heads, &(1..=self.heads))?;
        within("hidden", self.hidden, &HIDDEN)?;
        within("max_len", self.max_len, &MAX_LEN)?;
        within("rope_theta", self.rope_theta, &ROPE_THETA)?;
        within("norm_eps", self.norm_eps, &NORM_EPS)?;
        multiple("heads", self.heads, self.kv_heads, "kv_heads")?;
        multiple("dim", self.dim, self.heads, "heads")?;
        multiple("dim / heads", self.dim / self.heads, LANES, "8")?;
        multiple("hidden", self.hidden, LANES, "8")
    }

    /// Width of one head, a multiple of [`LANES`].
    pub fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    /// Width of keys and of values over all their heads, a multiple of [`LANES`].
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim()
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    field: &'static str,
    found: T,
    allowed: &RangeInclusive<T>,
) -> Result<(), ShapeError> {
    if allowed.contains(&found) {
        return Ok(());
    }
    let allowed = format!("{} to {}", allowed.start(), allowed.end());
    Err(ShapeError::Range { field, found: found.to_string(), allowed })
}

fn multiple(field: &'static str, found: usize, unit: usize, of: &'static str) -> Result<(), ShapeError> {
    if found.is_multiple_of(unit) { Ok(()) } else { Err(ShapeError::Multiple { field, found, of }) }
}
