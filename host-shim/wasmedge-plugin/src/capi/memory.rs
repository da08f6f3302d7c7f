//! The guest's linear memory as a slice.

use std::ffi::c_void;

use libloading::os::unix::Library;

use super::{ApiError, CallingFrame, MemoryInstance, MemoryType, function};

/// Bytes of a page of WebAssembly's memory.
const PAGE: usize = 65_536;

/// `WasmEdge_Limit` of 0.14; an opaque type in later versions.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Limit {
    has_max: bool,
    shared: bool,
    min: u32,
    max: u32,
}

const _: () = assert!(size_of::<Limit>() == 12);

/// What a caller has for memory.
pub(crate) enum GuestMemory<'a> {
    /// All of memory 0.
    Bytes(&'a mut [u8]),
    /// The calling module has no memory.
    Missing,
    /// The memory is shared with other threads of the guest, which may write to it at any moment: a slice of it
    /// would be a data race.
    Shared,
}

/// Widths of offsets and page counts: 32 bits in 0.14, 64 from the versions with 64-bit memories.
#[derive(Debug)]
enum Widths {
    Narrow {
        pointer: unsafe extern "C" fn(*mut MemoryInstance, u32, u32) -> *mut u8,
        pages: unsafe extern "C" fn(*const MemoryInstance) -> u32,
        limit: unsafe extern "C" fn(*const MemoryType) -> Limit,
    },
    Wide {
        pointer: unsafe extern "C" fn(*mut MemoryInstance, u64, u64) -> *mut u8,
        pages: unsafe extern "C" fn(*const MemoryInstance) -> u64,
        limit: unsafe extern "C" fn(*const MemoryType) -> *const c_void,
        is_shared: unsafe extern "C" fn(*const c_void) -> bool,
    },
}

/// The functions that lead from a call to the caller's memory.
#[derive(Debug)]
pub(crate) struct MemoryApi {
    of_frame: unsafe extern "C" fn(*const CallingFrame, u32) -> *mut MemoryInstance,
    type_of: unsafe extern "C" fn(*const MemoryInstance) -> *const MemoryType,
    widths: Widths,
}

impl MemoryApi {
    /// Finds them in 0.14.
    pub(super) fn find_narrow(library: &Library) -> Result<Self, ApiError> {
        // SAFETY: the types are those of that version's header.
        let widths = unsafe {
            Widths::Narrow {
                pointer: function(library, c"WasmEdge_MemoryInstanceGetPointer")?,
                pages: function(library, c"WasmEdge_MemoryInstanceGetPageSize")?,
                limit: function(library, c"WasmEdge_MemoryTypeGetLimit")?,
            }
        };
        Self::with(library, widths)
    }

    /// Finds them in 0.17.
    pub(super) fn find_wide(library: &Library) -> Result<Self, ApiError> {
        // SAFETY: the types are those of that version's header.
        let widths = unsafe {
            Widths::Wide {
                pointer: function(library, c"WasmEdge_MemoryInstanceGetPointer")?,
                pages: function(library, c"WasmEdge_MemoryInstanceGetPageSize")?,
                limit: function(library, c"WasmEdge_MemoryTypeGetLimit")?,
                is_shared: function(library, c"WasmEdge_LimitIsShared")?,
            }
        };
        Self::with(library, widths)
    }

    fn with(library: &Library, widths: Widths) -> Result<Self, ApiError> {
        // SAFETY: the types are the same in the headers of every version accepted.
        unsafe {
            Ok(Self {
                of_frame: function(library, c"WasmEdge_CallingFrameGetMemoryInstance")?,
                type_of: function(library, c"WasmEdge_MemoryInstanceGetMemoryType")?,
                widths,
            })
        }
    }

    /// Memory 0 of the module that calls. Looked up in every call: a guest may have grown it since.
    ///
    /// # Safety
    /// `frame` must be the frame of a running host function, and the slice must not be used after it returns.
    pub(crate) unsafe fn of<'a>(&self, frame: *const CallingFrame) -> GuestMemory<'a> {
        // SAFETY: the frame is alive, says the caller; a frame without a module gives null.
        let memory = unsafe { (self.of_frame)(frame, 0) };
        if memory.is_null() {
            return GuestMemory::Missing;
        }
        // SAFETY: the memory belongs to the module of the live frame. Offset 0 and length 1 lie within it where
        // it has a page; the library answers null where they do not.
        let (shared, pages, start) = unsafe {
            let ty = (self.type_of)(memory);
            match self.widths {
                Widths::Narrow { pointer, pages, limit } => {
                    (limit(ty).shared, pages(memory) as usize, pointer(memory, 0, 1))
                }
                Widths::Wide { pointer, pages, limit, is_shared } => {
                    (is_shared(limit(ty)), pages(memory) as usize, pointer(memory, 0, 1))
                }
            }
        };
        if shared {
            return GuestMemory::Shared;
        }
        if start.is_null() || pages == 0 {
            return GuestMemory::Bytes(&mut []);
        }
        // SAFETY: WasmEdge keeps `pages` pages from `start` mapped readable and writable while the frame runs; a
        // memory never shrinks. No other reference exists: the guest's own thread is in this call, and the
        // memory is not shared between threads.
        GuestMemory::Bytes(unsafe { std::slice::from_raw_parts_mut(start, pages * PAGE) })
    }
}
