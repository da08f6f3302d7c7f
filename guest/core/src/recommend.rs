//! From a history to a ranked list: candidates by strategy, filters, top n, and what was used.
//!
//! Two stages, so that the caller (who has a clock) can time them: [`Engine::gather`] scores candidates,
//! [`Engine::select`] filters and ranks. Neither allocates once its scratch has grown.

use crate::ItemIx;
use crate::format::{Blend, Catalogue, Model};
use crate::knn::{self, KnnScratch, Scores};
use crate::together;
use crate::topn::TopN;

/// Most items in one answer. A shelf shows tens; hundreds are an export, which has the pipeline.
pub const MAX_N: usize = 100;
/// Most items of a history that are looked at, newest first: older ones moved no metric on any tried set.
pub const MAX_HISTORY: usize = 50;
/// Items of a history among which the reason "together with" is looked for.
const ANCHORS: usize = 10;
/// Factor between the last scored item and the best of a fallback: a fill is never as good as a find.
const FALLBACK_DISCOUNT: f32 = 0.5;

/// What kind of list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// Session kNN and co-occurrence, blended as the model says.
    #[default]
    Personal,
    /// Session kNN alone.
    Session,
    /// Co-occurrence alone: bought or viewed together with the history's items.
    Together,
    /// By decayed events.
    Trending,
    /// By events.
    Popular,
    /// By first event.
    Latest,
}

/// Where a recommended item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Sessions like this one.
    Session,
    /// Together with an item of the history.
    Together,
    /// Trending now.
    Trending,
    /// Popular over all.
    Popular,
    /// New in the catalogue.
    Latest,
}

impl Source {
    /// Every source, in the order of [`Self::index`].
    pub const ALL: [Self; 5] = [Self::Session, Self::Together, Self::Trending, Self::Popular, Self::Latest];

    /// Its word in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Together => "together",
            Self::Trending => "trending",
            Self::Popular => "popular",
            Self::Latest => "latest",
        }
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A request in dense numbers. Item numbers must be below the model's number of items.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Items wanted, 1 to [`MAX_N`].
    pub n: usize,
    /// Kind of list.
    pub strategy: Strategy,
    /// Items of the session or user, oldest first; the newest [`MAX_HISTORY`] count.
    pub history: &'a [ItemIx],
    /// Items never to be returned.
    pub exclude: &'a [ItemIx],
    /// Whether items of the history may be returned again. The newest one never is.
    pub repeat: bool,
    /// If given, only these are ranked (reranking); those without a score come last, most popular first.
    pub candidates: Option<&'a [ItemIx]>,
    /// Scores below this are dropped, in [0, 1]; 0 drops nothing.
    pub min_score: f32,
    /// Whether a short list is filled up from trending and popular items.
    pub fallback: bool,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            n: 10,
            strategy: Strategy::Personal,
            history: &[],
            exclude: &[],
            repeat: false,
            candidates: None,
            min_score: 0.0,
            fallback: true,
        }
    }
}

/// One recommended item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recommendation {
    /// The item.
    pub item: ItemIx,
    /// Relevance relative to the best candidate, in [0, 1], never rising down the list.
    pub score: f32,
    /// What contributed most to it.
    pub source: Source,
    /// The history's item that it goes with, where the source is [`Source::Together`].
    pub because: Option<ItemIx>,
}

/// Working memory of one caller: about 9 bytes per item of the catalogue, and the kNN sample.
#[derive(Debug, Default)]
pub struct Scratch {
    knn: KnnScratch,
    session: Scores,
    together: Scores,
    /// Factors that bring the two onto (0, 1] and weigh them.
    session_factor: f32,
    together_factor: f32,
    marks: Vec<u8>,
    marked: Vec<ItemIx>,
    top: TopN,
}

/// Items and their values, best first.
type RankedList<'a> = (&'a [ItemIx], &'a [f32]);

/// Mark: excluded by the request, or already in the list.
const EXCLUDED: u8 = 1;
/// Mark: among the request's candidates.
const CANDIDATE: u8 = 2;

impl Scratch {
    fn mark(&mut self, item: ItemIx, mark: u8) {
        self.marks[item as usize] |= mark;
        self.marked.push(item);
    }

    fn reset(&mut self, items: usize) {
        self.session.reset(items);
        self.together.reset(items);
        self.session_factor = 0.0;
        self.together_factor = 0.0;
        for &item in &self.marked {
            self.marks[item as usize] = 0;
        }
        self.marked.clear();
        if self.marks.len() != items {
            self.marks.clear();
            self.marks.resize(items, 0);
        }
    }
}

/// Serves one model.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'m> {
    model: &'m Model,
}

impl<'m> Engine<'m> {
    /// An engine over `model`; free to make.
    pub fn new(model: &'m Model) -> Self {
        Self { model }
    }

    /// Scores the candidates of `request` into `scratch`.
    pub fn gather(&self, request: &Request<'_>, scratch: &mut Scratch) {
        scratch.reset(self.model.items().len());
        let history = newest(request.history);
        let parameters = &self.model.manifest().parameters;
        let blend = match request.strategy {
            Strategy::Personal => parameters.blend.clone(),
            Strategy::Session => Blend { knn: 1.0, together: 0.0 },
            Strategy::Together => Blend { knn: 0.0, together: 1.0 },
            Strategy::Trending | Strategy::Popular | Strategy::Latest => return,
        };
        if history.is_empty() {
            return;
        }
        if blend.knn > 0.0 {
            let index = self.model.sessions();
            knn::vote(index, history, &parameters.knn, &mut scratch.knn, &mut scratch.session);
            scratch.session_factor = factor(blend.knn, scratch.session.scale(index.idf));
        }
        let too_few = request.fallback && scratch.session.touched().len() <= request.n + history.len();
        if blend.together > 0.0 || too_few {
            let rows = self.model.together();
            together::accumulate(rows, history, &parameters.together, &mut scratch.together);
            // As a fallback it only breaks into what the votes left open.
            let weight = if blend.together > 0.0 { blend.together } else { blend.knn * 1e-3 };
            scratch.together_factor = factor(weight, scratch.together.largest());
        }
    }

    /// Ranks what [`Self::gather`] left in `scratch`, fills up if asked, and appends at most `n` items to `out`.
    pub fn select(&self, request: &Request<'_>, scratch: &mut Scratch, out: &mut Vec<Recommendation>) {
        let history = newest(request.history);
        let n = request.n.min(MAX_N);
        for &item in request.exclude {
            scratch.mark(item, EXCLUDED);
        }
        let hidden = if request.repeat { &history[history.len().saturating_sub(1)..] } else { history };
        for &item in hidden {
            scratch.mark(item, EXCLUDED);
        }
        for &item in request.candidates.unwrap_or_default() {
            scratch.mark(item, CANDIDATE);
        }
        let wanted = if request.candidates.is_some() { CANDIDATE } else { 0 };
        let first = out.len();
        self.take_scored(n, wanted, scratch, out);
        let best = out.get(first).map_or(1.0, |best| best.score);
        for found in &mut out[first..] {
            found.score /= best;
        }
        for found in &mut out[first..] {
            if found.source == Source::Together {
                found.because = together::anchor(self.model.together(), history, found.item, ANCHORS);
            }
        }
        let listed = first + n;
        let rankings = self.model.rankings();
        let lists: &[(Source, RankedList<'_>)] = match request.strategy {
            Strategy::Trending => {
                &[(Source::Trending, rankings.trending), (Source::Popular, rankings.popular)]
            }
            Strategy::Popular => &[(Source::Popular, rankings.popular)],
            Strategy::Latest => &[(Source::Latest, rankings.latest)],
            _ if request.fallback || wanted != 0 => {
                &[(Source::Trending, rankings.trending), (Source::Popular, rankings.popular)]
            }
            _ => &[],
        };
        for &(source, (order, values)) in lists {
            let ceiling = if out.len() == first { 1.0 } else { out[out.len() - 1].score * FALLBACK_DISCOUNT };
            self.take_listed(listed, source, (order, values), ceiling, wanted, scratch, out);
        }
        if let Some(candidates) = request.candidates {
            // Item numbers rise with falling popularity: the rest of a reranked list is in that order.
            let mut rest: Vec<ItemIx> =
                candidates.iter().copied().filter(|&i| self.eligible(i, wanted, scratch)).collect();
            rest.sort_unstable();
            rest.dedup();
            rest.truncate(listed.saturating_sub(out.len()));
            out.extend(rest.into_iter().map(|item| Recommendation {
                item,
                score: 0.0,
                source: Source::Popular,
                because: None,
            }));
        }
        if request.min_score > 0.0 {
            let keep = out[first..].iter().take_while(|found| found.score >= request.min_score).count();
            out.truncate(first + keep);
        }
    }

    /// [`Self::gather`] and [`Self::select`] in one, for callers without a stop watch.
    pub fn recommend(&self, request: &Request<'_>, scratch: &mut Scratch, out: &mut Vec<Recommendation>) {
        self.gather(request, scratch);
        self.select(request, scratch, out);
    }

    fn catalogue(&self) -> Catalogue<'m> {
        self.model.items()
    }

    fn eligible(&self, item: ItemIx, wanted: u8, scratch: &Scratch) -> bool {
        scratch.marks[item as usize] & (EXCLUDED | CANDIDATE) == wanted
            && !self.catalogue().out_of_stock(item)
    }

    fn take_scored(&self, n: usize, wanted: u8, scratch: &mut Scratch, out: &mut Vec<Recommendation>) {
        let mut top = std::mem::take(&mut scratch.top);
        top.reset(n);
        let Scratch { session, together, session_factor, together_factor, .. } = &*scratch;
        for &item in session.touched() {
            let score = session.get(item) * session_factor + together.get(item) * together_factor;
            if top.admits(score) && score > 0.0 && self.eligible(item, wanted, scratch) {
                top.push(score, item);
            }
        }
        for &item in together.touched() {
            let score = together.get(item) * together_factor;
            if session.get(item) == 0.0
                && top.admits(score)
                && score > 0.0
                && self.eligible(item, wanted, scratch)
            {
                top.push(score, item);
            }
        }
        let catalogued = top.finish().iter().map(|&(score, item)| {
            let by_session = session.get(item) * session_factor;
            let source = if by_session >= together.get(item) * together_factor {
                Source::Session
            } else {
                Source::Together
            };
            Recommendation { item, score, source, because: None }
        });
        let first = out.len();
        out.extend(catalogued);
        scratch.top = top;
        for found in &out[first..] {
            scratch.mark(found.item, EXCLUDED);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
    fn take_listed(
        &self,
        listed: usize,
        source: Source,
        (order, values): RankedList<'_>,
        ceiling: f32,
        wanted: u8,
        scratch: &mut Scratch,
        out: &mut Vec<Recommendation>,
    ) {
        for (&item, &value) in order.iter().zip(values) {
            if out.len() >= listed {
                return;
            }
            if self.eligible(item, wanted, scratch) {
                out.push(Recommendation { item, score: ceiling * value, source, because: None });
                scratch.mark(item, EXCLUDED);
            }
        }
    }
}

/// The part of a history that counts.
fn newest(history: &[ItemIx]) -> &[ItemIx] {
    &history[history.len().saturating_sub(MAX_HISTORY)..]
}

/// What brings scores with this maximum onto (0, `weight`].
fn factor(weight: f32, largest: f32) -> f32 {
    if largest > 0.0 { weight / largest } else { 0.0 }
}
