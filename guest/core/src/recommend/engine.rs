//! The stages over one model.

use crate::ItemIx;
use crate::format::{Blend, Catalogue, LinearParameters, Model, Opening};
use crate::knn::Scores;
use crate::topn::TopN;
use crate::{content, knn, linear, together, transitions};

use super::features::{self, Feature};
use super::scratch::{CANDIDATE, EXCLUDED, Scale, Scratch};
use super::{
    ANCHORS, FALLBACK_DISCOUNT, MAX_N, MAX_SHORTLIST, Recommendation, Request, Source, Strategy, newest,
};

/// Items and their values, best first.
type RankedList<'a> = (&'a [ItemIx], &'a [f32]);

/// Serves one model.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'m> {
    pub(super) model: &'m Model,
}

impl<'m> Engine<'m> {
    /// An engine over `model`; free to make.
    pub fn new(model: &'m Model) -> Self {
        Self { model }
    }

    /// Whether the answer to `request` depends on its [`Request::sequence`], which need not be filled otherwise.
    pub fn hears_sequence(&self, request: &Request<'_>) -> bool {
        !request.history.is_empty() && self.blend(request).sequence > 0.0
    }

    /// What a model asks otherwise where nothing of the running visit is known, and items may come again: what is new is
    /// asked as within a visit.
    fn opening(&self, request: &Request<'_>) -> Option<&'m Opening> {
        let history = newest(request.history);
        let begins = request.repeat && earlier(request, history) == history.len();
        let opening = self.model.manifest().parameters.opening.as_ref();
        opening.filter(|_| begins && request.strategy == Strategy::Personal)
    }

    /// What each source weighs.
    fn blend(&self, request: &Request<'_>) -> Blend {
        let within = &self.model.manifest().parameters.blend;
        match request.strategy {
            Strategy::Personal => self.opening(request).map_or(within, |opening| &opening.blend).clone(),
            Strategy::Session => Blend { knn: 1.0, ..NOTHING },
            Strategy::Together => Blend { together: 1.0, ..NOTHING },
            Strategy::Linear => Blend { linear: 1.0, ..NOTHING },
            Strategy::Transitions => Blend { transitions: 1.0, ..NOTHING },
            Strategy::Sequence => Blend { sequence: 1.0, ..NOTHING },
            Strategy::Trending | Strategy::Popular | Strategy::Latest => NOTHING,
        }
    }

    /// Scores the candidates of `request` into `scratch`.
    pub fn gather(&self, request: &Request<'_>, scratch: &mut Scratch) {
        scratch.reset(self.model.items().len());
        let history = newest(request.history);
        let general = matches!(request.strategy, Strategy::Trending | Strategy::Popular | Strategy::Latest);
        if history.is_empty() || general {
            return;
        }
        let parameters = &self.model.manifest().parameters;
        let earlier = earlier(request, history);
        let opening = self.opening(request);
        let knn = opening.map_or(&parameters.knn, |opening| &opening.knn);
        let blend = self.blend(request);
        if let Some(proposed) = request.sequence.filter(|_| blend.sequence > 0.0) {
            scratch.propose(proposed);
            scratch.scales.sequence = Scale::new(blend.sequence, scratch.sequence.largest());
        }
        if let Some((rows, linear)) = self.model.linear().filter(|_| blend.linear > 0.0) {
            let position_decay = opening.map_or(linear.position_decay, |opening| opening.linear_decay);
            let linear = LinearParameters { position_decay, ..linear.clone() };
            linear::accumulate(rows, history, &linear, &mut scratch.sums, &mut scratch.linear);
            scratch.scales.linear = Scale::new(blend.linear, scratch.linear.largest());
        }
        if let Some((rows, params)) = self.model.transitions().filter(|_| blend.transitions > 0.0) {
            let visit = &history[earlier..];
            transitions::accumulate(rows, visit, params, &mut scratch.sums, &mut scratch.transitions);
            scratch.scales.transitions = Scale::new(blend.transitions, scratch.transitions.largest());
        }
        if blend.knn > 0.0 {
            let index = self.model.sessions();
            knn::vote(index, history, earlier, knn, &mut scratch.knn, &mut scratch.session);
            scratch.scales.session = Scale::new(blend.knn, scratch.session.scale(index.idf));
        }
        if request.repeat && blend.again > 0.0 {
            for &item in &history[..earlier] {
                scratch.again.add(item, 1.0);
            }
            scratch.scales.again = Scale::new(blend.again, scratch.again.largest());
        }
        let found = [&scratch.session, &scratch.linear, &scratch.transitions, &scratch.sequence];
        let found: usize = found.into_iter().map(|found| found.touched().len()).sum();
        let too_few = request.fallback && found <= request.n + history.len();
        if blend.together > 0.0 || too_few {
            let rows = self.model.together();
            together::accumulate(rows, history, &parameters.together, &mut scratch.together);
            // As a fallback it only breaks into what the others left open.
            let weight = if blend.together > 0.0 {
                blend.together
            } else {
                (blend.knn + blend.linear + blend.transitions + blend.sequence) * FALLBACK_WEIGHT
            };
            scratch.scales.together = Scale::new(weight, scratch.together.largest());
        }
        if let Some(rows) = self.model.content().filter(|_| blend.content > 0.0) {
            // Last: what it says is what the others have said.
            let mut found = std::mem::take(&mut scratch.content);
            let own = |item| scratch.own_parts(item).iter().map(|(part, _)| part).sum();
            content::accumulate(rows, own, &mut found);
            scratch.content = found;
            scratch.scales.content = Scale::new(blend.content, 1.0);
        }
    }

    /// Keeps the best of what [`Self::gather`] left in `scratch` for a ranker, with their features: a row for each
    /// of at most [`MAX_SHORTLIST`] items, best first, a column for each of `columns`. None where no source that
    /// depends on the history found anything.
    pub fn shortlist(&self, request: &Request<'_>, columns: &[Feature], scratch: &mut Scratch) {
        self.mark(request, scratch);
        let mut shortlist = std::mem::take(&mut scratch.shortlist);
        shortlist.clear();
        self.take_scored(MAX_SHORTLIST, wanted(request), scratch, &mut shortlist);
        scratch.shortlist = shortlist;
        let mut rows = std::mem::take(&mut scratch.features);
        rows.clear();
        let history = newest(request.history);
        let opening = earlier(request, history) == history.len();
        features::write(self.model, history, opening, columns, scratch, &mut rows);
        scratch.features = rows;
    }

    /// Ranks what [`Self::gather`] left in `scratch`, or takes the shortlist in its ranker's order, fills up if
    /// asked, and appends at most `n` items to `out`.
    pub fn select(&self, request: &Request<'_>, scratch: &mut Scratch, out: &mut Vec<Recommendation>) {
        let n = request.n.min(MAX_N);
        self.mark(request, scratch);
        let wanted = wanted(request);
        let first = out.len();
        if scratch.ranked {
            out.extend_from_slice(&scratch.shortlist[..n.min(scratch.shortlist.len())]);
        } else {
            self.take_scored(n, wanted, scratch, out);
        }
        for found in &out[first..] {
            scratch.mark(found.item, EXCLUDED);
        }
        let best = out.get(first).map_or(1.0, |best| best.score);
        for found in &mut out[first..] {
            found.score /= best;
            if found.source == Source::Together {
                let history = newest(request.history);
                found.because = together::anchor(self.model.together(), history, found.item, ANCHORS);
            }
        }
        self.fill_up(request, first, scratch, out);
        if request.min_score > 0.0 {
            let keep = out[first..].iter().take_while(|found| found.score >= request.min_score).count();
            out.truncate(first + keep);
        }
    }

    /// [`Self::gather`] and [`Self::select`] in one, for callers without a stop watch or a ranker.
    pub fn recommend(&self, request: &Request<'_>, scratch: &mut Scratch, out: &mut Vec<Recommendation>) {
        self.gather(request, scratch);
        self.select(request, scratch, out);
    }

    fn catalogue(&self) -> Catalogue<'m> {
        self.model.items()
    }

    /// Marks what may not come and what alone may come. Marking twice changes nothing.
    fn mark(&self, request: &Request<'_>, scratch: &mut Scratch) {
        let history = newest(request.history);
        let visit = &history[earlier(request, history)..];
        let hidden = if request.repeat { &visit[visit.len().saturating_sub(1)..] } else { history };
        for &item in request.exclude.iter().chain(hidden) {
            scratch.mark(item, EXCLUDED);
        }
        for &item in request.candidates.unwrap_or_default() {
            scratch.mark(item, CANDIDATE);
        }
    }

    /// Appends the best `n` eligible items of the sources, with their weighed scores.
    fn take_scored(&self, n: usize, wanted: u8, scratch: &mut Scratch, out: &mut Vec<Recommendation>) {
        let mut top = std::mem::take(&mut scratch.top);
        top.reset(n);
        let catalogue = self.catalogue();
        let offer = |score: f32, item: ItemIx, top: &mut TopN| {
            if top.admits(score) && score > 0.0 && eligible(catalogue, item, wanted, scratch) {
                top.push(score, item);
            }
        };
        // An item is offered by the first source that has it. Sums that are known to have one part are written
        // as such: there are thousands of candidates.
        let Scratch { session, together, linear, transitions, sequence, again, content, scales, .. } =
            &*scratch;
        let no_again = again.touched().is_empty();
        let repeated = |item| if no_again { 0.0 } else { again.get(item) * scales.again.factor };
        let sum = |item| scratch.sum(item);
        for &item in content.touched() {
            offer(sum(item), item, &mut top);
        }
        let (by_content, by_transitions, by_sequence, by_linear) =
            (finder(content), finder(transitions), finder(sequence), finder(linear));
        for &item in transitions.touched() {
            if !by_content(item) {
                offer(sum(item), item, &mut top);
            }
        }
        for &item in sequence.touched() {
            if !by_content(item) && !by_transitions(item) {
                offer(sum(item), item, &mut top);
            }
        }
        let offered = |item| by_content(item) || by_transitions(item) || by_sequence(item);
        let others = [session, together, transitions, sequence, again, content];
        let alone = others.iter().all(|source| source.touched().is_empty());
        for &item in linear.touched() {
            if alone {
                offer(linear.get(item) * scales.linear.factor, item, &mut top);
            } else if !offered(item) {
                offer(sum(item), item, &mut top);
            }
        }
        let first = |item| !by_linear(item) && !offered(item);
        for &item in session.touched() {
            if first(item) {
                let score = session.get(item) * scales.session.factor;
                offer(score + together.get(item) * scales.together.factor + repeated(item), item, &mut top);
            }
        }
        for &item in together.touched() {
            if session.get(item) == 0.0 && first(item) {
                offer(together.get(item) * scales.together.factor + repeated(item), item, &mut top);
            }
        }
        for &item in again.touched() {
            if session.get(item) == 0.0 && together.get(item) == 0.0 && first(item) {
                offer(repeated(item), item, &mut top);
            }
        }
        out.extend(top.finish().iter().map(|&(score, item)| {
            let [first, rest @ ..] = scratch.parts(item);
            let (_, source) =
                rest.into_iter().fold(first, |best, part| if part.0 > best.0 { part } else { best });
            Recommendation { item, score, source, because: None, probability: None }
        }));
        scratch.top = top;
    }

    /// Appends items that do not depend on the history until there are `n`, and the rest of a reranked list.
    fn fill_up(
        &self,
        request: &Request<'_>,
        first: usize,
        scratch: &mut Scratch,
        out: &mut Vec<Recommendation>,
    ) {
        let listed = first + request.n.min(MAX_N);
        let wanted = wanted(request);
        let (catalogue, rankings) = (self.catalogue(), self.model.rankings());
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
            for (&item, &value) in order.iter().zip(values) {
                if out.len() >= listed {
                    break;
                }
                if eligible(catalogue, item, wanted, scratch) {
                    let score = ceiling * value;
                    out.push(Recommendation { item, score, source, because: None, probability: None });
                    scratch.mark(item, EXCLUDED);
                }
            }
        }
        let Some(candidates) = request.candidates else { return };
        // Item numbers rise with falling popularity: the rest of a reranked list is in that order.
        let mut rest: Vec<ItemIx> =
            candidates.iter().copied().filter(|&i| eligible(catalogue, i, wanted, scratch)).collect();
        rest.sort_unstable();
        rest.dedup();
        rest.truncate(listed.saturating_sub(out.len()));
        out.extend(rest.into_iter().map(|item| Recommendation {
            item,
            score: 0.0,
            source: Source::Popular,
            because: None,
            probability: None,
        }));
    }
}

/// No source.
const NOTHING: Blend =
    Blend { knn: 0.0, together: 0.0, linear: 0.0, transitions: 0.0, sequence: 0.0, again: 0.0, content: 0.0 };

/// Weight of co-occurrence where it stands in for the sources that were asked.
const FALLBACK_WEIGHT: f32 = 1e-3;

/// How many items of `history`, the newest of the request's, are of earlier visits.
fn earlier(request: &Request<'_>, history: &[ItemIx]) -> usize {
    request.earlier.saturating_sub(request.history.len() - history.len()).min(history.len())
}

/// Whether a source has an item; that it has none at all is looked up once.
fn finder(scores: &Scores) -> impl Fn(ItemIx) -> bool + Copy + '_ {
    let any = !scores.touched().is_empty();
    move |item| any && scores.get(item) != 0.0
}

fn eligible(catalogue: Catalogue<'_>, item: ItemIx, wanted: u8, scratch: &Scratch) -> bool {
    scratch.marks(item) & (EXCLUDED | CANDIDATE) == wanted && !catalogue.out_of_stock(item)
}

/// The marks that an item must have.
fn wanted(request: &Request<'_>) -> u8 {
    if request.candidates.is_some() { CANDIDATE } else { 0 }
}
