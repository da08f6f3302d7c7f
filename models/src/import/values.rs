//! Cells as ids, words and numbers.

use super::field::Field;
use super::reason::{Reason, Reject};
use super::row::{Row, Value};

/// Bytes an id may have. UUIDs have 36, the longest product codes seen some 60; a longer one is a description
/// or a URL in the wrong column.
pub const MAX_ID_BYTES: usize = 256;

/// Bytes kept of a name or category; the rest is cut off. A name is for reading, and no tile shows more.
pub const MAX_NAME_BYTES: usize = 1_024;

/// Texts that exports write for "nothing".
const MISSING: [&str; 6] = ["nan", "null", "none", "\\n", "<na>", "n/a"];

/// Doubles up to here hold every whole number exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// An id, trimmed; `None` where it is missing. A whole number with `.0`, which pandas makes of a column of ids
/// with gaps, loses it.
pub(super) fn id(row: &Row, field: Field) -> Result<Option<String>, Reject> {
    match row.get(field) {
        Value::Missing => Ok(None),
        Value::Int(v) | Value::Micros(v) => Ok(Some(v.to_string())),
        Value::Float(v) if v.is_nan() => Ok(None),
        Value::Float(v) if v.fract() == 0.0 && v.abs() <= EXACT => Ok(Some((v as i64).to_string())),
        Value::Float(v) if v.is_finite() => Ok(Some(v.to_string())),
        Value::Float(_) => Err(Reject::cell(Reason::BadId, field, "is infinite")),
        Value::Nested => Err(Reject::cell(Reason::BadId, field, "a list or an object is no id")),
        Value::Text(bytes) => text_id(bytes, field),
    }
}

fn text_id(bytes: &[u8], field: Field) -> Result<Option<String>, Reject> {
    let not_utf8 = || Reject::cell(Reason::NotUtf8, field, "is not UTF-8");
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?.trim();
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(not_utf8());
    }
    if is_missing(text) {
        return Ok(None);
    }
    let text = match text.strip_suffix(".0") {
        Some(whole) if !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit()) => whole,
        _ => text,
    };
    if text.len() > MAX_ID_BYTES {
        return Err(Reject::cell(Reason::BadId, field, "is longer than 256 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(Reject::cell(Reason::BadId, field, "has control characters"));
    }
    Ok(Some(text.to_owned()))
}

/// A number; `None` where it is missing. With `decimal_comma`, `1.234,5` is 1234.5.
pub(super) fn number(row: &Row, field: Field, decimal_comma: bool) -> Result<Option<f64>, Reject> {
    let bad = || Reject::cell(Reason::BadNumber, field, "is no number");
    let value = match row.get(field) {
        Value::Missing => return Ok(None),
        Value::Int(v) => v as f64,
        Value::Float(v) if v.is_nan() => return Ok(None),
        Value::Float(v) => v,
        Value::Micros(_) | Value::Nested => return Err(bad()),
        Value::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| bad())?.trim();
            if is_missing(text) {
                return Ok(None);
            }
            let comma = decimal_comma && text.contains(',');
            if comma { text.replace('.', "").replace(',', ".").parse() } else { text.parse() }
                .map_err(|_| bad())?
        }
    };
    if value.is_finite() { Ok(Some(value)) } else { Err(bad()) }
}

/// A name or category for reading: white space and control characters become single spaces. Also tells whether
/// it held bytes that are not UTF-8, now U+FFFD.
pub(super) fn name(row: &Row, field: Field) -> (Option<String>, bool) {
    let text = match row.get(field) {
        Value::Text(bytes) => String::from_utf8_lossy(bytes),
        Value::Int(v) => v.to_string().into(),
        Value::Float(v) if v.is_finite() => v.to_string().into(),
        _ => return (None, false),
    };
    if is_missing(text.trim()) {
        return (None, false);
    }
    let repaired = text.contains(char::REPLACEMENT_CHARACTER);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut name = String::with_capacity(text.len().min(MAX_NAME_BYTES));
    for word in words {
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(word);
    }
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    ((!name.is_empty()).then_some(name), repaired)
}

fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value<'_>) -> Row {
        let mut row = Row::default();
        row.clear(1);
        row.set(Field::Item, value);
        row
    }

    #[track_caller]
    fn check_id(value: Value<'_>, expected: Result<Option<&str>, Reason>) {
        let found = id(&row(value), Field::Item);
        assert_eq!(found.as_ref().map(Option::as_deref).map_err(|r| r.reason), expected, "{value:?}");
    }

    #[test]
    fn ids_from_every_type() {
        check_id(Value::Text(b" 85123A "), Ok(Some("85123A")));
        check_id(Value::Text(b"17850.0"), Ok(Some("17850")));
        check_id(Value::Float(17850.0), Ok(Some("17850")));
        check_id(Value::Int(-3), Ok(Some("-3")));
        for missing in [&b""[..], b"  ", b"NaN", b"NULL", b"None"] {
            check_id(Value::Text(missing), Ok(None));
        }
        check_id(Value::Float(f64::NAN), Ok(None));
        check_id(Value::Text(b"a\nb"), Err(Reason::BadId));
        check_id(Value::Text(&[b'a'; 257]), Err(Reason::BadId));
        check_id(Value::Text(b"\xff"), Err(Reason::NotUtf8));
        check_id(Value::Nested, Err(Reason::BadId));
    }

    #[track_caller]
    fn check_number(text: &str, comma: bool, expected: Option<Option<f64>>) {
        assert_eq!(number(&row(Value::Text(text.as_bytes())), Field::Item, comma).ok(), expected, "{text:?}");
    }

    #[test]
    fn numbers_with_point_or_comma() {
        check_number("2.55", false, Some(Some(2.55)));
        check_number("2,55", true, Some(Some(2.55)));
        check_number("1.234,5", true, Some(Some(1234.5)));
        check_number("2.5", true, Some(Some(2.5)));
        check_number("", false, Some(None));
        for bad in ["2,55", "two", "inf", "1e999", "£2"] {
            check_number(bad, false, None);
        }
    }

    #[test]
    fn names_are_one_line_of_text() {
        assert_eq!(
            name(&row(Value::Text(b" RED\n\tMUG ")), Field::Item),
            (Some("RED MUG".to_owned()), false)
        );
        assert_eq!(name(&row(Value::Text(b"caf\xe9")), Field::Item), (Some("caf\u{fffd}".to_owned()), true));
        assert_eq!(name(&row(Value::Text("é".repeat(600).as_bytes())), Field::Item).0.unwrap().len(), 1_024);
    }
}
