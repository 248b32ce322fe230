//! Mistakes in database URLs.

/// A mistake in a database URL: exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a PostgreSQL URL at all.
    #[error(
        "the database URL must start with postgres:// or postgresql://, e.g. postgres://user@host:5432/database"
    )]
    Scheme,
    /// A parameter that is not known.
    #[error("unknown parameter `{0}` in the database URL")]
    Parameter(String),
    /// A parameter whose value is not one of those allowed.
    #[error("`{value}` is no value for `{name}` in the database URL; expected {expected}")]
    Value {
        /// The parameter or variable.
        name: String,
        /// What was written.
        value: String,
        /// What may be written.
        expected: &'static str,
    },
    /// A variable of libpq's that asks for what the driver cannot do.
    #[error(
        "{variable} is {value:?}, and pgproof cannot do that: leave the variable out, or reach the database in another way"
    )]
    Unsupported {
        /// The variable, or the one that a service's key stands for.
        variable: String,
        value: String,
    },
    /// No service file has it.
    #[error("there is no service {name:?} in {files}")]
    Service {
        /// As it was asked for.
        name: String,
        /// Where it was looked for.
        files: String,
    },
    /// A key of a service file that is not known.
    #[error("the service {service:?} has an unknown key {key:?}")]
    ServiceKey { service: String, key: String },
    /// Anything else the driver's parser refuses.
    #[error(
        "the database URL does not parse ({0}); percent-encode special characters in the password"
    )]
    Malformed(String),
}

/// The driver's message without its "invalid connection string" preamble; it names options, never values.
pub(super) fn malformed(error: &tokio_postgres::Error) -> UrlError {
    let reason =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    UrlError::Malformed(reason)
}
