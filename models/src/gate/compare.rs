//! Two models, the same questions.

use std::collections::HashMap;

use endcap_core::ItemIx;
use endcap_core::format::{Model, Question};
use serde::Serialize;

use super::drift;
use crate::evaluate::{Case, paired, personal_ndcg10};

/// Standard errors within which a difference is chance: one side of 95 %.
const CHANCE: f64 = 1.645;

/// Whose questions were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The new model's, which keeps back what the old one does.
    Both,
    /// The new model's: the old one brings none, and may have learned from these.
    New,
    /// The old model's: the new one brings none, and may have learned from these.
    Old,
}

/// How a model stands to the one that it would replace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Questions asked of both.
    pub questions: usize,
    /// Whose they are.
    pub asked: Side,
    /// Mean NDCG@10 of the personal list, by the old model and by the new one.
    pub ndcg10: [f64; 2],
    /// Standard error of the difference of the two.
    pub error: f64,
    /// Distance of the two distributions of items over visits, 0 to 1: see [`drift()`].
    pub drift: f64,
}

impl Comparison {
    /// Whether the new model is worse by more than `margin`, a share of the old one's figure, and by more than chance.
    pub fn is_worse(&self, margin: f64) -> bool {
        let [old, new] = self.ndcg10;
        old - new > margin * old + CHANCE * self.error
    }
}

/// Asks both models the questions that `new` brings, or else those of `old`, by the serving code with the built-in executor.
/// `None` where neither brings any.
pub fn compare(old: &Model, new: &Model) -> Option<Comparison> {
    let (asked, owner) = match (new.sample().is_empty(), old.sample().is_empty()) {
        (false, false) => (Side::Both, new),
        (false, true) => (Side::New, new),
        (true, false) => (Side::Old, old),
        (true, true) => return None,
    };
    let answers = [old, new].map(|model| personal_ndcg10(model, &translated(owner, model)));
    let (ndcg10, error) = paired(&answers[0], &answers[1]);
    Some(Comparison { questions: answers[0].len(), asked, ndcg10, error, drift: drift(old, new) })
}

/// Mean NDCG@10 of the personal list on the model's own questions; `None` where it brings none.
pub fn own_ndcg10(model: &Model) -> Option<f64> {
    let answers = personal_ndcg10(model, &translated(model, model));
    (!answers.is_empty()).then(|| answers.iter().sum::<f64>() / answers.len() as f64)
}

/// The questions of `owner` in the item numbers of `model`. What it does not know is left out of histories; among targets it
/// has a number that no list has, since not to know what comes is a fault.
fn translated(owner: &Model, model: &Model) -> Vec<Case> {
    let mut numbers: HashMap<ItemIx, Option<ItemIx>> = HashMap::new();
    let mut number =
        |item: ItemIx| *numbers.entry(item).or_insert_with(|| model.items().find(owner.items().get(item).id));
    let unknown = model.items().len() as ItemIx;
    let translate = |question: Question<'_>| {
        let (earlier, visit) = question.history.split_at(question.earlier);
        let mut history: Vec<ItemIx> = earlier.iter().filter_map(|&item| number(item)).collect();
        let earlier = history.len();
        history.extend(visit.iter().filter_map(|&item| number(item)));
        let targets = question.targets.iter().zip(unknown..);
        let targets = targets.map(|(&item, unknown)| number(item).unwrap_or(unknown)).collect();
        Case { last_basket: history.len(), earlier, history, targets }
    };
    owner.sample().iter().map(translate).collect()
}
