//! What a store of a component holds.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::limiter::MemoryLimiter;
use crate::wasi_nn::component::WasiNn;

/// Handles that one component may hold at once over all interfaces: a few streams, graphs and contexts, and the
/// tensors of a call. A guest that leaks one a call is stopped before the host feels it.
pub(crate) const MAX_HANDLES: usize = 4096;

pub(crate) struct State {
    pub(super) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) nn: WasiNn,
    pub(super) memory: MemoryLimiter,
}

impl State {
    pub(super) fn new(wasi: WasiCtx, nn: WasiNn, memory_bytes: usize) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self { wasi, table, nn, memory: MemoryLimiter::new(memory_bytes) }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
