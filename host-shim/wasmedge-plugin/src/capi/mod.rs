//! The part of WasmEdge's C API that the plugin needs, found in the library that is loading it.
//!
//! The functions are looked up when the plugin starts and not bound by the linker. So the plugin builds on a
//! machine without WasmEdge, names a missing function in a message, and works where the runtime was loaded
//! without making its symbols global, as container runtimes do.
//!
//! The types follow `wasmedge.h` of 0.14.1 and 0.17.1, in which everything below is laid out alike; sizes and
//! offsets were taken from both headers by a C compiler and are asserted here.

mod memory;

use std::ffi::{CStr, c_char, c_int, c_void};

use libloading::os::unix::{Library, RTLD_NOW};

pub(crate) use memory::{GuestMemory, MemoryApi};

/// `dlopen` only finds what is loaded already. The number is that of the C libraries of Linux.
const RTLD_NOLOAD: c_int = 4;

/// The name under which every packaged WasmEdge since 0.10 is loaded.
const LIBRARY: &str = "libwasmedge.so.0";

/// `std::string::_M_assign`, which every program with strings of libstdc++ takes from there.
const LIBSTDCXX_STRING: &CStr = c"_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE9_M_assignERKS4_";

/// `WasmEdge_ValType`. The bytes come from the library and go back to it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct ValType {
    data: [u8; 8],
}

/// `WasmEdge_Value`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Value {
    bits: u128,
    ty: ValType,
}

impl Value {
    /// An i32 of the guest; `ty` is what [`Api::i32_type`] gives.
    pub(crate) fn i32(value: u32, ty: ValType) -> Self {
        Self { bits: u128::from(value), ty }
    }

    /// The value where it is an i32. WebAssembly's validation has checked that before the call.
    pub(crate) fn as_u32(self) -> u32 {
        self.bits as u32
    }
}

/// `WasmEdge_String`: not terminated, valid for the call that it is passed to.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Text {
    pub(crate) length: u32,
    pub(crate) bytes: *const c_char,
}

impl Text {
    /// A view of a constant of this plugin.
    pub(crate) fn of(text: &'static str) -> Self {
        Self { length: text.len() as u32, bytes: text.as_ptr().cast() }
    }
}

/// `WasmEdge_Result` of a host function. A failure would be a trap in the guest; the plugin reports by errno and
/// always succeeds.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct CallResult {
    code: u32,
}

impl CallResult {
    pub(crate) const SUCCESS: Self = Self { code: 0 };
}

/// Declares types of which only pointers are seen.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* #[derive(Debug)] #[repr(C)] pub(crate) struct $name { _private: [u8; 0] })*
    };
}

opaque! {
    /// `WasmEdge_ModuleInstanceContext`.
    ModuleInstance
    /// `WasmEdge_FunctionTypeContext`.
    FunctionType
    /// `WasmEdge_FunctionInstanceContext`.
    FunctionInstance
    /// `WasmEdge_MemoryInstanceContext`.
    MemoryInstance
    /// `WasmEdge_MemoryTypeContext`.
    MemoryType
    /// `WasmEdge_CallingFrameContext`: who calls a host function.
    CallingFrame
}

/// `WasmEdge_HostFunc_t`: data of the function, caller, parameters, results.
pub(crate) type HostFunction =
    unsafe extern "C" fn(*mut c_void, *const CallingFrame, *const Value, *mut Value) -> CallResult;

/// `WasmEdge_ModuleDescriptor`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct ModuleDescriptor {
    pub(crate) name: *const c_char,
    pub(crate) description: *const c_char,
    pub(crate) create: unsafe extern "C" fn(*const ModuleDescriptor) -> *mut ModuleInstance,
}

/// `WasmEdge_ProgramOption` of type [`ProgramOption::STRING`].
#[derive(Debug)]
#[repr(C)]
pub(crate) struct ProgramOption {
    pub(crate) name: *const c_char,
    pub(crate) description: *const c_char,
    pub(crate) kind: u32,
    pub(crate) storage: *mut c_void,
    pub(crate) default: *const c_void,
}

impl ProgramOption {
    /// `WasmEdge_ProgramOptionType_String`; there is no type for a list.
    pub(crate) const STRING: u32 = 12;
}

/// `WasmEdge_PluginDescriptor`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct PluginDescriptor {
    pub(crate) name: *const c_char,
    pub(crate) description: *const c_char,
    pub(crate) api_version: u32,
    /// Major, minor, patch, build.
    pub(crate) version: [u32; 4],
    pub(crate) module_count: u32,
    pub(crate) option_count: u32,
    pub(crate) modules: *const ModuleDescriptor,
    pub(crate) options: *const ProgramOption,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::{align_of, offset_of, size_of};
    assert!(size_of::<ValType>() == 8 && align_of::<ValType>() == 1);
    assert!(size_of::<Value>() == 32 && align_of::<Value>() == 16 && offset_of!(Value, ty) == 16);
    assert!(size_of::<Text>() == 16 && size_of::<CallResult>() == 4);
    assert!(size_of::<ModuleDescriptor>() == 24);
    assert!(size_of::<ProgramOption>() == 40 && offset_of!(ProgramOption, storage) == 24);
    assert!(size_of::<PluginDescriptor>() == 64 && offset_of!(PluginDescriptor, version) == 20);
    assert!(offset_of!(PluginDescriptor, module_count) == 36 && offset_of!(PluginDescriptor, modules) == 48);
};

/// Why the plugin cannot work with the runtime that loads it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the C API of WasmEdge is not in this process: {0}")]
    Missing(#[from] libloading::Error),
    #[error("this is WasmEdge {found}; this plugin knows 0.14 and 0.17")]
    Version { found: String },
}

/// Looks up a function. The type is what the caller declares it to be.
///
/// # Safety
/// `symbol` must have the type `F`, a function pointer.
unsafe fn function<F: Copy>(library: &Library, symbol: &CStr) -> Result<F, ApiError> {
    // SAFETY: the caller's promise.
    Ok(*unsafe { library.get::<F>(symbol)? })
}

macro_rules! api {
    ($($(#[$doc:meta])* $field:ident: $symbol:literal, fn($($argument:ty),*) $(-> $returns:ty)?;)*) => {
        /// The functions by their role here; they are there as long as the process.
        #[derive(Debug)]
        pub(crate) struct Api {
            $($(#[$doc])* pub(crate) $field: unsafe extern "C" fn($($argument),*) $(-> $returns)?,)*
            /// The guest's memory, whose functions differ between the versions.
            pub(crate) memory: MemoryApi,
            /// `WasmEdge_Plugin_CurrentAPIVersion` of the runtime.
            pub(crate) version: u32,
            /// Whether the runtime's C++ library is libstdc++.
            pub(crate) libstdcxx: bool,
        }

        impl Api {
            fn resolve(library: &Library, memory: MemoryApi, version: u32) -> Result<Self, ApiError> {
                Ok(Self {
                    $(
                        // SAFETY: the type is that of the header of every version accepted.
                        $field: unsafe { function(library, $symbol)? },
                    )*
                    memory,
                    version,
                    // SAFETY: only looked for, in the runtime and what it depends on.
                    libstdcxx: unsafe { library.get::<*const c_void>(LIBSTDCXX_STRING) }.is_ok(),
                })
            }
        }
    };
}

api! {
    /// The type of an i32.
    i32_type: c"WasmEdge_ValTypeGenI32", fn() -> ValType;
    /// Parameters and results to a type, which the caller deletes; null where memory is short.
    function_type: c"WasmEdge_FunctionTypeCreate",
        fn(*const ValType, u32, *const ValType, u32) -> *mut FunctionType;
    /// Frees a type.
    function_type_delete: c"WasmEdge_FunctionTypeDelete", fn(*mut FunctionType);
    /// Type, code, data and cost to a function; copies the type.
    function: c"WasmEdge_FunctionInstanceCreate",
        fn(*const FunctionType, HostFunction, *mut c_void, u64) -> *mut FunctionInstance;
    /// A module with data, and what frees the data when the module goes.
    module: c"WasmEdge_ModuleInstanceCreateWithData",
        fn(Text, *mut c_void, unsafe extern "C" fn(*mut c_void)) -> *mut ModuleInstance;
    /// Gives a function to a module, which owns it from then on; copies the name.
    add_function: c"WasmEdge_ModuleInstanceAddFunction",
        fn(*mut ModuleInstance, Text, *mut FunctionInstance);
}

impl Api {
    /// Finds the runtime that this process runs.
    ///
    /// # Errors
    /// No WasmEdge here, or one of a version that nobody has tried this plugin with.
    pub(crate) fn find() -> Result<Self, ApiError> {
        // SAFETY: only a handle to what is loaded: no initialiser runs.
        let library = match unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_NOLOAD) } {
            Ok(library) => library,
            // A program that has WasmEdge linked in offers it as its own symbols.
            Err(_) => Library::this(),
        };
        // SAFETY: takes nothing and gives a constant string since the first version.
        let version: unsafe extern "C" fn() -> *const c_char =
            unsafe { function(&library, c"WasmEdge_VersionGet")? };
        // SAFETY: a constant, terminated string of the library.
        let found = unsafe { CStr::from_ptr(version()) }.to_string_lossy().into_owned();
        let (number, memory) = if found.starts_with("0.14.") {
            (4, MemoryApi::find_narrow(&library)?)
        } else if found.starts_with("0.17.") {
            (5, MemoryApi::find_wide(&library)?)
        } else {
            return Err(ApiError::Version { found });
        };
        let api = Self::resolve(&library, memory, number)?;
        // The handle counts as a user of the library, which must stay as long as the pointers above.
        std::mem::forget(library);
        Ok(api)
    }
}
