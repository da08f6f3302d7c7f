//! `endcap:recommender/model`.

use endcap_service::calendar::parse_rfc3339;
use endcap_service::inference::Part;

use crate::bindings::exports::endcap::recommender::model::{Error, Guest, Item, ModelInfo};
use crate::state::{self, State};
use crate::{Component, error};

impl Guest for Component {
    fn info() -> Result<ModelInfo, Error> {
        state::with(|state| Ok(info(state)))
    }

    fn get_item(id: String) -> Result<Item, Error> {
        state::with(|state| {
            let catalogue = state.model.items();
            let Some(item) = catalogue.find(&id) else { return Err(Error::UnknownItem(id)) };
            let found = catalogue.get(item);
            let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let seen = |seconds: i64| (seconds != 0).then_some(seconds * 1000);
            Ok(Item {
                name: known(found.name),
                category: known(found.category),
                price: found.price,
                available: !found.out_of_stock,
                first_seen: seen(found.first_seen),
                last_seen: seen(found.last_seen),
                id,
            })
        })
    }

    fn load(bytes: Vec<u8>) -> Result<ModelInfo, Error> {
        state::load(&bytes).map_err(|found| error::no_model(&found))?;
        Self::info()
    }
}

fn info(state: &State) -> ModelInfo {
    let State { model, digest, recommender, .. } = state;
    let manifest = model.manifest();
    let engines: Vec<(String, String)> = Part::ALL
        .into_iter()
        .filter_map(|part| {
            let engine = recommender.inference.engine(part)?;
            Some((part.as_str().to_owned(), engine.as_str().to_owned()))
        })
        .collect();
    let linear = model.linear().map(|_| "linear");
    let transitions = model.transitions().map(|_| "transitions");
    let retrieval = ["session", "together"].into_iter().chain(linear).chain(transitions).map(str::to_owned);
    let degraded = recommender.inference.degraded.iter().map(|degraded| {
        let reason = format!("{}: {}", degraded.engine.as_str(), degraded.error);
        (degraded.part.as_str().to_owned(), reason)
    });
    ModelInfo {
        name: manifest.name.clone(),
        format_version: manifest.format_version,
        created: parse_rfc3339(&manifest.created).unwrap_or_default(),
        digest: digest.clone(),
        size: model.bytes() as u64,
        items: model.items().len() as u32,
        sessions: model.sessions().sessions() as u32,
        parts: retrieval.chain(engines.iter().map(|(part, _)| part.clone())).collect(),
        engines,
        degraded: degraded.collect(),
    }
}
