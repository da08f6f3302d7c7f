//! Named, typed arrays inside a section body: one container for every numeric part of a model.
//!
//! A new part of a later version is a new name, which older readers never ask for.

use std::marker::PhantomData;
use std::ops::Range;

use super::wasm::ALIGN;

/// Bytes of the header (`count`, reserved) and of one directory entry.
const HEADER: usize = 8;
const ENTRY: usize = 32;
/// Bytes of a name, zero-padded ASCII.
const NAME: usize = 8;
/// More arrays than any section has; bounds the directory of a hostile file.
const MAX_ARRAYS: usize = 64;

/// What is wrong with the arrays of a section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// The body is shorter than its directory says.
    #[error("directory does not fit its {bytes} bytes")]
    Directory {
        /// Length of the body.
        bytes: usize,
    },
    /// An entry points outside the body, before its predecessor's end, or off alignment.
    #[error("array `{name}` lies outside the section or off its alignment")]
    Placement {
        /// Name of the array.
        name: String,
    },
    /// An array that this version needs is absent.
    #[error("array `{name}` is missing")]
    Missing {
        /// Name of the array.
        name: &'static str,
    },
    /// An array holds elements of another type.
    #[error("array `{name}` holds elements of kind {found}, not {expected}")]
    Kind {
        /// Name of the array.
        name: &'static str,
        /// Kind found.
        found: u32,
        /// Kind that the grammar asks for.
        expected: u32,
    },
}

/// An element type of the grammar.
pub trait Element: bytemuck::Pod {
    /// Number of the type in the directory.
    const KIND: u32;
}

impl Element for u8 {
    const KIND: u32 = 1;
}
impl Element for u16 {
    const KIND: u32 = 2;
}
impl Element for u32 {
    const KIND: u32 = 3;
}
impl Element for f32 {
    const KIND: u32 = 4;
}
impl Element for i64 {
    const KIND: u32 = 5;
}
impl Element for i8 {
    const KIND: u32 = 6;
}

/// Size in bytes of an element of kind `kind`, `None` for a kind of a later version.
fn element_size(kind: u32) -> Option<usize> {
    match kind {
        u8::KIND | i8::KIND => Some(1),
        u16::KIND => Some(2),
        u32::KIND | f32::KIND => Some(4),
        i64::KIND => Some(8),
        _ => None,
    }
}

/// Collects arrays and writes the body of a section.
#[derive(Debug, Default)]
pub struct ArraysBuilder {
    entries: Vec<([u8; NAME], u32, usize, Vec<u8>)>,
}

impl ArraysBuilder {
    /// An empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an array. `name` is ASCII of at most 8 bytes (checked in debug builds: names are constants).
    #[must_use]
    pub fn with<T: Element>(mut self, name: &'static str, elements: &[T]) -> Self {
        debug_assert!(name.len() <= NAME && name.is_ascii());
        let mut padded = [0; NAME];
        for (slot, byte) in padded.iter_mut().zip(name.bytes()) {
            *slot = byte;
        }
        self.entries.push((padded, T::KIND, elements.len(), bytemuck::cast_slice(elements).to_vec()));
        self
    }

    /// The body: directory, then every array at a multiple of 8.
    pub fn finish(self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        body.extend_from_slice(&0_u32.to_le_bytes());
        let mut offset = HEADER + ENTRY * self.entries.len();
        for (name, kind, len, bytes) in &self.entries {
            body.extend_from_slice(name);
            body.extend_from_slice(&kind.to_le_bytes());
            body.extend_from_slice(&0_u32.to_le_bytes());
            body.extend_from_slice(&(offset as u64).to_le_bytes());
            body.extend_from_slice(&(*len as u64).to_le_bytes());
            offset = (offset + bytes.len()).next_multiple_of(ALIGN);
        }
        for (.., bytes) in &self.entries {
            body.extend_from_slice(bytes);
            body.resize(body.len().next_multiple_of(ALIGN), 0);
        }
        body
    }
}

/// The checked directory of a section body.
#[derive(Debug)]
pub struct Arrays {
    entries: Vec<([u8; NAME], u32, Range<usize>)>,
}

impl Arrays {
    /// Reads and checks the directory of the body at `at` in `file`. Places are kept relative to the file.
    ///
    /// # Errors
    /// Where an entry does not lie inside the body, aligned, and behind its predecessor.
    pub fn parse(file: &[u8], at: Range<usize>) -> Result<Self, ArrayError> {
        let body = &file[at.clone()];
        let too_short = || ArrayError::Directory { bytes: body.len() };
        let count = read_u32(body, 0).ok_or_else(too_short)? as usize;
        let directory_end = HEADER + ENTRY * count.min(MAX_ARRAYS + 1);
        if count > MAX_ARRAYS || body.len() < directory_end {
            return Err(too_short());
        }
        let mut entries = Vec::with_capacity(count);
        let mut free_from = directory_end;
        for index in 0..count {
            let entry = &body[HEADER + ENTRY * index..][..ENTRY];
            let mut name = [0; NAME];
            name.copy_from_slice(&entry[..NAME]);
            let placement = || ArrayError::Placement {
                name: String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned(),
            };
            let kind = read_u32(entry, 8).ok_or_else(placement)?;
            let offset = read_u64(entry, 16).and_then(|at| usize::try_from(at).ok()).ok_or_else(placement)?;
            let len = read_u64(entry, 24).and_then(|len| usize::try_from(len).ok()).ok_or_else(placement)?;
            let Some(size) = element_size(kind) else { continue };
            let end =
                len.checked_mul(size).and_then(|bytes| bytes.checked_add(offset)).ok_or_else(placement)?;
            if offset < free_from || !offset.is_multiple_of(ALIGN) || end > body.len() {
                return Err(placement());
            }
            free_from = end;
            entries.push((name, kind, at.start + offset..at.start + end));
        }
        Ok(Self { entries })
    }

    /// The place of an array, typed.
    ///
    /// # Errors
    /// Where it is absent or of another type.
    pub fn slot<T: Element>(&self, name: &'static str) -> Result<Slot<T>, ArrayError> {
        let (_, kind, range) = self
            .entries
            .iter()
            .find(|(found, ..)| trimmed(found) == name.as_bytes())
            .ok_or(ArrayError::Missing { name })?;
        if *kind != T::KIND {
            return Err(ArrayError::Kind { name, found: *kind, expected: T::KIND });
        }
        Ok(Slot { range: range.clone(), element: PhantomData })
    }
}

/// Where a checked array lies in its file.
#[derive(Debug, Clone)]
pub struct Slot<T> {
    range: Range<usize>,
    element: PhantomData<T>,
}

impl<T: Element> Slot<T> {
    /// The elements, viewed in place. `file` is the 8-aligned buffer that the slot was parsed from.
    pub fn of<'a>(&self, file: &'a [u8]) -> &'a [T] {
        bytemuck::cast_slice(&file[self.range.clone()])
    }
}

fn trimmed(name: &[u8; NAME]) -> &[u8] {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(NAME);
    &name[..end]
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
