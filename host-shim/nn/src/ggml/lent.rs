//! A tensor of one axis that a context owns and lends.

use crate::{TensorType, TensorView};

#[derive(Debug, Default)]
pub(super) struct Lent<T> {
    dimensions: [u32; 1],
    data: Vec<T>,
}

impl<T: bytemuck::NoUninit> Lent<T> {
    pub(super) fn data(&self) -> &[T] {
        &self.data
    }

    pub(super) fn set(&mut self, data: &[T]) {
        self.data.clear();
        self.append(data);
    }

    pub(super) fn append(&mut self, data: &[T]) {
        self.data.extend_from_slice(data);
        // Texts and vectors of a model: far from four billion elements.
        self.dimensions = [self.data.len() as u32];
    }

    pub(super) fn view(&self, ty: TensorType) -> TensorView<'_> {
        TensorView { dimensions: &self.dimensions, ty, data: bytemuck::cast_slice(&self.data) }
    }
}

impl<T: bytemuck::NoUninit> From<Vec<T>> for Lent<T> {
    fn from(data: Vec<T>) -> Self {
        Self { dimensions: [data.len() as u32], data }
    }
}
