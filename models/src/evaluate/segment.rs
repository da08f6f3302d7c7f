//! Who asks: shoppers by how much is known of them.

use serde::Serialize;

use super::Case;

/// Shoppers, or visits, by the length of their history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Segment {
    /// Up to 5 items.
    New,
    /// 6 to 20 items.
    Light,
    /// More than 20 items.
    Heavy,
}

impl Segment {
    /// Every segment, in the order of `segment as usize`.
    pub const ALL: [Self; 3] = [Self::New, Self::Light, Self::Heavy];

    /// The segment of a case.
    pub fn of(case: &Case) -> Self {
        match case.history.len() {
            ..=5 => Self::New,
            6..=20 => Self::Light,
            _ => Self::Heavy,
        }
    }

    /// Its name, with its bounds.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new (up to 5 items)",
            Self::Light => "light (6 to 20)",
            Self::Heavy => "heavy (more than 20)",
        }
    }
}
