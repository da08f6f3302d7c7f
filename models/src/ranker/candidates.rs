//! What a ranker learns from: shortlists of questions with known answers, as serving makes them.

use endcap_core::ItemIx;
use endcap_core::format::Model;
use endcap_core::recommend::{Engine, Feature, Request, Scratch};

use crate::evaluate::{Case, Sequence, on_all_cores};

/// A shortlist, best first by the blend.
#[derive(Debug, Clone)]
pub(super) struct Shortlist {
    /// A row of every feature for each item.
    pub(super) features: Vec<f32>,
    /// Whether each came.
    pub(super) came: Vec<bool>,
    /// How many came, shortlisted or not.
    pub(super) targets: usize,
}

/// The shortlists of `cases`, in their order, where items may come again.
pub(super) fn shortlists(model: &Model, cases: &[Case]) -> Vec<Shortlist> {
    let lists = on_all_cores(cases, |first, cases| {
        let engine = Engine::new(model);
        let mut scratch = Scratch::default();
        let mut sequence = Sequence::new(model, None);
        let shortlist = |(at, case): (usize, &Case)| {
            let request = Request {
                history: &case.history,
                earlier: case.earlier,
                sequence: sequence.as_mut().and_then(|sequence| sequence.propose(at, &case.history)),
                repeat: true,
                ..Request::default()
            };
            engine.gather(&request, &mut scratch);
            engine.shortlist(&request, &Feature::ALL, &mut scratch);
            let targets = case.distinct_targets();
            let came = |item: ItemIx| targets.binary_search(&item).is_ok();
            Shortlist {
                features: scratch.features().to_vec(),
                came: scratch.shortlisted().map(came).collect(),
                targets: targets.len(),
            }
        };
        (first..).zip(cases).map(shortlist).collect::<Vec<_>>()
    });
    lists.into_iter().flatten().collect()
}
