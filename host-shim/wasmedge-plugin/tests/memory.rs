//! Guests whose memory is not what a call needs.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::Bench;

/// Ends with the errno of `compute(0)` as the exit code.
fn check(memory: &str, options: &[&str], expected: i32) {
    let Some(mut bench) = Bench::bare() else { return };
    let guest = bench.folder.path().join("guest.wasm");
    let text = format!(
        r#"(module
            (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            {memory}
            (func (export "_start") (call $exit (call $compute (i32.const 0)))))"#
    );
    std::fs::write(&guest, wat::parse_str(text).unwrap()).unwrap();
    for option in options {
        bench = bench.flag(option);
    }
    let ran = bench.run(&guest);
    assert_eq!(ran.code, Some(expected), "{}", ran.stderr);
}

#[test]
fn without_memory() {
    check("", &[], 3);
}

#[test]
fn with_a_memory_of_no_page() {
    // An unknown context, not a failure to see an empty memory.
    check("(memory 0)", &[], 1);
}

#[test]
fn with_the_largest_memory() {
    check("(memory 65536)", &[], 1);
}

#[test]
fn with_memory_that_threads_share() {
    check("(memory 1 1 shared)", &["--enable-threads"], 6);
}
