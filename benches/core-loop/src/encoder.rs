//! Turns histories into user vectors with the built-in executor, and tells how long that took.
//!
//! `encoder-loop MODEL ITEMS RUNS`: a model file with an encoder; how many items a history has; how many histories are
//! timed, after a tenth as many untimed. Prints one line: nanoseconds for a user vector, nanoseconds for it where all but
//! the newest item was read before (a visitor's next click), nanoseconds for the scores of all items and the choice of
//! those that serving takes, a checksum over the bits of every user vector, the same on every engine, and the best items
//! of the last history with commas between.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use endcap_core::encoder::{Decoder, DecoderMemory, DecoderScratch, EncoderWeights};
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
    let items: usize = items.parse().context("ITEMS is not a whole number")?;
    let runs: u32 = runs.parse().context("RUNS is not a whole number")?;
    ensure!(items > 0 && runs > 0, "ITEMS and RUNS must be at least 1");
    let bytes = std::fs::read(model).with_context(|| format!("cannot read {model}"))?;
    let model = Model::open(AlignedBytes::copy_from(&bytes), Verify::Fast)?;
    let weights = model.encoder().context("the model has no encoder")?;
    let mut run = Run::new(weights);
    for number in 0..runs / 10 {
        run.history(number, items)?;
    }
    (run.encoding, run.next, run.scoring, run.checksum) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0);
    for number in 0..runs {
        run.history(number, items)?;
    }
    let nanos = |total: Duration| total.as_nanos() as f64 / f64::from(runs);
    let best: Vec<String> = run.best().iter().map(ToString::to_string).collect();
    let [encoding, next, scoring] = [run.encoding, run.next, run.scoring].map(nanos);
    println!("{encoding:.1} {next:.1} {scoring:.1} {:016x} {}", run.checksum, best.join(","));
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
            encoding: Duration::ZERO,
            next: Duration::ZERO,
            scoring: Duration::ZERO,
            checksum: 0,
        }
    }

    /// Encodes history `number` and scores all items against it. `bench-encoder` makes the same histories.
    fn history(&mut self, number: u32, items: usize) -> anyhow::Result<()> {
        let all = self.weights.embedding.items() as u32;
        self.history.clear();
        self.history.extend((0..items as u32).map(|at| (number * 11 + at * 37) % all));
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
