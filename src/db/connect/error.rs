//! Why a connection could not be made, in words that say what to do next. Never holds a password.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::SqlState;

use super::ServerVersion;
use super::tls::TlsError;
use super::url::{DatabaseUrl, TlsMode};
use crate::interrupt::Interrupted;

/// A connection that could not be made: exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing answers there.
    #[error("cannot reach PostgreSQL at {address}: {reason}; {remedy}")]
    Unreachable {
        /// `host:port` or a socket's path.
        address: String,
        /// The operating system's message.
        reason: String,
        /// What to try.
        remedy: &'static str,
    },
    /// The server refused the role or its password.
    #[error("{address} refused user \"{user}\": {reason}; {remedy}")]
    Authentication {
        /// `host:port` or a socket's path.
        address: String,
        /// The role.
        user: String,
        /// The server's message.
        reason: String,
        /// What to try.
        remedy: &'static str,
    },
    /// The server has no such database.
    #[error(
        "{address} has no database \"{database}\"; create it or name another in the database URL"
    )]
    NoSuchDatabase {
        /// `host:port` or a socket's path.
        address: String,
        /// The name that was asked for.
        database: String,
    },
    /// The server's connections are used up.
    #[error(
        "{address} has no free connection for user \"{user}\": {reason}; close other clients or raise the limit"
    )]
    TooManyConnections {
        /// `host:port` or a socket's path.
        address: String,
        /// The role.
        user: String,
        /// The server's message.
        reason: String,
    },
    /// The encrypted connection failed.
    #[error("TLS with {address} failed: {reason}; {remedy}")]
    Tls {
        /// `host:port`.
        address: String,
        /// The message of rustls.
        reason: String,
        /// What to try.
        remedy: &'static str,
    },
    /// The server starts or stops just now.
    #[error("PostgreSQL at {address} takes no connections now: {reason}; try again in a moment")]
    NotReady {
        /// `host:port` or a socket's path.
        address: String,
        /// The server's message.
        reason: String,
    },
    /// A server older than what pgproof reads.
    #[error("{address} runs PostgreSQL {version}; pgproof needs 14 or newer")]
    TooOld {
        /// `host:port` or a socket's path.
        address: String,
        /// What runs there.
        version: ServerVersion,
    },
    /// Any other refusal.
    #[error("cannot connect to {url}: {reason}")]
    Refused {
        /// Without the password.
        url: String,
        /// The server's or the driver's message.
        reason: String,
    },
    /// A certificate file at fault.
    #[error("TLS for {address} cannot be set up: {source}")]
    TlsSetup {
        /// `host:port`.
        address: String,
        /// What is wrong.
        source: TlsError,
    },
    /// Ctrl-C while connecting.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl ConnectError {
    /// It accepted the connection and said nothing.
    pub(super) fn silent(url: &DatabaseUrl) -> Self {
        Self::Unreachable {
            address: url.address(),
            reason: format!(
                "it accepts connections and does not answer within {} s",
                url.connect_timeout().as_secs()
            ),
            remedy: "the server is stopped or overloaded, or something in between is; PGCONNECT_TIMEOUT waits longer",
        }
    }

    /// Reads the driver's error.
    pub(super) fn of(url: &DatabaseUrl, error: &tokio_postgres::Error) -> Self {
        let address = url.address();
        if let Some(refusal) = error.as_db_error() {
            return Self::of_refusal(url, refusal);
        }
        let text = error.to_string();
        if text.contains("TLS") {
            return Self::Tls {
                address,
                reason: reasons(error),
                remedy: tls_remedy(url, error),
            };
        }
        match io_cause(error) {
            Some(cause) => Self::Unreachable {
                address,
                reason: plain(cause),
                remedy: unreachable_remedy(url, cause.kind()),
            },
            None if text.contains("timeout") => Self::Unreachable {
                address,
                reason: "no answer in time".to_owned(),
                remedy: "check the host and the firewall",
            },
            None if reasons(error).contains("password missing") => Self::Authentication {
                address,
                user: url.user().to_owned(),
                reason: "it asks for a password and none is known".to_owned(),
                remedy: "put it into the URL, PGPASSWORD or ~/.pgpass",
            },
            // Whatever listens there hung up without a word of the protocol.
            None if error.is_closed() => Self::Unreachable {
                address,
                reason: "it closed the connection".to_owned(),
                remedy: "check that PostgreSQL listens there",
            },
            None => Self::Refused {
                url: url.to_string(),
                reason: reasons(error),
            },
        }
    }

    fn of_refusal(url: &DatabaseUrl, refusal: &tokio_postgres::error::DbError) -> Self {
        let address = url.address();
        let user = url.user().to_owned();
        let reason = refusal.message().to_owned();
        let code = refusal.code();
        if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        {
            let remedy = if *code == SqlState::INVALID_PASSWORD {
                "check user and password (URL, PGPASSWORD, ~/.pgpass)"
            } else {
                "check that the user exists and that pg_hba.conf lets it in"
            };
            Self::Authentication {
                address,
                user,
                reason,
                remedy,
            }
        } else if *code == SqlState::INVALID_CATALOG_NAME {
            Self::NoSuchDatabase {
                address,
                database: url.database().to_owned(),
            }
        } else if *code == SqlState::TOO_MANY_CONNECTIONS {
            Self::TooManyConnections {
                address,
                user,
                reason,
            }
        } else if *code == SqlState::CANNOT_CONNECT_NOW {
            Self::NotReady { address, reason }
        } else {
            Self::Refused {
                url: url.to_string(),
                reason: format!("{reason} (SQLSTATE {})", code.code()),
            }
        }
    }
}

fn io_cause(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
}

/// An OS error without "(os error 111)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// The whole chain of causes.
fn reasons(error: &tokio_postgres::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(source) = cause {
        parts.push(source.to_string());
        cause = source.source();
    }
    parts.dedup();
    parts.join(": ")
}

fn unreachable_remedy(url: &DatabaseUrl, kind: io::ErrorKind) -> &'static str {
    let socket = url.address().starts_with('/');
    match kind {
        io::ErrorKind::ConnectionRefused if !socket => "is the server running, and on this port?",
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            "is the server running on this socket?"
        }
        io::ErrorKind::PermissionDenied => "this user may not open the socket",
        io::ErrorKind::TimedOut => "check the host and the firewall",
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => {
            "the other side hung up: is it PostgreSQL, and did it crash?"
        }
        _ => "check the host name and the network",
    }
}

fn tls_remedy(url: &DatabaseUrl, error: &tokio_postgres::Error) -> &'static str {
    if reasons(error).contains("does not support TLS") {
        return "the server offers no TLS; use sslmode=disable or enable ssl on the server";
    }
    match url.tls().mode {
        TlsMode::VerifyCa | TlsMode::VerifyFull | TlsMode::Require => {
            "check the certificate, or name its authority with sslrootcert"
        }
        TlsMode::Prefer | TlsMode::Disable => {
            "use sslmode=disable or repair the server's certificate"
        }
    }
}
