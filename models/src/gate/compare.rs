//! Two models, the same questions, on all cores.

use endcap_core::format::{Model, Question};
use endcap_core::gate::{Comparison, Examiner, Examiners, Renumbering, Side, drift};

use crate::evaluate::on_all_cores;

/// Asks both models the questions that `new` brings, or else those of `old`. `None` where neither brings any.
pub fn compare(old: &Model, new: &Model) -> Option<Comparison> {
    let asked = Side::of(old, new)?;
    let questions: Vec<Question<'_>> = asked.questions(old, new).iter().collect();
    let numbers = Renumbering::new(old, new);
    let answers = on_all_cores(&questions, |_, questions| {
        let mut examiners = Examiners::new(old, new)?;
        Some(questions.iter().map(|&question| examiners.ndcg10(old, new, &numbers, question)).collect())
    });
    let answers: Vec<Vec<[f64; 2]>> = answers.into_iter().collect::<Option<_>>()?;
    let (by_old, by_new): (Vec<f64>, Vec<f64>) =
        answers.into_iter().flatten().map(|[old, new]| (old, new)).unzip();
    Some(Comparison::new(asked, [&by_old, &by_new], drift(old, new, &numbers)))
}

/// Mean NDCG@10 of the personal list on the model's own questions; `None` where it brings none.
pub fn own_ndcg10(model: &Model) -> Option<f64> {
    let questions: Vec<Question<'_>> = model.sample().iter().collect();
    let answers = on_all_cores(&questions, |_, questions| {
        let mut examiner = Examiner::new(model);
        questions.iter().map(|&question| examiner.ndcg10(model, question, Some)).collect::<Vec<_>>()
    });
    let count = questions.len() as f64;
    (count > 0.0).then(|| answers.iter().flatten().sum::<f64>() / count)
}
