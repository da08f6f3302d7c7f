//! `GET /api/popular`, `/api/trending`, `/api/latest`: lists that do not depend on who asks.

use endcap_core::recommend::{Recommendation, Source};
use endcap_core::store::EventStore;

use super::ask::{parse_include, parse_n};
use super::encode::{Include, push_hex, push_recommendations, push_string};
use super::error::{ApiError, Problem};
use super::json::{shown, unknown_field};
use crate::clock::Clock;
use crate::http::{Request, target};
use crate::service::Service;

/// Which part of a list is asked for.
pub(super) struct Page {
    pub(super) n: usize,
    pub(super) offset: usize,
    pub(super) include: Include,
}

impl Page {
    /// Reads `n`, `offset` and `include`.
    pub(super) fn read(query: &str) -> Result<Self, ApiError> {
        let mut page = Self { n: 10, offset: 0, include: Include::default() };
        for (name, value) in target::pairs(query) {
            let decoded = |text| target::decode(text, true).ok_or(ApiError::Escape { part: "query" });
            page.set(&decoded(name)?, &decoded(value)?)
                .map_err(|problem| ApiError::Field { problem, place: None })?;
        }
        Ok(page)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        /// Packed lists are shorter than this: beyond it every page is empty.
        const MAX_OFFSET: usize = 1_000_000;
        match name {
            "n" => self.n = parse_n(value)?,
            "include" => self.include = parse_include(value)?,
            "offset" => {
                let allowed = "a whole number from 0 to 1000000";
                let range = || Problem::Range { name: "offset", got: shown(value), allowed };
                self.offset = value.parse().ok().filter(|offset| *offset <= MAX_OFFSET).ok_or_else(range)?;
            }
            _ => return Err(unknown_field(name, &["n", "offset", "include"])),
        }
        Ok(())
    }
}

/// Answers with a page of the list of `source`, without what is out of stock.
pub(crate) fn ranking<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    source: Source,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let page = Page::read(request.query)?;
    let model = &service.model;
    let (order, values) = match source {
        Source::Trending => model.rankings().trending,
        Source::Latest => model.rankings().latest,
        _ => model.rankings().popular,
    };
    let found: Vec<Recommendation> = order
        .iter()
        .zip(values)
        .filter(|(item, _)| !model.items().out_of_stock(**item))
        .skip(page.offset)
        .take(page.n)
        .map(|(&item, &score)| Recommendation { item, score, source, because: None, probability: None })
        .collect();
    out.extend_from_slice(b"{\"recommId\":\"");
    push_hex(out, service.recommender.ids.next_id());
    out.extend_from_slice(b"\",\"items\":");
    push_recommendations(out, model.items(), &found, page.include);
    out.extend_from_slice(b",\"model\":");
    push_string(out, &model.manifest().name);
    out.push(b'}');
    for _ in &found {
        service.recommender.metrics.item(source);
    }
    Ok(())
}
