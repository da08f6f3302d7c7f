//! The contract's model interface with static types, generated from `wit/`.
//!
//! Everything else is called by reflection. A model is not: as a list of values one by one it would take 30 times
//! its size.

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]
    wasmtime::component::bindgen!({ path: "../wit", world: "recommender" });
}

use generated::endcap::recommender::types::{Error, Problem};
use generated::exports::endcap::recommender::model::GuestIndices;
pub use generated::exports::endcap::recommender::model::ModelInfo;

use crate::HostError;

/// Where a component exports `endcap:recommender/model`.
pub(crate) struct ModelInterface(GuestIndices);

impl ModelInterface {
    /// Finds it, and checks that its types are exactly the contract's.
    pub(crate) fn find<T>(component: &InstancePre<T>) -> wasmtime::Result<Self> {
        GuestIndices::new(component).map(Self)
    }

    /// Calls `load`. The outer error is a failure of the call, the inner one the guest's refusal.
    pub(crate) fn load<T: 'static>(
        &self,
        store: &mut Store<T>,
        instance: &Instance,
        model: &[u8],
    ) -> wasmtime::Result<Result<ModelInfo, HostError>> {
        let guest = self.0.load(&mut *store, instance)?;
        Ok(guest.call_load(store, model)?.map_err(refused))
    }
}

fn refused(error: Error) -> HostError {
    let told = |code, problem: Problem| match problem.field {
        Some(field) => (code, format!("{field}: {} ({})", problem.message, problem.code)),
        None => (code, format!("{} ({})", problem.message, problem.code)),
    };
    let (code, message) = match error {
        Error::InvalidRequest(problem) => told("invalid-request", problem),
        Error::Unsupported(problem) => told("unsupported", problem),
        Error::NotReady(problem) => told("not-ready", problem),
        Error::UnknownItem(item) => ("unknown-item", item),
        Error::Unauthorized => ("unauthorized", "the tenant's key is missing or wrong".to_owned()),
        Error::QuotaExceeded(ms) => ("quota-exceeded", format!("try again in {ms} ms")),
        Error::Overloaded(ms) => ("overloaded", format!("try again in {ms} ms")),
        Error::DeadlineExceeded => ("deadline-exceeded", "no answer in time".to_owned()),
    };
    HostError::ModelRefused { code, message }
}
