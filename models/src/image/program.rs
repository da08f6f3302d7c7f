//! What a Wasm program is: core module or component, and how far it is compiled ahead of time.

use oci_spec::image::Arch;
use wasmparser::{Parser, Payload};

use super::{ImageError, PORTABLE};

/// Name of the section into which WasmEdge compiles ("universal Wasm").
const AOT_SECTION: &str = "wasmedge";
/// Version of that section which 0.14.x runs; it interprets any other without an error.
const AOT_VERSION: u8 = 1;
/// The section's number of Linux.
const AOT_LINUX: u8 = 1;

/// Code compiled ahead of time, by the section's own first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Aot {
    version: u8,
    os: u8,
    arch: u8,
}

/// A program for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    aot: Option<Aot>,
}

/// What a program must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Compiled ahead of time for WasmEdge 0.14.x.
    Compiled,
    /// Anything that runs.
    Anything,
}

impl Program {
    /// Reads a core module's sections.
    ///
    /// # Errors
    /// Where `bytes` is no core Wasm module, or is broken.
    pub fn inspect(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut program = Self { aot: None };
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding: wasmparser::Encoding::Component, .. } => {
                    return Err(ImageError::Component);
                }
                Payload::CustomSection(section) if section.name() == AOT_SECTION => {
                    // A LEB128 number below 128 is its own byte; a greater version is none that we know.
                    let &[version, os, arch, ..] = section.data() else { return Err(ImageError::CutAot) };
                    program.aot = Some(Aot { version, os, arch });
                }
                _ => {}
            }
        }
        Ok(program)
    }

    /// Refuses what WasmEdge 0.14.1 would interpret, some eighty times slower, without an error.
    ///
    /// # Errors
    /// Where `wants` asks for compiled code and there is none that runs.
    pub fn check(&self, wants: Wants) -> Result<(), ImageError> {
        match (wants, self.aot) {
            (Wants::Anything, _) => Ok(()),
            (Wants::Compiled, None) => Err(ImageError::NotCompiled),
            (Wants::Compiled, Some(Aot { version: AOT_VERSION, os: AOT_LINUX, .. })) => Ok(()),
            (Wants::Compiled, Some(aot)) => {
                Err(ImageError::OtherAot { version: aot.version, os: aot.os, known: AOT_VERSION })
            }
        }
    }

    /// The architecture whose nodes run it compiled; elsewhere the same file is interpreted.
    pub fn architecture(&self) -> Arch {
        match self.aot {
            Some(Aot { arch: 2, .. }) => Arch::ARM64,
            _ => PORTABLE,
        }
    }

    /// For a label: `wasmedge-1` for version 1 of the section, `none` without.
    pub(super) fn aot_text(&self) -> String {
        self.aot.map_or_else(|| "none".to_owned(), |aot| format!("wasmedge-{}", aot.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of one custom section.
    fn module(name: &str, data: &[u8]) -> Vec<u8> {
        let payload = [&[name.len() as u8], name.as_bytes(), data].concat();
        [b"\0asm\x01\0\0\0\0".as_slice(), &[payload.len() as u8], &payload].concat()
    }

    #[test]
    fn the_section_says_what_runs_it() {
        for (aot, arch, runs) in
            [([1, 1, 1], Arch::Amd64, true), ([1, 1, 2], Arch::ARM64, true), ([2, 1, 1], Arch::Amd64, false)]
        {
            let program = Program::inspect(&module(AOT_SECTION, &aot)).expect("a module");
            assert_eq!(program.architecture(), arch);
            assert_eq!(program.check(Wants::Compiled).is_ok(), runs);
            assert!(program.check(Wants::Anything).is_ok());
        }
    }

    #[test]
    fn what_is_not_compiled_is_refused_unless_allowed() {
        let program = Program::inspect(&module("other", b"abc")).expect("a module");
        assert!(matches!(program.check(Wants::Compiled), Err(ImageError::NotCompiled)));
        assert!(program.check(Wants::Anything).is_ok());
        assert!(matches!(Program::inspect(&module(AOT_SECTION, &[1])), Err(ImageError::CutAot)));
        assert!(matches!(Program::inspect(b"MZ"), Err(ImageError::NotWasm(_))));
    }
}
