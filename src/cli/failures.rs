//! What a failure of the edges means to the one who typed the command: whose mistake it is, and so the exit code.

use super::exit::CliError;
use crate::db::clone::CloneError;
use crate::db::connect::{ConnectError, UrlError};
use crate::db::migrate::MigrateError;
use crate::db::server::ServerError;
use crate::interrupt::Interrupted;

impl From<Interrupted> for CliError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<UrlError> for CliError {
    fn from(error: UrlError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ConnectError> for CliError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Interrupted(_) => Self::Interrupted,
            other => Self::environment(&other),
        }
    }
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Interrupted(_) => Self::Interrupted,
            ServerError::Connect(error) => error.into(),
            other if other.is_configuration() => Self::usage(other.to_string()),
            other => Self::environment(&other),
        }
    }
}

impl From<CloneError> for CliError {
    fn from(error: CloneError) -> Self {
        match error {
            CloneError::Interrupted(_) => Self::Interrupted,
            CloneError::Connect(error) => error.into(),
            other => Self::environment(&other),
        }
    }
}

impl From<MigrateError> for CliError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Interrupted(_) => Self::Interrupted,
            MigrateError::Connect(error) => error.into(),
            MigrateError::Statement(error) => error.into(),
            other if other.is_configuration() => Self::usage(other.to_string()),
            other => Self::environment(&other),
        }
    }
}
