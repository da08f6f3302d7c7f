//! Tensors: dimensions, element type, bytes.

use crate::NnError;

/// Element types. The numbers differ between the ABIs: see [`crate::witx`] and the component's WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TensorType {
    /// IEEE 754 half precision.
    F16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// bfloat16.
    Bf16,
    /// Unsigned byte.
    U8,
    /// Signed 32 bits.
    I32,
    /// Signed 64 bits.
    I64,
}

impl TensorType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// Its word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
            Self::U8 => "u8",
            Self::I32 => "i32",
            Self::I64 => "i64",
        }
    }
}

/// A tensor that somebody else owns, such as the guest's memory. Row-major, little-endian, unaligned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorView<'a> {
    /// Sizes by axis; empty for a scalar.
    pub dimensions: &'a [u32],
    /// Type of the elements.
    pub ty: TensorType,
    /// The elements, without gaps.
    pub data: &'a [u8],
}

impl TensorView<'_> {
    /// Number of elements that the dimensions ask for.
    ///
    /// # Errors
    /// [`NnError::TensorLength`] where `data` has another length, also where the product overflows.
    pub fn elements(&self) -> Result<usize, NnError> {
        let elements =
            self.dimensions.iter().try_fold(1_usize, |product, &size| product.checked_mul(size as usize));
        let bytes = elements.and_then(|elements| elements.checked_mul(self.ty.size()));
        match (elements, bytes) {
            (Some(elements), Some(bytes)) if bytes == self.data.len() => Ok(elements),
            _ => Err(NnError::TensorLength {
                dimensions: self.dimensions.to_vec(),
                ty: self.ty,
                bytes: self.data.len(),
            }),
        }
    }

    /// A copy.
    pub fn to_tensor(&self) -> Tensor {
        Tensor { dimensions: self.dimensions.to_vec(), ty: self.ty, data: self.data.to_vec() }
    }
}

/// An owned tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Sizes by axis; empty for a scalar.
    pub dimensions: Vec<u32>,
    /// Type of the elements.
    pub ty: TensorType,
    /// The elements, row-major, little-endian.
    pub data: Vec<u8>,
}

impl Tensor {
    /// A tensor of single-precision numbers.
    pub fn f32(dimensions: &[u32], values: &[f32]) -> Self {
        Self::of(dimensions, TensorType::F32, bytemuck::cast_slice(values))
    }

    /// A tensor of 32-bit integers.
    pub fn i32(dimensions: &[u32], values: &[i32]) -> Self {
        Self::of(dimensions, TensorType::I32, bytemuck::cast_slice(values))
    }

    /// A tensor of 64-bit integers.
    pub fn i64(dimensions: &[u32], values: &[i64]) -> Self {
        Self::of(dimensions, TensorType::I64, bytemuck::cast_slice(values))
    }

    /// A tensor of bytes, such as text.
    pub fn u8(values: &[u8]) -> Self {
        Self::of(&[values.len() as u32], TensorType::U8, values)
    }

    fn of(dimensions: &[u32], ty: TensorType, data: &[u8]) -> Self {
        Self { dimensions: dimensions.to_vec(), ty, data: data.to_vec() }
    }

    /// Lends it.
    pub fn view(&self) -> TensorView<'_> {
        TensorView { dimensions: &self.dimensions, ty: self.ty, data: &self.data }
    }

    /// Its single-precision numbers; `None` where it holds something else.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        (self.ty == TensorType::F32).then(|| self.data.chunks_exact(4).map(number).collect())
    }
}
