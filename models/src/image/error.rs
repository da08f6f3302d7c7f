//! Why an image is not built.

use endcap_core::format::FormatError;

/// A refused input of an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not Wasm, or broken.
    #[error("not a Wasm module, or a broken one: {0}")]
    NotWasm(#[from] wasmparser::BinaryReaderError),
    /// A component where a core module is wanted.
    #[error("a component; WasmEdge runs core modules: give dist/app-aot.wasm (make guest)")]
    Component,
    /// A core module where a component is wanted.
    #[error("a core module, not a component: give dist/endcap.component.wasm (make component)")]
    NotComponent,
    /// No compiled code.
    #[error(
        "not compiled ahead of time: WasmEdge would interpret it, some eighty times slower; give dist/app-aot.wasm \
         (make guest, or wasmedge compile), or --interpreted to have it so"
    )]
    NotCompiled,
    /// Compiled code that ends at once.
    #[error("its section of compiled code is cut off; compile it again (make guest)")]
    CutAot,
    /// Compiled code that WasmEdge 0.14 does not run.
    #[error(
        "compiled for another WasmEdge or system (section version {version}, system {os}; 0.14.x on Linux runs version \
         {known}, system 1): compile it with WasmEdge 0.14.1 (make guest), or give --interpreted"
    )]
    OtherAot {
        /// Version of the section.
        version: u8,
        /// Its number of the system.
        os: u8,
        /// The version that runs.
        known: u8,
    },
    /// A model that does not open.
    #[error("{error}; {}", error.remedy())]
    Model {
        /// What is wrong with it.
        error: FormatError,
    },
    /// A line of the list of crates that names none.
    #[error("line {line} of the list of crates, {text:?}, is no `name vVERSION<tab>licence`")]
    Crates {
        /// Its number, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A bill of materials that would break its own rules.
    #[error("the bill of materials: {0}")]
    Bill(String),
    /// A value that the specification of images does not allow.
    #[error("{0}")]
    Spec(#[from] oci_spec::OciSpecError),
    /// JSON that cannot be written.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A tar that cannot be written.
    #[error("cannot write the archive: {0}")]
    Io(#[from] std::io::Error),
}

impl ImageError {
    /// True where another input would help.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Spec(_) | Self::Json(_) | Self::Io(_))
    }
}
