//! Points in time as shops write them.
//!
//! Numbers are seconds, milli-, micro- or nanoseconds since 1970, told apart by magnitude: the ranges for the
//! years 1990 to 5000 do not overlap. Eight digits such as `20240131` are a date. Text is RFC 3339, or one of
//!
//! | form | example |
//! |---|---|
//! | `YYYY-MM-DD[ T]HH:MM[:SS[.fff]]`, also with `/` | `2010-12-01 08:26:00` |
//! | `M/D/YYYY H:MM[:SS]`, month first | `12/1/2010 8:26` |
//! | `DD.MM.YYYY HH:MM[:SS]`, day first | `01.12.2010 08:26` |
//!
//! each also without the time of day (midnight), and with `Z`, ` UTC` or an offset `+HH:MM` behind. A time
//! without an offset is taken as UTC.

use jiff::civil::Date;
use jiff::tz::Offset;

const MICROS: i64 = 1_000_000;

/// 1990-01-01T00:00:00Z: no shop kept clicks earlier, so an earlier time is a wrong unit or a placeholder.
const EARLIEST: i64 = 631_152_000 * MICROS;

/// How far ahead of the importing machine an event may be: clocks and time zones differ by a day at most.
const AHEAD: i64 = 2 * 86_400 * MICROS;

/// Whether `time` can be the time of an event in a log imported at `now`; both in microseconds since 1970.
pub(super) fn in_range(time: i64, now: i64) -> bool {
    time >= EARLIEST && time <= now.saturating_add(AHEAD)
}

/// A whole number as microseconds since 1970.
pub(super) fn from_int(value: i64) -> i64 {
    match value.unsigned_abs() {
        0..100_000_000_000 => match compact_date(value) {
            Some(time) => time,
            None => value * MICROS,
        },
        100_000_000_000..100_000_000_000_000 => value * 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => value,
        _ => value.div_euclid(1_000),
    }
}

/// As [`from_int`], with a fraction; `None` where the value is not finite.
pub(super) fn from_float(value: f64) -> Option<i64> {
    let factor = match value.abs() {
        v if v < 1e11 => 1e6,
        v if v < 1e14 => 1e3,
        v if v < 1e17 => 1.0,
        _ => 1e-3,
    };
    // `as` saturates, and a saturated time is out of every range.
    value.is_finite().then(|| (value * factor).round() as i64)
}

/// A text in one of the forms above; `None` where it is in none.
pub(super) fn from_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() || !text.is_ascii() {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(from_int);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.bytes().filter(|&b| b == b'.').count() < 2
        && let Ok(number) = text.parse()
    {
        return from_float(number);
    }
    let mut scan = Scan(text.as_bytes());
    let date = scan.date()?;
    let (seconds, nanos) = scan.clock()?;
    let offset = scan.offset()?;
    if !scan.0.is_empty() {
        return None;
    }
    Some((midnight(date)? + seconds - offset) * MICROS + nanos / 1_000)
}

/// 20240131 as a date. Read as seconds it would lie in 1970, so nothing is lost.
fn compact_date(value: i64) -> Option<i64> {
    if !(19_900_101..=29_991_231).contains(&value) {
        return None;
    }
    let date = Date::new((value / 10_000) as i16, (value / 100 % 100) as i8, (value % 100) as i8).ok()?;
    Some(midnight(date)? * MICROS)
}

/// Seconds since 1970 at the start of the day, UTC.
fn midnight(date: Date) -> Option<i64> {
    let midnight = date.at(0, 0, 0, 0);
    Offset::UTC.to_timestamp(midnight).ok().map(jiff::Timestamp::as_second)
}

/// What is left of the text.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn date(&mut self) -> Option<Date> {
        let (first, digits) = self.number(4)?;
        let separator = self.any(b"-/.")?;
        let (second, _) = self.number(2)?;
        self.eat(separator).then_some(())?;
        let (third, third_digits) = self.number(4)?;
        let (year, month, day) = match (digits, separator, third_digits) {
            (4, b'-' | b'/', 1 | 2) => (first, second, third),
            (1 | 2, b'/', 4) => (third, first, second),
            (1 | 2, b'.', 4) => (third, second, first),
            _ => return None,
        };
        Date::new(year as i16, month as i8, day as i8).ok()
    }

    /// Seconds since midnight and nanoseconds; midnight where the text ends with the date.
    fn clock(&mut self) -> Option<(i64, i64)> {
        if self.0.is_empty() {
            return Some((0, 0));
        }
        self.any(b"Tt ")?;
        while self.eat(b' ') {}
        let (hour, _) = self.number(2)?;
        self.eat(b':').then_some(())?;
        let (minute, _) = self.number(2)?;
        let (mut second, mut nanos) = (0, 0);
        if self.eat(b':') {
            second = self.number(2)?.0;
            if self.any(b".,").is_some() {
                let (fraction, digits) = self.number(9)?;
                nanos = fraction * 10i64.pow(9 - digits);
            }
        }
        // A leap second is counted as the second after it, as POSIX time does.
        let valid = hour < 24 && minute < 60 && second <= 60;
        valid.then_some((hour * 3_600 + minute * 60 + second, nanos))
    }

    /// Seconds east of UTC; 0 where the text ends.
    fn offset(&mut self) -> Option<i64> {
        while self.eat(b' ') {}
        if self.0.is_empty() || self.eat(b'Z') || self.eat(b'z') {
            return Some(0);
        }
        if let Some(rest) = self.0.strip_prefix(b"UTC").or_else(|| self.0.strip_prefix(b"GMT")) {
            self.0 = rest;
            return Some(0);
        }
        let sign = if self.any(b"+-")? == b'-' { -1 } else { 1 };
        let (hours, digits) = self.number(2)?;
        (digits == 2).then_some(())?;
        self.eat(b':');
        let minutes = if self.0.is_empty() { 0 } else { self.number(2)?.0 };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
    }

    /// One to `most` digits, and how many they were.
    fn number(&mut self, most: usize) -> Option<(i64, u32)> {
        let digits = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        let value = number.iter().fold(0, |sum, &b| sum * 10 + i64::from(b - b'0'));
        (digits > 0).then_some((value, digits as u32))
    }

    fn any(&mut self, bytes: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        bytes.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.any(&[byte]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2010-12-01T08:26:00Z.
    const WHEN: i64 = 1_291_191_960;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(from_text(text), expected, "{text:?}");
    }

    #[test]
    fn every_form_of_the_same_minute() {
        for text in [
            "2010-12-01 08:26",
            "2010-12-01 08:26:00",
            "2010-12-01T08:26:00Z",
            "2010-12-01T08:26:00.000",
            "2010-12-01T09:26:00+01:00",
            "2010-12-01T03:56:00-0430",
            "2010-12-01 08:26:00 UTC",
            "2010/12/01 08:26",
            "12/1/2010 8:26",
            "01.12.2010 08:26",
            " 1291191960 ",
            "1291191960.0",
            "1291191960000",
            "1291191960000000",
            "1291191960000000000",
            "1.29119196e9",
        ] {
            check(text, Some(WHEN * MICROS));
        }
    }

    #[test]
    fn dates_alone_are_midnight() {
        let midnight = (WHEN - 8 * 3600 - 26 * 60) * MICROS;
        for text in ["2010-12-01", "12/1/2010", "01.12.2010", "20101201", "20101201.0"] {
            let expected = if text.ends_with(".0") { Some(20_101_201 * MICROS) } else { Some(midnight) };
            check(text, expected);
        }
    }

    #[test]
    fn fractions_are_kept_to_the_microsecond() {
        check("2010-12-01 08:26:00.1234567", Some(WHEN * MICROS + 123_456));
        assert_eq!(from_float(1_291_191_960.25), Some(WHEN * MICROS + 250_000));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "-",
            "yesterday",
            "08:26",
            "2010-13-01",
            "2010-02-30 10:00",
            "31/12/2010",
            "2010-12-01 25:00",
            "2010-12-01 08",
            "2010-12-01 08:26:00 CET",
            "2010-12-01X",
            "12/1/10",
            "2010-12-01 08:26:00+1",
            "é",
            "9999999999999999999999",
            "nan",
            "inf",
            "1.2.3",
            "--",
            "2010-12",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn range_ends_two_days_ahead() {
        let now = WHEN * MICROS;
        assert!(in_range(now + AHEAD, now) && !in_range(now + AHEAD + 1, now));
        assert!(in_range(EARLIEST, now) && !in_range(EARLIEST - 1, now));
        assert!(!in_range(from_float(1e300).unwrap(), now));
    }
}
