//! Lines on stderr, few enough that no guest can fill a node's log.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lines at once: a start that goes wrong in several places is told whole.
const BURST: u32 = 20;
/// One more line per this time: every failing call of a guest in a loop would be millions of lines an hour,
/// and this is 3,600.
const REFILL: Duration = Duration::from_secs(1);

/// Which calls are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// None; the guest has the errno.
    Off,
    /// Those that fail, with the reason.
    Error,
    /// All.
    Debug,
}

/// Writes lines below a level and a rate.
#[derive(Debug)]
pub(crate) struct Log {
    level: Level,
    bucket: Mutex<Bucket>,
}

impl Log {
    pub(crate) fn new(level: Level) -> Self {
        Self { level, bucket: Mutex::new(Bucket::new(Instant::now())) }
    }

    /// Whether lines of `level` are wanted: what is not should not be formatted.
    pub(crate) fn wants(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes a line that a guest can cause.
    pub(crate) fn line(&self, line: fmt::Arguments<'_>) {
        let admitted = {
            let mut bucket = self.bucket.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            bucket.admit(Instant::now())
        };
        match admitted {
            Some(0) => tell(line),
            Some(left_out) => tell(format_args!("({left_out} lines left out) {line}")),
            None => {}
        }
    }
}

/// Writes a line that only the operator can cause.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    use std::io::Write;
    // Nobody is left to hear that stderr is closed.
    let _ = writeln!(std::io::stderr().lock(), "wasi_nn: {line}");
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    tokens: u32,
    refilled: Instant,
    left_out: u64,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { tokens: BURST, refilled: now, left_out: 0 }
    }

    /// Whether a line may be written now, and how many were not since the last that was.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let intervals = now.saturating_duration_since(self.refilled).as_secs() / REFILL.as_secs();
        if intervals > 0 {
            self.tokens = u32::try_from(intervals).unwrap_or(BURST).saturating_add(self.tokens).min(BURST);
            self.refilled = now;
        }
        if self.tokens == 0 {
            self.left_out += 1;
            return None;
        }
        self.tokens -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_a_line_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let passed = (0..1000).filter(|_| bucket.admit(start).is_some()).count();
        assert_eq!(passed, BURST as usize);
        let later = start + Duration::from_millis(1500);
        assert_eq!(bucket.admit(later), Some(1000 - u64::from(BURST)));
        assert_eq!(bucket.admit(later), None);
        let much_later = start + Duration::from_secs(86_400);
        let passed = (0..1000).filter(|_| bucket.admit(much_later).is_some()).count();
        assert_eq!(passed, BURST as usize);
    }

    #[test]
    fn levels_include_the_graver() {
        assert!(Log::new(Level::Debug).wants(Level::Error));
        assert!(!Log::new(Level::Error).wants(Level::Debug));
        assert!(!Log::new(Level::Off).wants(Level::Error));
    }
}
