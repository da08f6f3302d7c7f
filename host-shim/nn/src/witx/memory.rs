//! A guest's memory: every pointer and length is a claim to be checked.
//!
//! Numbers are little-endian and may lie anywhere: nothing here asks for alignment.

use super::WitxError;

/// `len` bytes at `ptr`.
pub(super) fn bytes<'a>(
    memory: &'a [u8],
    what: &'static str,
    ptr: u32,
    len: u32,
) -> Result<&'a [u8], WitxError> {
    memory.get(range(ptr, len)).ok_or_else(|| outside(what, memory, ptr, len))
}

/// `len` bytes at `ptr`, to be written.
pub(super) fn bytes_mut<'a>(
    memory: &'a mut [u8],
    what: &'static str,
    ptr: u32,
    len: u32,
) -> Result<&'a mut [u8], WitxError> {
    let error = outside(what, memory, ptr, len);
    memory.get_mut(range(ptr, len)).ok_or(error)
}

/// A string.
pub(super) fn text<'a>(
    memory: &'a [u8],
    what: &'static str,
    ptr: u32,
    len: u32,
) -> Result<&'a str, WitxError> {
    std::str::from_utf8(bytes(memory, what, ptr, len)?).map_err(|_| WitxError::NotUtf8 { what })
}

/// The fields of a record of `N` numbers.
pub(super) fn record<const N: usize>(
    memory: &[u8],
    what: &'static str,
    ptr: u32,
) -> Result<[u32; N], WitxError> {
    let bytes = bytes(memory, what, ptr, N as u32 * 4)?;
    let mut fields = [0; N];
    for (field, bytes) in fields.iter_mut().zip(numbers(bytes)) {
        *field = bytes;
    }
    Ok(fields)
}

/// The numbers that bytes hold.
pub(super) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Stores a number.
pub(super) fn store(memory: &mut [u8], what: &'static str, ptr: u32, value: u32) -> Result<(), WitxError> {
    bytes_mut(memory, what, ptr, 4)?.copy_from_slice(&value.to_le_bytes());
    Ok(())
}

/// In 64 bits the end cannot overflow.
fn range(ptr: u32, len: u32) -> std::ops::Range<usize> {
    let (start, end) = (u64::from(ptr), u64::from(ptr) + u64::from(len));
    // On a host of 32 bits an end that does not fit lies outside any memory.
    start.try_into().unwrap_or(usize::MAX)..end.try_into().unwrap_or(usize::MAX)
}

fn outside(what: &'static str, memory: &[u8], ptr: u32, len: u32) -> WitxError {
    WitxError::Memory { what, ptr, len, size: memory.len() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_must_lie_inside() {
        let mut memory = [0; 16];
        assert_eq!(bytes(&memory, "x", 12, 4).unwrap().len(), 4);
        assert_eq!(bytes(&memory, "x", 16, 0).unwrap().len(), 0);
        for (ptr, len) in [(13, 4), (16, 1), (17, 0), (u32::MAX, u32::MAX), (1, u32::MAX)] {
            assert!(bytes(&memory, "x", ptr, len).is_err(), "{ptr} {len}");
            assert!(bytes_mut(&mut memory, "x", ptr, len).is_err(), "{ptr} {len}");
        }
    }

    #[test]
    fn numbers_need_no_alignment() {
        let mut memory = [0; 16];
        store(&mut memory, "x", 3, 0x0102_0304).unwrap();
        assert_eq!(record::<1>(&memory, "x", 3).unwrap(), [0x0102_0304]);
        assert_eq!(memory[3..7], [4, 3, 2, 1]);
    }
}
