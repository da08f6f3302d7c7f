//! From a decoded request to an encoded answer, timed stage by stage.

use endcap_core::ItemIx;
use endcap_core::format::Model;
use endcap_core::recommend::{Engine, MAX_HISTORY, Recommendation, Request, Scratch, Strategy};
use endcap_core::store::{EventStore, Owner};

use crate::api::ask::Ask;
use crate::api::encode::{push_hex, push_recommendations, push_string, push_strings, push_used};
use crate::clock::{Clock, Nanos};
use crate::inference::{Inference, Part};
use crate::metrics::{Fallback, Metrics, Stage};

/// Numbers recommendations, so that later feedback can name the one it followed.
#[derive(Debug)]
pub struct Ids {
    seed: u64,
    count: u64,
}

impl Ids {
    /// Ids that differ from those of a process with another seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// The next id: SplitMix64 (Steele, Lea, Flood 2014), a bijection, so a process repeats none.
    pub fn next_id(&mut self) -> u64 {
        self.count += 1;
        let mut id = self.seed.wrapping_add(self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        id ^ (id >> 31)
    }
}

/// What recommending needs beside the model. Buffers grow to their largest use and stay.
#[derive(Debug)]
pub struct Recommender<C, S> {
    /// Time.
    pub clock: C,
    /// Events of sessions and users.
    pub store: S,
    /// Counters.
    pub metrics: Metrics,
    /// Recommendation ids.
    pub ids: Ids,
    /// The models that serve beside retrieval.
    pub inference: Inference,
    scratch: Scratch,
    history: Vec<ItemIx>,
    /// How many at its beginning are the user's, and not of the running visit.
    earlier: usize,
    exclude: Vec<ItemIx>,
    found: Vec<Recommendation>,
}

impl<C: Clock, S: EventStore> Recommender<C, S> {
    /// With empty buffers and counters.
    pub fn new(clock: C, store: S, seed: u64, inference: Inference) -> Self {
        Self {
            clock,
            store,
            metrics: Metrics::default(),
            ids: Ids::new(seed),
            inference,
            scratch: Scratch::default(),
            history: Vec::new(),
            earlier: 0,
            exclude: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Answers `ask` in JSON; its decoding began at `began`, and `unix_ms` decides which events have expired.
    pub fn answer(
        &mut self,
        model: &Model,
        ask: &Ask<'_, '_>,
        began: Nanos,
        unix_ms: i64,
        out: &mut Vec<u8>,
    ) {
        let fallback = self.recommend(model, ask, began, unix_ms);
        let selected = self.clock.nanos();
        self.encode(model, ask, fallback, out);
        let encoded = self.clock.nanos();
        self.metrics.stage(Stage::Encode, encoded.saturating_sub(selected));
    }

    /// Leaves the answer to `ask` in [`Self::found`], and gives the reason if it is not what was asked for.
    pub fn recommend(
        &mut self,
        model: &Model,
        ask: &Ask<'_, '_>,
        began: Nanos,
        unix_ms: i64,
    ) -> Option<Fallback> {
        let mut watch = Watch { last: began };
        watch.stage(Stage::Decode, &self.clock, &mut self.metrics);
        self.gather_history(ask, unix_ms);
        watch.stage(Stage::History, &self.clock, &mut self.metrics);
        let Self { clock, metrics, inference, scratch, history, earlier, exclude, found, .. } = self;
        let wanted = matches!(ask.strategy, Strategy::Personal | Strategy::Sequence) && !history.is_empty();
        let mut failed = wanted && Part::ALL.into_iter().any(|part| inference.is_missing(part));
        let engine = Engine::new(model);
        let mut request = Request {
            n: ask.n,
            strategy: ask.strategy,
            history,
            earlier: *earlier,
            sequence: None,
            exclude,
            repeat: ask.repeat,
            candidates: ask.rerank.then_some(ask.lists.candidates.as_slice()),
            min_score: ask.min_relevance,
            fallback: ask.fallback,
        };
        // An encoder that weighs nothing in this list would cost more than all of the rest.
        let heard = engine.hears_sequence(&request);
        if let (true, Some(encoder), Some(weights)) = (heard, &mut inference.encoder, model.encoder()) {
            let proposed = encoder.propose(&weights, history);
            metrics.inference(Part::Encoder, proposed.is_ok());
            failed |= proposed.is_err();
            request.sequence = proposed.ok();
            watch.stage(Stage::Sequence, clock, metrics);
        }
        engine.gather(&request, scratch);
        watch.stage(Stage::Gather, clock, metrics);
        let asked = wanted && ask.strategy == Strategy::Personal;
        let ranker = inference.ranker.as_mut().filter(|ranker| asked && ranker.covers(&request));
        if let Some(ranker) = ranker {
            let ranked = ranker.rerank(engine, &request, scratch).is_ok();
            metrics.inference(Part::Ranker, ranked);
            failed |= !ranked;
            watch.stage(Stage::Rank, clock, metrics);
        }
        found.clear();
        engine.select(&request, scratch, found);
        watch.stage(Stage::Select, clock, metrics);
        let fallback = self.fallback(ask.strategy, failed);
        for found in &self.found {
            self.metrics.item(found.source);
        }
        if let Some(fallback) = fallback {
            self.metrics.fallback(fallback);
        }
        fallback
    }

    /// What is like `item` of `model`, best first, with similarities in (0, 1].
    pub fn neighbors(&mut self, model: &Model, item: ItemIx) -> Vec<(ItemIx, f32)> {
        Engine::new(model).neighbors(item, &mut self.scratch)
    }

    /// For another model from now on: with its `inference`, and what is remembered in its numbers of items.
    pub fn change_model(&mut self, inference: Inference, number: &dyn Fn(ItemIx) -> Option<ItemIx>) {
        self.store.renumber(number);
        self.inference = inference;
        self.scratch = Scratch::default();
        self.found.clear();
    }

    /// The last answer, best first.
    pub fn found(&self) -> &[Recommendation] {
        &self.found
    }

    /// User first, session behind it, the items of the request last: oldest to newest.
    ///
    /// An item that a later part repeats counts there only. Clients that report events and also send the
    /// running session would otherwise have every item twice among the few that are matched.
    fn gather_history(&mut self, ask: &Ask<'_, '_>, unix_ms: i64) {
        let Self { history, earlier, exclude, store, .. } = self;
        history.clear();
        exclude.clear();
        exclude.extend_from_slice(&ask.lists.exclude);
        if let Some(user) = &ask.user {
            store.recent(Owner::User(user), unix_ms, history, exclude);
        }
        *earlier = history.len();
        if let Some(session) = &ask.session {
            let older = history.len();
            store.recent(Owner::Session(session), unix_ms, history, exclude);
            *earlier = forget_repeated(history, older, *earlier);
        }
        let older = history.len();
        let items = &ask.lists.items;
        history.extend_from_slice(&items[items.len().saturating_sub(MAX_HISTORY)..]);
        *earlier = forget_repeated(history, older, *earlier);
    }

    fn fallback(&self, strategy: Strategy, failed: bool) -> Option<Fallback> {
        if matches!(strategy, Strategy::Trending | Strategy::Popular | Strategy::Latest) {
            return None;
        }
        let filled = self.found.iter().any(|found| !found.source.is_personal());
        match (filled, self.history.is_empty()) {
            (true, true) => Some(Fallback::NoHistory),
            _ if failed => Some(Fallback::ModelUnavailable),
            (true, false) => Some(Fallback::TooFew),
            (false, _) => None,
        }
    }

    fn encode(&mut self, model: &Model, ask: &Ask<'_, '_>, fallback: Option<Fallback>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"recommId\":\"");
        push_hex(out, self.ids.next_id());
        out.extend_from_slice(b"\",\"items\":");
        push_recommendations(out, model.items(), &self.found, ask.include);
        out.extend_from_slice(b",\"used\":");
        push_used(out, &self.found);
        out.extend_from_slice(b",\"fallback\":");
        match fallback {
            Some(fallback) => push_string(out, fallback.as_str()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"missing\":");
        push_strings(out, ask.missing.iter().map(|id| &**id));
        if let Some(scenario) = &ask.scenario {
            out.extend_from_slice(b",\"scenario\":");
            push_string(out, scenario);
        }
        out.extend_from_slice(b",\"model\":");
        push_string(out, &model.manifest().name);
        out.push(b'}');
    }
}

/// Times the stages one after the other.
struct Watch {
    last: Nanos,
}

impl Watch {
    /// Ends a stage.
    fn stage(&mut self, stage: Stage, clock: &impl Clock, metrics: &mut Metrics) {
        let now = clock.nanos();
        metrics.stage(stage, now.saturating_sub(self.last));
        self.last = now;
    }
}

/// Drops from the first `older` entries those that stand behind them again; how many are left of the first `earlier`.
fn forget_repeated(history: &mut Vec<ItemIx>, older: usize, earlier: usize) -> usize {
    if older == 0 || older == history.len() {
        return earlier;
    }
    let (mut kept, mut kept_earlier) = (0, 0);
    for at in 0..older {
        let item = history[at];
        if !history[older..].contains(&item) {
            history[kept] = item;
            kept += 1;
            kept_earlier += usize::from(at < earlier);
        }
    }
    history.drain(kept..older);
    kept_earlier
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_item_counts_where_it_is_newest() {
        let check = |mut history: Vec<ItemIx>, older, earlier, expected: &[ItemIx], left| {
            assert_eq!(forget_repeated(&mut history, older, earlier), left);
            assert_eq!(history, expected);
        };
        check(vec![1, 2, 3, 2, 4, 4], 3, 3, &[1, 3, 2, 4, 4], 2);
        check(vec![1, 2, 3, 2, 4, 4], 3, 1, &[1, 3, 2, 4, 4], 1);
        check(vec![1, 2], 2, 2, &[1, 2], 2);
        check(vec![1, 2], 0, 0, &[1, 2], 0);
        check(vec![1, 1, 1], 2, 1, &[1], 0);
    }

    #[test]
    fn ids_differ() {
        let mut ids = Ids::new(7);
        let first: std::collections::BTreeSet<u64> = (0..1000).map(|_| ids.next_id()).collect();
        assert_eq!(first.len(), 1000);
    }
}
