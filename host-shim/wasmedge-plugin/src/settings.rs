//! What the operator sets by environment variables, checked once when the plugin starts.

use endcap_nn::Limits;

use crate::log::Level;

/// The variables are `ENDCAP_NN_` and one of these words.
const PREFIX: &str = "ENDCAP_NN_";
/// The same with this in front: one of the container runtimes hands a pod's variables on to the process only
/// where they begin so.
const RUNTIME_PREFIX: &str = "WASMEDGE_";
/// The variable from which container runtimes take a model to register, and one entry of it.
const RUNTIME_PRELOAD: &str = "WASMEDGE_WASINN_PRELOAD";

/// A variable with a value that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is `{value}`; allowed is {allowed}")]
pub(crate) struct SettingError {
    name: String,
    value: String,
    allowed: &'static str,
}

/// Everything that the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) level: Level,
    /// Lists of models, each with the variable that it comes from.
    pub(crate) preloads: Vec<(String, String)>,
}

impl Settings {
    /// Reads the variables through `get`; those that are empty or absent leave the default.
    ///
    /// # Errors
    /// The first variable with a bad value. A limit that is not understood must not become a wider one.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let source = Source { get };
        let mut limits = Limits::default();
        // Taken apart, so that a limit without a variable does not compile.
        let Limits { model_bytes, tensor_bytes, working_bytes, graphs, contexts, plans, tokens } =
            &mut limits;
        source.number("MAX_MODEL_BYTES", model_bytes)?;
        source.number("MAX_TENSOR_BYTES", tensor_bytes)?;
        source.number("MAX_WORKING_BYTES", working_bytes)?;
        source.number("MAX_GRAPHS", graphs)?;
        source.number("MAX_CONTEXTS", contexts)?;
        source.number("MAX_PLANS", plans)?;
        source.number("MAX_TOKENS", tokens)?;
        let level = match source.find("LOG") {
            None => Level::Off,
            Some((name, value)) => match value.as_str() {
                "off" => Level::Off,
                "error" => Level::Error,
                "debug" => Level::Debug,
                _ => return Err(SettingError { name, value, allowed: "off, error or debug" }),
            },
        };
        let mut preloads: Vec<_> = source.find("PRELOAD").into_iter().collect();
        preloads.extend(source.exact(RUNTIME_PRELOAD.to_owned()));
        Ok(Self { limits, level, preloads })
    }
}

struct Source<G> {
    get: G,
}

impl<G: Fn(&str) -> Option<String>> Source<G> {
    fn exact(&self, name: String) -> Option<(String, String)> {
        let value = (self.get)(&name).filter(|value| !value.is_empty())?;
        Some((name, value))
    }

    fn find(&self, word: &str) -> Option<(String, String)> {
        self.exact(format!("{PREFIX}{word}"))
            .or_else(|| self.exact(format!("{RUNTIME_PREFIX}{PREFIX}{word}")))
    }

    /// Sets a limit. Zero is refused: it would switch the plugin off, for which leaving it out is the clearer way.
    fn number<T: TryFrom<u64>>(&self, word: &str, limit: &mut T) -> Result<(), SettingError> {
        let Some((name, value)) = self.find(word) else { return Ok(()) };
        let number = value.parse::<u64>().ok().filter(|&number| number > 0).and_then(|n| T::try_from(n).ok());
        match number {
            Some(number) => *limit = number,
            None => return Err(SettingError { name, value, allowed: "a whole number above 0" }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::read(get).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        let settings = read(&[("ENDCAP_NN_LOG", "")]).unwrap();
        assert_eq!(settings, Settings { limits: Limits::default(), level: Level::Off, preloads: Vec::new() });
    }

    #[test]
    fn every_limit_has_its_variable() {
        let settings = read(&[
            ("ENDCAP_NN_MAX_MODEL_BYTES", "1"),
            ("ENDCAP_NN_MAX_TENSOR_BYTES", "2"),
            ("WASMEDGE_ENDCAP_NN_MAX_GRAPHS", "3"),
            ("ENDCAP_NN_MAX_CONTEXTS", "4"),
            ("ENDCAP_NN_MAX_PLANS", "5"),
            ("ENDCAP_NN_MAX_TOKENS", "6"),
            ("ENDCAP_NN_MAX_WORKING_BYTES", "7"),
        ]);
        let limits = Limits {
            model_bytes: 1,
            tensor_bytes: 2,
            working_bytes: 7,
            graphs: 3,
            contexts: 4,
            plans: 5,
            tokens: 6,
        };
        assert_eq!(settings.unwrap().limits, limits);
    }

    #[test]
    fn a_bad_value_is_named() {
        let check = |name, value, expected: &str| {
            assert_eq!(read(&[(name, value)]).unwrap_err(), expected);
        };
        check("ENDCAP_NN_MAX_GRAPHS", "0", "ENDCAP_NN_MAX_GRAPHS is `0`; allowed is a whole number above 0");
        check(
            "ENDCAP_NN_MAX_TOKENS",
            "1e3",
            "ENDCAP_NN_MAX_TOKENS is `1e3`; allowed is a whole number above 0",
        );
        check(
            "ENDCAP_NN_MAX_TOKENS",
            "4294967296",
            "ENDCAP_NN_MAX_TOKENS is `4294967296`; allowed is a whole number above 0",
        );
        check(
            "WASMEDGE_ENDCAP_NN_LOG",
            "all",
            "WASMEDGE_ENDCAP_NN_LOG is `all`; allowed is off, error or debug",
        );
    }

    #[test]
    fn models_come_from_our_variable_and_the_runtimes() {
        let settings = read(&[("ENDCAP_NN_PRELOAD", "a"), ("WASMEDGE_WASINN_PRELOAD", "b")]).unwrap();
        let expected = [("ENDCAP_NN_PRELOAD", "a"), ("WASMEDGE_WASINN_PRELOAD", "b")];
        assert_eq!(settings.preloads, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
