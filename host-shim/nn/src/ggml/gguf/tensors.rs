//! The directory of tensors of a GGUF file, and where their bytes lie.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use super::GgufError;
use super::reader::Reader;

/// Tensors of one file: 12 a layer for at most 512 layers, and a few more.
const MAX_TENSORS: u64 = 8192;
/// Axes of a tensor, as ggml has them.
const MAX_AXES: u32 = 4;
/// Bytes of a tensor's name with its NUL, as ggml has them.
const MAX_TENSOR_NAME: usize = 64;

/// An element type: elements and bytes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ElementType {
    id: u32,
    elements: u64,
    bytes: u64,
}

/// Single precision.
const F32: u32 = 0;

/// What llama.cpp can multiply with and look rows up in: floats and quantised blocks. Integers, doubles and the
/// types of intermediate results are no weights, and llama.cpp would abort over them only while computing.
const ELEMENT_TYPES: [ElementType; 24] = [
    element(F32, 1, 4),
    element(1, 1, 2),      // F16
    element(30, 1, 2),     // BF16
    element(2, 32, 18),    // Q4_0
    element(3, 32, 20),    // Q4_1
    element(6, 32, 22),    // Q5_0
    element(7, 32, 24),    // Q5_1
    element(8, 32, 34),    // Q8_0
    element(10, 256, 84),  // Q2_K
    element(11, 256, 110), // Q3_K
    element(12, 256, 144), // Q4_K
    element(13, 256, 176), // Q5_K
    element(14, 256, 210), // Q6_K
    element(16, 256, 66),  // IQ2_XXS
    element(17, 256, 74),  // IQ2_XS
    element(18, 256, 98),  // IQ3_XXS
    element(19, 256, 50),  // IQ1_S
    element(20, 32, 18),   // IQ4_NL
    element(21, 256, 110), // IQ3_S
    element(22, 256, 82),  // IQ2_S
    element(23, 256, 136), // IQ4_XS
    element(29, 256, 56),  // IQ1_M
    element(34, 256, 54),  // TQ1_0
    element(35, 256, 66),  // TQ2_0
];

const fn element(id: u32, elements: u64, bytes: u64) -> ElementType {
    ElementType { id, elements, bytes }
}

/// One tensor of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    ty: ElementType,
    /// Sizes by axis, the innermost first; always four, 1 where the file says less.
    sizes: [u64; MAX_AXES as usize],
    offset: u64,
    bytes: u64,
}

/// Every tensor by its name.
#[derive(Debug)]
pub(super) struct Tensors(HashMap<String, Entry>);

impl Tensors {
    /// Reads the directory and checks that the data, which begin at the next multiple of `alignment`, lie within the
    /// file, one tensor after the other, as llama.cpp wants them.
    pub(super) fn read<R: Read>(
        reader: &mut Reader<R>,
        count: u64,
        alignment: u64,
    ) -> Result<Self, GgufError> {
        if count > MAX_TENSORS {
            return Err(GgufError::Count { what: "tensors", found: count, limit: MAX_TENSORS });
        }
        let mut tensors = HashMap::with_capacity(count as usize);
        // Where the next tensor begins, and where the last one ends, after the begin of the data.
        let (mut next, mut end) = (0_u64, 0_u64);
        for _ in 0..count {
            let name = reader.name()?;
            let entry = entry(reader, &name)?;
            if entry.offset != next {
                return Err(tensor(&name, format!("offset {}, {next} expected", entry.offset)));
            }
            let overflow = || tensor(&name, "its place is out of range".to_owned());
            end = next.checked_add(entry.bytes).ok_or_else(overflow)?;
            next = end.checked_next_multiple_of(alignment).ok_or_else(overflow)?;
            if tensors.insert(name.clone(), entry).is_some() {
                return Err(GgufError::Twice { what: "tensor", name });
            }
        }
        let data = reader.at().checked_next_multiple_of(alignment);
        match data.and_then(|data| data.checked_add(end)) {
            Some(end) if end <= reader.length() => Ok(Self(tensors)),
            _ => Err(GgufError::Truncated { at: reader.length() }),
        }
    }

    /// To say which of them are known.
    pub(super) fn known(&self) -> Known<'_> {
        Known { tensors: self, seen: HashSet::with_capacity(self.0.len()) }
    }
}

/// Looks tensors up, and remembers which.
#[derive(Debug)]
pub(super) struct Known<'a> {
    tensors: &'a Tensors,
    seen: HashSet<String>,
}

impl Known<'_> {
    /// A matrix of any type of weights, if it must be there or is.
    pub(super) fn matrix(
        &mut self,
        name: &str,
        rows: u64,
        columns: u64,
        required: bool,
    ) -> Result<(), GgufError> {
        let Some(found) = self.tensors.0.get(name) else {
            let missing = || GgufError::MissingTensor { name: name.to_owned() };
            return if required { Err(missing()) } else { Ok(()) };
        };
        if found.sizes != [columns, rows, 1, 1] {
            let sizes = [columns, rows];
            return Err(tensor(name, format!("sizes {:?}, {sizes:?} expected", found.sizes)));
        }
        self.seen.insert(name.to_owned());
        Ok(())
    }

    /// The same, in single precision.
    pub(super) fn singles(
        &mut self,
        name: &str,
        rows: u64,
        columns: u64,
        required: bool,
    ) -> Result<(), GgufError> {
        self.matrix(name, rows, columns, required)?;
        match self.tensors.0.get(name) {
            Some(found) if found.ty.id != F32 => Err(tensor(name, "not in single precision".to_owned())),
            _ => Ok(()),
        }
    }

    /// Refuses what has not been looked up.
    pub(super) fn nothing_else(&self) -> Result<(), GgufError> {
        match self.tensors.0.keys().find(|name| !self.seen.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(GgufError::Feature { what: format!("tensor {name}") }),
        }
    }
}

fn tensor(name: &str, reason: String) -> GgufError {
    GgufError::Tensor { name: name.to_owned(), reason }
}

fn entry<R: Read>(reader: &mut Reader<R>, name: &str) -> Result<Entry, GgufError> {
    if name.len() >= MAX_TENSOR_NAME {
        return Err(tensor(name, format!("a name of {MAX_TENSOR_NAME} or more bytes")));
    }
    let axes = reader.u32()?;
    if axes > MAX_AXES {
        return Err(tensor(name, format!("{axes} axes, more than {MAX_AXES}")));
    }
    let mut sizes = [1; MAX_AXES as usize];
    for size in &mut sizes[..axes as usize] {
        *size = reader.u64()?;
    }
    let id = reader.u32()?;
    let ty = *ELEMENT_TYPES
        .iter()
        .find(|ty| ty.id == id)
        .ok_or_else(|| tensor(name, format!("element type {id} is none of weights")))?;
    let offset = reader.u64()?;
    let elements =
        sizes.iter().try_fold(1_u64, |product, &size| product.checked_mul(size).filter(|&n| n > 0));
    if !sizes[0].is_multiple_of(ty.elements) {
        return Err(tensor(name, format!("rows of {} in blocks of {}", sizes[0], ty.elements)));
    }
    let bytes = elements
        .and_then(|elements| (elements / ty.elements).checked_mul(ty.bytes))
        // llama.cpp counts in signed numbers.
        .filter(|&bytes| bytes <= i64::MAX as u64)
        .ok_or_else(|| tensor(name, format!("sizes {sizes:?} are empty or out of range")))?;
    Ok(Entry { ty, sizes, offset, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_those_of_ggml() {
        for ty in ELEMENT_TYPES {
            let id = ty.id as llama_cpp_sys_2::ggml_type;
            // SAFETY: both look the type up in a table, and it is one of theirs.
            let (elements, bytes) =
                unsafe { (llama_cpp_sys_2::ggml_blck_size(id), llama_cpp_sys_2::ggml_type_size(id)) };
            assert_eq!((ty.elements, ty.bytes), (elements as u64, bytes as u64), "type {}", ty.id);
        }
    }
}
