//! `libwasmedgePluginWasiNN.so`: wasi-nn for WasmEdge over [`endcap_nn`].
//!
//! WasmEdge loads the library, asks [`WasmEdge_Plugin_GetDescriptor`] what it offers, and has a module
//! `wasi_ephemeral_nn` made for each virtual machine. All that the ABI means lies in [`endcap_nn::witx`]; here is
//! only what WasmEdge's C API needs. `DESIGN.md` beside this folder says who owns what, and which threads may be
//! where.

#![allow(
    non_snake_case,
    reason = "the library's file name is that of upstream's plugin, for which nodes look"
)]

mod capi;
mod command_line;
mod host;
mod log;
mod module;
mod option;
mod plugin;
mod preload;
mod settings;

use std::ffi::{CStr, c_void};
use std::panic::catch_unwind;
use std::ptr;
use std::sync::OnceLock;

use capi::{ModuleDescriptor, PluginDescriptor, ProgramOption};
use plugin::{OPTION, Plugin};

/// WasmEdge runs guests on a thread of their own, for which glibc's allocator gives large tensors back to the system
/// after every computation, and faults them in again at the next: two thirds more time at batch 500. This one keeps
/// them for a moment. It serves this library alone, and neither WasmEdge nor llama.cpp.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Name of the plugin and of its one module: what WasmEdge and container runtimes look for.
const NAME: &CStr = c"wasi_nn";
const DESCRIPTION: &CStr = c"ONNX and GGML models for wasi-nn (endcap)";
const OPTION_DESCRIPTION: &CStr =
    c"Models that may be loaded by name: NAME:ENCODING:TARGET:PATH[@sha256:HEX], \
    several separated by commas. ENCODING is onnx or ggml, TARGET cpu, gpu or auto.";

/// What WasmEdge is told. The pointers lead to statics and to what is never freed.
struct Descriptors(PluginDescriptor);

// SAFETY: written once, before anyone has it; WasmEdge stores through `OPTION`, which has its own rule.
unsafe impl Send for Descriptors {}
// SAFETY: as above.
unsafe impl Sync for Descriptors {}

impl Descriptors {
    fn new(api_version: u32) -> Self {
        let module = ModuleDescriptor {
            name: NAME.as_ptr(),
            description: DESCRIPTION.as_ptr(),
            create: module::create,
        };
        let option = ProgramOption {
            name: option::NAME.as_ptr(),
            description: OPTION_DESCRIPTION.as_ptr(),
            kind: ProgramOption::STRING,
            storage: OPTION.as_mut_ptr(),
            default: (&raw const option::EMPTY).cast(),
        };
        Self(PluginDescriptor {
            name: NAME.as_ptr(),
            description: DESCRIPTION.as_ptr(),
            api_version,
            version: [
                number(env!("CARGO_PKG_VERSION_MAJOR")),
                number(env!("CARGO_PKG_VERSION_MINOR")),
                number(env!("CARGO_PKG_VERSION_PATCH")),
                0,
            ],
            module_count: 1,
            option_count: 1,
            // WasmEdge keeps these as long as the process: one of each, on purpose never freed.
            modules: Box::leak(Box::new(module)),
            options: Box::leak(Box::new(option)),
        })
    }
}

/// A number of the package's version.
fn number(digits: &str) -> u32 {
    digits.parse().unwrap_or(0)
}

/// What WasmEdge looks up to know a plugin of the C API.
///
/// Gives null, after one line on stderr, where the runtime is of a version that this plugin does not know or a
/// variable has a bad value; WasmEdge then goes on without the plugin.
#[unsafe(no_mangle)]
pub extern "C" fn WasmEdge_Plugin_GetDescriptor() -> *const c_void {
    static DESCRIPTORS: OnceLock<Descriptors> = OnceLock::new();
    let descriptor = catch_unwind(|| {
        let plugin = Plugin::started()?;
        let descriptors = DESCRIPTORS.get_or_init(|| Descriptors::new(plugin.api.version));
        Some(ptr::from_ref(&descriptors.0).cast())
    });
    descriptor.ok().flatten().unwrap_or(ptr::null())
}
