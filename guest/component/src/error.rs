//! Errors of the service as errors of the contract.

use endcap_core::format::FormatError;
use endcap_service::api::ApiError;
use endcap_service::api::error::Problem as Rule;

use crate::bindings::endcap::recommender::types::Problem;
pub(crate) use crate::bindings::exports::endcap::recommender::recommend::Error;

/// A broken rule.
pub(crate) fn refused(rule: Rule) -> Error {
    let unsupported = matches!(rule, Rule::Unsupported { .. });
    let told = ApiError::Field { problem: rule, place: None }.told();
    let problem = Problem {
        code: told.code.to_owned(),
        message: format!("{}; {}", told.message, told.help),
        field: told.field,
    };
    if unsupported { Error::Unsupported(problem) } else { Error::InvalidRequest(problem) }
}

/// Refuses a field that the contract has and this release does not serve, if it is `set`.
pub(crate) fn unsupported(name: &'static str, set: bool) -> Result<(), Error> {
    if set { Err(refused(Rule::Unsupported { name })) } else { Ok(()) }
}

/// No model is loaded.
pub(crate) fn not_loaded() -> Error {
    Error::NotReady(Problem {
        code: "no_model".to_owned(),
        message: "no model is loaded: call model.load with the bytes of a model.wasm first".to_owned(),
        field: None,
    })
}

/// Bytes that are no model.
pub(crate) fn no_model(error: &FormatError) -> Error {
    Error::InvalidRequest(Problem {
        code: "bad_model".to_owned(),
        message: format!("{error}; {}", error.remedy()),
        field: Some("bytes".to_owned()),
    })
}
