//! The one model and store of an instance. A component is called by one thread at a time.

use std::cell::RefCell;

use endcap_core::AlignedBytes;
use endcap_core::format::{FormatError, Model, Verify};
use endcap_core::store::MemoryStore;
use endcap_service::api::ask::Lists;
use endcap_service::clock::Clock;
use endcap_service::inference::{Choice, Inference};
use endcap_service::recommender::Recommender;
use endcap_service::start::open_model;

use crate::bindings::wasi::random::random::get_random_u64;
use crate::clock::HostClock;
use crate::error::{self, Error};

/// As the service's ENDCAP_MAX_OWNERS: about 100 MB when all of them have full histories.
const MAX_OWNERS: usize = 100_000;
/// As the service's ENDCAP_SESSION_TTL_S: 30 days.
const EVENTS_TTL_MS: i64 = 30 * 24 * 3_600_000;

/// What answers.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) model: Model,
    pub(crate) digest: String,
    pub(crate) lists: Lists,
    pub(crate) recommender: Recommender<HostClock, MemoryStore>,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Runs `answer` on the loaded model.
///
/// # Errors
/// `not-ready` where none is loaded.
pub(crate) fn with<T>(answer: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
    STATE.with_borrow_mut(|state| answer(state.as_mut().ok_or_else(error::not_loaded)?))
}

/// Replaces the model once `bytes` have been checked as a whole. Events are forgotten: item numbers are of one
/// model file.
///
/// # Errors
/// Where the bytes are no usable model; the one that served goes on.
pub(crate) fn load(bytes: &[u8]) -> Result<(), FormatError> {
    // In full: what calls this need not have checked where the file comes from.
    let (model, digest) = open_model(AlignedBytes::copy_from(bytes), Verify::Full)?;
    #[cfg(feature = "nn")]
    let inference = Inference::load(&model, Choice::Auto, Some(&mut crate::nn::Host));
    #[cfg(not(feature = "nn"))]
    let inference = Inference::load(&model, Choice::Auto, None);
    let store = MemoryStore::new(MAX_OWNERS, EVENTS_TTL_MS);
    let recommender = Recommender::new(HostClock::start(), store, get_random_u64(), inference);
    STATE.set(Some(State { model, digest, lists: Lists::default(), recommender }));
    Ok(())
}

impl State {
    /// Milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> i64 {
        self.recommender.clock.unix_ms()
    }
}
