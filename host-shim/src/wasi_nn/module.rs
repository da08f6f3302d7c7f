//! wasi-nn for core modules: every function of `wasi_ephemeral_nn`, over the guest's memory.

use endcap_nn::witx::{self, Session};
use wasmtime::{Caller, Extern, Linker};

use crate::module::State;

/// The import's module, in WasmEdge and here.
const MODULE: &str = "wasi_ephemeral_nn";
/// What a guest's memory is exported as.
const MEMORY: &str = "memory";

/// Wraps methods of [`Session`], which take the guest's memory and then what the guest gives, all `u32`.
macro_rules! wrap {
    ($linker:ident: $($method:ident($($argument:ident),*);)*) => {
        $($linker.func_wrap(
            MODULE,
            stringify!($method),
            |mut caller: Caller<'_, State>, $($argument: u32),*| -> u32 {
                with_memory(&mut caller, |session, memory| session.$method(memory, $($argument),*))
            },
        )?;)*
    };
}

/// Gives a core module what WasmEdge's plugin gives it.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wrap! { linker:
        load(builders, builders_len, encoding, target, graph_out);
        load_by_name(name, name_len, graph_out);
        load_by_name_with_config(name, name_len, config, config_len, graph_out);
        init_execution_context(graph, context_out);
        set_input(context, index, tensor);
        compute(context);
        compute_single(context);
        get_output(context, index, out, out_len, written_out);
        get_output_single(context, index, out, out_len, written_out);
        fini_single(context);
        finalize_execution_context(context);
        unload(graph);
    }
    Ok(())
}

fn with_memory(caller: &mut Caller<'_, State>, call: impl FnOnce(&mut Session, &mut [u8]) -> u32) -> u32 {
    let Some(Extern::Memory(memory)) = caller.get_export(MEMORY) else { return witx::MISSING_MEMORY };
    let (memory, state) = memory.data_and_store_mut(caller);
    call(&mut state.nn, memory)
}
