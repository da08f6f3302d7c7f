//! From raw strings to a [`Config`].

use std::collections::BTreeMap;
use std::net::SocketAddr;

use endcap_core::format::Verify;

use super::variables::{
    ADMIN_LISTEN, CHECK, DRAIN_DELAY_MS, DRAIN_MS, IDLE_TIMEOUT_MS, INFERENCE, LISTEN, LOG, MAX_BODY_BYTES,
    MAX_CONNECTIONS, MAX_OWNERS, MODEL_PATH, RELOAD_MARGIN, RELOAD_S, REQUEST_TIMEOUT_MS, SESSION_TTL_S,
    VARIABLES, VERIFY, Variable,
};
use super::{Config, ConfigError, Environment};
use crate::clock::{MILLISECOND, SECOND};
use crate::inference::Choice;
use crate::log::Level;
use crate::nearest::nearest;

/// Variables of this project begin with this; others belong to someone else.
const PREFIX: &str = "ENDCAP_";

/// Reads the settings, and warnings about variables that look meant for the service and are not known.
///
/// # Errors
/// The first value that is not allowed.
pub fn read(environment: &impl Environment) -> Result<(Config, Vec<String>), ConfigError> {
    let raw: BTreeMap<String, String> = environment.variables().into_iter().collect();
    let values = Values { raw: &raw };
    let listen = values.address(LISTEN)?;
    let admin_listen = match values.get(ADMIN_LISTEN) {
        "" => None,
        _ => Some(values.address(ADMIN_LISTEN)?),
    };
    if admin_listen == Some(listen) && listen.port() != 0 {
        return Err(ConfigError::SameAddress { value: listen.to_string() });
    }
    let config = Config {
        model_path: values.path(MODEL_PATH)?,
        listen,
        admin_listen,
        drain: values.number(DRAIN_MS, 1, 600_000, "milliseconds")? * MILLISECOND,
        drain_delay: values.number(DRAIN_DELAY_MS, 0, 600_000, "milliseconds")? * MILLISECOND,
        max_connections: values.number(MAX_CONNECTIONS, 1, 65_536, "connections")? as usize,
        max_body_bytes: values.number(MAX_BODY_BYTES, 1024, 64 << 20, "bytes")? as usize,
        request_timeout: values.number(REQUEST_TIMEOUT_MS, 10, 600_000, "milliseconds")? * MILLISECOND,
        idle_timeout: values.number(IDLE_TIMEOUT_MS, 10, 86_400_000, "milliseconds")? * MILLISECOND,
        session_ttl_ms: values.number(SESSION_TTL_S, 1, 10 * 366 * 86_400, "seconds")? as i64 * 1000,
        max_owners: values.number(MAX_OWNERS, 1, 10_000_000, "sessions and users")? as usize,
        verify: values.word(VERIFY, "fast, full", |word| match word {
            "fast" => Some(Verify::Fast),
            "full" => Some(Verify::Full),
            _ => None,
        })?,
        inference: values.word(INFERENCE, "auto, onnx, ggml, builtin, off", Choice::parse)?,
        reload: Some(values.number(RELOAD_S, 0, 86_400, "seconds")? * SECOND).filter(|&every| every > 0),
        reload_margin: values.share(RELOAD_MARGIN)?,
        log: values.word(LOG, "error, info, debug", |word| {
            [Level::Error, Level::Info, Level::Debug].into_iter().find(|level| level.as_str() == word)
        })?,
        check: values.word(CHECK, "0, 1", |word| match word {
            "0" | "" => Some(false),
            "1" => Some(true),
            _ => None,
        })?,
    };
    Ok((config, unknown(&raw)))
}

fn unknown(raw: &BTreeMap<String, String>) -> Vec<String> {
    let names = || VARIABLES.iter().map(|variable| variable.name);
    raw.keys()
        .filter(|name| name.starts_with(PREFIX) && !names().any(|known| known == *name))
        .map(|name| match nearest(name, names()) {
            Some(near) => format!("{name} is not a known variable; did you mean {near}?"),
            None => format!("{name} is not a known variable"),
        })
        .collect()
}

struct Values<'r> {
    raw: &'r BTreeMap<String, String>,
}

impl Values<'_> {
    fn get(&self, variable: Variable) -> &str {
        self.raw.get(variable.name).map_or(variable.default, |value| value.trim())
    }

    fn path(&self, variable: Variable) -> Result<String, ConfigError> {
        match self.get(variable) {
            "" => Err(ConfigError::Empty { name: variable.name }),
            path => Ok(path.to_owned()),
        }
    }

    fn address(&self, variable: Variable) -> Result<SocketAddr, ConfigError> {
        let value = self.get(variable);
        value.parse().map_err(|_| ConfigError::Address { name: variable.name, value: value.to_owned() })
    }

    fn number(&self, variable: Variable, min: u64, max: u64, unit: &'static str) -> Result<u64, ConfigError> {
        let value = self.get(variable);
        let refused = || ConfigError::Number { name: variable.name, value: value.to_owned(), min, max, unit };
        value.parse().ok().filter(|number| (min..=max).contains(number)).ok_or_else(refused)
    }

    fn share(&self, variable: Variable) -> Result<f64, ConfigError> {
        let value = self.get(variable);
        let refused = || ConfigError::Share { name: variable.name, value: value.to_owned() };
        value.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(refused)
    }

    fn word<T>(
        &self,
        variable: Variable,
        allowed: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let value = self.get(variable);
        let refused = || ConfigError::Word { name: variable.name, value: value.to_owned(), allowed };
        parse(value).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given(&'static [(&'static str, &'static str)]);

    impl Environment for Given {
        fn variables(&self) -> Vec<(String, String)> {
            self.0.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        }
    }

    #[test]
    fn defaults() {
        let (config, warnings) = read(&Given(&[("PATH", "/bin")])).unwrap();
        assert_eq!(config.model_path, "/model.wasm");
        assert_eq!(config.listen.to_string(), "0.0.0.0:8080");
        assert_eq!((config.admin_listen, config.max_connections, config.check), (None, 1024, false));
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn a_refused_value_names_variable_value_and_what_is_allowed() {
        let check = |name, value, message: &str| {
            let given = [(name, value)];
            let error = read(&Given(Box::leak(Box::new(given)))).unwrap_err();
            assert_eq!(error.to_string(), message);
        };
        check(
            "ENDCAP_MAX_CONNECTIONS",
            "0",
            "ENDCAP_MAX_CONNECTIONS=`0`: a whole number from 1 to 65536 (connections) is allowed",
        );
        check(
            "ENDCAP_RELOAD_MARGIN",
            "5",
            "ENDCAP_RELOAD_MARGIN=`5`: a number from 0 to 1 is allowed, such as 0.05",
        );
        check("ENDCAP_VERIFY", "some", "ENDCAP_VERIFY=`some`: allowed are fast, full");
        check("MODEL_PATH", " ", "MODEL_PATH is empty: a path is needed, such as /model.wasm");
        check(
            "ENDCAP_ADMIN_LISTEN",
            "0.0.0.0:8080",
            "ENDCAP_ADMIN_LISTEN=`0.0.0.0:8080`: must differ from ENDCAP_LISTEN",
        );
        check(
            "ENDCAP_LISTEN",
            "localhost",
            "ENDCAP_LISTEN=`localhost`: an IP address and a port are allowed, such as 0.0.0.0:8080 or [::]:8080",
        );
    }

    #[test]
    fn an_unknown_variable_is_warned_about() {
        let (_, warnings) = read(&Given(&[("ENDCAP_LISTN", "x"), ("ENDCAP_QQQQQQ", "")])).unwrap();
        assert_eq!(
            warnings,
            [
                "ENDCAP_LISTN is not a known variable; did you mean ENDCAP_LISTEN?",
                "ENDCAP_QQQQQQ is not a known variable"
            ]
        );
    }

    #[test]
    fn the_readme_has_every_variable_with_its_default() {
        let readme = include_str!("../../README.md");
        for Variable { name, default } in VARIABLES {
            let shown = if default.is_empty() { "(empty)".to_owned() } else { format!("`{default}`") };
            let row = format!("| `{name}` | {shown} |");
            assert!(readme.contains(&row), "guest/README.md lacks the row {row}");
        }
    }
}
