//! What is asked for: the fields of a recommendation, from a body or a query string.

use std::borrow::Cow;

use endcap_core::ItemIx;
use endcap_core::format::Catalogue;
use endcap_core::recommend::{MAX_N, Strategy};
use serde::de::MapAccess;

use super::encode::Include;
use super::error::{ApiError, Problem};
use super::json::{Field, Fields, check_length, shown, unknown_field};
use crate::http::target;

/// Longest item, user or session id in bytes. UUIDs, e-mail addresses and hashes fit.
pub const MAX_ID_BYTES: usize = 256;
/// Longest scenario label.
pub const MAX_SCENARIO_BYTES: usize = 64;
/// Most ids in `items`, `exclude` or `candidates`: a page of search results to rerank has hundreds.
pub const MAX_LIST: usize = 1000;

const _: () = assert!(MAX_N == 100, "the message below names the limit");
const ALLOWED_N: &str = "a whole number from 1 to 100";
const ALLOWED_SHARE: &str = "a number from 0 to 1";
const ALLOWED_BOOL: &str = "true, false";
const STRATEGIES: &str =
    "personal, linear, session, together, transitions, sequence, trending, popular, latest";

/// The lists of a request in dense numbers; reused between requests.
#[derive(Debug, Default)]
pub struct Lists {
    /// Items of the running session, oldest first.
    pub items: Vec<ItemIx>,
    /// Items never to be returned.
    pub exclude: Vec<ItemIx>,
    /// Items to rank.
    pub candidates: Vec<ItemIx>,
}

impl Lists {
    /// Forgets the last request.
    pub fn clear(&mut self) {
        self.items.clear();
        self.exclude.clear();
        self.candidates.clear();
    }
}

/// A decoded request.
#[derive(Debug)]
pub struct Ask<'a, 'l> {
    catalogue: Catalogue<'l>,
    /// Its lists.
    pub lists: &'l mut Lists,
    /// Ids that the model does not have, as given.
    pub missing: Vec<Cow<'a, str>>,
    /// User.
    pub user: Option<Cow<'a, str>>,
    /// Session.
    pub session: Option<Cow<'a, str>>,
    /// Label, given back.
    pub scenario: Option<Cow<'a, str>>,
    /// Items wanted.
    pub n: usize,
    /// Kind of list.
    pub strategy: Strategy,
    /// Whether items of the history may come again.
    pub repeat: bool,
    /// Least score.
    pub min_relevance: f32,
    /// Whether a short list is filled up.
    pub fallback: bool,
    /// Whether only `lists.candidates` are ranked.
    pub rerank: bool,
    /// Attributes to add to items.
    pub include: Include,
}

impl<'a, 'l> Ask<'a, 'l> {
    /// A request with every field at its default; clears `lists`.
    pub fn new(catalogue: Catalogue<'l>, strategy: Strategy, lists: &'l mut Lists) -> Self {
        lists.clear();
        Self {
            catalogue,
            lists,
            missing: Vec::new(),
            user: None,
            session: None,
            scenario: None,
            n: 10,
            strategy,
            repeat: false,
            min_relevance: 0.0,
            fallback: true,
            rerank: false,
            include: Include::default(),
        }
    }

    /// Takes the fields of a query string, which has the scalar ones only.
    ///
    /// # Errors
    /// The first field that is unknown or breaks a rule.
    pub fn read_query(&mut self, query: &'a str) -> Result<(), ApiError> {
        for (name, value) in target::pairs(query) {
            let decoded = |text| target::decode(text, true).ok_or(ApiError::Escape { part: "query" });
            self.set(&decoded(name)?, decoded(value)?)
                .map_err(|problem| ApiError::Field { problem, place: None })?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Cow<'a, str>) -> Result<(), Problem> {
        const KNOWN: &[&str] =
            &["n", "strategy", "session", "scenario", "repeat", "minRelevance", "fallback", "include"];
        const UNSUPPORTED: &[&str] = &[
            "filter",
            "booster",
            "cursor",
            "tenant",
            "offset",
            "category",
            "write-back-type",
            "write-back-delay",
        ];
        match name {
            "n" => self.n = parse_n(&value)?,
            "strategy" => self.strategy = word("strategy", &value, STRATEGIES, parse_strategy)?,
            "repeat" => self.repeat = word("repeat", &value, ALLOWED_BOOL, parse_bool)?,
            "fallback" => self.fallback = word("fallback", &value, ALLOWED_BOOL, parse_bool)?,
            "minRelevance" => {
                let range =
                    || Problem::Range { name: "minRelevance", got: shown(&value), allowed: ALLOWED_SHARE };
                self.min_relevance =
                    value.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(range)?;
            }
            "session" => {
                check_length("session", &value, MAX_ID_BYTES)?;
                self.session = Some(value);
            }
            "scenario" => {
                check_length("scenario", &value, MAX_SCENARIO_BYTES)?;
                self.scenario = Some(value);
            }
            "include" => self.include = parse_include(&value)?,
            _ => {
                return Err(match UNSUPPORTED.iter().find(|known| **known == name) {
                    Some(name) => Problem::Unsupported { name },
                    None => unknown_field(name, KNOWN),
                });
            }
        }
        Ok(())
    }

    /// Appends the number of an item to a list of the session, or its id to the missing ones.
    pub fn add_item(&mut self, id: Cow<'a, str>) {
        match self.catalogue.find(&id) {
            Some(item) => self.lists.items.push(item),
            None => self.missing.push(id),
        }
    }
}

/// Reads `n` of a query string.
///
/// # Errors
/// Anything but 1 to [`MAX_N`].
pub fn parse_n(value: &str) -> Result<usize, Problem> {
    let range = || Problem::Range { name: "n", got: shown(value), allowed: ALLOWED_N };
    value.parse().ok().filter(|n| (1..=MAX_N).contains(n)).ok_or_else(range)
}

/// Reads the comma-separated attributes of a query string.
///
/// # Errors
/// An attribute that there is not.
pub fn parse_include(value: &str) -> Result<Include, Problem> {
    let mut include = Include::default();
    for attribute in value.split(',').filter(|attribute| !attribute.is_empty()) {
        word("include", attribute, Include::WORDS, |text| include.add(text))?;
    }
    Ok(include)
}

fn parse_bool(text: &str) -> Option<bool> {
    text.parse().ok()
}

fn parse_strategy(text: &str) -> Option<Strategy> {
    Some(match text {
        "personal" => Strategy::Personal,
        "linear" => Strategy::Linear,
        "session" => Strategy::Session,
        "together" => Strategy::Together,
        "transitions" => Strategy::Transitions,
        "sequence" => Strategy::Sequence,
        "trending" => Strategy::Trending,
        "popular" => Strategy::Popular,
        "latest" => Strategy::Latest,
        _ => return None,
    })
}

fn word<T>(
    name: &'static str,
    text: &str,
    allowed: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Problem> {
    parse(text).ok_or_else(|| Problem::Word { name, got: shown(text), allowed })
}

impl<'de> Fields<'de> for Ask<'de, '_> {
    const KNOWN: &'static [&'static str] = &[
        "items",
        "n",
        "session",
        "user",
        "strategy",
        "exclude",
        "candidates",
        "repeat",
        "minRelevance",
        "fallback",
        "include",
        "scenario",
    ];
    const UNSUPPORTED: &'static [&'static str] = &[
        "filter",
        "booster",
        "diversity",
        "rotationRate",
        "rotationTime",
        "promotions",
        "cursor",
        "tenant",
        "context",
        "consent",
    ];

    fn take<A: MapAccess<'de>>(&mut self, field: Field<'_, A>) -> Result<(), A::Error> {
        let Self { catalogue, lists, missing, .. } = self;
        let mut find = |into: &mut Vec<ItemIx>, id: Cow<'de, str>| {
            match catalogue.find(&id) {
                Some(item) => into.push(item),
                None => missing.push(id),
            }
            Ok(())
        };
        match field.name {
            "items" => drop(field.texts(MAX_LIST, MAX_ID_BYTES, &mut |id| find(&mut lists.items, id))?),
            "exclude" => drop(field.texts(MAX_LIST, MAX_ID_BYTES, &mut |id| find(&mut lists.exclude, id))?),
            "candidates" => {
                self.rerank =
                    field.texts(MAX_LIST, MAX_ID_BYTES, &mut |id| find(&mut lists.candidates, id))?;
            }
            "n" => {
                if let Some(n) = field.number(1.0..=MAX_N as f64, true, ALLOWED_N)? {
                    self.n = n as usize;
                }
            }
            "session" => self.session = field.text(MAX_ID_BYTES)?,
            "user" => self.user = field.text(MAX_ID_BYTES)?,
            "scenario" => self.scenario = field.text(MAX_SCENARIO_BYTES)?,
            "strategy" => {
                if let Some(strategy) = field.word(STRATEGIES, parse_strategy)? {
                    self.strategy = strategy;
                }
            }
            "repeat" => self.repeat = field.boolean()?.unwrap_or(self.repeat),
            "fallback" => self.fallback = field.boolean()?.unwrap_or(self.fallback),
            "minRelevance" => {
                if let Some(share) = field.number(0.0..=1.0, false, ALLOWED_SHARE)? {
                    self.min_relevance = share as f32;
                }
            }
            _ => {
                let include = &mut self.include;
                let mut add =
                    |text: Cow<'de, str>| word("include", &text, Include::WORDS, |text| include.add(text));
                field.texts(MAX_LIST, MAX_ID_BYTES, &mut add)?;
            }
        }
        Ok(())
    }
}
