//! How the library is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // WasmEdge closes its plugins while the program ends, when threads of an engine may still be running their code.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // A symbol that no library of the runtime offers shows when this is built, not when a node loads it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,--no-undefined");
}
