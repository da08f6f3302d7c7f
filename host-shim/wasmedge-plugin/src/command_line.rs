//! The option given more than once.

use std::ffi::OsString;

/// The option with the dashes that the command line has.
const OPTION: &str = "--nn-preload";

/// Values of the option on a command line of which WasmEdge kept `last`.
///
/// Upstream's plugin declares the option as a list in C++, and its users repeat it; the C API only has options of
/// one value, so that WasmEdge overwrites all but the last without a word. The values are therefore collected from
/// the process's arguments, up to the one that WasmEdge took last: what follows belongs to the guest. Where the
/// process has no such arguments, `last` stands alone.
pub(crate) fn values(arguments: impl Iterator<Item = OsString>, last: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut arguments = arguments.filter_map(|argument| argument.into_string().ok());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(OPTION) {
            Some("") => found.extend(arguments.next()),
            Some(rest) => found.extend(rest.strip_prefix('=').map(str::to_owned)),
            None => {}
        }
    }
    match found.iter().rposition(|value| value == last) {
        Some(position) => found.truncate(position + 1),
        None => found = vec![last.to_owned()],
    }
    found
}

#[cfg(test)]
mod tests {
    fn check(line: &str, last: &str, expected: &[&str]) {
        assert_eq!(super::values(line.split(' ').map(Into::into), last), expected);
    }

    #[test]
    fn every_value_counts() {
        check("wasmedge --nn-preload a guest.wasm", "a", &["a"]);
        check("wasmedge --nn-preload a --dir / --nn-preload=b guest.wasm", "b", &["a", "b"]);
        check("wasmedge run --nn-preload a --nn-preload b guest.wasm", "b", &["a", "b"]);
    }

    #[test]
    fn the_guests_arguments_do_not() {
        check("wasmedge --nn-preload a guest.wasm --nn-preload b", "a", &["a"]);
    }

    #[test]
    fn a_value_from_elsewhere_stands_alone() {
        check("service --nn-preload", "a", &["a"]);
        check("service --nn-preloads=b", "a", &["a"]);
    }
}
