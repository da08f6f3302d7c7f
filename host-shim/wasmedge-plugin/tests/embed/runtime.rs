//! WasmEdge by its C API, as far as a program needs it that runs guests with the plugin.

use std::ffi::{CString, c_char, c_void};
use std::path::PathBuf;

use libloading::Library;

use super::common;

/// The variable with the path of WasmEdge's library.
pub(crate) const LIBRARY: &str = "LIBWASMEDGE";

/// Any of the library's contexts.
type Cxt = *mut c_void;

#[derive(Clone, Copy)]
#[repr(C)]
struct Text {
    length: u32,
    bytes: *const c_char,
}

impl Text {
    fn of(text: &str) -> Self {
        Self { length: text.len() as u32, bytes: text.as_ptr().cast() }
    }
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Value {
    bits: u128,
    ty: [u8; 8],
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct CallResult {
    code: u32,
}

impl CallResult {
    fn check(self, what: &str) {
        assert_eq!(self.code & 0x00FF_FFFF, 0, "{what}");
    }
}

macro_rules! api {
    ($($field:ident: $symbol:literal, fn($($argument:ty),*) $(-> $returns:ty)?;)*) => {
        struct Api {
            $($field: unsafe extern "C" fn($($argument),*) $(-> $returns)?,)*
            _library: Library,
        }

        impl Api {
            fn find(library: Library) -> Self {
                Self {
                    $(
                        // SAFETY: the type is that of the header of 0.14.1.
                        $field: unsafe { *library.get($symbol).unwrap() },
                    )*
                    _library: library,
                }
            }
        }
    };
}

api! {
    load_plugin: "WasmEdge_PluginLoadFromPath", fn(*const c_char);
    find_plugin: "WasmEdge_PluginFind", fn(Text) -> Cxt;
    announce: "WasmEdge_PluginInitWASINN", fn(*const *const c_char, u32);
    plugin_module: "WasmEdge_PluginCreateModule", fn(Cxt, Text) -> Cxt;
    loader: "WasmEdge_LoaderCreate", fn(Cxt) -> Cxt;
    parse: "WasmEdge_LoaderParseFromBuffer", fn(Cxt, *mut Cxt, *const u8, u32) -> CallResult;
    loader_delete: "WasmEdge_LoaderDelete", fn(Cxt);
    validator: "WasmEdge_ValidatorCreate", fn(Cxt) -> Cxt;
    validate: "WasmEdge_ValidatorValidate", fn(Cxt, Cxt) -> CallResult;
    validator_delete: "WasmEdge_ValidatorDelete", fn(Cxt);
    executor: "WasmEdge_ExecutorCreate", fn(Cxt, Cxt) -> Cxt;
    import: "WasmEdge_ExecutorRegisterImport", fn(Cxt, Cxt, Cxt) -> CallResult;
    instantiate: "WasmEdge_ExecutorInstantiate", fn(Cxt, *mut Cxt, Cxt, Cxt) -> CallResult;
    invoke: "WasmEdge_ExecutorInvoke", fn(Cxt, Cxt, *const Value, u32, *mut Value, u32) -> CallResult;
    executor_delete: "WasmEdge_ExecutorDelete", fn(Cxt);
    store: "WasmEdge_StoreCreate", fn() -> Cxt;
    store_delete: "WasmEdge_StoreDelete", fn(Cxt);
    function: "WasmEdge_ModuleInstanceFindFunction", fn(Cxt, Text) -> Cxt;
    instance_delete: "WasmEdge_ModuleInstanceDelete", fn(Cxt);
    module_delete: "WasmEdge_ASTModuleDelete", fn(Cxt);
}

/// WasmEdge with the plugin loaded.
pub(crate) struct Runtime {
    api: Api,
    plugin: Cxt,
}

// SAFETY: the functions used from several threads are those that WasmEdge documents as safe for it, or work on
// contexts of one thread.
unsafe impl Sync for Runtime {}

impl Runtime {
    pub(crate) fn load() -> Self {
        let path = PathBuf::from(std::env::var_os(LIBRARY).unwrap());
        // SAFETY: the library's initialisers do nothing but register its own constants.
        let api = Api::find(unsafe { Library::new(path) }.unwrap());
        let plugin = CString::new(common::plugin().to_str().unwrap()).unwrap();
        // SAFETY: a terminated path; then a name, which is only compared.
        let plugin = unsafe {
            (api.load_plugin)(plugin.as_ptr());
            (api.find_plugin)(Text::of("wasi_nn"))
        };
        assert!(!plugin.is_null(), "WasmEdge has not loaded the plugin");
        Self { api, plugin }
    }

    /// Says which models guests may load by name, as container runtimes do.
    pub(crate) fn announce(&self, entries: &[String]) {
        let entries: Vec<_> = entries.iter().map(|entry| CString::new(entry.as_str()).unwrap()).collect();
        let pointers: Vec<_> = entries.iter().map(|entry| entry.as_ptr()).collect();
        // SAFETY: so many terminated strings, which are copied.
        unsafe { (self.api.announce)(pointers.as_ptr(), pointers.len() as u32) };
    }

    /// A module `wasi_ephemeral_nn`.
    pub(crate) fn plugin_module(&self) -> PluginModule<'_> {
        // SAFETY: the plugin stays loaded; the name is only compared.
        let module = unsafe { (self.api.plugin_module)(self.plugin, Text::of("wasi_nn")) };
        assert!(!module.is_null());
        PluginModule { runtime: self, module }
    }
}

/// The plugin's module; freed with this.
pub(crate) struct PluginModule<'a> {
    runtime: &'a Runtime,
    module: Cxt,
}

// SAFETY: its functions are called by machines on several threads, which is what a test is about; nothing else is
// done with it meanwhile.
unsafe impl Sync for PluginModule<'_> {}

impl Drop for PluginModule<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `plugin_module`, deleted once.
        unsafe { (self.runtime.api.instance_delete)(self.module) };
    }
}

/// A guest in a store of its own.
pub(crate) struct Machine<'a> {
    runtime: &'a Runtime,
    store: Cxt,
    executor: Cxt,
    instance: Cxt,
    /// The plugin's module where it is this machine's alone.
    _own: Option<PluginModule<'a>>,
}

impl<'a> Machine<'a> {
    /// A machine with a plugin module of its own, as WasmEdge's own machines have one.
    pub(crate) fn new(runtime: &'a Runtime, guest: &str) -> Self {
        let own = runtime.plugin_module();
        let mut machine = Self::with(runtime, guest, &own);
        machine._own = Some(own);
        machine
    }

    /// A machine whose guest imports from `module`.
    pub(crate) fn with(runtime: &'a Runtime, guest: &str, module: &PluginModule<'_>) -> Self {
        let api = &runtime.api;
        let bytes = wat::parse_str(guest).unwrap();
        let null = std::ptr::null_mut();
        let (mut parsed, mut instance) = (null, null);
        // SAFETY: every context is one that the call before has made; those that are not kept are deleted once.
        unsafe {
            let loader = (api.loader)(null);
            (api.parse)(loader, &mut parsed, bytes.as_ptr(), bytes.len() as u32).check("parse");
            (api.loader_delete)(loader);
            let validator = (api.validator)(null);
            (api.validate)(validator, parsed).check("validate");
            (api.validator_delete)(validator);
            let (store, executor) = ((api.store)(), (api.executor)(null, null));
            (api.import)(executor, store, module.module).check("import the plugin's module");
            (api.instantiate)(executor, &mut instance, store, parsed).check("instantiate");
            (api.module_delete)(parsed);
            Self { runtime, store, executor, instance, _own: None }
        }
    }

    /// Calls a function that takes nothing and gives an i32.
    pub(crate) fn call(&self, name: &str) -> u32 {
        let api = &self.runtime.api;
        let mut value = Value { bits: 0, ty: [0; 8] };
        // SAFETY: the guest exports the function, and `value` is its one result.
        unsafe {
            let function = (api.function)(self.instance, Text::of(name));
            assert!(!function.is_null(), "{name}");
            (api.invoke)(self.executor, function, std::ptr::null(), 0, &mut value, 1).check(name);
        }
        value.bits as u32
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let api = &self.runtime.api;
        // SAFETY: made by `with`, deleted once; the plugin's module goes after the guest that calls it.
        unsafe {
            (api.instance_delete)(self.instance);
            (api.executor_delete)(self.executor);
            (api.store_delete)(self.store);
        }
    }
}
