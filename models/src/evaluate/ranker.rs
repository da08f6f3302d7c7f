//! What is compared: the served strategies, and the baselines that published tables forget.

use endcap_core::ItemIx;
use endcap_core::format::Model;
use endcap_core::inference;
use endcap_core::recommend::{Engine, Recommendation, Request, Scratch, Strategy};
use serde::Serialize;

use super::Case;
use super::baseline::{Markov, RepeatLast};
use super::linear::{EaseRanker, Exact, ExactRanker};
use super::sequence::{Proposals, Sequence};
use crate::train::Dense;

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The linear model as served, without fallback.
    Linear,
    /// Its weights before they are pruned and rounded.
    LinearExact,
    /// EASE with all its weights, over the whole history, nothing masked.
    Ease,
    /// Transition counts as served, without fallback; where the log has an order.
    Transitions,
    /// The sequence encoder as served by the built-in executor, without fallback; where the model has one.
    Sequence,
    /// The same of a model with its weights before they were rounded to int8.
    SequenceExact,
    /// Session kNN as served, without fallback.
    Knn,
    /// Co-occurrence (item-kNN) as served, without fallback.
    Together,
    /// The served default: blended, ordered by the learned ranker where the model has one, with fallback.
    Personal,
    /// The same without the ranker.
    Blended,
    /// The same with the history hidden, as a request has it by default: what is new to the customer.
    Discover,
    /// First-order Markov counts with popularity fill.
    Markov,
    /// The last basket's items, most often bought first, with popularity fill.
    RepeatLast,
    /// Most popular.
    Popular,
}

impl Method {
    /// Every line, in the order of the table.
    pub const ALL: [Self; 14] = [
        Self::Linear,
        Self::LinearExact,
        Self::Ease,
        Self::Transitions,
        Self::Sequence,
        Self::SequenceExact,
        Self::Knn,
        Self::Together,
        Self::Personal,
        Self::Blended,
        Self::Discover,
        Self::Markov,
        Self::RepeatLast,
        Self::Popular,
    ];

    /// Its name in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::LinearExact => "linear-exact",
            Self::Ease => "ease",
            Self::Sequence => "sequence",
            Self::SequenceExact => "sequence-exact",
            Self::Knn => "knn",
            Self::Together => "together",
            Self::Personal => "personal",
            Self::Blended => "blended",
            Self::Discover => "discover",
            Self::Markov => "markov",
            Self::Transitions => "transitions",
            Self::RepeatLast => "repeat-last",
            Self::Popular => "popular",
        }
    }
}

/// Ranks items for a case; one per thread.
pub(super) trait Ranker {
    /// Leaves at most `n` items in `list`, best first. `at` is the number of the case among those that are asked.
    fn rank(&mut self, at: usize, case: &Case, n: usize, list: &mut Vec<ItemIx>);

    /// The items of the last list whose probability is known.
    fn told(&self) -> Vec<(ItemIx, f32)> {
        Vec::new()
    }
}

/// What a ranker is made from.
pub(super) struct Parts<'a> {
    pub(super) model: &'a Model,
    pub(super) markov: &'a Markov,
    pub(super) popularity: &'a [ItemIx],
    /// Where [`Method::LinearExact`] is asked for.
    pub(super) exact: Option<&'a Exact>,
    /// Where [`Method::Ease`] is asked for.
    pub(super) ease: Option<&'a Dense>,
    /// What the encoder says of each case, where that is known before.
    pub(super) proposals: Option<&'a Proposals>,
}

impl<'a> Parts<'a> {
    /// Enough for the lists that a model serves; baselines are silent.
    pub(super) fn of_model(model: &'a Model, markov: &'a Markov) -> Self {
        Self { model, markov, popularity: &[], exact: None, ease: None, proposals: None }
    }

    pub(super) fn ranker(&self, method: Method) -> Box<dyn Ranker + 'a> {
        let served = |strategy, fallback, repeat| -> Box<dyn Ranker + 'a> {
            let asks = matches!(strategy, Strategy::Sequence | Strategy::Personal);
            let ranks = matches!(method, Method::Personal | Method::Discover);
            let learned = self.model.ranker().filter(|_| ranks);
            Box::new(Served {
                engine: Engine::new(self.model),
                strategy,
                fallback,
                repeat,
                ranker: learned
                    .and_then(|(weights, spec)| inference::Ranker::builtin(weights, spec.clone()).ok()),
                sequence: if asks { Sequence::new(self.model, self.proposals) } else { None },
                scratch: Scratch::default(),
                found: Vec::new(),
            })
        };
        match method {
            Method::Linear => served(Strategy::Linear, false, true),
            Method::LinearExact => Box::new(ExactRanker::new(self.exact)),
            Method::Ease => Box::new(EaseRanker::new(self.ease)),
            Method::Transitions => served(Strategy::Transitions, false, true),
            Method::Sequence | Method::SequenceExact => served(Strategy::Sequence, false, true),
            Method::Knn => served(Strategy::Session, false, true),
            Method::Together => served(Strategy::Together, false, true),
            Method::Personal | Method::Blended => served(Strategy::Personal, true, true),
            Method::Discover => served(Strategy::Personal, true, false),
            Method::Popular => served(Strategy::Popular, false, true),
            Method::Markov => Box::new(self.markov.ranker(self.popularity)),
            Method::RepeatLast => Box::new(RepeatLast::new(self.popularity)),
        }
    }
}

/// The serving code. Unless hidden, items of the history may be returned again, but for the newest of a running visit: protocols
/// do not mask.
struct Served<'a> {
    engine: Engine<'a>,
    strategy: Strategy,
    fallback: bool,
    repeat: bool,
    /// Where the strategy asks it.
    sequence: Option<Sequence<'a>>,
    /// The learned one, if the model has it and the strategy is what it ranks.
    ranker: Option<inference::Ranker>,
    scratch: Scratch,
    found: Vec<Recommendation>,
}

impl Ranker for Served<'_> {
    fn rank(&mut self, at: usize, case: &Case, n: usize, list: &mut Vec<ItemIx>) {
        self.found.clear();
        let request = Request {
            n,
            strategy: self.strategy,
            history: &case.history,
            earlier: case.earlier,
            sequence: self.sequence.as_mut().and_then(|sequence| sequence.propose(at, &case.history)),
            repeat: self.repeat,
            fallback: self.fallback,
            ..Request::default()
        };
        self.engine.gather(&request, &mut self.scratch);
        if let Some(ranker) = self.ranker.as_mut().filter(|ranker| ranker.covers(&request)) {
            // It then is the order without it, as in service.
            let _ = ranker.rerank(self.engine, &request, &mut self.scratch);
        }
        self.engine.select(&request, &mut self.scratch, &mut self.found);
        list.extend(self.found.iter().map(|found| found.item));
    }

    fn told(&self) -> Vec<(ItemIx, f32)> {
        self.found.iter().filter_map(|found| Some((found.item, found.probability?))).collect()
    }
}
