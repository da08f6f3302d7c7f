//! From what went wrong to a status and a JSON error.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::HostError;

/// Why a request has no answer of the guest's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no such path: POST /v1/FUNCTION, GET /v1, GET /healthz")]
    Path,
    #[error("{method} is not allowed here: {allowed} is")]
    Method { method: String, allowed: &'static str },
    #[error("the body is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the body could not be read: {0}")]
    Unreadable(String),
    #[error("the request did not arrive within {seconds} s")]
    Slow { seconds: u64 },
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("too many calls are waiting")]
    Overloaded,
    #[error("the host is stopping")]
    Stopping,
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Path | Self::Host(HostError::Function(_)) => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unreadable(_) | Self::NotJson(_) | Self::Host(HostError::Json(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Host(HostError::Deadline { .. }) => StatusCode::GATEWAY_TIMEOUT,
            Self::Host(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A stable word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Path => "not_found",
            Self::Method { .. } => "method_not_allowed",
            Self::TooLong { .. } => "body_too_large",
            Self::Unreadable(_) => "bad_body",
            Self::Slow { .. } => "request_timeout",
            Self::NotJson(_) => "bad_json",
            Self::Overloaded => "overloaded",
            Self::Stopping => "draining",
            Self::Host(HostError::Function(_)) => "unknown_function",
            Self::Host(HostError::Json(_)) => "wrong_type",
            Self::Host(HostError::Deadline { .. }) => "guest_deadline",
            Self::Host(HostError::Memory { .. }) => "guest_memory",
            Self::Host(HostError::Trap { .. }) => "guest_trap",
            Self::Host(_) => "guest_failed",
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "error": { "code": self.code(), "message": self.to_string() } })
    }
}

/// The status of an error that the guest's function returned, by the contract's words; `error` is its JSON: a
/// string, or an object of one name.
pub(super) fn guest_status(error: &Value) -> StatusCode {
    let word = match error {
        Value::String(word) => word.as_str(),
        Value::Object(case) => case.keys().next().map_or("", String::as_str),
        _ => "",
    };
    match word {
        "invalid_request" | "unsupported" => StatusCode::BAD_REQUEST,
        "unknown_item" => StatusCode::NOT_FOUND,
        "unauthorized" => StatusCode::UNAUTHORIZED,
        "quota_exceeded" => StatusCode::TOO_MANY_REQUESTS,
        "overloaded" | "not_ready" => StatusCode::SERVICE_UNAVAILABLE,
        "deadline_exceeded" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
