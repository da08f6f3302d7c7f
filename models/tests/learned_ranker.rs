//! The learned ranker from a log to a list: kept where it helps, told, packed in both forms that agree, and left out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::fmt::Write as _;
use std::path::PathBuf;

use common::{Folder, endcap, ok, refused, text};
use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify, section};
use endcap_core::inference::{Encoding, Ranker, Runtime};
use endcap_core::recommend::{Engine, Feature, Request, Scratch};
use endcap_models::dataset::Dataset;
use endcap_models::evaluate::{Baselines, Calibration, Case, Method, Task, evaluate};
use endcap_models::fit::{Recipe, fit};
use endcap_models::inference::Native;
use endcap_models::train::{Options, SESSION_GAP, records};

const CATEGORIES: usize = 20;
const ITEMS: usize = 500;
const VISITS: usize = 8_000;

/// A dataset of visits to one category each, from the dear to the cheap: which way shoppers go, a ranker sees by the
/// prices, and the sources do not look at those; transitions, which see it as well, are left out.
struct Shop {
    folder: Folder,
    dataset: PathBuf,
}

impl Shop {
    fn new() -> Self {
        let folder = Folder::new();
        let mut state = 1_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as usize) % below
        };
        let mut events = "session,item,event,timestamp\n".to_owned();
        for visit in 0..VISITS {
            let category = draw(CATEGORIES);
            let mut ranks: Vec<usize> = (0..6).map(|_| draw(ITEMS / CATEGORIES)).collect();
            ranks.sort_unstable_by(|a, b| b.cmp(a));
            for (view, rank) in ranks.into_iter().enumerate() {
                let time = 1_700_000_000 + visit * 600 + view * 20;
                writeln!(events, "s{visit},i{},view,{time}", category + CATEGORIES * rank).unwrap();
            }
        }
        let mut items = "item,name,category,price\n".to_owned();
        for item in 0..ITEMS {
            let (category, price) = (item % CATEGORIES, 1 + item / CATEGORIES);
            writeln!(items, "i{item},Thing {item},c{category},{price}").unwrap();
        }
        let (events, items) = (folder.file("events.csv", events), folder.file("items.csv", items));
        let dataset = folder.path("dataset");
        ok(&["import", text(&events), "--catalog", text(&items), "--out", text(&dataset)]);
        Self { folder, dataset }
    }

    /// Trains into a folder of this name: where it is, and what was told.
    fn train(&self, name: &str, more: &[&str]) -> (PathBuf, String) {
        let trained = self.folder.path(name);
        let train = ["train", text(&self.dataset), "--out", text(&trained), "--transition-gaps", "0"];
        let output = endcap(&[&train, more].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        (trained, told)
    }

    fn pack(&self, trained: &std::path::Path, more: &[&str]) -> Model {
        let file = self.folder.path("model.wasm");
        let _ = std::fs::remove_file(&file);
        ok(&[&["pack", text(trained), "--out", text(&file)], more].concat());
        Model::open(AlignedBytes::copy_from(&std::fs::read(&file).unwrap()), Verify::Full).unwrap()
    }
}

fn names(model: &Model) -> Vec<&str> {
    model.manifest().sections.iter().map(|section| &*section.name).collect()
}

#[test]
fn a_ranker_is_learned_where_it_helps_and_serves_alike_in_both_forms() {
    let shop = Shop::new();
    let (trained, told) = shop.train("trained", &[]);
    assert!(told.contains("ranker within a visit: kept"), "{told}");
    let model = shop.pack(&trained, &[]);
    assert!([section::RANKER, section::RANKER_ONNX].iter().all(|name| names(&model).contains(name)));
    let metrics = &model.manifest().card.metrics;
    assert!(metrics["held_out_ranked_ndcg@10"] > metrics["held_out_ndcg@10"] * 1.05, "{metrics:?}");

    let (weights, spec) = model.ranker().expect("a learned ranker");
    assert!(spec.log_odds && spec.independent_rows);
    let mut builtin = Ranker::builtin(weights, spec.clone()).unwrap();
    let graph = Native::default().load(model.ranker_onnx().unwrap(), Encoding::Onnx).unwrap();
    let mut onnx = Ranker::new(graph, spec.clone()).unwrap();
    let engine = Engine::new(&model);
    let mut scratch = Scratch::default();
    let mut compared = 0;
    for first in 0..50 {
        let request = Request { history: &[first, 400 - first], ..Request::default() };
        engine.gather(&request, &mut scratch);
        engine.shortlist(&request, &Feature::ALL, &mut scratch);
        let items: Vec<_> = scratch.shortlisted().collect();
        let score = |ranker: &mut Ranker| {
            ranker.score(scratch.features(), items.iter().copied(), request.history).unwrap().to_vec()
        };
        for (one, other) in score(&mut builtin).into_iter().zip(score(&mut onnx)) {
            assert!((one - other).abs() < 1e-4 * (1.0 + one.abs()), "{one} {other}");
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared} items");

    // A ranker belongs to the weights that it was learned with.
    let without = shop.pack(&trained, &["--ranker", text(&foreign(&shop, &model))]);
    assert!(!names(&without).contains(&section::RANKER) && without.ranker().is_none());
    assert!(
        without.ranker_onnx().is_some() && !without.manifest().parameters.ranker.as_ref().unwrap().log_odds
    );
}

/// The learned ranker's file, as if another tool had made it.
fn foreign(shop: &Shop, model: &Model) -> PathBuf {
    shop.folder.file("foreign.onnx", model.ranker_onnx().unwrap())
}

#[test]
fn probabilities_are_what_happens() {
    let shop = Shop::new();
    let log = records(&Dataset::open(&shop.dataset).unwrap(), Some(SESSION_GAP), &mut |_| {}).unwrap();
    let mut number = 0;
    let (train, renumbered) = log
        .filtered(|_| {
            number += 1;
            number <= VISITS / 2
        })
        .in_order();
    let cases: Vec<Case> = log.sessions[VISITS / 2..]
        .iter()
        .zip((1..=5).cycle())
        .map(|(visit, at)| {
            let items: Vec<u32> = visit.clicks.iter().map(|click| renumbered[click.item as usize]).collect();
            Case { history: items[..at].to_vec(), targets: vec![items[at]], last_basket: at, earlier: 0 }
        })
        .collect();
    let recipe =
        Recipe { options: Options::default(), choose: true, rank: true, keep_back: false, encoder: None };
    let fitted = fit(&train, &recipe, &mut |_| {}).unwrap();
    let model = fitted.trained.open().unwrap();
    let task = Task { train, cases };
    let methods = [Method::Personal, Method::Blended];
    let rows = evaluate(&task, &task.cases, &model, &methods, &Baselines::default()).unwrap();
    let [personal, blended] = &rows[..] else { panic!("two lines") };
    let (ranked, unranked) = (personal.figures.ndcg[1], blended.figures.ndcg[1]);
    assert!(ranked > unranked * 1.05, "{ranked} {unranked}");
    let bins = &personal.figures.calibration;
    let items: usize = bins.iter().map(|bin| bin.items).sum();
    assert!(items > 10_000 && bins.len() > 3, "{bins:?}");
    let sum =
        |value: fn(&Calibration) -> f64| bins.iter().map(|bin| bin.items as f64 * value(bin)).sum::<f64>();
    let (told, came) = (sum(|bin| bin.told), sum(|bin| bin.came));
    assert!((told / came - 1.0).abs() < 0.2, "told {told}, came {came}: {bins:?}");
    assert!(blended.figures.calibration.is_empty(), "the blend tells no probability");
}

#[test]
fn no_ranker_where_none_is_wanted() {
    let shop = Shop::new();
    let (trained, told) = shop.train("without", &["--no-ranker"]);
    assert!(!told.contains("ranker"), "{told}");
    let model = shop.pack(&trained, &[]);
    assert!(model.ranker().is_none() && model.ranker_onnx().is_none());
    // One of an earlier training may lie there.
    let (trained, _) = shop.train("trained", &[]);
    shop.train("trained", &["--blend-default"]);
    assert!(trained.join(section::RANKER).exists());
    assert!(shop.pack(&trained, &[]).ranker().is_none());
    refused(&["train", "x", "--out", "y", "--no-ranker", "yes"], 2, &["unexpected argument"]);
}
