//! The recommender as a component: `endcap:recommender` over the same code as the HTTP service.
//!
//! Three steps, a file each where it is more than a few lines: generate (here), wire ([`state`]), convert
//! ([`recommend`], [`events`], [`model`], [`error`]). Variant `nn` adds the host's wasi-nn ([`nn`]).

// The names of the exports are no names for a native linker, and there is no native host.
#![cfg(target_arch = "wasm32")]

// The bindings' `realloc` and export glue are unsafe by nature and generated.
mod bindings {
    #![allow(missing_docs, unused_qualifications, clippy::all, reason = "generated from wit/")]
    #[cfg(feature = "nn")]
    wit_bindgen::generate!({ path: "../../wit", world: "nn", generate_all });
    #[cfg(not(feature = "nn"))]
    wit_bindgen::generate!({ path: "../../wit", world: "builtin", generate_all });

    export!(Component with_types_in self);
    use super::Component;
}

mod clock;
mod error;
mod events;
mod model;
#[cfg(feature = "nn")]
mod nn;
mod recommend;
mod state;

/// What the exports are implemented on.
#[derive(Debug)]
struct Component;
