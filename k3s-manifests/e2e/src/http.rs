//! Requests of the checks, each answered or an error with its reason.

use std::time::Duration;

use anyhow::{Context, bail};

/// Nothing that is asked takes longer, except where something is wrong.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An agent that keeps its connection.
pub(crate) fn agent() -> ureq::Agent {
    let config =
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build();
    config.into()
}

/// The body of a GET that is answered with 200.
pub(crate) fn get(url: &str) -> anyhow::Result<String> {
    let mut answer = agent().get(url).call().with_context(|| url.to_owned())?;
    let (status, body) = (answer.status(), answer.body_mut().read_to_string()?);
    if status != 200 {
        bail!("{url}: {status}: {body}");
    }
    Ok(body)
}
