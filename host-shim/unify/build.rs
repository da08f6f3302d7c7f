//! Nothing to do: cargo needs a build script to take [build-dependencies] seriously.
fn main() {}
