//! Working memory of one caller.

use crate::ItemIx;
use crate::knn::{KnnScratch, Scores};
use crate::linear::LinearScratch;
use crate::topn::TopN;

use super::{Recommendation, Source};

/// Working memory of one caller: about 33 bytes per item of the catalogue, and the kNN sample.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) knn: KnnScratch,
    pub(super) sums: LinearScratch,
    pub(super) session: Scores,
    pub(super) together: Scores,
    pub(super) linear: Scores,
    pub(super) transitions: Scores,
    pub(super) sequence: Scores,
    pub(super) again: Scores,
    pub(super) content: Scores,
    /// How they are brought onto (0, 1] and weighed.
    pub(super) scales: Scales,
    marks: Vec<u8>,
    marked: Vec<ItemIx>,
    pub(super) top: TopN,
    /// Best first; by the ranker once it has spoken.
    pub(super) shortlist: Vec<Recommendation>,
    pub(super) ranked: bool,
    pub(super) features: Vec<f32>,
}

/// A source's largest score, and its weight divided by that.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scale {
    pub(super) largest: f32,
    pub(super) factor: f32,
}

impl Scale {
    /// Brings scores with this maximum onto (0, `weight`].
    pub(super) fn new(weight: f32, largest: f32) -> Self {
        Self { largest, factor: if largest > 0.0 { weight / largest } else { 0.0 } }
    }

    /// `score` as a share of the largest, in [0, 1].
    pub(super) fn share(self, score: f32) -> f32 {
        if self.largest > 0.0 { score / self.largest } else { 0.0 }
    }
}

/// A scale for each source that depends on who asks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scales {
    pub(super) session: Scale,
    pub(super) together: Scale,
    pub(super) linear: Scale,
    pub(super) transitions: Scale,
    pub(super) sequence: Scale,
    pub(super) again: Scale,
    pub(super) content: Scale,
}

/// Mark: excluded by the request, or already in the list.
pub(super) const EXCLUDED: u8 = 1;
/// Mark: among the request's candidates.
pub(super) const CANDIDATE: u8 = 2;

impl Scratch {
    pub(super) fn mark(&mut self, item: ItemIx, mark: u8) {
        self.marks[item as usize] |= mark;
        self.marked.push(item);
    }

    pub(super) fn marks(&self, item: ItemIx) -> u8 {
        self.marks[item as usize]
    }

    pub(super) fn reset(&mut self, items: usize) {
        self.session.reset(items);
        self.together.reset(items);
        self.linear.reset(items);
        self.transitions.reset(items);
        self.sequence.reset(items);
        self.again.reset(items);
        self.content.reset(items);
        self.scales = Scales::default();
        self.shortlist.clear();
        self.ranked = false;
        self.features.clear();
        for &item in &self.marked {
            self.marks[item as usize] = 0;
        }
        self.marked.clear();
        if self.marks.len() != items {
            self.marks.clear();
            self.marks.resize(items, 0);
        }
    }

    /// Takes the encoder's best items, each with its probability relative to the best: exp(logit − largest logit).
    ///
    /// Softmax without its sum, which scales every score alike.
    pub(super) fn propose(&mut self, proposed: &[(f32, ItemIx)]) {
        let Some(&(largest, _)) = proposed.first() else { return };
        for &(logit, item) in proposed {
            let share = (logit - largest).exp();
            // An exponent below -87 gives 0, and an item with score 0 is no candidate.
            if share > 0.0 {
                self.sequence.add(item, share);
            }
        }
    }

    /// What each source says of `item`, weighed.
    #[inline]
    pub(super) fn parts(&self, item: ItemIx) -> [(f32, Source); 7] {
        let [session, together, linear, transitions, sequence, again] = self.own_parts(item);
        let content = (self.content.get(item) * self.scales.content.factor, Source::Content);
        [session, together, linear, transitions, sequence, again, content]
    }

    /// The same without the source that goes by what the others say.
    #[inline]
    pub(super) fn own_parts(&self, item: ItemIx) -> [(f32, Source); 6] {
        let Scales { session, together, linear, transitions, sequence, again, .. } = self.scales;
        [
            (self.session.get(item) * session.factor, Source::Session),
            (self.together.get(item) * together.factor, Source::Together),
            (self.linear.get(item) * linear.factor, Source::Linear),
            (self.transitions.get(item) * transitions.factor, Source::Transitions),
            (self.sequence.get(item) * sequence.factor, Source::Sequence),
            (self.again.get(item) * again.factor, Source::Again),
        ]
    }

    /// What all sources say of `item` together, weighed.
    #[inline]
    pub(super) fn sum(&self, item: ItemIx) -> f32 {
        self.parts(item).iter().map(|(part, _)| part).sum()
    }

    /// Items that [`super::Engine::shortlist`] chose, in the order of the rows of its features.
    pub fn shortlisted(&self) -> impl ExactSizeIterator<Item = ItemIx> + '_ {
        self.shortlist.iter().map(|found| found.item)
    }

    /// Their features, row by row.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// Takes a ranker's scores, one per shortlisted item in their order: any finite scale, higher is better; `log_odds`
    /// if they are such, and so tell a probability.
    ///
    /// Relevance becomes 2 / (1 + exp(best − score)): it keeps the order, is 1 for the best, and needs to know
    /// nothing of the scale.
    pub(crate) fn rank(&mut self, scores: &[f32], log_odds: bool) {
        debug_assert_eq!(scores.len(), self.shortlist.len());
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        for (found, &score) in self.shortlist.iter_mut().zip(scores) {
            found.score = 2.0 / (1.0 + (best - score).exp());
            found.probability = log_odds.then(|| 1.0 / (1.0 + (-score).exp()));
        }
        self.shortlist.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        self.ranked = true;
    }
}
