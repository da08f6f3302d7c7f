//! Files come and go at a path, and a service looks after them.

use std::path::PathBuf;

use endcap_core::AlignedBytes;
use endcap_core::recommend::{Engine, Request, Scratch};

use super::*;
use crate::model;

struct Bench {
    folder: tempfile::TempDir,
    serving: Model,
    sha256: String,
    reload: Reload,
    now: Nanos,
    puts: std::cell::Cell<u64>,
}

impl Bench {
    fn serving(file: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.wasm");
        std::fs::write(&path, file).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let (serving, sha256) = open_model(AlignedBytes::copy_from(file), Verify::Full).unwrap();
        let stamp = Stamp::of(&path).ok();
        let settings = Settings { path, verify: Verify::Full, every: Some(10 * SECOND), margin: 0.05 };
        Self {
            folder,
            serving,
            sha256,
            reload: Reload::new(settings, stamp),
            now: 0,
            puts: Default::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("model.wasm")
    }

    /// Replaces the file as `pack` does.
    fn put(&self, file: &[u8]) {
        let staged = self.folder.path().join("staged");
        std::fs::write(&staged, file).unwrap();
        // Tests are quicker than the clock of a file system: files of one size would look the same.
        self.puts.set(self.puts.get() + 1);
        let time = std::time::SystemTime::now() + std::time::Duration::from_secs(self.puts.get());
        std::fs::File::options().append(true).open(&staged).unwrap().set_modified(time).unwrap();
        std::fs::rename(staged, self.path()).unwrap();
    }

    /// Runs for so many seconds; what was judged.
    fn run(&mut self, seconds: u64) -> Vec<Finished> {
        let until = self.now + seconds * SECOND;
        let mut found = Vec::new();
        while self.now < until {
            let due = self.reload.due();
            if due > self.now {
                self.now = due.min(until);
                continue;
            }
            match self.reload.step(&self.serving, &self.sha256, self.now) {
                Step::Rest => assert!(self.reload.due() > self.now, "no rest"),
                Step::More => self.now += 1000,
                Step::Done(finished) => found.push(finished),
            }
        }
        found
    }

    #[track_caller]
    fn one(&mut self) -> Finished {
        let mut found = self.run(30);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

#[test]
fn what_is_as_good_replaces_and_its_numbers_are_known() {
    let mut bench = Bench::serving(&model::with_questions(false, false));
    assert!(bench.run(30).is_empty(), "nothing has changed");
    bench.put(&model::with_questions(true, false));
    let found = bench.one();
    assert_eq!(found.outcome, Outcome::Replaced);
    assert_eq!(found.fields["questions"], 50);
    let [old, new] = ["serving", "new"].map(|which| found.fields["ndcg10"][which].as_f64().unwrap());
    assert!(old > 0.9 && (old - new).abs() < 0.05, "{}", found.fields);
    assert!(found.fields["drift"].as_f64().unwrap() < 1.0, "{}", found.fields);
    let trial = found.trial.unwrap();
    assert_eq!((trial.numbers.forward(0), trial.numbers.back(0)), (Some(49), Some(49)));
    assert_eq!(trial.model.items().id(49), "i0");
    assert_ne!(trial.sha256, bench.sha256);
    assert_eq!(bench.reload.refused(), None);
}

#[test]
fn what_is_worse_does_not_serve_unless_forced() {
    let mut bench = Bench::serving(&model::with_questions(false, false));
    bench.put(&model::with_questions(false, true));
    let found = bench.one();
    assert_eq!(found.outcome, Outcome::Worse);
    assert!(found.trial.is_none() && found.fields["help"].as_str().unwrap().contains("force=true"));
    assert_eq!(bench.reload.refused(), Some(Outcome::Worse));
    assert!(bench.run(60).is_empty(), "a refused file is not asked again");
    bench.reload.ask(true);
    assert_eq!(bench.one().outcome, Outcome::Replaced);
    // Without force it stands by its word, also where it is asked.
    bench.reload.ask(false);
    assert_eq!(bench.one().outcome, Outcome::Worse);
    bench.put(&model::with_questions(false, false));
    assert_eq!(bench.one().outcome, Outcome::Unchanged);
    assert_eq!(bench.reload.refused(), None);
}

#[test]
fn a_margin_of_one_takes_anything() {
    let mut bench = Bench::serving(&model::with_questions(false, false));
    bench.reload.settings.margin = 1.0;
    bench.put(&model::with_questions(false, true));
    assert_eq!(bench.one().outcome, Outcome::Replaced);
}

#[test]
fn models_without_questions_replace_each_other() {
    let mut bench = Bench::serving(&model::small());
    bench.put(&model::build(60, 300, 4));
    let found = bench.one();
    assert_eq!(found.outcome, Outcome::Replaced);
    assert!(found.fields["not_compared"].is_string());
    let trial = found.trial.unwrap();
    assert_eq!((trial.numbers.forward(3), trial.numbers.back(55)), (Some(3), None));
}

#[test]
fn the_questions_of_the_one_that_serves_are_asked_where_the_other_brings_none() {
    let mut bench = Bench::serving(&model::with_questions(false, false));
    bench.put(&model::build(60, 300, 4));
    let found = bench.one();
    assert_eq!((found.outcome, &found.fields["asked"]), (Outcome::Replaced, &"old".into()));
}

#[test]
fn what_is_no_model_is_told_and_left() {
    let mut bench = Bench::serving(&model::small());
    let whole = model::build(60, 300, 4);
    bench.put(b"not a model");
    let found = bench.one();
    assert_eq!(found.outcome, Outcome::Invalid);
    assert!(found.fields["reason"].as_str().unwrap().contains("preamble"), "{}", found.fields);
    bench.put(&whole[..whole.len() / 2]);
    assert_eq!(bench.one().outcome, Outcome::Invalid);
    std::fs::remove_file(bench.path()).unwrap();
    assert!(bench.run(30).is_empty(), "between two files");
    bench.reload.ask(false);
    assert_eq!(bench.one().outcome, Outcome::Unreadable);
    bench.put(&whole);
    assert_eq!(bench.one().outcome, Outcome::Replaced);
}

#[test]
fn a_file_is_left_alone_while_it_is_written() {
    let mut bench = Bench::serving(&model::small());
    let whole = model::build(60, 300, 4);
    for part in 1..8 {
        std::fs::write(bench.path(), &whole[..whole.len() * part / 8]).unwrap();
        let until = bench.now + SECOND;
        while bench.now < until {
            let step = bench.reload.step(&bench.serving, &bench.sha256, bench.now);
            assert!(matches!(step, Step::Rest), "{step:?}");
            bench.now = bench.reload.due().min(until);
        }
    }
    std::fs::write(bench.path(), &whole).unwrap();
    assert_eq!(bench.one().outcome, Outcome::Replaced);
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_read_again() {
    let mut bench = Bench::serving(&model::small());
    // Beyond one piece.
    let large = model::build(5_000, 50_000, 5);
    bench.put(&large);
    bench.reload.ask(false);
    assert!(matches!(bench.reload.step(&bench.serving, &bench.sha256, 0), Step::More));
    bench.put(&model::build(60, 300, 4));
    let found = bench.one();
    assert_eq!((found.outcome, found.trial.unwrap().model.items().len()), (Outcome::Replaced, 60));
}

#[test]
fn nothing_is_looked_at_where_that_is_off_but_for_who_asks() {
    let mut bench = Bench::serving(&model::small());
    let settings = Settings { every: None, ..bench.reload.settings.clone() };
    bench.reload = Reload::new(settings, bench.reload.known);
    bench.put(&model::build(60, 300, 4));
    assert!(bench.run(1000).is_empty());
    bench.reload.ask(false);
    assert_eq!(bench.one().outcome, Outcome::Replaced);
}

#[test]
fn the_model_that_was_tried_answers() {
    let mut bench = Bench::serving(&model::with_questions(false, false));
    bench.put(&model::with_questions(true, false));
    let trial = bench.one().trial.unwrap();
    let (mut scratch, mut found) = (Scratch::default(), Vec::new());
    let request = Request { n: 4, history: &[10], ..Request::default() };
    let engine = Engine::new(&trial.model);
    engine.gather(&request, &mut scratch);
    engine.select(&request, &mut scratch, &mut found);
    let mut items: Vec<u32> = found.iter().map(|found| found.item).collect();
    items.sort_unstable();
    assert_eq!(items, [8, 9, 11, 12]);
}
