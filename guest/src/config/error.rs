//! What can be wrong with a setting.

/// A refused setting. The message names the variable, the value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a number, or one out of range.
    #[error("{name}=`{value}`: a whole number from {min} to {max} ({unit}) is allowed")]
    Number {
        /// Variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
        /// What it counts.
        unit: &'static str,
    },
    /// Not a share.
    #[error("{name}=`{value}`: a number from 0 to 1 is allowed, such as 0.05")]
    Share {
        /// Variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// A word that has no meaning here.
    #[error("{name}=`{value}`: allowed are {allowed}")]
    Word {
        /// Variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// The words that have one.
        allowed: &'static str,
    },
    /// Not a socket address.
    #[error("{name}=`{value}`: an IP address and a port are allowed, such as 0.0.0.0:8080 or [::]:8080")]
    Address {
        /// Variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Both listeners on one address.
    #[error("ENDCAP_ADMIN_LISTEN=`{value}`: must differ from ENDCAP_LISTEN")]
    SameAddress {
        /// The value of both.
        value: String,
    },
    /// Empty where something is needed.
    #[error("{name} is empty: a path is needed, such as /model.wasm")]
    Empty {
        /// Variable.
        name: &'static str,
    },
}
