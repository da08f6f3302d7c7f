//! Distinct users and sessions, for the report.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Distinct ids counted exactly. At 16 bytes each that is 64 MB, the most that a number in a report may cost.
const MAX_COUNTED: usize = 4_000_000;

/// Counts distinct texts by a 64-bit hash: among the four million that are counted, two with one hash are
/// expected once in two million imports.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    hashes: HashSet<u64>,
}

impl Distinct {
    pub(super) fn add(&mut self, text: Option<&str>) {
        if let Some(text) = text
            && self.hashes.len() < MAX_COUNTED
        {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            self.hashes.insert(hasher.finish());
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// True where there may be more than were counted.
    pub(super) fn is_capped(&self) -> bool {
        self.hashes.len() == MAX_COUNTED
    }
}
