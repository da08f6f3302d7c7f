//! What the library asks of the process that loads it, and what it shows.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;

use object::elf::{DF_1_NODELETE, DT_FLAGS_1, FileHeader64};
use object::endian::Endianness;
use object::read::elf::{Dyn, ElfFile, FileHeader, SectionHeader};
use object::{Object, ObjectSymbol};

/// Libraries that every process with WasmEdge has loaded: in an image from nothing there are no others. WasmEdge's
/// own is not among the needed ones, because it is looked up in the process.
const LOADED: [&str; 6] =
    ["libwasmedge.so.0", "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "ld-linux-x86-64.so.2"];

#[test]
fn it_needs_nothing_that_is_not_there() {
    let bytes = fs::read(common::plugin()).unwrap();
    let header = FileHeader64::<Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, &*bytes).unwrap();
    let (entries, link) =
        sections.iter().find_map(|section| section.dynamic(endian, &*bytes).unwrap()).unwrap();
    let strings = sections.strings(endian, &*bytes, link).unwrap();
    let mut needed = Vec::new();
    let mut flags = 0;
    for entry in entries {
        match entry.tag(endian) {
            object::elf::DT_NEEDED => {
                needed.push(std::str::from_utf8(entry.string(endian, strings).unwrap()).unwrap());
            }
            object::elf::DT_RUNPATH | object::elf::DT_RPATH => panic!("a path of the building machine"),
            DT_FLAGS_1 => flags = entry.val32(endian).unwrap(),
            _ => {}
        }
    }
    let foreign: Vec<_> = needed.iter().filter(|name| !LOADED.contains(name)).collect();
    assert!(foreign.is_empty(), "{foreign:?} of {needed:?}");
    assert!(needed.contains(&"libc.so.6"), "{needed:?}");
    assert_ne!(flags & DF_1_NODELETE, 0, "may be unloaded while an engine's threads run");
}

#[test]
fn it_shows_one_symbol() {
    // Two plugins with the same engine would otherwise take each other's symbols.
    let bytes = fs::read(common::plugin()).unwrap();
    let file = ElfFile::<FileHeader64<Endianness>>::parse(&*bytes).unwrap();
    let shown: Vec<_> =
        file.dynamic_symbols().filter(ObjectSymbol::is_definition).map(|s| s.name().unwrap()).collect();
    assert_eq!(shown, ["WasmEdge_Plugin_GetDescriptor"]);
}
