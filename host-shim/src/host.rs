//! The host: one wasmtime engine with its clock, its cache and its inference engine.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Module, PoolingAllocationConfig};

use crate::cache::Cache;
use crate::component::Service;
use crate::epoch::Ticker;
use crate::load::load;
use crate::module::Program;
use crate::{Grants, HostConfig, HostError};

/// Memories and core instances that one component may have: the guest itself, and the small modules that adapt it
/// to the component model. The toolchains make three or four.
const CORES_PER_INSTANCE: u32 = 8;
/// Elements of one table in the pool: functions whose address is taken. A large guest has some ten thousand.
const POOL_TABLE_ELEMENTS: usize = 20_000;
/// Bytes of wasmtime's own record of a core instance: large guests have many functions and globals.
const POOL_INSTANCE_BYTES: usize = 4 << 20;

/// Compiles and runs guests. Cloning shares it.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: HostConfig,
    pub(crate) nn: endcap_nn::Engine,
    cache: Option<Cache>,
    // Kept for its thread: without ticks no deadline ever comes.
    _ticker: Ticker,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Host {
    /// A host with these settings, whose guests infer with `nn`.
    ///
    /// # Errors
    /// [`HostError::Engine`] where wasmtime refuses the settings or the machine lacks address space,
    /// [`HostError::Cache`] for a folder that cannot be used or that others may write to, [`HostError::Ticker`].
    pub fn new(config: HostConfig, nn: endcap_nn::Engine) -> Result<Self, HostError> {
        let engine = Engine::new(&wasmtime_config(&config)).map_err(|cause| HostError::Engine { cause })?;
        let cache = config.cache.as_deref().map(|folder| Cache::open(folder, &engine)).transpose()?;
        let ticker = Ticker::start(engine.clone()).map_err(HostError::Ticker)?;
        Ok(Self(Arc::new(Shared { engine, config, nn, cache, _ticker: ticker })))
    }

    /// Its settings.
    pub fn config(&self) -> &HostConfig {
        &self.0.config
    }

    /// Compiles and links a component; its guests will have `grants`.
    ///
    /// # Errors
    /// [`HostError::Kind`], [`HostError::Compile`], [`HostError::Link`].
    pub fn component(&self, wasm: &[u8], grants: &Grants) -> Result<Service, HostError> {
        let (component, origin) = load::<Component>(&self.0.engine, self.0.cache.as_ref(), wasm)?;
        Service::link(self, &component, origin, grants)
    }

    /// Compiles and links a core module that is a WASI program; its runs will have `grants`.
    ///
    /// # Errors
    /// [`HostError::Kind`], [`HostError::Compile`], [`HostError::Link`].
    pub fn module(&self, wasm: &[u8], grants: &Grants) -> Result<Program, HostError> {
        let (module, origin) = load::<Module>(&self.0.engine, self.0.cache.as_ref(), wasm)?;
        Program::link(self, &module, origin, grants)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

fn wasmtime_config(config: &HostConfig) -> Config {
    let cores = config.instances.saturating_mul(CORES_PER_INSTANCE);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(config.instances)
        .total_core_instances(cores)
        .total_memories(cores)
        .total_tables(cores)
        .max_memories_per_component(CORES_PER_INSTANCE)
        .max_core_instances_per_component(CORES_PER_INSTANCE)
        .max_memory_size(config.memory_bytes)
        .max_core_instance_size(POOL_INSTANCE_BYTES)
        .max_component_instance_size(POOL_INSTANCE_BYTES)
        .table_elements(POOL_TABLE_ELEMENTS);
    let mut wasmtime = Config::new();
    wasmtime
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        // Guests here are built for the WebAssembly that WasmEdge 0.14.1 runs; what it lacks stays off, so that a
        // guest which works here works there.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    wasmtime
}
