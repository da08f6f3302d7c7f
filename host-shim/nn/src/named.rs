//! Graphs of registered models, shared by those who ask for the same name.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::NnError;
use crate::engine::{Graph, Loaded};

/// One model with one set of metadata. Its lock is held while it loads, so that two guests which ask at once load it
/// once; the weak reference lets the last user free it.
type Slot = Arc<Mutex<Weak<Loaded>>>;

#[derive(Debug, Default)]
pub(crate) struct NamedGraphs(Mutex<HashMap<Name, Slot>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Name {
    name: String,
    metadata: Option<String>,
}

impl NamedGraphs {
    /// The graph of `name` with `metadata`, loaded by `load` where nobody has it.
    pub(crate) fn get_or_load(
        &self,
        name: &str,
        metadata: Option<&str>,
        load: impl FnOnce() -> Result<Graph, NnError>,
    ) -> Result<Graph, NnError> {
        let slot = {
            // A panic elsewhere cannot leave the map or a slot half changed: both are changed by one assignment.
            let mut slots = self.0.lock();
            // Metadata is the guest's to choose: what nobody holds must not stay here.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || is_alive(slot));
            let name = Name { name: name.to_owned(), metadata: metadata.map(str::to_owned) };
            Arc::clone(slots.entry(name).or_default())
        };
        let mut graph = slot.lock();
        if let Some(alive) = graph.upgrade() {
            return Ok(Graph(alive));
        }
        let loaded = load()?;
        *graph = Arc::downgrade(&loaded.0);
        Ok(loaded)
    }
}

fn is_alive(slot: &Slot) -> bool {
    // A slot that is being loaded is in use, not dead; waiting for it would stall every other name.
    slot.try_lock().is_none_or(|graph| graph.strong_count() > 0)
}
