//! The envelope: a Wasm module that consists of custom sections, and nothing of a model's meaning.

use std::ops::Range;

use super::error::FormatError;

/// Magic and version of a core Wasm module.
pub(super) const PREAMBLE: [u8; 8] = *b"\0asm\x01\0\0\0";
/// Bodies start at multiples of this in the file, the widest element being 8 bytes.
pub(super) const ALIGN: usize = 8;
/// Section id of a custom section.
const CUSTOM: u8 = 0;

/// A custom section of a file: its name, and where its payload lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSection<'a> {
    /// Name, such as `endcap.items`.
    pub name: &'a str,
    /// Byte offset of the section's id byte.
    pub offset: usize,
    /// Payload after the name.
    pub payload: Range<usize>,
}

impl RawSection<'_> {
    /// The range of the body: the payload without its length-prefixed zero padding.
    ///
    /// # Errors
    /// [`FormatError::BadPadding`] where the padding is not zero or the body not aligned to 8 bytes.
    pub fn body(&self, file: &[u8]) -> Result<Range<usize>, FormatError> {
        let bad = || FormatError::BadPadding { section: self.name.to_owned(), offset: self.payload.start };
        let payload = &file[self.payload.clone()];
        let (&pad, rest) = payload.split_first().ok_or_else(bad)?;
        let padding = rest.get(..usize::from(pad)).ok_or_else(bad)?;
        let start = self.payload.start + 1 + padding.len();
        if padding.len() >= ALIGN || padding.iter().any(|&byte| byte != 0) || !start.is_multiple_of(ALIGN) {
            return Err(bad());
        }
        Ok(start..self.payload.end)
    }
}

/// Lists the custom sections of `file` in order. Linear in their number; bodies are not touched.
///
/// # Errors
/// Where the file is no Wasm module, is cut off, or has a section that is not custom.
pub fn sections(file: &[u8]) -> Result<Vec<RawSection<'_>>, FormatError> {
    if file.get(..PREAMBLE.len()) != Some(&PREAMBLE[..]) {
        return Err(FormatError::NotWasm);
    }
    let mut found = Vec::new();
    let mut at = PREAMBLE.len();
    while at < file.len() {
        let offset = at;
        let kind = file[at];
        let (len, body_at) = read_leb_u32(file, at + 1, "a section header")?;
        let end = body_at
            .checked_add(len as usize)
            .filter(|&end| end <= file.len())
            .ok_or(FormatError::Truncated { what: "a section", offset, end: file.len() })?;
        if kind != CUSTOM {
            // A foreign module usually begins with its types: say what it is rather than what it lacks.
            return Err(if found.is_empty() {
                FormatError::NoManifest
            } else {
                FormatError::ForeignSection { kind, offset }
            });
        }
        let (name_len, name_at) = read_leb_u32(&file[..end], body_at, "a section name")?;
        let name_end = name_at
            .checked_add(name_len as usize)
            .filter(|&name_end| name_end <= end)
            .ok_or(FormatError::Truncated { what: "a section name", offset: name_at, end })?;
        let name = std::str::from_utf8(&file[name_at..name_end])
            .map_err(|_| FormatError::BadName { offset: name_at })?;
        found.push(RawSection { name, offset, payload: name_end..end });
        at = end;
    }
    Ok(found)
}

/// Appends a custom section with its body aligned.
///
/// The length is written as a five-byte LEB128 (Wasm allows padding it), so that the place of the body does
/// not depend on the length of the number in front of it.
pub(super) fn append_section(file: &mut Vec<u8>, name: &str, body: &[u8]) {
    let name_len = u32::try_from(name.len()).unwrap_or(u32::MAX);
    debug_assert!(name_len < 128, "section names are one-byte lengths");
    let payload_at = file.len() + 1 + 5 + 1 + name.len();
    let pad = (ALIGN - (payload_at + 1) % ALIGN) % ALIGN;
    let size = 1 + name.len() + 1 + pad + body.len();
    file.push(CUSTOM);
    file.extend_from_slice(&leb_u32_padded(u32::try_from(size).unwrap_or(u32::MAX)));
    file.push(name_len as u8);
    file.extend_from_slice(name.as_bytes());
    file.push(pad as u8);
    file.resize(file.len() + pad, 0);
    file.extend_from_slice(body);
}

fn leb_u32_padded(mut value: u32) -> [u8; 5] {
    let mut bytes = [0x80; 5];
    for byte in &mut bytes {
        *byte |= (value & 0x7f) as u8;
        value >>= 7;
    }
    bytes[4] &= 0x7f;
    bytes
}

fn read_leb_u32(file: &[u8], at: usize, what: &'static str) -> Result<(u32, usize), FormatError> {
    let mut value: u32 = 0;
    for index in 0..5 {
        let Some(&byte) = file.get(at + index) else {
            return Err(FormatError::Truncated { what, offset: at, end: file.len() });
        };
        let bits = u32::from(byte & 0x7f);
        // The fifth byte has room for four bits, and must be the last.
        if index == 4 && (bits > 0x0f || byte & 0x80 != 0) {
            break;
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, at + index + 1));
        }
    }
    Err(FormatError::BadLength { offset: at })
}
