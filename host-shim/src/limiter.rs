//! How much memory a guest may have.

use wasmtime::ResourceLimiter;

/// Elements of one table: a guest of this project has a few thousand functions.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// A guest wanted more memory than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes of memory are more than the limit of {limit}")]
pub(crate) struct MemoryExceeded {
    pub(crate) wanted: usize,
    pub(crate) limit: usize,
}

/// Counts the memories of one store together. A component has several: its own, and the adapters'.
///
/// Growth beyond the limit is a trap and not the `-1` of `memory.grow`: what a guest makes of `-1` is an abort in
/// its allocator without a word why.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: usize,
    used: usize,
    /// What the growth under way adds, should it fail.
    added: usize,
}

impl MemoryLimiter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0, added: 0 }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.added = desired.saturating_sub(current);
        let wanted = self.used.saturating_add(self.added);
        if wanted > self.limit {
            return Err(MemoryExceeded { wanted, limit: self.limit }.into());
        }
        self.used = wanted;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.used -= self.added;
        self.added = 0;
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}
