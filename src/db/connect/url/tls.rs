//! How a connection is encrypted, in libpq's words.

use std::path::PathBuf;

use super::UrlError;

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never TLS.
    Disable,
    /// TLS where the server offers it; certificates are not checked.
    Prefer,
    /// TLS or nothing; certificates are checked only where a root certificate is named.
    Require,
    /// TLS with a certificate that a trusted authority signed.
    VerifyCa,
    /// And whose name is the host's.
    VerifyFull,
}

/// How the connection is encrypted and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// How much is demanded.
    pub mode: TlsMode,
    /// PEM file of trusted authorities, instead of the system's.
    pub root_certificate: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of the client's key.
    pub client_key: Option<PathBuf>,
}

impl TlsMode {
    /// As libpq writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    pub(super) fn parse(name: &str, value: &str) -> Result<Self, UrlError> {
        match value {
            "disable" => Ok(Self::Disable),
            "allow" | "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            other => Err(UrlError::Value {
                name: name.to_owned(),
                value: other.to_owned(),
                expected: "disable, allow, prefer, require, verify-ca or verify-full",
            }),
        }
    }
}

impl TlsOptions {
    pub(super) fn none() -> Self {
        Self {
            mode: TlsMode::Disable,
            root_certificate: None,
            client_certificate: None,
            client_key: None,
        }
    }
}
