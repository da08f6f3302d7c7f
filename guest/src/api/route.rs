//! Which function answers a path, and with which methods.

use std::borrow::Cow;

use crate::http::{Method, Port, target};

/// A route, as metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "as_str gives the path of each")]
pub enum Route {
    Recommend,
    UserRecommend,
    SessionRecommend,
    Neighbors,
    Popular,
    Trending,
    Latest,
    Events,
    Feedback,
    Model,
    Live,
    Ready,
    Metrics,
    Drain,
    Reload,
    Unknown,
}

impl Route {
    /// Every route, in the order of [`Self::index`].
    pub const ALL: [Self; 16] = [
        Self::Recommend,
        Self::UserRecommend,
        Self::SessionRecommend,
        Self::Neighbors,
        Self::Popular,
        Self::Trending,
        Self::Latest,
        Self::Events,
        Self::Feedback,
        Self::Model,
        Self::Live,
        Self::Ready,
        Self::Metrics,
        Self::Drain,
        Self::Reload,
        Self::Unknown,
    ];

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its label in metrics. Two paths of one meaning share a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recommend => "/v1/recommend",
            Self::UserRecommend => "/api/recommend/{user}",
            Self::SessionRecommend => "/api/session/recommend",
            Self::Neighbors => "/api/item/{id}/neighbors",
            Self::Popular => "/api/popular",
            Self::Trending => "/api/trending",
            Self::Latest => "/api/latest",
            Self::Events => "/v1/events",
            Self::Feedback => "/api/feedback",
            Self::Model => "/v1/model",
            Self::Live => "/healthz",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::Drain => "/drain",
            Self::Reload => "/reload",
            Self::Unknown => "unknown",
        }
    }

    /// The value of `Allow`.
    pub fn allow(self) -> &'static str {
        match self {
            Self::Recommend | Self::SessionRecommend | Self::Events | Self::Feedback | Self::Reload => "POST",
            Self::Drain => "GET, POST",
            _ => "GET, HEAD",
        }
    }

    /// Whether `method` is among [`Self::allow`].
    pub fn allows(self, method: Method) -> bool {
        match method {
            Method::Get => self.allow().starts_with("GET"),
            Method::Head => self.allow().ends_with("HEAD"),
            Method::Post => self.allow().ends_with("POST"),
            Method::Other => false,
        }
    }
}

/// The route of a path as received, and its percent-encoded parameter (empty where it has none).
pub fn find(path: &str, port: Port) -> (Route, &str) {
    let route = match path {
        "/healthz" | "/api/health/live" => Route::Live,
        "/readyz" | "/api/health/ready" => Route::Ready,
        "/metrics" => Route::Metrics,
        "/drain" if port == Port::Admin => Route::Drain,
        "/reload" if port == Port::Admin => Route::Reload,
        // The node's port serves the node and nobody else.
        _ if port == Port::Admin => Route::Unknown,
        "/api/session/recommend" => Route::SessionRecommend,
        "/v1/recommend" => Route::Recommend,
        "/v1/events" => Route::Events,
        "/v1/model" => Route::Model,
        "/api/feedback" => Route::Feedback,
        "/api/popular" => Route::Popular,
        "/api/trending" => Route::Trending,
        "/api/latest" => Route::Latest,
        _ => return with_parameter(path),
    };
    (route, "")
}

fn with_parameter(path: &str) -> (Route, &str) {
    let segment = |rest: &str| !rest.is_empty() && !rest.contains('/');
    if let Some(user) = path.strip_prefix("/api/recommend/").filter(|user| segment(user)) {
        return (Route::UserRecommend, user);
    }
    let item = path.strip_prefix("/api/item/").and_then(|rest| rest.strip_suffix("/neighbors"));
    match item.filter(|item| segment(item)) {
        Some(item) => (Route::Neighbors, item),
        None => (Route::Unknown, ""),
    }
}

/// The decoded form of a path parameter; `None` for a broken escape.
pub(super) fn parameter(raw: &str) -> Option<Cow<'_, str>> {
    target::decode(raw, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_routes() {
        let check = |path, expected: (Route, &str)| assert_eq!(find(path, Port::Public), expected, "{path}");
        check("/api/recommend/u%2F1", (Route::UserRecommend, "u%2F1"));
        check("/api/item/a/neighbors", (Route::Neighbors, "a"));
        check("/api/item/a/b/neighbors", (Route::Unknown, ""));
        check("/api/item//neighbors", (Route::Unknown, ""));
        check("/api/item/neighbors", (Route::Unknown, ""));
        check("/api/recommend/", (Route::Unknown, ""));
        check("/drain", (Route::Unknown, ""));
        check("/healthz/", (Route::Unknown, ""));
        assert_eq!(find("/drain", Port::Admin).0, Route::Drain);
        assert_eq!(find("/v1/recommend", Port::Admin).0, Route::Unknown);
    }

    #[test]
    fn routes_are_numbered_and_know_their_methods() {
        for (index, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route.index(), index);
        }
        assert!(Route::Popular.allows(Method::Head) && !Route::Popular.allows(Method::Post));
        assert!(Route::Recommend.allows(Method::Post) && !Route::Recommend.allows(Method::Get));
        assert!(Route::Drain.allows(Method::Get) && Route::Drain.allows(Method::Post));
    }
}
