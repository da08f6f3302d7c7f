//! `POST /v1/recommend`, `GET /api/recommend/{user}`, `POST /api/session/recommend`.

use endcap_core::recommend::Strategy;
use endcap_core::store::EventStore;

use super::ask::{Ask, MAX_ID_BYTES};
use super::error::ApiError;
use super::gorse::SessionFeedback;
use super::json::{check_length, read_array, read_object};
use super::route::parameter;
use crate::clock::{Clock, Nanos};
use crate::http::Request;
use crate::service::Service;

/// Answers from every field of the body.
pub(crate) fn recommend<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    began: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let Service { model, lists, recommender, .. } = service;
    let mut ask = Ask::new(model.items(), Strategy::Personal, lists);
    read_object(request.body, &mut ask)?;
    ask.read_query(request.query)?;
    recommender.answer(model, &ask, began, request.now.unix_ms, out);
    Ok(())
}

/// Answers for the user in the path.
pub(crate) fn user_recommend<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    user: &str,
    began: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let user = parameter(user).ok_or(ApiError::Escape { part: "path" })?;
    check_length("user", &user, MAX_ID_BYTES).map_err(|problem| ApiError::Field { problem, place: None })?;
    let Service { model, lists, recommender, .. } = service;
    let mut ask = Ask::new(model.items(), Strategy::Personal, lists);
    ask.user = Some(user);
    ask.read_query(request.query)?;
    recommender.answer(model, &ask, began, request.now.unix_ms, out);
    Ok(())
}

/// Answers for a session: this project's object, or Gorse's array of feedback.
pub(crate) fn session_recommend<C: Clock, S: EventStore>(
    service: &mut Service<C, S>,
    request: &Request<'_>,
    began: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let Service { model, lists, recommender, .. } = service;
    let mut ask = Ask::new(model.items(), Strategy::Session, lists);
    if request.body.trim_ascii_start().first() == Some(&b'[') {
        let mut feedback = SessionFeedback::new(request.now.unix_ms);
        read_array(request.body, &mut feedback)?;
        feedback.finish(&mut ask);
    } else {
        read_object(request.body, &mut ask)?;
    }
    if !request.query.is_empty() {
        ask.read_query(request.query)?;
    }
    recommender.answer(model, &ask, began, request.now.unix_ms, out);
    Ok(())
}
