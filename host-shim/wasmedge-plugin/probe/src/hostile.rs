//! A guest that calls everything with anything.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use crate::abi::{OK, address, address_mut, raw};
use crate::onnx::FEATURES;

/// What the arguments are drawn from: xorshift, 64 bits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    fn below(&mut self, end: u32) -> u32 {
        self.next() % end
    }
}

/// Handles that were given out and not taken back. Contexts that went with their graph are among them.
#[derive(Default)]
struct Handles(Vec<u32>);

impl Handles {
    fn any(&self, random: &mut Random) -> u32 {
        if self.0.is_empty() || random.below(16) == 0 {
            return random.next();
        }
        self.0[random.below(self.0.len() as u32) as usize]
    }

    fn take(&mut self, random: &mut Random) -> u32 {
        let handle = self.any(random);
        self.forget(handle);
        handle
    }

    fn forget(&mut self, handle: u32) {
        self.0.retain(|&known| known != handle);
    }
}

/// Buffers that arguments may point into, laid out so that some calls succeed.
struct Arena {
    /// `(address, length)` of the model, which is one builder.
    builder: [u32; 2],
    shape: [u32; 2],
    data: Vec<u8>,
    /// A whole tensor of the above.
    tensor: [u32; 5],
    name: &'static str,
    /// Address of the bytes that results go to. They are never read.
    scratch: u32,
    _scratch: Vec<u8>,
}

/// Bytes for results.
const SCRATCH: u32 = 4096;

impl Arena {
    fn new(model: &[u8]) -> Box<Self> {
        let mut scratch = vec![0_u8; SCRATCH as usize];
        let mut arena = Box::new(Self {
            builder: [address(model), model.len() as u32],
            shape: [1, FEATURES as u32],
            data: vec![0; FEATURES * 4],
            tensor: [0; 5],
            name: "mlp",
            scratch: address_mut(&mut scratch[..]),
            _scratch: scratch,
        });
        arena.tensor = [address(&arena.shape), 2, 1, address(&arena.data[..]), arena.data.len() as u32];
        arena
    }

    /// An address: mostly of a buffer, now and then into the middle of one, or anywhere.
    fn pointer(&self, random: &mut Random) -> u32 {
        match random.below(12) {
            0..=2 => address(&self.builder),
            3..=5 => address(&self.tensor),
            6 => address(self.name),
            7..=8 => self.scratch + random.below(SCRATCH),
            9 => address(&self.data[..]) + random.below(9),
            10 => u32::MAX - random.below(16),
            _ => random.next(),
        }
    }

    /// A length: small, that of something, or anything.
    fn length(&self, random: &mut Random) -> u32 {
        match random.below(6) {
            0 => 1,
            1 => self.name.len() as u32,
            2 => random.below(64),
            3 => SCRATCH,
            4 => u32::MAX - random.below(16),
            _ => random.next(),
        }
    }

    /// Where a result may go without the guest losing its own memory.
    fn place(&self, random: &mut Random) -> u32 {
        match random.below(8) {
            0 => u32::MAX - random.below(8),
            _ => self.scratch + random.below(64),
        }
    }

    /// A buffer for results: the scratch, said to be of any length that does not reach beyond it, or one that ends
    /// beyond all memory.
    fn buffer(&self, random: &mut Random) -> (u32, u32) {
        match random.below(8) {
            0 => (self.scratch, u32::MAX - random.below(64)),
            1 => (u32::MAX - random.below(64), random.below(128)),
            _ => (self.scratch + 128, random.below(SCRATCH / 2)),
        }
    }
}

fn small(random: &mut Random) -> u32 {
    if random.below(4) == 0 { random.next() } else { random.below(3) }
}

/// The guest's state.
struct Guest {
    arena: Box<Arena>,
    random: Random,
    graphs: Handles,
    contexts: Handles,
}

impl Guest {
    /// Makes a call that gives a handle, which is learnt where it succeeds.
    fn gives(&mut self, kind: fn(&mut Self) -> &mut Handles, call: impl FnOnce(u32) -> u32) -> u32 {
        let place = self.arena.place(&mut self.random);
        let errno = call(place);
        if errno == OK {
            // SAFETY: the host has written to this place, so it lies in memory, and only in the scratch bytes.
            let handle = unsafe { std::ptr::with_exposed_provenance::<u32>(place as usize).read_unaligned() };
            kind(self).0.push(handle);
        }
        errno
    }

    fn graph(&mut self) -> u32 {
        self.graphs.any(&mut self.random)
    }

    fn context(&mut self) -> u32 {
        self.contexts.any(&mut self.random)
    }

    fn one(&mut self) -> (&'static str, u32) {
        let (arena, random) = (&self.arena, &mut self.random);
        match random.below(16) {
            0 => {
                let (encoding, target, builders) = (small(random), small(random), arena.pointer(random));
                let count = if random.below(4) == 0 { arena.length(random) } else { 1 };
                let load = |place| raw::load(builders, count, encoding, target, place);
                ("load", self.gives(|guest| &mut guest.graphs, load))
            }
            1 => {
                let (name, length) = (arena.pointer(random), arena.length(random));
                let load = |place| raw::load_by_name(name, length, place);
                ("load_by_name", self.gives(|guest| &mut guest.graphs, load))
            }
            2 => {
                let (name, length) = (address(arena.name), arena.name.len() as u32);
                let (config, size) = (arena.pointer(random), arena.length(random));
                let load = |place| raw::load_by_name_with_config(name, length, config, size, place);
                ("load_by_name_with_config", self.gives(|guest| &mut guest.graphs, load))
            }
            3..=4 => {
                let graph = self.graph();
                let init = |place| raw::init_execution_context(graph, place);
                ("init_execution_context", self.gives(|guest| &mut guest.contexts, init))
            }
            5..=7 => {
                let wild = random.below(3) == 0;
                let tensor = if wild { arena.pointer(random) } else { address(&arena.tensor) };
                let index = small(random) / 2;
                let context = self.context();
                let errno = raw::set_input(context, index, tensor);
                // Gone with its graph: most calls should reach what is there.
                if !wild && index == 0 && errno != OK {
                    self.contexts.forget(context);
                }
                ("set_input", errno)
            }
            8..=9 => ("compute", raw::compute(self.context())),
            10 => ("compute_single", raw::compute_single(self.context())),
            11 => ("fini_single", raw::fini_single(self.context())),
            12..=13 => {
                let ((buffer, size), index) = (arena.buffer(random), small(random) / 2);
                let written = arena.place(random);
                ("get_output", raw::get_output(self.context(), index, buffer, size, written))
            }
            14 => {
                let ((buffer, size), index) = (arena.buffer(random), small(random) / 2);
                let written = arena.place(random);
                ("get_output_single", raw::get_output_single(self.context(), index, buffer, size, written))
            }
            _ if random.below(4) == 0 => ("unload", raw::unload(self.graphs.take(random))),
            _ => ("finalize_execution_context", raw::finalize_execution_context(self.contexts.take(random))),
        }
    }
}

/// Makes so many calls and prints how often each function gave which errno.
pub(crate) fn calls(file: &str, seed: u64, calls: u64) -> anyhow::Result<()> {
    let model = fs::read(file)?;
    // Zero is the one state that xorshift does not leave.
    let random = Random(seed | 1 << 32);
    let mut guest =
        Guest { arena: Arena::new(&model), random, graphs: Handles::default(), contexts: Handles::default() };
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..calls {
        let (function, errno) = guest.one();
        *seen.entry(format!("{function} {errno}")).or_default() += 1;
    }
    println!("{}", json!({ "calls": calls, "seen": seen }));
    Ok(())
}
