//! Numbers and dates for people.

use jiff::Timestamp;

/// A count with commas: `1,044,847`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole in per cent: `1.73 %`; `-` of nothing.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.2} %", part as f64 * 100.0 / whole as f64) }
}

/// Microseconds since 1970 as date and minute, UTC; `-` where there is none or it is beyond year 9999.
pub fn date(micros: Option<i64>) -> String {
    match micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()) {
        Some(time) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas_by_threes() {
        assert_eq!([0, 999, 1_000, 1_044_847].map(count), ["0", "999", "1,000", "1,044,847"]);
    }

    #[test]
    fn dates_to_the_minute() {
        assert_eq!(date(Some(1_291_191_960_000_000)), "2010-12-01 08:26");
        assert_eq!(date(None), "-");
        assert_eq!(date(Some(i64::MAX)), "-");
    }
}
