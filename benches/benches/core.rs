//! The prediction path alone: core, native, one thread.
//!
//! What: session kNN (by the last events, and by whole histories), and the linear model, from a session's items to
//! the 20 best (`Engine::recommend`), one prediction a click; what a learned ranker adds to one; the selection of the best
//! n; opening a model. Corpora and settings: `corpus`; visitors: `traffic`, with its fixed seed. How to run: `make bench`,
//! `make bench ARGS=open` for a part.
//!
//! Every answer is checked for its length, outside the timed part. Criterion gives means; tails are in a table
//! of single latencies that comes first (bounded by [`TABLE_PREDICTIONS`]). The goal is a p99 below 100 µs.

use std::time::{Duration, Instant};

use anyhow::ensure;
use criterion::{BatchSize, Criterion};
use endcap_benches::corpus::{Corpus, LINEAR, Prepared, Setting, WHOLE};
use endcap_benches::latency::Latencies;
use endcap_benches::machine;
use endcap_benches::traffic::{Draw, N, Visitor};
use endcap_core::AlignedBytes;
use endcap_core::ItemIx;
use endcap_core::format::{Model, RankerWeights, Verify};
use endcap_core::inference::{HIDDEN, Ranker, RankerScope, RankerSpec};
use endcap_core::recommend::{Engine, Feature, Recommendation, Request, Scratch, Strategy};
use endcap_core::topn::TopN;

/// Timed predictions of a line of the table: 200 lie above the p999.
const TABLE_PREDICTIONS: u64 = 200_000;
/// Untimed ones before.
const WARM_UP: u64 = 20_000;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` starts this too, and wants to know only that it starts.
    if std::env::args().any(|arg| arg == "--test") {
        return Ok(());
    }
    let data = machine::data()?;
    let cores = machine::cores()?;
    machine::pin(cores[cores.len() - 1])?;
    let mut prepared = Vec::new();
    for corpus in Corpus::ALL {
        let log = corpus.read(&data)?;
        for setting in Setting::ALL {
            let made = Prepared::make(corpus, setting, &log, &machine::work_folder())?;
            prepared.push((format!("{}/{}", corpus.as_str(), setting.as_str()), made));
        }
        let made = Prepared::make_whole(corpus, &log, &machine::work_folder())?;
        prepared.push((format!("{}/{WHOLE}", corpus.as_str()), made));
        let made = Prepared::make_linear(corpus, &log, &machine::work_folder())?;
        prepared.push((format!("{}/{LINEAR}", corpus.as_str()), made));
    }
    table(&prepared)?;
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    predictions(&mut criterion, &prepared);
    ranking(&mut criterion, &prepared)?;
    selection(&mut criterion);
    opening(&mut criterion, &prepared);
    criterion.final_summary();
    Ok(())
}

/// A visitor's clicks, each answered.
struct Shop<'p> {
    sessions: &'p [Vec<ItemIx>],
    engine: Engine<'p>,
    strategy: Strategy,
    draw: Draw,
    visitor: Visitor,
    scratch: Scratch,
    found: Vec<Recommendation>,
}

impl<'p> Shop<'p> {
    fn new(prepared: &'p Prepared) -> Self {
        let mut draw = Draw::new(0);
        let visitor = Visitor::arrive(&prepared.sessions, &mut draw);
        Self {
            sessions: &prepared.sessions,
            engine: Engine::new(&prepared.model),
            strategy: prepared.strategy(),
            draw,
            visitor,
            scratch: Scratch::default(),
            found: Vec::new(),
        }
    }

    /// Answers the next click; how long that took, and whether the answer has its length.
    fn click(&mut self) -> (Duration, bool) {
        self.visitor.click(self.sessions, &mut self.draw);
        let history = self.visitor.history(self.sessions);
        let request = Request { n: N, strategy: self.strategy, history, ..Request::default() };
        self.found.clear();
        let begun = Instant::now();
        self.engine.recommend(&request, &mut self.scratch, &mut self.found);
        (begun.elapsed(), self.found.len() == N)
    }
}

fn table(prepared: &[(String, Prepared)]) -> anyhow::Result<()> {
    println!("{}, {}", machine::now(), machine::describe());
    println!("latency of one prediction, µs ({TABLE_PREDICTIONS} each, all checked)");
    println!("{:28} {:>8} {:>8} {:>8} {:>8} {:>8}", "", "mean", "p50", "p99", "p999", "max");
    for (name, prepared) in prepared {
        let mut shop = Shop::new(prepared);
        let mut wrong = 0_u64;
        for _ in 0..WARM_UP {
            shop.click();
        }
        let mut latencies = Latencies::new()?;
        for _ in 0..TABLE_PREDICTIONS {
            let (took, right) = shop.click();
            latencies.record(took);
            wrong += u64::from(!right);
        }
        ensure!(wrong == 0, "{name}: {wrong} answers do not have {N} items");
        println!(
            "{name:28} {:8.1} {:8.1} {:8.1} {:8.1} {:8.1}",
            latencies.mean_micros(),
            latencies.micros(0.5),
            latencies.micros(0.99),
            latencies.micros(0.999),
            latencies.max_micros()
        );
    }
    println!();
    Ok(())
}

fn predictions(criterion: &mut Criterion, prepared: &[(String, Prepared)]) {
    let mut group = criterion.benchmark_group("predict");
    for (name, prepared) in prepared {
        let mut shop = Shop::new(prepared);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let (took, right) = shop.click();
                    assert!(right, "an answer does not have {N} items");
                    total += took;
                }
                total
            });
        });
    }
    group.finish();
}

/// The shortlist of 200, its features, and a network of the learned one's size over them; its weights are drawn, as what
/// they are changes no time.
fn ranking(criterion: &mut Criterion, prepared: &[(String, Prepared)]) -> anyhow::Result<()> {
    let mut draw = Draw::new(2);
    let mut weights = |count: usize| (0..count).map(|_| draw.exponential() as f32 - 1.0).collect::<Vec<_>>();
    let phi = 2 * Feature::ALL.len();
    let (hidden, hidden_bias) = (weights(phi * HIDDEN), weights(HIDDEN));
    let (direct, out) = (weights(phi), weights(HIDDEN));
    let weights =
        RankerWeights { hidden: &hidden, hidden_bias: &hidden_bias, direct: &direct, out: &out, bias: 0.0 };
    let spec = RankerSpec::of_network(&Feature::ALL, RankerScope::All);
    let mut group = criterion.benchmark_group("rank");
    for (name, prepared) in prepared.iter().filter(|(name, _)| name.ends_with(Setting::Large.as_str())) {
        let mut shop = Shop::new(prepared);
        let mut ranker = Ranker::builtin(weights, spec.clone())?;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut total, mut ranked) = (Duration::ZERO, 0);
                while ranked < iterations {
                    shop.visitor.click(shop.sessions, &mut shop.draw);
                    let history = shop.visitor.history(shop.sessions);
                    let request = Request { n: N, strategy: shop.strategy, history, ..Request::default() };
                    shop.engine.gather(&request, &mut shop.scratch);
                    let begun = Instant::now();
                    let done = ranker.rerank(shop.engine, &request, &mut shop.scratch);
                    let took = begun.elapsed();
                    assert!(done.is_ok(), "the ranker failed");
                    // Where no session is alike there is nothing to rank, and nothing to time.
                    if shop.scratch.shortlisted().len() > 0 {
                        (total, ranked) = (total + took, ranked + 1);
                    }
                }
                total
            });
        });
    }
    group.finish();
    Ok(())
}

fn selection(criterion: &mut Criterion) {
    /// As many candidates as a large neighbourhood has items.
    const CANDIDATES: u32 = 5_000;
    let mut draw = Draw::new(1);
    // Skewed, as scores are: few are high.
    let scores: Vec<f32> = (0..CANDIDATES).map(|_| draw.exponential() as f32).collect();
    let mut top = TopN::default();
    criterion.bench_function("top-n/20 of 5000", |bencher| {
        bencher.iter(|| {
            top.reset(N);
            for (&score, item) in scores.iter().zip(0..) {
                top.push(score, item);
            }
            let best = top.finish();
            assert_eq!(best.len(), N);
            best[0]
        });
    });
}

fn opening(criterion: &mut Criterion, prepared: &[(String, Prepared)]) {
    let mut group = criterion.benchmark_group("open");
    // Both settings of a corpus differ in the length of posting lists only.
    for (name, prepared) in prepared.iter().filter(|(name, _)| name.ends_with(Setting::Large.as_str())) {
        let Ok(file) = std::fs::read(&prepared.file) else { continue };
        let bytes = AlignedBytes::copy_from(&file);
        group.throughput(criterion::Throughput::Bytes(file.len() as u64));
        for (how, verify) in [("fast", Verify::Fast), ("full", Verify::Full)] {
            group.bench_function(format!("{name}/{how}"), |bencher| {
                bencher.iter_batched(
                    || bytes.clone(),
                    |bytes| Model::open(bytes, verify).map(|model| assert!(!model.items().is_empty())),
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}
