//! From a guest's bytes to its machine code, by the cache or by the compiler.

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::cache::{Cache, Sealed};
use crate::{CacheError, HostError};

/// Bytes of the magic and the version that every WebAssembly binary begins with.
const PREAMBLE: usize = 8;

/// What a WebAssembly binary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WasmKind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

impl WasmKind {
    /// Tells it from the first eight bytes.
    ///
    /// # Errors
    /// [`HostError::Kind`] for anything else, also for text.
    pub fn of(wasm: &[u8]) -> Result<Self, HostError> {
        match wasm.get(..PREAMBLE) {
            Some(b"\0asm\x01\0\0\0") => Ok(Self::Module),
            Some(b"\0asm\x0d\0\x01\0") => Ok(Self::Component),
            _ => Err(HostError::Kind {
                found: "something else",
                expected: "a WebAssembly module or component in binary form",
            }),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Module => "a core module",
            Self::Component => "a component",
        }
    }
}

/// Where machine code came from.
#[derive(Debug)]
pub enum Origin {
    /// From the cache.
    Cached,
    /// From the compiler, and it was kept where there is a cache.
    Compiled,
    /// From the compiler, and it could not be kept: the next start compiles again.
    NotKept(CacheError),
}

/// What both kinds of guest have in common for the cache.
pub(crate) trait Artefact: Sized {
    const KIND: WasmKind;
    /// Ends the name of its files.
    const SUFFIX: &str;

    fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self>;
    fn serialize(&self) -> wasmtime::Result<Vec<u8>>;
    fn revive(engine: &Engine, sealed: &Sealed) -> wasmtime::Result<Self>;
}

impl Artefact for Component {
    const KIND: WasmKind = WasmKind::Component;
    const SUFFIX: &str = "component";

    fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        Self::from_binary(engine, wasm)
    }

    fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        Component::serialize(self)
    }

    fn revive(engine: &Engine, sealed: &Sealed) -> wasmtime::Result<Self> {
        // SAFETY: the bytes have to be what `serialize` gave. `Sealed` is made by `Cache::get` alone, from a file in
        // a folder that no other user can write to, whose digest shows that it is whole; and `Cache::put`, the only
        // writer there, is given what `serialize` gave. Version and settings wasmtime checks itself.
        unsafe { Self::deserialize(engine, sealed.artefact()) }
    }
}

impl Artefact for Module {
    const KIND: WasmKind = WasmKind::Module;
    const SUFFIX: &str = "module";

    fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        Self::from_binary(engine, wasm)
    }

    fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        Module::serialize(self)
    }

    fn revive(engine: &Engine, sealed: &Sealed) -> wasmtime::Result<Self> {
        // SAFETY: as for a component; the suffix of its file keeps the two kinds apart.
        unsafe { Self::deserialize(engine, sealed.artefact()) }
    }
}

/// Machine code of `wasm`.
pub(crate) fn load<A: Artefact>(
    engine: &Engine,
    cache: Option<&Cache>,
    wasm: &[u8],
) -> Result<(A, Origin), HostError> {
    let kind = WasmKind::of(wasm)?;
    if kind != A::KIND {
        return Err(HostError::Kind { found: kind.as_str(), expected: A::KIND.as_str() });
    }
    // What wasmtime does not take is treated like what is damaged: compiled anew and overwritten.
    if let Some(artefact) =
        cache.and_then(|cache| cache.get(A::SUFFIX, wasm)).and_then(|sealed| A::revive(engine, &sealed).ok())
    {
        return Ok((artefact, Origin::Cached));
    }
    let artefact = A::compile(engine, wasm).map_err(|cause| HostError::Compile { cause })?;
    let Some(cache) = cache else { return Ok((artefact, Origin::Compiled)) };
    let bytes = artefact.serialize().map_err(|cause| HostError::Engine { cause })?;
    match cache.put(A::SUFFIX, wasm, &bytes) {
        Ok(()) => Ok((artefact, Origin::Compiled)),
        Err(error) => Ok((artefact, Origin::NotKept(error))),
    }
}
