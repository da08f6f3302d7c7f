//! Turns histories into user vectors with the built-in executor, and tells how long that took.
//!
//! `encoder-loop MODEL ITEMS RUNS`: a model file with an encoder; how many items a history has, or `sessions` for those of the
//! model's own index; how many histories are timed, after a tenth as many untimed. Prints one line: nanoseconds for a user
//! vector, nanoseconds for it where all but the newest item was read before (a visitor's next click), nanoseconds for the
//! scores of all items and the choice of those that serving takes, a checksum over the bits of every user vector, the same
//! on every engine, and the best items of the last history with commas between. For a model with cells a second line: nanoseconds for the same choice by cells, the
//! shares of the best 20 and of all of that choice that it finds, and the share of cells that it searches.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use endcap_core::encoder::{CellScratch, Decoder, DecoderMemory, DecoderScratch, EncoderWeights};
use endcap_core::format::{Model, Verify};
use endcap_core::recommend::SEQUENCE_CANDIDATES;
use endcap_core::topn::TopN;
use endcap_core::{AlignedBytes, ItemIx};

/// Items of an answer, as in the other benches.
const N: usize = 20;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, items, runs] = args.as_slice() else {
        bail!("usage: encoder-loop MODEL ITEMS RUNS");
    };
    let items: Option<usize> = match items.as_str() {
        "sessions" => None,
        items => Some(items.parse().context("ITEMS is neither a whole number nor `sessions`")?),
    };
    let runs: u32 = runs.parse().context("RUNS is not a whole number")?;
    ensure!(items != Some(0) && runs > 0, "ITEMS and RUNS must be at least 1");
    let bytes = std::fs::read(model).with_context(|| format!("cannot read {model}"))?;
    let model = Model::open(AlignedBytes::copy_from(&bytes), Verify::Fast)?;
    let weights = model.encoder().context("the model has no encoder")?;
    let mut run = Run::new(weights);
    let sessions = model.sessions();
    let ask = |run: &mut Run<'_>, number: u32| match items {
        Some(items) => run.made(number, items),
        None => {
            let at = number as usize * sessions.sessions().div_ceil(runs as usize) % sessions.sessions();
            let range = sessions.session_offsets[at] as usize..sessions.session_offsets[at + 1] as usize;
            run.history.clear();
            run.history.extend_from_slice(&sessions.session_items[range]);
            run.history()
        }
    };
    for number in 0..runs / 10 {
        ask(&mut run, number)?;
    }
    (run.encoding, run.next, run.scoring, run.checksum) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0);
    (run.searching, run.found) = (Duration::ZERO, [0; 2]);
    for number in 0..runs {
        ask(&mut run, number)?;
    }
    let nanos = |total: Duration| total.as_nanos() as f64 / f64::from(runs);
    let best: Vec<String> = run.best().iter().map(ToString::to_string).collect();
    let [encoding, next, scoring] = [run.encoding, run.next, run.scoring].map(nanos);
    println!("{encoding:.1} {next:.1} {scoring:.1} {:016x} {}", run.checksum, best.join(","));
    if let Some(cells) = run.weights.cells {
        let share = |found: u64, of: usize| found as f64 / (f64::from(runs) * of as f64);
        println!(
            "{:.1} {:.4} {:.4} {:.4}",
            nanos(run.searching),
            share(run.found[0], N),
            share(run.found[1], SEQUENCE_CANDIDATES),
            cells.asked() as f64 / cells.len() as f64
        );
    }
    Ok(())
}

struct Run<'m> {
    weights: EncoderWeights<'m>,
    decoder: Decoder,
    scratch: DecoderScratch,
    /// For next clicks, with buffers of their own.
    memory: DecoderMemory,
    more: DecoderScratch,
    history: Vec<ItemIx>,
    top: TopN,
    /// For a choice by cells.
    cells: CellScratch,
    near: TopN,
    searching: Duration,
    /// Items that it found, of the best [`N`] and of all that are chosen.
    found: [u64; 2],
    encoding: Duration,
    next: Duration,
    scoring: Duration,
    checksum: u64,
}

impl<'m> Run<'m> {
    fn new(weights: EncoderWeights<'m>) -> Self {
        Self {
            weights,
            decoder: Decoder::new(&weights),
            scratch: DecoderScratch::default(),
            memory: DecoderMemory::default(),
            more: DecoderScratch::default(),
            history: Vec::new(),
            top: TopN::default(),
            cells: CellScratch::default(),
            near: TopN::default(),
            searching: Duration::ZERO,
            found: [0; 2],
            encoding: Duration::ZERO,
            next: Duration::ZERO,
            scoring: Duration::ZERO,
            checksum: 0,
        }
    }

    /// Asks with history `number`; `bench-encoder` makes the same histories.
    fn made(&mut self, number: u32, items: usize) -> anyhow::Result<()> {
        let all = self.weights.embedding.items() as u32;
        self.history.clear();
        self.history.extend((0..items as u32).map(|at| (number * 11 + at * 37) % all));
        self.history()
    }

    /// Encodes the history and scores all items against it.
    fn history(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let user = self.decoder.encode(self.weights.embedding, &self.history, &mut self.scratch)?;
        self.encoding += begun.elapsed();
        let (embedding, newest) = (self.weights.embedding, self.history.len() - 1);
        if newest > 0 {
            self.decoder.encode_more(embedding, &self.history[..newest], &mut self.memory, &mut self.more)?;
        }
        let begun = Instant::now();
        let next = self.decoder.encode_more(embedding, &self.history, &mut self.memory, &mut self.more)?;
        self.next += begun.elapsed();
        ensure!(next == user, "reading one more item gives another vector");
        let begun = Instant::now();
        self.top.reset(SEQUENCE_CANDIDATES);
        self.weights.output.offer_all(user, &mut self.top);
        ensure!(self.top.finish().len() == SEQUENCE_CANDIDATES, "the catalogue has too few items");
        self.scoring += begun.elapsed();
        if let Some(cells) = self.weights.cells {
            let begun = Instant::now();
            self.near.reset(SEQUENCE_CANDIDATES);
            cells.offer_near(user, &mut self.cells, &mut self.near);
            let near = self.near.finish();
            self.searching += begun.elapsed();
            let near: HashSet<ItemIx> = near.iter().map(|&(_, item)| item).collect();
            for (place, (_, item)) in self.top.finish().iter().enumerate() {
                let found = u64::from(near.contains(item));
                self.found[0] += if place < N { found } else { 0 };
                self.found[1] += found;
            }
        }
        for value in user {
            // FNV-1a's step on words: order counts, and it costs next to nothing beside an encoding.
            self.checksum = (self.checksum ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }

    /// The best items of the last history.
    fn best(&mut self) -> Vec<ItemIx> {
        self.top.finish().iter().take(N).map(|&(_, item)| item).collect()
    }
}
