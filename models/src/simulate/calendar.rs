//! When shoppers come: growth, seasons, days of the week and hours of the day.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::random::{Draw, running_sums};
use super::words::{CATEGORIES, CATEGORY_COUNT};

/// The last day, fixed so that a seed gives the same bytes whenever it is run. The year's end: the default 180
/// days then hold the end of summer and the whole Christmas season.
const LAST_DAY: Date = date(2024, 12, 31);

/// Visits per day grow by this factor over the period.
const GROWTH: f64 = 1.5;

/// Visits by weekday, Monday first.
const WEEKDAYS: [f64; 7] = [1.0, 0.95, 0.95, 1.0, 1.05, 1.2, 1.35];

/// Visits by hour of the day, UTC: a lunch break and a long evening.
const HOURS: [f64; 24] = [
    0.3, 0.15, 0.1, 0.08, 0.08, 0.15, 0.35, 0.7, 1.0, 1.2, 1.3, 1.4, 1.7, 1.6, 1.3, 1.2, 1.2, 1.4, 1.7, 2.1,
    2.4, 2.2, 1.5, 0.8,
];

/// The period.
pub(super) struct Calendar {
    pub(super) days: usize,
    /// Seconds since 1970 at the start of the first day.
    start: i64,
    /// Running sums of the visits of each day.
    sums: Vec<f64>,
    /// Weight of each category by day.
    seasons: Vec<[f64; CATEGORY_COUNT]>,
}

impl Calendar {
    pub(super) fn new(days: usize) -> Self {
        let date_of = |day: usize| LAST_DAY.saturating_sub(((days - 1 - day) as i64).days());
        let seasons: Vec<_> = (0..days).map(|day| season(date_of(day))).collect();
        let visits = (0..days).map(|day| {
            let growth = 1.0 + (GROWTH - 1.0) * day as f64 / days as f64;
            let weekday =
                WEEKDAYS[usize::from(date_of(day).weekday().to_monday_zero_offset().unsigned_abs())];
            growth * weekday * seasons[day].iter().sum::<f64>()
        });
        let sums = running_sums(visits);
        let days_to_start = i64::from(date(1970, 1, 1).until(date_of(0)).map_or(0, |span| span.get_days()));
        Self { days, start: days_to_start * 86_400, sums, seasons }
    }

    /// A time of a visit: its day from 0, and seconds since 1970.
    pub(super) fn visit(&self, draw: &mut Draw) -> (usize, i64) {
        let day = draw.cumulative(&self.sums);
        let hour = draw.weighted(&HOURS) as i64;
        (day, self.start + day as i64 * 86_400 + hour * 3_600 + draw.below(3_600) as i64)
    }

    /// How much each category is looked for on a day, 1 in an average month.
    pub(super) fn season(&self, day: usize) -> &[f64; CATEGORY_COUNT] {
        &self.seasons[day.min(self.days - 1)]
    }
}

/// A cosine over the year in the logarithm, from the category's peak to its opposite.
fn season(day: Date) -> [f64; CATEGORY_COUNT] {
    let at = f64::from(day.day_of_year()) / 365.0;
    std::array::from_fn(|category| {
        let (month, strength) = CATEGORIES[category].season;
        let peak = (f64::from(month) - 0.5) / 12.0;
        let phase = (std::f64::consts::TAU * (at - peak)).cos();
        (strength.ln() / 2.0 * phase).exp()
    })
}
