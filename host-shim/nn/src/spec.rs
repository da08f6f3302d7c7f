//! What a model says of its inputs and outputs.

use std::fmt;

use crate::TensorType;

/// An input or output as the model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name; unique among the inputs, and among the outputs.
    pub name: String,
    /// Type of the elements; `None` where the model leaves it open.
    pub ty: Option<TensorType>,
    /// Sizes by axis, `None` for an axis that a caller chooses; `None` altogether where even the rank is open.
    pub dimensions: Option<Vec<Option<u32>>>,
}

impl TensorSpec {
    /// Whether a tensor of this type and these sizes fits.
    pub fn accepts(&self, ty: TensorType, dimensions: &[u32]) -> bool {
        self.ty.is_none_or(|own| own == ty)
            && self.dimensions.as_ref().is_none_or(|own| {
                own.len() == dimensions.len()
                    && own.iter().zip(dimensions).all(|(own, given)| own.is_none_or(|own| own == *given))
            })
    }
}

impl fmt::Display for TensorSpec {
    /// As `f32 [?, 128]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ty.map_or("any type", TensorType::as_str))?;
        let Some(dimensions) = &self.dimensions else { return f.write_str(" of any shape") };
        f.write_str(" [")?;
        for (axis, size) in dimensions.iter().enumerate() {
            f.write_str(if axis == 0 { "" } else { ", " })?;
            match size {
                Some(size) => write!(f, "{size}")?,
                None => f.write_str("?")?,
            }
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(width: u32) -> TensorSpec {
        TensorSpec { name: "x".into(), ty: Some(TensorType::F32), dimensions: Some(vec![None, Some(width)]) }
    }

    #[test]
    fn an_open_axis_takes_any_size_and_a_fixed_one_its_own() {
        let spec = batch_of(128);
        assert!(spec.accepts(TensorType::F32, &[7, 128]));
        assert!(!spec.accepts(TensorType::F32, &[7, 127]));
        assert!(!spec.accepts(TensorType::F32, &[128]));
        assert!(!spec.accepts(TensorType::F16, &[7, 128]));
        assert_eq!(spec.to_string(), "f32 [?, 128]");
    }
}
