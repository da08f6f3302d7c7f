//! The module `wasi_ephemeral_nn`: made once per virtual machine, with a session of its own.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Mutex;

use endcap_nn::witx::Session;

use crate::capi::{ModuleDescriptor, ModuleInstance, Text, ValType};
use crate::host::{FUNCTIONS, MAX_PARAMETERS};
use crate::log::tell;
use crate::plugin::Plugin;

/// What guests import from.
const NAME: &str = "wasi_ephemeral_nn";

/// What a module's functions work on. The module owns it and frees it through [`finalize`].
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) plugin: &'static Plugin,
    /// The type of every parameter and result.
    pub(crate) i32_type: ValType,
    /// Guests of one machine may run on several threads; the session is for one at a time.
    pub(crate) session: Mutex<Session>,
}

/// What WasmEdge calls to have a module. It uses the result unseen, so there is no way to refuse here.
pub(crate) unsafe extern "C" fn create(_: *const ModuleDescriptor) -> *mut ModuleInstance {
    let made = catch_unwind(|| match Plugin::started() {
        Some(plugin) => make(plugin),
        // The descriptor that leads here is only given out by a started plugin.
        None => ptr::null_mut(),
    });
    made.unwrap_or_else(|_| {
        tell(format_args!("a module could not be made"));
        ptr::null_mut()
    })
}

fn make(plugin: &'static Plugin) -> *mut ModuleInstance {
    let api = &plugin.api;
    // SAFETY: takes nothing, gives a plain value.
    let i32_type = unsafe { (api.i32_type)() };
    let session = Mutex::new(Session::new(plugin.engine()));
    let data: *mut c_void = Box::into_raw(Box::new(Instance { plugin, i32_type, session })).cast();
    // SAFETY: the name is copied; `data` stays valid until the module calls `finalize` with it.
    let module = unsafe { (api.module)(Text::of(NAME), data, finalize) };
    if module.is_null() {
        // SAFETY: the box from above, which no module has taken.
        unsafe { finalize(data) };
        return module;
    }
    for function in &FUNCTIONS {
        let types = [i32_type; MAX_PARAMETERS];
        // SAFETY: there are not more parameters than types. The function copies its type and keeps `data`, which
        // lives as long as the module; the module takes the function and copies its name. Where memory is short
        // the library gives null, which it accepts in turn.
        unsafe {
            let ty = (api.function_type)(types.as_ptr(), function.parameters, types.as_ptr(), 1);
            let made = (api.function)(ty, function.entry, data, 0);
            (api.function_type_delete)(ty);
            (api.add_function)(module, Text::of(function.name), made);
        }
    }
    module
}

/// Frees an [`Instance`] when its module goes, and with it the guest's graphs and contexts.
unsafe extern "C" fn finalize(data: *mut c_void) {
    // SAFETY: WasmEdge passes once what `make` made from a box.
    let instance = unsafe { Box::from_raw(data.cast::<Instance>()) };
    if catch_unwind(AssertUnwindSafe(|| drop(instance))).is_err() {
        tell(format_args!("a session could not be freed"));
    }
}
