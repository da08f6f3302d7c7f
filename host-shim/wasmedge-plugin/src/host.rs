//! The host functions: from WasmEdge's call to the session's method, and no panic past here.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use endcap_nn::witx::{Session, errno};

use crate::capi::{CallResult, CallingFrame, GuestMemory, HostFunction, Value};
use crate::log::Level;
use crate::module::Instance;

/// The most that a function below takes.
pub(crate) const MAX_PARAMETERS: usize = 5;

/// A function as the module exports it.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) name: &'static str,
    /// How many i32 it takes; it gives one, the errno.
    pub(crate) parameters: u32,
    pub(crate) entry: HostFunction,
}

/// A method of the session, as a type, so that each has an entry point of its own.
trait Method {
    const NAME: &'static str;
    const PARAMETERS: usize;
    fn call(session: &mut Session, memory: &mut [u8], arguments: [u32; MAX_PARAMETERS]) -> u32;
}

macro_rules! methods {
    ($($name:ident($($argument:ident),*);)*) => {
        $(
            #[allow(non_camel_case_types, reason = "the type bears the name of the function")]
            struct $name;

            impl Method for $name {
                const NAME: &'static str = stringify!($name);
                const PARAMETERS: usize = [$(stringify!($argument)),*].len();

                fn call(
                    session: &mut Session,
                    memory: &mut [u8],
                    [$($argument,)* ..]: [u32; MAX_PARAMETERS],
                ) -> u32 {
                    session.$name(memory, $($argument),*)
                }
            }
        )*

        /// Every function of upstream's plugin 0.14.1, and `finalize_execution_context`.
        pub(crate) const FUNCTIONS: [Export; [$(stringify!($name)),*].len()] = [
            $(Export { name: $name::NAME, parameters: $name::PARAMETERS as u32, entry: entry::<$name> },)*
        ];
    };
}

methods! {
    load(builders, count, encoding, target, graph);
    load_by_name(name, length, graph);
    load_by_name_with_config(name, length, config, config_length, graph);
    init_execution_context(graph, context);
    set_input(context, index, tensor);
    compute(context);
    compute_single(context);
    fini_single(context);
    get_output(context, index, buffer, size, written);
    get_output_single(context, index, buffer, size, written);
    unload(graph);
    finalize_execution_context(context);
}

/// What WasmEdge calls.
///
/// # Safety
/// `data` is the live [`Instance`] of the function's module, `frame` the caller's, and `parameters` and `returns` are
/// as many values as the function's type says.
unsafe extern "C" fn entry<M: Method>(
    data: *mut c_void,
    frame: *const CallingFrame,
    parameters: *const Value,
    returns: *mut Value,
) -> CallResult {
    // SAFETY: the instance lives as long as the module that this function belongs to.
    let instance = unsafe { &*data.cast::<Instance>() };
    // Unwinding into WasmEdge would be undefined. What a method leaves behind after a panic is a session whose
    // tables are whole, as each entry is made or removed in one step.
    let called = catch_unwind(AssertUnwindSafe(|| {
        let mut arguments = [0; MAX_PARAMETERS];
        for (place, argument) in arguments.iter_mut().take(M::PARAMETERS).enumerate() {
            // SAFETY: the function's type has this many parameters.
            *argument = unsafe { *parameters.add(place) }.as_u32();
        }
        // SAFETY: the frame is that of this very call, in which the slice stays.
        let memory = unsafe { instance.plugin.api.memory.of(frame) };
        call::<M>(instance, memory, arguments)
    }));
    let errno = called.unwrap_or(errno::RUNTIME_ERROR);
    // SAFETY: the function's type has one result.
    unsafe { *returns = Value::i32(errno, instance.i32_type) };
    CallResult::SUCCESS
}

fn call<M: Method>(instance: &Instance, memory: GuestMemory<'_>, arguments: [u32; MAX_PARAMETERS]) -> u32 {
    let log = &instance.plugin.log;
    let (errno, reason) = match memory {
        GuestMemory::Missing => (errno::MISSING_MEMORY, Some("the module has no memory".to_owned())),
        GuestMemory::Shared => {
            (errno::UNSUPPORTED_OPERATION, Some("the module's memory is shared between threads".to_owned()))
        }
        GuestMemory::Bytes(memory) => {
            let mut session = instance.session.lock().unwrap_or_else(PoisonError::into_inner);
            let errno = M::call(&mut session, memory, arguments);
            let wanted = errno != errno::SUCCESS && log.wants(Level::Error);
            (errno, wanted.then(|| session.last_error().map(ToString::to_string)).flatten())
        }
    };
    let level = if errno == errno::SUCCESS { Level::Debug } else { Level::Error };
    if log.wants(level) {
        let arguments = &arguments[..M::PARAMETERS];
        match reason {
            Some(reason) => log.line(format_args!("{}{arguments:?}: errno {errno}: {reason}", M::NAME)),
            None => log.line(format_args!("{}{arguments:?}: errno {errno}", M::NAME)),
        }
    }
    errno
}
