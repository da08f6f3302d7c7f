//! `endcap:recommender/recommend`.

use std::borrow::Cow;

use endcap_core::ItemIx;
use endcap_core::recommend::{MAX_N, Recommendation as Found, Source as From, Strategy as Kind};
use endcap_service::api::ask::{Ask, MAX_ID_BYTES, MAX_LIST, MAX_SCENARIO_BYTES};
use endcap_service::api::error::Problem;
use endcap_service::api::json::check_length;
use endcap_service::clock::Clock;
use endcap_service::metrics::Fallback;

use crate::Component;
use crate::bindings::endcap::recommender::types::{Attributes, Source};
use crate::bindings::exports::endcap::recommender::recommend::{
    Consent, Error, FallbackReason, Guest, Recommendation, Request, Response, Strategy,
};
use crate::error::{refused, unsupported};
use crate::state::{self, State};

/// Most requests of a batch, as the contract says.
const MAX_BATCH: usize = 100;

impl Guest for Component {
    fn default_request() -> Request {
        Request {
            user: None,
            session: None,
            items: Vec::new(),
            n: 10,
            strategy: Strategy::Personal,
            exclude: Vec::new(),
            candidates: None,
            repeat: false,
            min_relevance: 0.0,
            fallback: true,
            include: Attributes::empty(),
            scenario: None,
            filter: None,
            boosts: Vec::new(),
            promotions: Vec::new(),
            diversity: 0.0,
            rotation_rate: 0.0,
            rotation_time_s: 0,
            next_page_of: None,
            context: None,
            consent: Consent::Granted,
            tenant: None,
            deadline_ms: None,
            validate_only: false,
        }
    }

    fn recommend(request: Request) -> Result<Response, Error> {
        state::with(|state| answer(state, &request))
    }

    fn recommend_batch(requests: Vec<Request>) -> Result<Vec<Result<Response, Error>>, Error> {
        if requests.len() > MAX_BATCH {
            return Err(refused(Problem::TooMany { name: "requests", limit: MAX_BATCH }));
        }
        state::with(|state| Ok(requests.iter().map(|request| answer(state, request)).collect()))
    }
}

/// Fields that this release does not serve are refused, never ignored.
fn check_served(request: &Request) -> Result<(), Error> {
    let set = [
        ("filter", request.filter.is_some()),
        ("boosts", !request.boosts.is_empty()),
        ("promotions", !request.promotions.is_empty()),
        ("diversity", request.diversity != 0.0),
        ("rotation-rate", request.rotation_rate != 0.0),
        ("rotation-time-s", request.rotation_time_s != 0),
        ("next-page-of", request.next_page_of.is_some()),
        ("context", request.context.is_some()),
        ("consent", request.consent != Consent::Granted),
        ("tenant", request.tenant.is_some()),
        ("deadline-ms", request.deadline_ms.is_some()),
        ("validate-only", request.validate_only),
    ];
    set.into_iter().try_for_each(|(name, set)| unsupported(name, set))
}

fn check_ranges(request: &Request) -> Result<(), Problem> {
    if !(1..=MAX_N).contains(&(request.n as usize)) {
        let allowed = "a whole number from 1 to 100";
        return Err(Problem::Range { name: "n", got: request.n.to_string(), allowed });
    }
    if !(0.0..=1.0).contains(&request.min_relevance) {
        let got = request.min_relevance.to_string();
        return Err(Problem::Range { name: "min-relevance", got, allowed: "a number from 0 to 1" });
    }
    let texts = [
        ("user", &request.user, MAX_ID_BYTES),
        ("session", &request.session, MAX_ID_BYTES),
        ("scenario", &request.scenario, MAX_SCENARIO_BYTES),
    ];
    for (name, text, limit) in texts {
        text.as_ref().map_or(Ok(()), |text| check_length(name, text, limit))?;
    }
    let candidates = request.candidates.as_deref().unwrap_or_default();
    let lists = [("items", &*request.items), ("exclude", &*request.exclude), ("candidates", candidates)];
    for (name, list) in lists {
        if list.len() > MAX_LIST {
            return Err(Problem::TooMany { name, limit: MAX_LIST });
        }
        list.iter().try_for_each(|id| check_length(name, id, MAX_ID_BYTES))?;
    }
    Ok(())
}

fn answer(state: &mut State, request: &Request) -> Result<Response, Error> {
    check_served(request)?;
    check_ranges(request).map_err(refused)?;
    let State { model, lists, recommender, .. } = state;
    let began = recommender.clock.nanos();
    let unix_ms = recommender.clock.unix_ms();
    let catalogue = model.items();
    let mut ask = Ask::new(catalogue, strategy(request.strategy), lists);
    let mut missing = Vec::new();
    let mut find = |ids: &[String], into: &mut Vec<ItemIx>| {
        for id in ids {
            match catalogue.find(id) {
                Some(item) => into.push(item),
                None => missing.push(id.clone()),
            }
        }
    };
    find(&request.items, &mut ask.lists.items);
    find(&request.exclude, &mut ask.lists.exclude);
    if let Some(candidates) = &request.candidates {
        ask.rerank = true;
        find(candidates, &mut ask.lists.candidates);
    }
    ask.user = request.user.as_deref().map(Cow::Borrowed);
    ask.session = request.session.as_deref().map(Cow::Borrowed);
    ask.n = request.n as usize;
    ask.repeat = request.repeat;
    ask.min_relevance = request.min_relevance;
    ask.fallback = request.fallback;
    let fallback = recommender.recommend(model, &ask, began, unix_ms);
    let wanted = request.include;
    let describe = |found: &Found| {
        let item = catalogue.get(found.item);
        let known = |wanted: bool, text: &str| (wanted && !text.is_empty()).then(|| text.to_owned());
        Recommendation {
            item: item.id.to_owned(),
            score: found.score,
            reason: source(found.source),
            because: found.because.map(|item| catalogue.id(item).to_owned()),
            probability: found.probability,
            name: known(wanted.contains(Attributes::NAME), item.name),
            category: known(wanted.contains(Attributes::CATEGORY), item.category),
            price: item.price.filter(|_| wanted.contains(Attributes::PRICE)),
            promotion: None,
        }
    };
    let found = recommender.found();
    let used = From::ALL.into_iter().filter(|&source| found.iter().any(|found| found.source == source));
    Ok(Response {
        items: found.iter().map(describe).collect(),
        used: used.map(source).collect(),
        fallback: fallback.map(|reason| match reason {
            Fallback::NoHistory => FallbackReason::NoHistory,
            Fallback::TooFew => FallbackReason::TooFew,
            Fallback::ModelUnavailable => FallbackReason::ModelUnavailable,
        }),
        missing,
        model: model.manifest().name.clone(),
        arm: None,
        recomm_id: format!("{:016x}", recommender.ids.next_id()),
    })
}

fn strategy(strategy: Strategy) -> Kind {
    match strategy {
        Strategy::Personal => Kind::Personal,
        Strategy::Session => Kind::Session,
        Strategy::Together => Kind::Together,
        Strategy::Linear => Kind::Linear,
        Strategy::Transitions => Kind::Transitions,
        Strategy::Sequence => Kind::Sequence,
        Strategy::Trending => Kind::Trending,
        Strategy::Popular => Kind::Popular,
        Strategy::Latest => Kind::Latest,
    }
}

fn source(source: From) -> Source {
    match source {
        From::Session => Source::Session,
        From::Together => Source::Together,
        From::Linear => Source::Linear,
        From::Transitions => Source::Transitions,
        From::Sequence => Source::Sequence,
        From::Again => Source::Again,
        From::Content => Source::Content,
        From::Trending => Source::Trending,
        From::Popular => Source::Popular,
        From::Latest => Source::Latest,
    }
}
