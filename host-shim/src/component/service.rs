//! A component, compiled and linked, ready to be instantiated any number of times.

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

use super::functions::{self, Function, FunctionError};
use super::instance::Instance;
use super::state::State;
use crate::contract::ModelInterface;
use crate::epoch;
use crate::wasi_nn::component::{self as wasi_nn, WasiNn};
use crate::{Grants, Host, HostError, Origin};

/// A linked component. Cloning shares it.
#[derive(Clone)]
pub struct Service(Arc<Linked>);

struct Linked {
    host: Host,
    component: InstancePre<State>,
    functions: Vec<Function>,
    /// The reason is for whoever loads a model; a component without one is as good.
    model: Result<ModelInterface, String>,
    grants: Grants,
    origin: Origin,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("functions", &self.0.functions).finish_non_exhaustive()
    }
}

impl Service {
    pub(crate) fn link(
        host: &Host,
        component: &Component,
        origin: Origin,
        grants: &Grants,
    ) -> Result<Self, HostError> {
        let engine = &host.shared().engine;
        let mut linker = Linker::new(engine);
        let link = |cause| HostError::Link { cause };
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).map_err(link)?;
        wasi_nn::add_to_linker(&mut linker).map_err(link)?;
        let functions = functions::list(engine, component);
        let component = linker.instantiate_pre(component).map_err(link)?;
        let model = ModelInterface::find(&component).map_err(|cause| format!("{cause:#}"));
        let host = host.clone();
        Ok(Self(Arc::new(Linked { host, component, functions, model, grants: grants.clone(), origin })))
    }

    /// Whether its machine code came from the cache.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// Its functions, in the component's order.
    pub fn functions(&self) -> &[Function] {
        &self.0.functions
    }

    /// The function called `name`: its own name in kebab-case, camelCase or snake_case, or `interface#name` with
    /// the interface's full or last name.
    ///
    /// # Errors
    /// [`FunctionError`] where none or several are meant.
    pub fn function(&self, name: &str) -> Result<&Function, FunctionError> {
        functions::find(&self.0.functions, name)
    }

    /// A new instance, with no state but what the component begins with.
    ///
    /// # Errors
    /// [`HostError::Folder`] for a grant that cannot be given, [`HostError::Instantiate`] also where
    /// [`crate::HostConfig::instances`] are alive, and the errors of a call, since a component may compute at its
    /// start.
    pub fn instantiate(&self) -> Result<Instance, HostError> {
        let shared = self.0.host.shared();
        let config = &shared.config;
        let wasi = self.0.grants.wasi()?.build();
        let state = State::new(wasi, WasiNn::new(shared.nn.clone()), config.memory_bytes);
        let mut store = Store::new(&shared.engine, state);
        store.limiter(|state| &mut state.memory);
        // A guest cannot hand over more than it can hold.
        store.set_hostcall_fuel(config.memory_bytes);
        store.set_epoch_deadline(epoch::ticks(config.load_deadline));
        let instance = self.0.component.instantiate(&mut store).map_err(|cause| {
            HostError::of_guest(cause, config.load_deadline, |cause| HostError::Instantiate { cause })
        })?;
        Ok(Instance::new(self.clone(), store, instance))
    }

    pub(super) fn host(&self) -> &Host {
        &self.0.host
    }

    pub(super) fn model(&self) -> Result<&ModelInterface, HostError> {
        self.0.model.as_ref().map_err(|reason| HostError::NoModel { reason: reason.clone() })
    }
}
