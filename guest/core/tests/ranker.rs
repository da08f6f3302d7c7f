//! The learned ranker: its section there and back, what it computes, and what a list looks like behind it.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{FormatError, Model, RankerWeights, Verify, encode_ranker, section, write_model};
use endcap_core::inference::{
    Engine as Executor, HIDDEN, Ranker, RankerInput, RankerNetwork, RankerOutput, RankerScope, RankerSpec,
};
use endcap_core::recommend::{Engine, Recommendation, Request, Scratch};
use proptest::prelude::*;

/// Weights of a network over some columns.
#[derive(Debug, Clone)]
struct Weights {
    hidden: Vec<f32>,
    hidden_bias: Vec<f32>,
    direct: Vec<f32>,
    out: Vec<f32>,
    bias: f32,
}

impl Weights {
    /// A network that does nothing.
    fn zeros(columns: usize) -> Self {
        Self {
            hidden: vec![0.0; 2 * columns * HIDDEN],
            hidden_bias: vec![0.0; HIDDEN],
            direct: vec![0.0; 2 * columns],
            out: vec![0.0; HIDDEN],
            bias: 0.0,
        }
    }

    fn view(&self) -> RankerWeights<'_> {
        let Self { hidden, hidden_bias, direct, out, bias } = self;
        RankerWeights { hidden, hidden_bias, direct, out, bias: *bias }
    }

    /// As the module's documentation writes it, in double precision.
    fn log_odds(&self, row: &[f32]) -> f64 {
        let phi: Vec<f64> =
            row.iter().map(|&x| f64::from(x)).chain(row.iter().map(|&x| f64::from(x).sqrt())).collect();
        let sum = |weights: &mut dyn Iterator<Item = f32>| -> f64 {
            weights.zip(&phi).map(|(weight, phi)| f64::from(weight) * phi).sum()
        };
        let hidden = (0..HIDDEN).map(|unit| {
            let column = sum(&mut self.hidden.iter().skip(unit).step_by(HIDDEN).copied());
            (column + f64::from(self.hidden_bias[unit])).max(0.0) * f64::from(self.out[unit])
        });
        f64::from(self.bias) + sum(&mut self.direct.iter().copied()) + hidden.sum::<f64>()
    }
}

fn spec(columns: &[&str]) -> RankerSpec {
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    RankerSpec {
        inputs: vec![RankerInput::Features { name: "features".to_owned(), columns }],
        output: RankerOutput { index: 0, name: "log_odds".to_owned(), columns: 1, column: 0 },
        independent_rows: true,
        log_odds: true,
        scope: RankerScope::All,
    }
}

/// The golden shop's file with this ranker.
fn open(weights: RankerWeights<'_>, spec: Option<RankerSpec>) -> Result<Model, FormatError> {
    let shop = Shop::golden();
    let mut manifest = shop.manifest();
    manifest.parameters.ranker = spec;
    let mut bodies = shop.bodies();
    bodies.push((section::RANKER, encode_ranker(weights)));
    let file = write_model(manifest, &bodies).expect("writes");
    Model::open(AlignedBytes::copy_from(&file), Verify::Full)
}

#[test]
fn a_network_that_does_not_fit_is_refused() {
    let two = &["session", "together"];
    let good = Weights::zeros(2);
    open(good.view(), Some(spec(two))).expect("opens");
    let refused =
        |weights: &Weights, spec| open(weights.view(), spec).expect_err("must be refused").to_string();
    assert!(refused(&good, None).contains("without its specification"));
    assert!(refused(&good, Some(spec(&["session"]))).contains("another length"));
    let items = RankerSpec { inputs: vec![RankerInput::Items { name: "items".to_owned() }], ..spec(two) };
    assert!(refused(&good, Some(items)).contains("features and nothing else"));
    let mut broken = good.clone();
    broken.direct[3] = f32::NAN;
    assert!(refused(&broken, Some(spec(two))).contains("not finite"));
    let short = Weights { hidden_bias: vec![0.0; HIDDEN - 1], ..good };
    assert!(refused(&short, Some(spec(two))).contains("another length"));
}

#[test]
fn a_list_follows_the_ranker_and_tells_probabilities() {
    // The rarer of what was found first: the reverse of what the catalogue is sorted by.
    let mut weights = Weights::zeros(1);
    weights.direct[0] = 4.0;
    weights.bias = -3.0;
    let model = open(weights.view(), Some(spec(&["popularity_rank"]))).expect("opens");
    let engine = Engine::new(&model);
    let request = Request { n: 4, history: &[1], fallback: true, ..Request::default() };
    let (mut scratch, mut blended, mut ranked) = (Scratch::default(), Vec::new(), Vec::new());
    engine.recommend(&request, &mut scratch, &mut blended);
    assert!(blended.iter().all(|found| found.probability.is_none()));
    let (stored, spec) = model.ranker().expect("a ranker");
    let mut ranker = Ranker::builtin(stored, spec.clone()).expect("fits");
    assert_eq!(ranker.engine(), Executor::Builtin);
    engine.gather(&request, &mut scratch);
    ranker.rerank(engine, &request, &mut scratch).expect("ranks");
    engine.select(&request, &mut scratch, &mut ranked);
    let items = |list: &[Recommendation]| list.iter().map(|found| found.item).collect::<Vec<_>>();
    assert_eq!(items(&ranked), [11, 3, 2, 0], "not {:?}", items(&blended));
    for found in &ranked {
        let log_odds = weights.log_odds(&[found.item as f32 / 12.0]) as f32;
        let expected = 1.0 / (1.0 + (-log_odds).exp());
        assert!((found.probability.expect("a probability") - expected).abs() < 1e-6, "{found:?}");
    }
    // What fills a list up was not ranked.
    let mut filled = Vec::new();
    let request = Request { n: 12, ..request };
    engine.gather(&request, &mut scratch);
    ranker.rerank(engine, &request, &mut scratch).expect("ranks");
    engine.select(&request, &mut scratch, &mut filled);
    assert!(
        filled.iter().all(|found| found.probability.is_some() == found.source.is_personal()),
        "{filled:?}"
    );
    assert!(filled.iter().any(|found| found.probability.is_none()), "{filled:?}");
}

proptest! {
    #[test]
    fn the_executor_computes_what_is_written(
        (columns, seed) in (1_usize..20, any::<u64>()),
        scale in 0.01_f32..3.0,
    ) {
        // A cheap source of numbers of both signs.
        let mut state = seed | 1;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * scale
        };
        let mut many = |count: usize| (0..count).map(|_| draw()).collect::<Vec<_>>();
        let weights = Weights {
            hidden: many(2 * columns * HIDDEN),
            hidden_bias: many(HIDDEN),
            direct: many(2 * columns),
            out: many(HIDDEN),
            bias: many(1)[0],
        };
        let row: Vec<f32> = many(columns).into_iter().map(f32::abs).collect();
        let found = f64::from(RankerNetwork::new(weights.view()).log_odds(&row));
        let expected = weights.log_odds(&row);
        prop_assert!((found - expected).abs() < 1e-3 * (1.0 + expected.abs()), "{found} {expected}");
    }
}
