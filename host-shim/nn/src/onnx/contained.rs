//! Panics of tract become failures.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::NnError;

thread_local! {
    /// Whether this thread is in [`contained`].
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs tract, and takes a panic in it for a failure.
///
/// The last line of defence: what is known to make tract panic is refused before, but its rules index and unwrap what
/// they believe to be there, in some hundred operators. A guest's model must not end the host of other guests. What
/// was being changed when the panic came is dropped by the callers.
pub(super) fn contained<T>(work: impl FnOnce() -> Result<T, NnError>) -> Result<T, NnError> {
    keep_quiet();
    let outer = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    result.unwrap_or_else(|panic| {
        let text =
            panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        let reason = format!("panicked: {}", text.unwrap_or("without a word"));
        Err(NnError::Compute { engine: "onnx", reason })
    })
}

/// The panic is the caller's error, which says everything: its text and stack on standard error as well would be
/// noise. Panics elsewhere are told as before.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told_before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !CONTAINED.get() {
                told_before(panic);
            }
        }));
    });
}
