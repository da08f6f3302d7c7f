//! The program option `--nn-preload`, and the memory in which WasmEdge leaves its value.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::with_exposed_provenance;
use std::slice;

/// Name on the command line, without dashes.
pub(crate) const NAME: &std::ffi::CStr = c"nn-preload";

/// The option's value where it is not given: a `WasmEdge_String` of no bytes.
pub(crate) static EMPTY: [usize; 2] = [0; 2];

/// The memory that the option's descriptor points to.
///
/// Two writers know it. The command line's parser stores a `WasmEdge_String` there, two words. But
/// `WasmEdge_PluginInitWASINN`, which container runtimes and SDKs call, takes every plugin named `wasi_nn` for the
/// C++ one and assigns a `std::vector<std::string>`, three words, to the same place. A plugin that reserves only
/// what the header says has the memory behind it overwritten. So there is room for the larger, and all of it
/// begins as zeros, which is an empty string as well as an empty vector.
#[derive(Debug)]
#[repr(C, align(16))]
pub(crate) struct OptionStorage {
    words: UnsafeCell<[usize; 4]>,
}

// SAFETY: WasmEdge writes while it parses its command line or is told the models, and asks for modules, in which
// this is read, only later; its documentation demands that order.
unsafe impl Sync for OptionStorage {}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OptionValue {
    /// Nothing was given.
    Absent,
    /// The option's text. Of several on one command line WasmEdge 0.14.1 keeps the last.
    Text(String),
    /// The C++ list of a program that called `WasmEdge_PluginInitWASINN`.
    List(Vec<String>),
    /// The same in a runtime whose C++ library is not the known one.
    UnknownList,
}

impl OptionStorage {
    pub(crate) const fn new() -> Self {
        Self { words: UnsafeCell::new([0; 4]) }
    }

    /// For the descriptor.
    pub(crate) fn as_mut_ptr(&'static self) -> *mut c_void {
        self.words.get().cast()
    }

    /// Reads what was stored. `libstdcxx` says whether that is the runtime's C++ library.
    ///
    /// # Safety
    /// What the words point to must be alive, and nobody may write to the storage meanwhile.
    pub(crate) unsafe fn value(&self, libstdcxx: bool) -> OptionValue {
        // SAFETY: nobody writes, says the caller.
        let [first, second, third, _] = unsafe { *self.words.get() };
        // The end of a vector's storage. A string has no third word.
        if third != 0 {
            if !libstdcxx {
                return OptionValue::UnknownList;
            }
            // SAFETY: a vector of libstdc++ with capacity: begin, end, end of storage.
            return OptionValue::List(unsafe { cxx::strings(first, second) });
        }
        // Only the low half of the first word is the string's length; the other is padding and not always zero.
        let length = first as u32 as usize;
        if second == 0 || length == 0 {
            return OptionValue::Absent;
        }
        // SAFETY: a `WasmEdge_String` of this length lies here, alive says the caller.
        let bytes = unsafe { slice::from_raw_parts(with_exposed_provenance(second), length) };
        OptionValue::Text(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// `std::vector<std::string>` of libstdc++, whose layout has been fixed since GCC 5.
mod cxx {
    use std::ptr::with_exposed_provenance;
    use std::slice;

    /// A `std::string`: bytes, their number, and room for short ones or the capacity.
    #[derive(Debug)]
    #[repr(C)]
    pub(super) struct CxxString {
        bytes: *const u8,
        length: usize,
        room: [u8; 16],
    }

    const _: () = assert!(size_of::<CxxString>() == 32);

    /// # Safety
    /// From `begin` to `end` there must be live strings.
    pub(super) unsafe fn strings(begin: usize, end: usize) -> Vec<String> {
        let count = end.saturating_sub(begin) / size_of::<CxxString>();
        // SAFETY: the caller's promise.
        let strings = unsafe { slice::from_raw_parts(with_exposed_provenance::<CxxString>(begin), count) };
        let text = |string: &CxxString| {
            // SAFETY: a live string points to this many bytes.
            let bytes = unsafe { slice::from_raw_parts(string.bytes, string.length) };
            String::from_utf8_lossy(bytes).into_owned()
        };
        strings.iter().map(text).collect()
    }

    #[cfg(test)]
    pub(super) fn string(bytes: &'static str) -> CxxString {
        CxxString { bytes: bytes.as_ptr(), length: bytes.len(), room: [0; 16] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: [usize; 4], expected: OptionValue) {
        let storage = OptionStorage { words: UnsafeCell::new(words) };
        // SAFETY: the words of every caller below point to what lives until after the call.
        assert_eq!(unsafe { storage.value(true) }, expected);
    }

    #[test]
    fn nothing_stored_is_absent() {
        check([0; 4], OptionValue::Absent);
        check([0, c"".as_ptr().expose_provenance(), 0, 0], OptionValue::Absent);
    }

    #[test]
    fn a_string_is_read_by_the_low_half_of_its_length() {
        let text = "a:onnx:cpu:/m";
        let padded = text.len() | 0x6f5e_d1e6 << 32;
        check([padded, text.as_ptr().expose_provenance(), 0, 0], OptionValue::Text(text.into()));
    }

    #[test]
    fn a_vector_of_strings_is_told_by_its_capacity() {
        let strings = [cxx::string("a:onnx:cpu:/m/a"), cxx::string("b:ggml:cpu:/m/b")];
        let range = strings.as_ptr_range();
        let (begin, end) = (range.start.expose_provenance(), range.end.expose_provenance());
        let expected = OptionValue::List(vec!["a:onnx:cpu:/m/a".into(), "b:ggml:cpu:/m/b".into()]);
        check([begin, end, end, 0], expected);
        check([begin, begin, end, 0], OptionValue::List(Vec::new()));
        let storage = OptionStorage { words: UnsafeCell::new([begin, end, end, 0]) };
        // SAFETY: nothing is followed, because the library is said to be another.
        assert_eq!(unsafe { storage.value(false) }, OptionValue::UnknownList);
    }
}
