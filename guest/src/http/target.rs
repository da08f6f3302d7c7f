//! Percent-decoding of path segments and query strings (RFC 3986).

use std::borrow::Cow;

/// Decodes `%XX`; `plus` also reads `+` as a space, which forms do in queries. Borrows where nothing changes;
/// `None` for a broken escape or bytes that are not UTF-8.
pub fn decode(text: &str, plus: bool) -> Option<Cow<'_, str>> {
    let escaped = |byte: u8| byte == b'%' || (plus && byte == b'+');
    if !text.bytes().any(escaped) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| (byte as char).to_digit(16));
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push((high * 16 + low) as u8);
            }
            b'+' if plus => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The `name=value` pairs of a query, still encoded. Empty pairs are skipped; a name alone has an empty value.
pub fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_and_refuses() {
        assert_eq!(decode("a%20b%C3%A4", false).as_deref(), Some("a bä"));
        assert_eq!(decode("a+b", true).as_deref(), Some("a b"));
        assert_eq!(decode("a+b", false).as_deref(), Some("a+b"));
        for broken in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(broken, true), None, "{broken}");
        }
        assert_eq!(pairs("n=1&&x&y=").collect::<Vec<_>>(), [("n", "1"), ("x", ""), ("y", "")]);
    }
}
