//! A guest that calls at random: right calls, wrong calls, and calls that are almost right.

use endcap_nn::witx::{Session, errno};
use endcap_nn::{Engine, Limits, Registry};

/// Bytes of the guest's memory: small, so that its end is often met.
const MEMORY: usize = 32 << 10;
/// Where what a guest needs lies.
const MODELS: u32 = 0x400;
const BUILDERS: u32 = 0x40;
const TENSORS: u32 = 0x100;
const DIMENSIONS: u32 = 0x200;
const NAMES: u32 = 0x300;
const DATA: u32 = 0x4000;
const OUTPUT: u32 = 0x5000;
const NUMBERS: u32 = 0x6000;

/// The functions, as often as they are called: seldom what would end everything before it is used.
const FUNCTIONS: [u32; 32] =
    [0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 7, 8, 8, 8, 8, 9, 10, 11];

const ERRNOS: [u32; 12] = [
    errno::SUCCESS,
    errno::INVALID_ARGUMENT,
    errno::INVALID_ENCODING,
    errno::MISSING_MEMORY,
    errno::BUSY,
    errno::RUNTIME_ERROR,
    errno::UNSUPPORTED_OPERATION,
    errno::TOO_LARGE,
    errno::NOT_FOUND,
    errno::END_OF_SEQUENCE,
    errno::CONTEXT_FULL,
    errno::PROMPT_TOO_LONG,
];

/// The guest, its memory and its session.
pub(crate) struct Guest<'a> {
    session: Session,
    memory: Vec<u8>,
    pristine: Vec<u8>,
    /// Where its choices come from; `None` ends it.
    next: &'a mut dyn FnMut() -> Option<u32>,
    /// Last given, of a graph and of a context.
    handles: [u32; 2],
}

/// Limits that a guest of this kind reaches.
pub(crate) fn engine() -> Engine {
    let limits = Limits {
        model_bytes: 1 << 20,
        tensor_bytes: 1 << 16,
        working_bytes: 1 << 18,
        graphs: 6,
        contexts: 24,
        plans: 4,
        tokens: 64,
    };
    Engine::new(limits, Registry::default())
}

impl<'a> Guest<'a> {
    pub(crate) fn new(engine: Engine, models: &[Vec<u8>], next: &'a mut dyn FnMut() -> Option<u32>) -> Self {
        let pristine = lay_out(models);
        Self { session: Session::new(engine), memory: pristine.clone(), pristine, next, handles: [0; 2] }
    }

    /// One call. `None` where the choices have come to their end; else which function it was, and the errno.
    pub(crate) fn call(&mut self) -> Option<(u32, u32)> {
        self.disturb()?;
        let before = self.memory.clone();
        let function = FUNCTIONS[(self.next)()? as usize % FUNCTIONS.len()];
        let handle = self.handle(matches!(function, 3 | 10))?;
        let (session, memory) = (&mut self.session, &mut self.memory);
        let next = &mut *self.next;
        // Where a handle comes to lie.
        let mut handle_out = None;
        let errno = match function {
            0 => {
                let model = next()? % 6;
                let (builders, encoding) =
                    (pointer(next, BUILDERS + 8 * model)?, number(next, &[1, 1, 1, 5, 5, 6])?);
                let (count, target) = (number(next, &[1, 1, 1, 2])?, number(next, &[0, 0, 0, 1])?);
                let out = *handle_out.insert(pointer(next, NUMBERS)?);
                session.load(memory, builders, count, encoding, target, out)
            }
            1 => {
                let (name, length) = (pointer(next, NAMES)?, number(next, &[4])?);
                let out = *handle_out.insert(pointer(next, NUMBERS)?);
                session.load_by_name(memory, name, length, out)
            }
            2 => {
                let (name, length) = (pointer(next, NAMES)?, number(next, &[4])?);
                let (config, config_length) = (pointer(next, NAMES)?, number(next, &[2])?);
                let out = *handle_out.insert(pointer(next, NUMBERS)?);
                session.load_by_name_with_config(memory, name, length, config, config_length, out)
            }
            3 => {
                let out = *handle_out.insert(pointer(next, NUMBERS)?);
                session.init_execution_context(memory, handle, out)
            }
            4 => {
                let given = next()? % 4;
                let (index, tensor) = (number(next, &[0])?, pointer(next, TENSORS + 20 * given)?);
                session.set_input(memory, handle, index, tensor)
            }
            5 => session.compute(memory, handle),
            6 => session.compute_single(memory, handle),
            7 => session.fini_single(memory, handle),
            8 | 9 => {
                let (index, out) = (number(next, &[0])?, pointer(next, OUTPUT)?);
                let (length, written) = (number(next, &[4, 16, 64, 1024])?, pointer(next, NUMBERS)?);
                let errno = match function {
                    8 => session.get_output(memory, handle, index, out, length, written),
                    _ => session.get_output_single(memory, handle, index, out, length, written),
                };
                check_untouched(&before, memory, errno, (out, length), written);
                errno
            }
            10 => session.unload(memory, handle),
            _ => session.finalize_execution_context(memory, handle),
        };
        assert!(ERRNOS.contains(&errno), "errno {errno}");
        assert!(errno == errno::SUCCESS || session.last_error().is_some(), "a failure without a reason");
        if let (errno::SUCCESS, Some(out)) = (errno, handle_out) {
            let handle = memory[out as usize..][..4].try_into().ok()?;
            self.handles[usize::from(function == 3)] = u32::from_le_bytes(handle);
        }
        let (graphs, contexts) = session.open();
        assert!(graphs <= 6 && contexts <= 24, "{graphs} graphs, {contexts} contexts");
        Some((function, errno))
    }

    /// Now and then, memory is written over, or put in order again.
    fn disturb(&mut self) -> Option<()> {
        match (self.next)()? % 16 {
            0 => {
                let at = (self.next)()? as usize % (MEMORY - 4);
                self.memory[at..at + 4].copy_from_slice(&(self.next)()?.to_le_bytes());
            }
            1..=3 => self.memory.copy_from_slice(&self.pristine),
            _ => {}
        }
        Some(())
    }

    /// Mostly one of the last given.
    fn handle(&mut self, graph: bool) -> Option<u32> {
        let (kind, value) = ((self.next)()?, (self.next)()?);
        Some(match kind % 16 {
            0 => value,
            1 => value % 64,
            2 => self.handles[usize::from(!graph)].wrapping_sub(value % 4),
            _ => self.handles[usize::from(!graph)],
        })
    }
}

/// A failed call writes nothing, but for the length needed where the buffer was too small.
fn check_untouched(before: &[u8], after: &[u8], errno: u32, (out, length): (u32, u32), written: u32) {
    let within = |at: usize, ptr: u32, length: u32| {
        at as u64 >= u64::from(ptr) && (at as u64) < u64::from(ptr) + u64::from(length)
    };
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        if before != after {
            let allowed = match errno {
                errno::SUCCESS => within(at, out, length) || within(at, written, 4),
                errno::TOO_LARGE => within(at, written, 4),
                _ => false,
            };
            assert!(allowed, "byte {at} was written by a call with errno {errno}");
        }
    }
}

/// Mostly the right pointer; else near it, near the end, or anywhere.
fn pointer(next: &mut dyn FnMut() -> Option<u32>, right: u32) -> Option<u32> {
    let (kind, value) = (next()?, next()?);
    Some(match kind % 16 {
        0 => value,
        1 => (MEMORY as u32).wrapping_sub(value % 32),
        2 => right.wrapping_add(value % 16),
        _ => right,
    })
}

/// Mostly a number that makes sense; else a small one, or any.
fn number(next: &mut dyn FnMut() -> Option<u32>, right: &[u32]) -> Option<u32> {
    let (kind, value) = (next()?, next()?);
    Some(match kind % 16 {
        0 => value,
        1 => value % 20,
        _ => right[value as usize % right.len()],
    })
}

fn lay_out(models: &[Vec<u8>]) -> Vec<u8> {
    let mut memory = vec![0; MEMORY];
    let mut put = |at: u32, bytes: &[u8]| memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
    let numbers = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let mut at = MODELS;
    for (index, model) in models.iter().enumerate() {
        put(BUILDERS + 8 * index as u32, &numbers(&[at, model.len() as u32]));
        put(at, model);
        at += model.len() as u32;
    }
    assert!(at <= DATA, "the models take more than their place");
    put(NAMES, b"rank");
    // Four tensors: one and two rows of three numbers, one that is too long, one of bytes.
    put(DIMENSIONS, &numbers(&[1, 3, 2, 3, 12]));
    put(TENSORS, &numbers(&[DIMENSIONS, 2, 1, DATA, 12]));
    put(TENSORS + 20, &numbers(&[DIMENSIONS + 8, 2, 1, DATA, 24]));
    put(TENSORS + 40, &numbers(&[DIMENSIONS + 8, 2, 1, DATA, 28]));
    put(TENSORS + 60, &numbers(&[DIMENSIONS + 16, 1, 3, DATA, 12]));
    memory
}
