//! `GET /api/item/{id}/neighbors`: what goes together with an item or reads like that, or like the item where nothing does yet.

use endcap_core::store::EventStore;

use super::encode::{push_item, push_string};
use super::error::ApiError;
use super::rankings::Page;
use super::route::parameter;
use crate::clock::Clock;
use crate::http::Request;
use crate::service::Service;

/// Answers with the row of the item; 404 for an item that the model does not have.
pub(crate) fn neighbors<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    id: &str,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let id = parameter(id).ok_or(ApiError::Escape { part: "path" })?;
    let page = Page::read(request.query)?;
    let Service { model, recommender, .. } = service;
    let catalogue = model.items();
    let Some(item) = catalogue.find(&id) else {
        return Err(ApiError::UnknownItem { item: super::json::shown(&id) });
    };
    out.extend_from_slice(b"{\"item\":");
    push_string(out, catalogue.id(item));
    out.extend_from_slice(b",\"items\":[");
    let near = recommender.neighbors(model, item);
    let row = near.into_iter().filter(|(other, _)| !catalogue.out_of_stock(*other));
    for (at, (other, score)) in row.skip(page.offset).take(page.n).enumerate() {
        out.extend_from_slice(if at == 0 { b"{" } else { b",{" });
        push_item(out, catalogue, other, score, page.include);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"model\":");
    push_string(out, &model.manifest().name);
    out.push(b'}');
    Ok(())
}
