//! Whether this code runs compiled ahead of time.
//!
//! WasmEdge falls back to its interpreter without a word to the guest (an AOT section of another version, a
//! plain `.wasm`), and everything still works, about eighty times slower. So the guest times a loop.

use crate::clock::Clock;

/// Steps of one measurement: 15 to 60 µs compiled, a few milliseconds interpreted.
const STEPS: u32 = 10_000;
/// Nanoseconds a step, above which the code is interpreted. A step is a multiplication that waits for the one
/// before it and two more operations: 1 to 3 ns on hardware of the last fifteen years, over 60 ns interpreted.
const INTERPRETED_ABOVE: f64 = 20.0;
/// Runs, of which the fastest counts: one undisturbed run is enough.
const RUNS: usize = 3;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Nanoseconds a step of the loop.
    pub nanos_per_step: f64,
}

impl Speed {
    /// Times the loop.
    pub fn measure(clock: &impl Clock) -> Self {
        let mut best = u64::MAX;
        for run in 0..RUNS {
            let from = clock.nanos();
            std::hint::black_box(chain(std::hint::black_box(run as u64)));
            let took = clock.nanos().saturating_sub(from);
            best = best.min(took);
            // Interpreted for certain: no need to lose more of the start.
            if took as f64 > 4.0 * INTERPRETED_ABOVE * f64::from(STEPS) {
                break;
            }
        }
        Self { nanos_per_step: best as f64 / f64::from(STEPS) }
    }

    /// Whether the code is machine code.
    pub fn is_compiled(self) -> bool {
        self.nanos_per_step <= INTERPRETED_ABOVE
    }
}

/// Steps that cannot overlap or be folded away: a linear congruential generator (Knuth's MMIX constants).
fn chain(mut value: u64) -> u64 {
    for step in 0..STEPS {
        value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        value ^= u64::from(step) & (value >> 33);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn native_code_counts_as_compiled() {
        assert!(Speed::measure(&SystemClock::start()).is_compiled());
        assert!(!Speed { nanos_per_step: 90.0 }.is_compiled());
    }
}
