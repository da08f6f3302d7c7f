//! A model that may come to serve, compared with the one that does.

use endcap_core::format::Model;
use endcap_core::gate::{Comparison, Examiners, Renumbering, drift};

/// Items looked up at once: about a tenth of a millisecond.
const ITEMS: usize = 1_000;

/// The new model, and how far its comparison has come.
#[derive(Debug)]
pub struct Trial {
    /// The model.
    pub model: Model,
    /// SHA-256 of its manifest, in hex.
    pub sha256: String,
    /// The items of the model that serves, in this one's numbers.
    pub numbers: Renumbering,
    numbered: bool,
    examiners: Option<Examiners>,
    answers: [Vec<f64>; 2],
}

impl Trial {
    /// Of `model` against `serving`, which stays the same until it ends.
    pub(super) fn new(serving: &Model, model: Model, sha256: String) -> Self {
        let examiners = Examiners::new(serving, &model);
        Self {
            model,
            sha256,
            numbers: Renumbering::default(),
            numbered: false,
            examiners,
            answers: Default::default(),
        }
    }

    /// Does a little more; whether that was the last.
    pub(super) fn advance(&mut self, serving: &Model) -> bool {
        let Self { model, numbers, examiners, answers, .. } = self;
        if !self.numbered {
            self.numbered = numbers.extend(serving, model, ITEMS);
            return self.numbered && examiners.is_none();
        }
        let Some(examiners) = examiners else { return true };
        let questions = examiners.asked().questions(serving, model);
        let Some(question) = questions.get(answers[0].len()) else { return true };
        let found = examiners.ndcg10(serving, model, numbers, question);
        answers.iter_mut().zip(found).for_each(|(answers, found)| answers.push(found));
        false
    }

    /// What came of it; `None` where neither model brings questions.
    pub(super) fn comparison(&self, serving: &Model) -> Option<Comparison> {
        let asked = self.examiners.as_ref()?.asked();
        let [old, new] = &self.answers;
        Some(Comparison::new(asked, [old, new], drift(serving, &self.model, &self.numbers)))
    }
}
