//! Predicts for every click of recorded sessions, and tells how long one prediction took.
//!
//! `core-loop MODEL SESSIONS PREDICTIONS`: a model file; a text file with one session a line, items as dense
//! numbers separated by blanks, oldest first; how many predictions are timed. A tenth as many come first,
//! untimed. Prints one line: nanoseconds a prediction, a blank, and a checksum over items and score bits, which
//! is the same on every engine.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use endcap_core::format::{Model, Verify};
use endcap_core::recommend::{Engine, MAX_HISTORY, Request, Scratch, Strategy};
use endcap_core::{AlignedBytes, ItemIx};

/// Items of an answer, as in the HTTP bench.
const N: usize = 20;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, sessions, predictions] = args.as_slice() else {
        bail!("usage: core-loop MODEL SESSIONS PREDICTIONS");
    };
    let predictions: u64 = predictions.parse().context("PREDICTIONS is not a whole number")?;
    ensure!(predictions > 0, "PREDICTIONS must be at least 1");
    let bytes = std::fs::read(model).with_context(|| format!("cannot read {model}"))?;
    let model = Model::open(AlignedBytes::copy_from(&bytes), Verify::Fast)?;
    let text = std::fs::read_to_string(sessions).with_context(|| format!("cannot read {sessions}"))?;
    let sessions = parse(&text, model.items().len())?;
    // A file with a linear model is one made to measure that.
    let strategy = if model.linear().is_some() { Strategy::Linear } else { Strategy::Session };
    let (scratch, found) = (Scratch::default(), Vec::new());
    let mut run = Run { engine: Engine::new(&model), strategy, scratch, found, checksum: 0 };
    run.predict(&sessions, predictions / 10)?;
    run.checksum = 0;
    let begun = Instant::now();
    run.predict(&sessions, predictions)?;
    let nanos = begun.elapsed().as_nanos() as f64 / predictions as f64;
    println!("{nanos:.1} {:016x}", run.checksum);
    Ok(())
}

fn parse(text: &str, items: usize) -> anyhow::Result<Vec<Vec<ItemIx>>> {
    let mut sessions = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let session: Result<Vec<ItemIx>, _> = line.split_ascii_whitespace().map(str::parse).collect();
        let session = session.with_context(|| format!("line {number} of the sessions"))?;
        let known = session.iter().all(|&item| (item as usize) < items);
        ensure!(
            known && !session.is_empty(),
            "line {number} of the sessions is empty or has an unknown item"
        );
        sessions.push(session);
    }
    ensure!(!sessions.is_empty(), "the file of sessions is empty");
    Ok(sessions)
}

struct Run<'m> {
    engine: Engine<'m>,
    strategy: Strategy,
    scratch: Scratch,
    found: Vec<endcap_core::recommend::Recommendation>,
    checksum: u64,
}

impl Run<'_> {
    /// One prediction a click, session after session, from the first again where they are used up.
    fn predict(&mut self, sessions: &[Vec<ItemIx>], predictions: u64) -> anyhow::Result<()> {
        let mut left = predictions;
        for session in sessions.iter().cycle() {
            for clicks in 1..=session.len() {
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                let history = &session[clicks.saturating_sub(MAX_HISTORY)..clicks];
                let request = Request { n: N, strategy: self.strategy, history, ..Request::default() };
                self.found.clear();
                self.engine.recommend(&request, &mut self.scratch, &mut self.found);
                ensure!(self.found.len() == N, "an answer has {} items instead of {N}", self.found.len());
                for found in &self.found {
                    let word = u64::from(found.item) << 32 | u64::from(found.score.to_bits());
                    // FNV-1a's step on words: order counts, and it costs next to nothing beside a prediction.
                    self.checksum = (self.checksum ^ word).wrapping_mul(0x0000_0100_0000_01b3);
                }
            }
        }
        Ok(())
    }
}
