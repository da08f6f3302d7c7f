//! One start, step by step.

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::capi::{Api, Cxt, WasmEdgeString};

/// The service as it is started: its program and what the WASI world shows it.
pub(crate) struct Plan {
    program: CString,
    args: Vec<CString>,
    envs: Vec<CString>,
    preopens: Vec<CString>,
}

impl Plan {
    pub(crate) fn new(program: &Path, model: &Path) -> anyhow::Result<Self> {
        let folder = model.parent().context("the model has no folder")?;
        let name = model.file_name().context("the model has no name")?;
        let text = |text: String| CString::new(text).context("a path with a zero byte");
        Ok(Self {
            program: text(program.display().to_string())?,
            args: vec![text("endcap-service".to_owned())?],
            envs: vec![
                text(format!("MODEL_PATH=/{}", name.display()))?,
                // Any free port: it is bound, so binding is measured, but nobody comes.
                text("ENDCAP_LISTEN=127.0.0.1:0".to_owned())?,
                // Ends as soon as it is ready.
                text("ENDCAP_CHECK=1".to_owned())?,
                text("ENDCAP_LOG=error".to_owned())?,
            ],
            preopens: vec![text(format!("/:{}:readonly", folder.display()))?],
        })
    }
}

/// How long the steps took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    /// Reading and validating the program, its machine code included.
    pub(crate) load: Duration,
    /// Making the WASI world and the instance.
    pub(crate) instantiate: Duration,
    /// `_start`, which reads and checks the model, binds the address, and ends where it would begin to serve.
    pub(crate) run: Duration,
}

impl Took {
    pub(crate) fn total(self) -> Duration {
        self.load + self.instantiate + self.run
    }
}

/// Owns a context; frees it by the function that belongs to it.
struct Owned {
    cxt: Cxt,
    delete: unsafe extern "C" fn(Cxt),
}

impl Owned {
    fn new(cxt: Cxt, delete: unsafe extern "C" fn(Cxt), what: &str) -> anyhow::Result<Self> {
        ensure!(!cxt.is_null(), "WasmEdge gives no {what}");
        Ok(Self { cxt, delete })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: made by the function that pairs with this one, and freed nowhere else.
        unsafe { (self.delete)(self.cxt) };
    }
}

/// Starts once. Everything is made anew and freed again; freeing is not timed.
pub(crate) fn start(api: &Api, plan: &Plan, interpreted: bool) -> anyhow::Result<Took> {
    let pointers =
        |texts: &[CString]| -> Vec<*const c_char> { texts.iter().map(|text| text.as_ptr()).collect() };
    let (args, envs, preopens) = (pointers(&plan.args), pointers(&plan.envs), pointers(&plan.preopens));
    let begun = Instant::now();
    // SAFETY: here and below, contexts come from the library, none is null (`Owned::new`), and they are dropped
    // in reverse order of their making, as the library asks: the instance before what it was made of.
    let configure = Owned::new(unsafe { (api.configure)() }, api.configure_delete, "configuration")?;
    // SAFETY: see above.
    unsafe { (api.configure_interpreter)(configure.cxt, interpreted) };
    // SAFETY: see above.
    let loader = Owned::new(unsafe { (api.loader)(configure.cxt) }, api.loader_delete, "loader")?;
    let mut module = null_mut();
    // SAFETY: see above; the path ends with a zero, and the module is written on success only.
    let parsed = unsafe { (api.loader_parse)(loader.cxt, &mut module, plan.program.as_ptr()) };
    api.check(parsed, "load the program")?;
    let module = Owned::new(module, api.module_delete, "module")?;
    // SAFETY: see above.
    let validator = Owned::new(unsafe { (api.validator)(configure.cxt) }, api.validator_delete, "validator")?;
    // SAFETY: see above.
    api.check(unsafe { (api.validator_validate)(validator.cxt, module.cxt) }, "validate the program")?;
    let loaded = Instant::now();
    // SAFETY: see above; statistics may be null.
    let executor =
        Owned::new(unsafe { (api.executor)(configure.cxt, null_mut()) }, api.executor_delete, "executor")?;
    // SAFETY: see above.
    let store = Owned::new(unsafe { (api.store)() }, api.store_delete, "store")?;
    // SAFETY: the arrays and their strings live until the end of this function; lengths are theirs.
    let wasi = unsafe {
        (api.wasi)(
            args.as_ptr(),
            args.len() as u32,
            envs.as_ptr(),
            envs.len() as u32,
            preopens.as_ptr(),
            preopens.len() as u32,
        )
    };
    let wasi = Owned::new(wasi, api.instance_delete, "WASI world")?;
    // SAFETY: see above.
    api.check(unsafe { (api.executor_import)(executor.cxt, store.cxt, wasi.cxt) }, "register WASI")?;
    // As on a node: the program imports wasi-nn, which the plugin gives.
    // SAFETY: the library knows the plugin by now (`Api::load_plugin`), and takes views of constants.
    let inference = unsafe {
        let plugin = (api.plugin_find)(WasmEdgeString::of(c"wasi_nn"));
        ensure!(!plugin.is_null(), "WasmEdge does not know the wasi-nn plugin");
        (api.plugin_module)(plugin, WasmEdgeString::of(c"wasi_nn"))
    };
    let inference = Owned::new(inference, api.instance_delete, "wasi-nn module")?;
    // SAFETY: see above.
    api.check(unsafe { (api.executor_import)(executor.cxt, store.cxt, inference.cxt) }, "register wasi-nn")?;
    let mut instance = null_mut();
    // SAFETY: see above; the instance is written on success only.
    let made = unsafe { (api.executor_instantiate)(executor.cxt, &mut instance, store.cxt, module.cxt) };
    api.check(made, "instantiate the program")?;
    let instance = Owned::new(instance, api.instance_delete, "instance")?;
    const START: &CStr = c"_start";
    // SAFETY: see above; the function belongs to the instance.
    let function = unsafe { (api.instance_function)(instance.cxt, WasmEdgeString::of(START)) };
    ensure!(!function.is_null(), "the program has no _start");
    let instantiated = Instant::now();
    // SAFETY: see above; `_start` takes and gives nothing.
    let ended = unsafe { (api.executor_invoke)(executor.cxt, function, null(), 0, null_mut(), 0) };
    let ready = Instant::now();
    api.check(ended, "run the program")?;
    // SAFETY: see above.
    let code = unsafe { (api.wasi_exit_code)(wasi.cxt) };
    ensure!(code == 0, "the service ended with exit code {code}; what it says stands above");
    Ok(Took { load: loaded - begun, instantiate: instantiated - loaded, run: ready - instantiated })
}
