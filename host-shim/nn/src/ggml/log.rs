//! What llama.cpp says: muted, unless a caller asked for it, and its errors kept for the caller's own error.
//!
//! llama.cpp has one callback per process and calls it on the thread that called llama.cpp, so that everything
//! here is per thread; lines of its worker threads are dropped.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};

use llama_cpp_sys_2 as sys;

/// Bytes of errors kept for a message: several lines of llama.cpp's, and nothing that floods a log.
const MAX_KEPT_BYTES: usize = 1024;

/// Which lines also go to standard error. Metadata: `enable-log`, `enable-debug-log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Echo {
    #[default]
    Nothing,
    Info,
    Debug,
}

#[derive(Default)]
struct Sink {
    echo: Echo,
    errors: String,
    /// Whether the line under way is an error; llama.cpp continues lines by a level of their own.
    in_error: bool,
}

thread_local! {
    static SINK: RefCell<Sink> = RefCell::default();
}

/// Sends llama.cpp's lines here, for good.
pub(super) fn install() {
    // SAFETY: the callback is a function of the program's whole life and needs no data.
    unsafe { sys::llama_log_set(Some(on_line), std::ptr::null_mut()) };
}

/// Runs `call` and gives what it gives, with the errors that llama.cpp has logged meanwhile.
pub(super) fn capture<T>(echo: Echo, call: impl FnOnce() -> T) -> (T, String) {
    SINK.with_borrow_mut(|sink| *sink = Sink { echo, ..Sink::default() });
    let result = call();
    let errors = SINK.with_borrow_mut(|sink| std::mem::take(sink).errors);
    (result, errors)
}

unsafe extern "C" fn on_line(level: sys::ggml_log_level, text: *const c_char, _data: *mut c_void) {
    // SAFETY: llama.cpp passes a string that ends in NUL and lives until this returns.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    // No panic may cross into C++: a line that comes while the sink is borrowed, or after the thread's end, is lost.
    let _ = SINK.try_with(|sink| {
        if let Ok(mut sink) = sink.try_borrow_mut() {
            sink.take(level, &text);
        }
    });
}

impl Sink {
    fn take(&mut self, level: sys::ggml_log_level, text: &str) {
        if level != sys::GGML_LOG_LEVEL_CONT {
            self.in_error = level == sys::GGML_LOG_LEVEL_ERROR;
        }
        if self.in_error {
            self.keep(text);
        }
        let wanted = match self.echo {
            Echo::Nothing => false,
            Echo::Info => level != sys::GGML_LOG_LEVEL_DEBUG,
            Echo::Debug => true,
        };
        if wanted {
            eprint!("{text}");
        }
    }

    fn keep(&mut self, text: &str) {
        let separator = if self.errors.is_empty() { "" } else { "; " };
        let line = text.trim_end();
        if !line.is_empty() && self.errors.len() + separator.len() + line.len() <= MAX_KEPT_BYTES {
            self.errors.push_str(separator);
            self.errors.push_str(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_kept_in_bounds_and_the_rest_is_not() {
        let mut sink = Sink::default();
        sink.take(sys::GGML_LOG_LEVEL_INFO, "hello\n");
        sink.take(sys::GGML_LOG_LEVEL_ERROR, "first\n");
        sink.take(sys::GGML_LOG_LEVEL_ERROR, "second\n");
        assert_eq!(sink.errors, "first; second");
        sink.take(sys::GGML_LOG_LEVEL_ERROR, &"x".repeat(MAX_KEPT_BYTES));
        assert_eq!(sink.errors, "first; second");
    }
}
