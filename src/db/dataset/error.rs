//! Why there is no dataset.

use crate::db::clone::CloneError;
use crate::db::connect::{ConnectError, EnvironmentFault, describe};
use crate::db::introspect::IntrospectError;
use crate::db::load::{LoadError, Space};
use crate::db::migrate::MigrateError;
use crate::db::server::ServerError;
use crate::interrupt::Interrupted;
use crate::seed::SeedError;
use crate::source::SourceError;
use crate::units::Bytes;

/// Why there is no dataset.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// Mistakes in seed files: exit code 2.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Spec(Vec<SourceError>),
    /// The schema and the spec do not go together: exit code 2.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plan(Vec<SeedError>),
    /// A migration failed.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The server cannot be talked to: exit code 3.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema cannot be read: exit code 3.
    #[error(transparent)]
    Introspect(#[from] IntrospectError),
    /// The rows cannot be written.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No database of pgproof's own could be made or dropped: exit code 3.
    #[error(transparent)]
    Clone(#[from] CloneError),
    /// The embedded server cannot be used as it is: exit code 3.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The rows do not fit on the disk: exit code 3.
    #[error(
        "the dataset does not fit on the disk: it {space}, and {free} are free; free some (`pgproof server prune`), or make \
         it smaller (`dataset.scale` of pgproof.toml, or `rows` in the seed files)"
    )]
    Space {
        /// What is needed.
        space: Space,
        /// What there is.
        free: Bytes,
    },
    /// Anything else that the server refused: exit code 3.
    #[error("cannot {action}: {reason}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// What the server said.
        reason: String,
        /// Set where the server or the connection failed.
        fault: Option<EnvironmentFault>,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl DatasetError {
    /// Whether the project is at fault (exit code 2) and not the machine (3).
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Spec(_) | Self::Plan(_) => true,
            Self::Migrate(error) => error.is_configuration(),
            Self::Load(LoadError::Rows { fault, .. } | LoadError::Constraint { fault, .. }) => {
                fault.is_none()
            }
            Self::Connect(_)
            | Self::Server(_)
            | Self::Introspect(_)
            | Self::Load(_)
            | Self::Clone(_)
            | Self::Space { .. }
            | Self::Refused { .. }
            | Self::Interrupted(_) => false,
        }
    }

    /// Whether the server's disk is full, as far as can be seen.
    pub(super) fn is_disk_full(&self) -> bool {
        match self {
            Self::Load(
                LoadError::Rows { fault, .. }
                | LoadError::Constraint { fault, .. }
                | LoadError::Refused { fault, .. },
            )
            | Self::Refused { fault, .. } => match fault {
                // A server that cannot write its log ends every session.
                Some(EnvironmentFault::DiskFull | EnvironmentFault::ConnectionLost) => true,
                Some(EnvironmentFault::OutOfResources) | None => false,
            },
            Self::Clone(CloneError::DiskFull { .. })
            | Self::Migrate(MigrateError::Environment { .. }) => true,
            Self::Spec(_)
            | Self::Plan(_)
            | Self::Migrate(_)
            | Self::Connect(_)
            | Self::Introspect(_)
            | Self::Load(_)
            | Self::Clone(_)
            | Self::Server(_)
            | Self::Space { .. }
            | Self::Interrupted(_) => false,
        }
    }

    pub(super) fn refused(action: &'static str, error: &tokio_postgres::Error) -> Self {
        Self::Refused {
            action,
            reason: describe(error),
            fault: EnvironmentFault::of(error),
        }
    }
}
