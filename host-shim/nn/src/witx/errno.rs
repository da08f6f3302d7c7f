//! What a function of the ABI returns: the numbers of WasmEdge 0.14.1, of which 0 to 8 are the standard's.

use crate::Category;

/// Done.
pub const SUCCESS: u32 = 0;
/// The caller passed what does not fit: a pointer, a handle, a tensor, metadata.
pub const INVALID_ARGUMENT: u32 = 1;
/// The model is not what its encoding says, or no engine reads it.
pub const INVALID_ENCODING: u32 = 2;
/// The calling module has no memory. For adapters: a [`super::Session`] is always given one.
pub const MISSING_MEMORY: u32 = 3;
/// In use, or too many at once.
pub const BUSY: u32 = 4;
/// The engine failed.
pub const RUNTIME_ERROR: u32 = 5;
/// Well formed, and not something that is done here.
pub const UNSUPPORTED_OPERATION: u32 = 6;
/// Above a limit, or an output that does not fit its buffer.
pub const TOO_LARGE: u32 = 7;
/// No model of this name.
pub const NOT_FOUND: u32 = 8;
/// The text has ended.
pub const END_OF_SEQUENCE: u32 = 100;
/// The text has filled the model's context.
pub const CONTEXT_FULL: u32 = 101;
/// The prompt does not fit into the model's context.
pub const PROMPT_TOO_LONG: u32 = 102;

/// The number of a kind of failure.
pub fn of(category: Category) -> u32 {
    match category {
        Category::InvalidArgument => INVALID_ARGUMENT,
        Category::InvalidEncoding => INVALID_ENCODING,
        Category::Runtime => RUNTIME_ERROR,
        Category::Unsupported => UNSUPPORTED_OPERATION,
        Category::TooLarge => TOO_LARGE,
        Category::NotFound => NOT_FOUND,
        Category::Busy => BUSY,
        Category::EndOfSequence => END_OF_SEQUENCE,
        Category::ContextFull => CONTEXT_FULL,
        Category::PromptTooLong => PROMPT_TOO_LONG,
    }
}
