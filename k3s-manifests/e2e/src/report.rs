//! What was seen, a line each, and whether all of it was as it must be.

use std::fmt::Display;

/// Lines on standard output, and the count at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    /// Something that must be so.
    pub(crate) fn check(&mut self, holds: bool, what: impl Display) {
        if holds {
            self.passed += 1;
            println!("ok      {what}");
        } else {
            self.failed += 1;
            println!("FAILED  {what}");
        }
    }

    /// Something that was waited for: where it does not come, the run ends with an error.
    pub(crate) fn reached(&mut self, what: impl Display) {
        self.check(true, what);
    }

    /// A figure, without a judgement.
    pub(crate) fn note(&self, what: impl Display) {
        println!("        {what}");
    }

    /// What is being done.
    pub(crate) fn step(&self, what: impl Display) {
        println!("\n== {what}");
    }

    /// The count; true where everything was as it must be.
    pub(crate) fn close(self) -> bool {
        println!("\n{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }
}
