//! The part of WasmEdge's C API (0.14) that a start needs, found in the library at run time.
//!
//! Declared by hand from the signatures in `wasmedge.h` of Debian's libwasmedge-dev 0.14.1. Another minor
//! version may lay structures out otherwise, so any other is refused.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;

use anyhow::{Context, ensure};
use libloading::Library;

/// What `WasmEdge_VersionGet` must begin with.
const VERSION: &str = "0.14.";

/// `WasmEdge_Result`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct WasmEdgeResult {
    code: u32,
}

/// `WasmEdge_String`.
#[repr(C)]
pub(crate) struct WasmEdgeString {
    length: u32,
    bytes: *const c_char,
}

impl WasmEdgeString {
    /// A view of `text`; what takes it copies or compares during the call.
    pub(crate) fn of(text: &'static CStr) -> Self {
        Self { length: text.count_bytes() as u32, bytes: text.as_ptr() }
    }
}

/// Any of the library's contexts. They are told apart by the functions that take them.
pub(crate) type Cxt = *mut c_void;
/// Strings to a function: a pointer to pointers, and how many.
pub(crate) type Texts = *const *const c_char;

macro_rules! api {
    ($($field:ident: $symbol:literal, fn($($argument:ty),*) $(-> $returns:ty)?;)*) => {
        /// Functions by their role here. They stay valid as long as this lives, which owns the library.
        pub(crate) struct Api {
            $(pub(crate) $field: unsafe extern "C" fn($($argument),*) $(-> $returns)?,)*
            _library: Library,
        }

        impl Api {
            fn find(library: Library) -> anyhow::Result<Self> {
                $(
                    // SAFETY: the type is that of the header of this version.
                    let $field = unsafe {
                        *library.get::<unsafe extern "C" fn($($argument),*) $(-> $returns)?>($symbol)?
                    };
                )*
                Ok(Self { $($field,)* _library: library })
            }
        }
    };
}

api! {
    version: "WasmEdge_VersionGet", fn() -> *const c_char;
    log_errors_only: "WasmEdge_LogSetErrorLevel", fn();
    result_ok: "WasmEdge_ResultOK", fn(WasmEdgeResult) -> bool;
    result_message: "WasmEdge_ResultGetMessage", fn(WasmEdgeResult) -> *const c_char;
    configure: "WasmEdge_ConfigureCreate", fn() -> Cxt;
    configure_interpreter: "WasmEdge_ConfigureSetForceInterpreter", fn(Cxt, bool);
    configure_delete: "WasmEdge_ConfigureDelete", fn(Cxt);
    loader: "WasmEdge_LoaderCreate", fn(Cxt) -> Cxt;
    loader_parse: "WasmEdge_LoaderParseFromFile", fn(Cxt, *mut Cxt, *const c_char) -> WasmEdgeResult;
    loader_delete: "WasmEdge_LoaderDelete", fn(Cxt);
    validator: "WasmEdge_ValidatorCreate", fn(Cxt) -> Cxt;
    validator_validate: "WasmEdge_ValidatorValidate", fn(Cxt, Cxt) -> WasmEdgeResult;
    validator_delete: "WasmEdge_ValidatorDelete", fn(Cxt);
    executor: "WasmEdge_ExecutorCreate", fn(Cxt, Cxt) -> Cxt;
    executor_import: "WasmEdge_ExecutorRegisterImport", fn(Cxt, Cxt, Cxt) -> WasmEdgeResult;
    executor_instantiate: "WasmEdge_ExecutorInstantiate", fn(Cxt, *mut Cxt, Cxt, Cxt) -> WasmEdgeResult;
    executor_invoke: "WasmEdge_ExecutorInvoke",
        fn(Cxt, Cxt, *const c_void, u32, *mut c_void, u32) -> WasmEdgeResult;
    executor_delete: "WasmEdge_ExecutorDelete", fn(Cxt);
    plugin_load: "WasmEdge_PluginLoadFromPath", fn(*const c_char);
    plugin_find: "WasmEdge_PluginFind", fn(WasmEdgeString) -> Cxt;
    plugin_module: "WasmEdge_PluginCreateModule", fn(Cxt, WasmEdgeString) -> Cxt;
    store: "WasmEdge_StoreCreate", fn() -> Cxt;
    store_delete: "WasmEdge_StoreDelete", fn(Cxt);
    wasi: "WasmEdge_ModuleInstanceCreateWASI", fn(Texts, u32, Texts, u32, Texts, u32) -> Cxt;
    wasi_exit_code: "WasmEdge_ModuleInstanceWASIGetExitCode", fn(Cxt) -> u32;
    instance_function: "WasmEdge_ModuleInstanceFindFunction", fn(Cxt, WasmEdgeString) -> Cxt;
    instance_delete: "WasmEdge_ModuleInstanceDelete", fn(Cxt);
    module_delete: "WasmEdge_ASTModuleDelete", fn(Cxt);
}

impl Api {
    /// Loads `libwasmedge.so.0` from `path`.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        // SAFETY: the library's initialisers do nothing but register its own constants.
        let library =
            unsafe { Library::new(path) }.with_context(|| format!("cannot load {}", path.display()))?;
        let api = Self::find(library)?;
        let version = api.text(
            // SAFETY: takes nothing, gives a constant string.
            unsafe { (api.version)() },
        );
        ensure!(
            version.starts_with(VERSION),
            "this is WasmEdge {version}; these declarations are for {VERSION}x"
        );
        // SAFETY: takes nothing; sets a level inside the library.
        unsafe { (api.log_errors_only)() };
        Ok(api)
    }

    /// Makes a plugin known to the runtime.
    pub(crate) fn load_plugin(&self, path: &Path) -> anyhow::Result<()> {
        let path = CString::new(path.as_os_str().as_encoded_bytes())?;
        // SAFETY: the path ends with a zero; the library reads it during the call.
        unsafe { (self.plugin_load)(path.as_ptr()) };
        Ok(())
    }

    /// A constant string of the library.
    fn text(&self, constant: *const c_char) -> String {
        // SAFETY: the library gives a pointer to a constant string that ends with a zero, and self keeps it.
        unsafe { CStr::from_ptr(constant) }.to_string_lossy().into_owned()
    }

    /// Turns a failure into an error.
    pub(crate) fn check(&self, result: WasmEdgeResult, what: &str) -> anyhow::Result<()> {
        // SAFETY: both take a plain value.
        let (ok, message) = unsafe { ((self.result_ok)(result), (self.result_message)(result)) };
        ensure!(ok, "WasmEdge cannot {what}: {}", self.text(message));
        Ok(())
    }
}
