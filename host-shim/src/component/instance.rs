//! A component at work.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{self, Type, Val};

use super::arguments;
use super::functions::Function;
use super::service::Service;
use super::state::State;
use crate::contract::ModelInfo;
use crate::json::Json;
use crate::{HostError, epoch};

/// Functions whose name begins so, which take nothing and give a record, give the defaults of that record.
const DEFAULTS_PREFIX: &str = "default-";

/// One instance of a component with its state: memory, model, events. Calls need `&mut`; one runs at a time.
pub struct Instance {
    service: Service,
    store: Store<State>,
    instance: component::Instance,
    /// Records with a `default-` function, asked once.
    defaults: Option<Vec<(Type, Val)>>,
    /// After a trap the guest may have left anything half done, and wasmtime lets nobody in again.
    poisoned: bool,
}

/// Arguments that fit a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared(Vec<Val>);

/// What a function returned. Where its result is no `result`, that is `Ok`.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The value, if the type has one.
    Ok(Option<Val>),
    /// The guest's error, if the type has one.
    Err(Option<Val>),
}

/// An [`Outcome`] as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the guest returned no error.
    pub is_ok: bool,
    /// The value or the error; `null` where there is none.
    pub json: String,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("poisoned", &self.poisoned).finish_non_exhaustive()
    }
}

impl Instance {
    pub(super) fn new(service: Service, store: Store<State>, instance: component::Instance) -> Self {
        Self { service, store, instance, defaults: None, poisoned: false }
    }

    /// Whether it has failed and takes no more calls.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Gives it a model file through the contract's `model.load`.
    ///
    /// # Errors
    /// [`HostError::NoModel`] where the component has no such function, [`HostError::ModelRefused`], and those of
    /// [`Self::call`], with the deadline for loading.
    pub fn load_model(&mut self, model: &[u8]) -> Result<ModelInfo, HostError> {
        let service = self.service.clone();
        let interface = service.model()?;
        let deadline = service.host().config().load_deadline;
        self.guarded(deadline, |store, instance| interface.load(store, instance, model))?
    }

    /// Calls `function` with arguments read from JSON.
    ///
    /// `body` is the argument itself where the function takes one, an array or an object by name where it takes
    /// several (one may be named as well), and `null` or an empty object where it takes none. Fields that are not
    /// there are taken from the interface's `default-` function for that record; without one, only options may be
    /// left out.
    ///
    /// # Errors
    /// [`HostError::Json`] with the path of the first value that does not fit, and those of [`Self::call`].
    pub fn invoke(&mut self, function: &Function, body: &Value) -> Result<Answer, HostError> {
        let arguments = self.prepare(function, body)?;
        Ok(self.call(function, &arguments)?.to_answer())
    }

    /// Reads arguments for `function` from JSON, as [`Self::invoke`] does.
    ///
    /// # Errors
    /// As [`Self::invoke`]: it may call the component for defaults.
    pub fn prepare(&mut self, function: &Function, body: &Value) -> Result<Prepared, HostError> {
        let defaults = match self.defaults.take() {
            Some(defaults) => defaults,
            None => self.ask_defaults()?,
        };
        let arguments = arguments::read(&function.ty, body, &defaults);
        self.defaults = Some(defaults);
        Ok(Prepared(arguments?))
    }

    /// Calls `function`.
    ///
    /// # Errors
    /// [`HostError::Deadline`], [`HostError::Memory`], [`HostError::Trap`], [`HostError::Exit`],
    /// [`HostError::Call`]: the instance is poisoned from here on, and gives [`HostError::Poisoned`]. The deadline
    /// ends the guest's own code; what it asks of the host (inference, sleep) is not cut short.
    pub fn call(&mut self, function: &Function, arguments: &Prepared) -> Result<Outcome, HostError> {
        let deadline = self.service.host().config().call_deadline;
        let mut results = vec![Val::Bool(false); function.ty.results().len()];
        self.guarded(deadline, |store, instance| {
            let callee = instance
                .get_func(&mut *store, function.index)
                .ok_or_else(|| wasmtime::format_err!("`{}` is of another component", function.name()))?;
            callee.call(store, &arguments.0, &mut results)
        })?;
        Ok(match results.pop() {
            Some(Val::Result(Ok(value))) => Outcome::Ok(value.map(|value| *value)),
            Some(Val::Result(Err(error))) => Outcome::Err(error.map(|error| *error)),
            other => Outcome::Ok(other),
        })
    }

    fn guarded<T>(
        &mut self,
        deadline: Duration,
        call: impl FnOnce(&mut Store<State>, &component::Instance) -> wasmtime::Result<T>,
    ) -> Result<T, HostError> {
        if self.poisoned {
            return Err(HostError::Poisoned);
        }
        self.store.set_epoch_deadline(epoch::ticks(deadline));
        call(&mut self.store, &self.instance).map_err(|cause| {
            self.poisoned = true;
            HostError::of_guest(cause, deadline, |cause| HostError::Call { cause })
        })
    }

    fn ask_defaults(&mut self) -> Result<Vec<(Type, Val)>, HostError> {
        let service = self.service.clone();
        let mut defaults = Vec::new();
        for function in service.functions() {
            let Some(record @ Type::Record(_)) = function.result() else { continue };
            if function.name().starts_with(DEFAULTS_PREFIX)
                && function.params().len() == 0
                && let Outcome::Ok(Some(value)) = self.call(function, &Prepared(Vec::new()))?
            {
                defaults.push((record, value));
            }
        }
        Ok(defaults)
    }
}

impl Outcome {
    /// As JSON.
    pub fn to_answer(&self) -> Answer {
        let (is_ok, value) = match self {
            Self::Ok(value) => (true, value),
            Self::Err(error) => (false, error),
        };
        Answer {
            is_ok,
            json: value.as_ref().map_or_else(|| "null".to_owned(), |value| Json(value).to_string()),
        }
    }
}
