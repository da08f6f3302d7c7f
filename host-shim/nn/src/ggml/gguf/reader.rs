//! Little-endian values out of a stream whose length is known, and nothing beyond it.

use std::io::Read;

use super::GgufError;

/// Longest key or name of a tensor, bytes. llama.cpp takes 63 for names; the format says 65,535 for keys, and the
/// longest in use have about 60.
pub(super) const MAX_NAME_BYTES: u64 = 255;

/// A model's bytes in order.
pub(super) struct Reader<R> {
    inner: R,
    at: u64,
    length: u64,
}

impl<R: Read> Reader<R> {
    /// `length` is that of the whole model; reading beyond is an error, whatever `inner` would give.
    pub(super) fn new(inner: R, length: u64) -> Self {
        Self { inner, at: 0, length }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes of the whole model.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        let end = self.at.checked_add(bytes.len() as u64).filter(|&end| end <= self.length);
        let Some(end) = end else { return Err(GgufError::Truncated { at: self.at }) };
        self.inner.read_exact(bytes).map_err(|_| GgufError::Truncated { at: self.at })?;
        self.at = end;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, GgufError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, GgufError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn f32(&mut self) -> Result<f32, GgufError> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    pub(super) fn f64(&mut self) -> Result<f64, GgufError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    pub(super) fn magic(&mut self) -> Result<[u8; 4], GgufError> {
        self.array()
    }

    /// A string's length, then its bytes. Nothing is reserved that the model could not hold.
    pub(super) fn string(&mut self, limit: u64) -> Result<Vec<u8>, GgufError> {
        let at = self.at;
        let length = self.u64()?;
        if length > self.length - self.at {
            return Err(GgufError::Truncated { at });
        }
        if length > limit {
            return Err(GgufError::StringLength { at, length, limit });
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A key or a name: not empty, and text.
    pub(super) fn name(&mut self) -> Result<String, GgufError> {
        let at = self.at;
        let bytes = self.string(MAX_NAME_BYTES)?;
        match String::from_utf8(bytes) {
            Ok(name) if !name.is_empty() && !name.contains('\0') => Ok(name),
            _ => Err(GgufError::Name { at }),
        }
    }

    /// Passes `bytes` by.
    pub(super) fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        let mut left = bytes;
        let mut buffer = [0; 4096];
        if bytes > self.length - self.at {
            return Err(GgufError::Truncated { at: self.at });
        }
        while left > 0 {
            let part = left.min(buffer.len() as u64) as usize;
            self.fill(&mut buffer[..part])?;
            left -= part as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_model_reserves_nothing() {
        let bytes = u64::MAX.to_le_bytes();
        let mut reader = Reader::new(&bytes[..], 8);
        assert!(matches!(reader.string(u64::MAX), Err(GgufError::Truncated { at: 0 })));
    }

    #[test]
    fn a_name_is_text_and_not_empty() {
        for name in [&b""[..], &[0xff][..], b"a\0b"] {
            let mut bytes = (name.len() as u64).to_le_bytes().to_vec();
            bytes.extend_from_slice(name);
            let mut reader = Reader::new(&bytes[..], bytes.len() as u64);
            assert!(matches!(reader.name(), Err(GgufError::Name { at: 0 })), "{name:?}");
        }
    }
}
