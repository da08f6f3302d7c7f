//! Appends JSON to a buffer by hand: the answer to a recommendation is small, flat, and written fifty thousand
//! times a second.

use endcap_core::ItemIx;
use endcap_core::format::Catalogue;
use endcap_core::recommend::{Recommendation, Source};

/// Item attributes that an answer may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Include {
    /// Display name.
    pub name: bool,
    /// Category.
    pub category: bool,
    /// Unit price.
    pub price: bool,
}

impl Include {
    /// Words for messages.
    pub const WORDS: &str = "name, category, price";

    /// Adds the attribute of this name; `None` for another word.
    pub fn add(&mut self, word: &str) -> Option<()> {
        match word {
            "name" => self.name = true,
            "category" => self.category = true,
            "price" => self.price = true,
            _ => return None,
        }
        Some(())
    }
}

/// Appends `text` as a JSON string.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// Appends a score of [0, 1] with four decimals, which is what tells two items apart on a shelf.
pub fn push_score(out: &mut Vec<u8>, score: f32) {
    // Saturates: NaN and negative become 0.
    let scaled = ((score * 10_000.0 + 0.5) as u32).min(10_000);
    let digit = |place: u32| b'0' + (scaled / place % 10) as u8;
    out.extend_from_slice(&[digit(10_000), b'.', digit(1000), digit(100), digit(10), digit(1)]);
}

/// Appends 16 hex digits.
pub fn push_hex(out: &mut Vec<u8>, value: u64) {
    for shift in (0..16).rev() {
        let digit = (value >> (shift * 4)) & 15;
        out.push(if digit < 10 { b'0' + digit as u8 } else { b'a' + digit as u8 - 10 });
    }
}

/// Appends `"item":ID,"score":S` and the included attributes, without braces.
pub fn push_item(out: &mut Vec<u8>, catalogue: Catalogue<'_>, item: ItemIx, score: f32, include: Include) {
    out.extend_from_slice(b"\"item\":");
    push_string(out, catalogue.id(item));
    out.extend_from_slice(b",\"score\":");
    push_score(out, score);
    if include == Include::default() {
        return;
    }
    let view = catalogue.get(item);
    if include.name {
        out.extend_from_slice(b",\"name\":");
        push_string(out, view.name);
    }
    if include.category {
        out.extend_from_slice(b",\"category\":");
        push_string(out, view.category);
    }
    if include.price {
        out.extend_from_slice(b",\"price\":");
        // JSON has no infinity; serde_json writes null for it and for an unknown price.
        let _ = serde_json::to_writer(&mut *out, &view.price);
    }
}

/// Appends the array of recommended items.
pub fn push_recommendations(
    out: &mut Vec<u8>,
    catalogue: Catalogue<'_>,
    found: &[Recommendation],
    include: Include,
) {
    out.push(b'[');
    for (at, recommendation) in found.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{" } else { b",{" });
        push_item(out, catalogue, recommendation.item, recommendation.score, include);
        out.extend_from_slice(b",\"reason\":\"");
        out.extend_from_slice(recommendation.source.as_str().as_bytes());
        out.push(b'"');
        if let Some(because) = recommendation.because {
            out.extend_from_slice(b",\"because\":");
            push_string(out, catalogue.id(because));
        }
        if let Some(probability) = recommendation.probability {
            out.extend_from_slice(b",\"probability\":");
            push_score(out, probability);
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// Appends the array of sources that occur in `found`, in order of their first occurrence.
pub fn push_used(out: &mut Vec<u8>, found: &[Recommendation]) {
    let mut seen = [false; Source::ALL.len()];
    out.push(b'[');
    for recommendation in found {
        if !std::mem::replace(&mut seen[recommendation.source.index()], true) {
            if out.last() != Some(&b'[') {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(recommendation.source.as_str().as_bytes());
            out.push(b'"');
        }
    }
    out.push(b']');
}

/// Appends an array of strings.
pub fn push_strings<'t>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t str>) {
    out.push(b'[');
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, text);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scores_and_ids() {
        let check = |score, expected: &str| assert_eq!(written(|out| push_score(out, score)), expected);
        check(0.93, "0.9300");
        check(1.0, "1.0000");
        check(0.000_04, "0.0000");
        check(0.000_05, "0.0001");
        check(f32::NAN, "0.0000");
        check(-1.0, "0.0000");
        check(7.0, "1.0000");
        assert_eq!(written(|out| push_hex(out, 0xab_0000_0000_0001)), "00ab000000000001");
    }

    proptest::proptest! {
        #[test]
        fn strings_read_back(text: String) {
            let json = written(|out| push_string(out, &text));
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
