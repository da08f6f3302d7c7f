//! What can be wrong with a request, and how the client is told.

use crate::http::{HttpError, Status};

/// A refused request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Not JSON.
    #[error("the body is not valid JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// Well-formed JSON of another type than the field has.
    #[error("{}: {source}", named(*.field))]
    Type {
        /// The field, if the reader had come to one.
        field: Option<&'static str>,
        /// What was found and expected.
        #[source]
        source: serde_json::Error,
    },
    /// A field that breaks a rule.
    #[error("{problem}")]
    Field {
        /// The rule.
        problem: Problem,
        /// Line and column in the body; `None` for a field of the query.
        place: Option<(usize, usize)>,
    },
    /// A path parameter or query that cannot be decoded.
    #[error("the {part} holds a broken percent escape or is not UTF-8")]
    Escape {
        /// Where.
        part: &'static str,
    },
    /// A field that must be there.
    #[error("{what}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// Its name.
        field: &'static str,
    },
    /// No such path.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// A path that is not served with this method.
    #[error("this path is not served with this method")]
    Method,
    /// An item that the model does not have, where nothing can be said without it.
    #[error("the model has no item `{item}`")]
    UnknownItem {
        /// Its id.
        item: String,
    },
    /// The service is about to end.
    #[error("the service is draining")]
    Draining,
}

fn named(field: Option<&str>) -> String {
    field.map_or_else(|| "the body".to_owned(), |field| format!("`{field}`"))
}

/// A rule that a field breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A name without a meaning.
    #[error("unknown field `{name}`")]
    UnknownField {
        /// The name.
        name: String,
        /// The known name that it resembles.
        nearest: Option<&'static str>,
    },
    /// A field of the contract that this version does not serve.
    #[error("field `{name}` is not supported by this version")]
    Unsupported {
        /// The name.
        name: &'static str,
    },
    /// A field given twice.
    #[error("field `{name}` stands twice")]
    Duplicate {
        /// The name.
        name: &'static str,
    },
    /// A number outside its range.
    #[error("`{name}` is {got}; allowed is {allowed}")]
    Range {
        /// The field.
        name: &'static str,
        /// The number as given.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A word without a meaning.
    #[error("`{name}` is `{got}`; allowed are {allowed}")]
    Word {
        /// The field.
        name: &'static str,
        /// The word.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// An id or label that is empty or too long.
    #[error("`{name}` has {bytes} bytes; 1 to {limit} are allowed")]
    Length {
        /// The field.
        name: &'static str,
        /// Length in bytes.
        bytes: usize,
        /// Longest allowed.
        limit: usize,
    },
    /// A list that is too long.
    #[error("`{name}` has more than {limit} entries")]
    TooMany {
        /// The field.
        name: &'static str,
        /// Most allowed.
        limit: usize,
    },
    /// Not a date, or one in the future.
    #[error("`{name}` is `{got}`; {expected}")]
    Time {
        /// The field.
        name: &'static str,
        /// The text.
        got: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A rule broken by one entry of a list.
    #[error("{list}[{index}]: {problem}")]
    At {
        /// The list.
        list: &'static str,
        /// Which entry, from 0.
        index: usize,
        /// The rule.
        problem: Box<Self>,
    },
    /// A field that each entry must have.
    #[error("{what}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// Its name.
        name: &'static str,
    },
}

impl Problem {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownField { .. } => "unknown_field",
            Self::Unsupported { .. } => "unsupported_field",
            Self::Duplicate { .. } => "duplicate_field",
            Self::Range { .. } | Self::Length { .. } => "out_of_range",
            Self::Word { .. } => "unknown_value",
            Self::TooMany { .. } => "too_many",
            Self::Time { .. } => "bad_time",
            Self::Missing { .. } => "missing_field",
            Self::At { problem, .. } => problem.code(),
        }
    }

    fn field(&self) -> String {
        match self {
            Self::UnknownField { name, .. } => name.clone(),
            Self::Unsupported { name }
            | Self::Duplicate { name }
            | Self::Range { name, .. }
            | Self::Word { name, .. }
            | Self::Length { name, .. }
            | Self::TooMany { name, .. }
            | Self::Time { name, .. }
            | Self::Missing { name, .. } => (*name).to_owned(),
            Self::At { list, index, problem } => format!("{list}[{index}].{}", problem.field()),
        }
    }

    fn help(&self) -> String {
        match self {
            Self::UnknownField { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::UnknownField { nearest: None, .. } => {
                "leave it out; guest/README.md lists the fields".to_owned()
            }
            Self::Unsupported { .. } => "leave it out; it is refused rather than silently ignored".to_owned(),
            Self::Duplicate { .. } => "send it once".to_owned(),
            Self::Range { allowed, .. } => format!("send {allowed}"),
            Self::Word { allowed, .. } => format!("send one of {allowed}"),
            Self::Length { limit, .. } => format!("send 1 to {limit} bytes of UTF-8"),
            Self::TooMany { limit, .. } => format!("send at most {limit} in one request"),
            Self::Time { .. } => {
                "send RFC 3339 such as 2026-01-31T12:00:00Z, or leave it out for now".to_owned()
            }
            Self::Missing { name, .. } => format!("add `{name}`"),
            Self::At { problem, .. } => problem.help(),
        }
    }
}

/// An error as the client sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Status of the answer.
    pub status: Status,
    /// Stable word for programs.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Which field.
    pub field: Option<String>,
    /// Line and column in the body, from 1.
    pub place: Option<(usize, usize)>,
    /// How to mend it.
    pub help: String,
}

impl ApiError {
    /// The one place where errors become statuses and codes.
    pub fn told(&self) -> Told {
        let told = |status, code, help: &str| Told {
            status,
            code,
            message: self.to_string(),
            field: None,
            place: None,
            help: help.to_owned(),
        };
        let bad = |code, help: &str| told(Status::BadRequest, code, help);
        match self {
            Self::Json(error) => Told {
                place: Some((error.line(), error.column())),
                ..bad("bad_json", "send one JSON value in UTF-8")
            },
            Self::Type { field, source } => Told {
                field: field.map(str::to_owned),
                place: Some((source.line(), source.column())),
                ..bad("wrong_type", "send the type that the message names")
            },
            Self::Field { problem, place } => {
                Told { field: Some(problem.field()), place: *place, ..bad(problem.code(), &problem.help()) }
            }
            Self::Escape { .. } => bad("bad_escape", "encode reserved bytes as %XX of their UTF-8"),
            Self::Missing { field, .. } => {
                Told { field: Some((*field).to_owned()), ..bad("missing_field", &format!("add `{field}`")) }
            }
            Self::NoSuchPath => told(Status::NotFound, "not_found", "guest/README.md lists the paths"),
            Self::Method => {
                told(Status::MethodNotAllowed, "method_not_allowed", "use a method of the Allow header")
            }
            Self::UnknownItem { .. } => Told {
                field: Some("id".to_owned()),
                ..told(
                    Status::NotFound,
                    "unknown_item",
                    "ask for an item of the catalogue that the model was trained on",
                )
            },
            Self::Draining => {
                told(Status::ServiceUnavailable, "draining", "send requests to another instance")
            }
        }
    }
}

impl From<&HttpError> for Told {
    fn from(error: &HttpError) -> Self {
        let (status, code, help) = error.parts();
        Self { status, code, message: error.to_string(), field: None, place: None, help: help.to_owned() }
    }
}

impl Told {
    /// Appends the error body.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut error = serde_json::Map::new();
        error.insert("code".to_owned(), self.code.into());
        error.insert("message".to_owned(), self.message.as_str().into());
        if let Some(field) = &self.field {
            error.insert("field".to_owned(), field.as_str().into());
        }
        if let Some((line, column)) = self.place {
            error.insert("line".to_owned(), line.into());
            error.insert("column".to_owned(), column.into());
        }
        error.insert("help".to_owned(), self.help.as_str().into());
        out.extend_from_slice(serde_json::json!({ "error": error }).to_string().as_bytes());
    }
}
