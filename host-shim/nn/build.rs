//! Compiles the guard around llama.cpp, which turns its C++ exceptions and failed assertions into return values.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "ggml")]
    guard();
}

#[cfg(feature = "ggml")]
fn guard() {
    println!("cargo::rerun-if-changed=src/ggml/guard.cpp");
    // llama-cpp-sys-2 installs its CMake package as PREFIX/lib/cmake and says where; the headers are in
    // PREFIX/include, as CMake lays them out.
    println!("cargo::rerun-if-env-changed=DEP_LLAMA_GGML_CMAKE_DIR");
    let package = std::env::var_os("DEP_LLAMA_GGML_CMAKE_DIR").map(std::path::PathBuf::from);
    let Some(prefix) = package.as_deref().and_then(|package| package.ancestors().nth(2)) else {
        println!("cargo::error=llama-cpp-sys-2 does not say where it installed llama.cpp");
        return;
    };
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .include(prefix.join("include"))
        .file("src/ggml/guard.cpp")
        .compile("endcap_ggml_guard");
}
