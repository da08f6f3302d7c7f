//! One question, asked as a request would.

use crate::ItemIx;
use crate::format::{Model, Question};
use crate::inference::{Ranker, SequenceEncoder};
use crate::recommend::{Engine, Recommendation, Request, Scratch, Strategy};

use super::figures::ndcg;
use super::{Renumbering, Side};

/// Items of a list that count.
const LIST: usize = 10;

/// Asks one model, by the serving code with the built-in executor. Buffers grow to their largest use and stay.
#[derive(Debug, Default)]
pub struct Examiner {
    encoder: Option<SequenceEncoder>,
    ranker: Option<Ranker>,
    scratch: Scratch,
    history: Vec<ItemIx>,
    targets: Vec<ItemIx>,
    found: Vec<Recommendation>,
}

impl Examiner {
    /// For `model`, and no other after it.
    pub fn new(model: &Model) -> Self {
        Self {
            encoder: model.encoder().map(|weights| SequenceEncoder::builtin(&weights)),
            ranker: model.ranker().and_then(|(weights, spec)| Ranker::builtin(weights, spec.clone()).ok()),
            ..Self::default()
        }
    }

    /// NDCG@10, 0 to 1, of the model's personal list after the question's history; items of that may come again.
    ///
    /// `number` gives the model's number of an item of the question. Unknown items are left out of the history; as targets they
    /// cannot be met, since not to know what comes is a fault.
    pub fn ndcg10(
        &mut self,
        model: &Model,
        question: Question<'_>,
        number: impl Fn(ItemIx) -> Option<ItemIx>,
    ) -> f64 {
        let Self { encoder, ranker, scratch, history, targets, found } = self;
        let (earlier, visit) = question.history.split_at(question.earlier);
        history.clear();
        history.extend(earlier.iter().filter_map(|&item| number(item)));
        let earlier = history.len();
        history.extend(visit.iter().filter_map(|&item| number(item)));
        targets.clear();
        targets.extend(question.targets.iter().filter_map(|&item| number(item)));
        targets.sort_unstable();
        let engine = Engine::new(model);
        let mut request = Request {
            n: LIST,
            strategy: Strategy::Personal,
            history,
            earlier,
            repeat: true,
            fallback: true,
            ..Request::default()
        };
        if let (true, Some(encoder), Some(weights)) =
            (engine.hears_sequence(&request), encoder, model.encoder())
        {
            request.sequence = encoder.propose(&weights, history).ok();
        }
        engine.gather(&request, scratch);
        if let Some(ranker) = ranker.as_mut().filter(|ranker| ranker.covers(&request)) {
            // Without it the order is the sources', as in service.
            let _ = ranker.rerank(engine, &request, scratch);
        }
        found.clear();
        engine.select(&request, scratch, found);
        let hits = found.iter().map(|found| targets.binary_search(&found.item).is_ok());
        ndcg(hits, question.targets.len(), LIST)
    }
}

/// Asks two models the same.
#[derive(Debug)]
pub struct Examiners {
    asked: Side,
    each: [Examiner; 2],
}

impl Examiners {
    /// For these models and no others after them; `None` where neither brings questions.
    pub fn new(old: &Model, new: &Model) -> Option<Self> {
        Some(Self { asked: Side::of(old, new)?, each: [old, new].map(Examiner::new) })
    }

    /// Whose questions they are.
    pub fn asked(&self) -> Side {
        self.asked
    }

    /// The NDCG@10 of the old model and of the new one. `numbers` knows all items of both.
    pub fn ndcg10(
        &mut self,
        old: &Model,
        new: &Model,
        numbers: &Renumbering,
        question: Question<'_>,
    ) -> [f64; 2] {
        let [by_old, by_new] = &mut self.each;
        match self.asked {
            Side::Both | Side::New => {
                [by_old.ndcg10(old, question, |item| numbers.back(item)), by_new.ndcg10(new, question, Some)]
            }
            Side::Old => [
                by_old.ndcg10(old, question, Some),
                by_new.ndcg10(new, question, |item| numbers.forward(item)),
            ],
        }
    }
}
