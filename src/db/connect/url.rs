//! Where a database is, as people write it: a `postgres://` URL, completed by libpq's environment variables and
//! password file. Never shows the password: only [`DatabaseUrl::reveal`] does, for the one who asked for it.

mod credentials;
mod error;
mod parameters;
mod tls;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::config::{Host, SslMode};

use super::keywords;
use super::libpq::Environment;
use credentials::{Written, hide, hide_assignments, hide_pieces};
use error::malformed;
use parameters::{Parameters, complete};

pub use error::UrlError;
pub use tls::{TlsMode, TlsOptions};

/// How long a session may take to open, where nobody says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long what was sent may go unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// How long a connection may be silent before the network is asked whether it is still there, and how often then.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// What may stand in a URL's query value without being escaped, as far as people read it: `/` stays.
const QUERY_VALUE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'&')
    .add(b'#')
    .add(b'%')
    .add(b'+')
    .add(b'=')
    .add(b'?');

/// Parameters that object mappers put into their `DATABASE_URL` and that say nothing about the connection.
const FOREIGN: &[&str] = &[
    "connection_limit",
    "max_connections",
    "pgbouncer",
    "pool_timeout",
    "pool_size",
    "socket_timeout",
    "sslaccept",
    "sslidentity",
    "sslpassword",
    "statement_cache_size",
    "statement-cache-capacity",
    "gssencmode",
    "sslsni",
    "sslcompression",
    "fallback_application_name",
];

/// A database, with what is needed to connect to it.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    config: tokio_postgres::Config,
    tls: TlsOptions,
    /// `schema=…` of object mappers: the search path.
    schema: Option<String>,
}

impl DatabaseUrl {
    /// Parses a URL or libpq's `host=… dbname=…`; what it leaves out comes from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`,
    /// `PGSSLMODE`, `PGSSLROOTCERT`, `PGPASSFILE` and the password file, and from a service (`libpq`), as with psql.
    ///
    /// # Errors
    /// Where the URL is not one, or a parameter is unknown or has an impossible value.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::parse_with(text, |name| {
            std::env::var(name).ok().filter(|value| !value.is_empty())
        })
    }

    /// [`Self::parse`] with the environment passed in.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_with(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, UrlError> {
        let parsed = Self::read(text, environment);
        if parsed.is_err() {
            // What was not understood may be a piece of a password anywhere.
            hide_pieces(text);
        }
        parsed
    }

    fn read(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let converted;
        let text = match text.split_once("://") {
            Some(_) => text,
            None => {
                hide_assignments(text);
                converted = keywords::to_url(text).ok_or(UrlError::Scheme)?;
                &converted
            }
        };
        let (scheme, rest) = text.trim().split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = scheme.split('+').next().unwrap_or_default();
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(UrlError::Scheme);
        }
        let Written {
            credentials,
            address,
            query,
        } = Written::of(rest);
        if address.contains('@') {
            // Read as host, port and database, but it may have been meant as a password.
            hide_pieces(rest);
        }
        let has_host = !address.is_empty() && !address.starts_with('/');
        let address = format!("{credentials}{address}");
        let mut parameters = Parameters::read(query)?;
        let variables = Environment::of(&environment, parameters.service.as_deref())?;
        let environment = |name: &str| variables.get(name);
        parameters.complete(&environment)?;
        let beside = variables.driver(&parameters.driver, has_host);
        parameters.driver.extend(beside);
        let plain = if parameters.driver.is_empty() {
            format!("postgres://{address}")
        } else {
            format!("postgres://{address}?{}", parameters.driver.join("&"))
        };
        let mut config: tokio_postgres::Config =
            plain.parse().map_err(|error| malformed(&error))?;
        complete(&mut config, &environment)?;
        hide(&config);
        let schema = parameters.schema.as_ref();
        let search_path = schema.map(|schema| format!("-csearch_path={schema}"));
        for asked in [variables.settings(), search_path].into_iter().flatten() {
            let options = format!("{} {asked}", config.get_options().unwrap_or_default());
            config.options(options.trim_start());
        }
        config.application_name("pgproof");
        config.ssl_mode(match parameters.tls.mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        Ok(Self {
            config,
            tls: parameters.tls,
            schema: parameters.schema,
        })
    }

    /// The superuser of a server that listens in a private socket directory.
    #[must_use]
    pub fn of_socket(directory: &Path, port: u16, user: &str, database: &str) -> Self {
        let mut config = tokio_postgres::Config::new();
        config.host_path(directory);
        Self::of_own_server(config, port, user, database)
    }

    /// A server on 127.0.0.1 with a password.
    #[must_use]
    pub fn of_loopback(port: u16, user: &str, password: &str, database: &str) -> Self {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").password(password);
        Self::of_own_server(config, port, user, database)
    }

    /// On this machine, without TLS.
    fn of_own_server(
        mut config: tokio_postgres::Config,
        port: u16,
        user: &str,
        database: &str,
    ) -> Self {
        config
            .port(port)
            .user(user)
            .dbname(database)
            .application_name("pgproof")
            .ssl_mode(SslMode::Disable)
            .connect_timeout(Duration::from_secs(10));
        Self {
            config,
            tls: TlsOptions::none(),
            schema: None,
        }
    }

    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    /// The same user and database behind a proxy: at `host`, which is a name, an address or the folder of a Unix socket.
    #[must_use]
    pub fn behind_proxy(&self, host: &str, port: u16, mode: TlsMode) -> Self {
        let mut config = tokio_postgres::Config::new();
        config.host(host);
        if let Some(password) = self.config.get_password() {
            config.password(password);
        }
        if let Some(options) = self.config.get_options() {
            config.options(options);
        }
        let own = Self::of_own_server(config, port, self.user(), self.database());
        Self {
            tls: TlsOptions {
                mode,
                ..TlsOptions::none()
            },
            schema: self.schema.clone(),
            ..own
        }
    }

    /// Hosts with their ports, in the order in which they are tried.
    pub(in crate::db) fn servers(&self) -> Vec<(Host, u16)> {
        let ports = self.config.get_ports();
        let hosts = if self.config.get_hosts().is_empty() {
            let addresses = self.config.get_hostaddrs().iter();
            addresses
                .map(|address| Host::Tcp(address.to_string()))
                .collect()
        } else {
            self.config.get_hosts().to_vec()
        };
        let port = |index| ports.get(index).or(ports.first()).copied();
        hosts
            .into_iter()
            .enumerate()
            .map(|(index, host)| (host, port(index).unwrap_or(5432)))
            .collect()
    }

    /// The first port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }

    /// `DATABASE_URL` and libpq's variables, for another program: the password is in them.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let password = self.config.get_password().map(String::from_utf8_lossy);
        vec![
            // SQLAlchemy knows the long scheme alone; everybody else knows both.
            (
                "DATABASE_URL",
                self.reveal().replacen("postgres://", "postgresql://", 1),
            ),
            ("PGHOST", self.host()),
            ("PGPORT", self.port().to_string()),
            ("PGUSER", self.user().to_owned()),
            ("PGPASSWORD", password.unwrap_or_default().into_owned()),
            ("PGDATABASE", self.database().to_owned()),
            ("PGSSLMODE", self.tls.mode.as_str().to_owned()),
        ]
    }

    /// The first host as `PGHOST` names it.
    fn host(&self) -> String {
        match self.servers().first() {
            Some((Host::Tcp(name), _)) => name.clone(),
            Some((Host::Unix(folder), _)) => folder.to_string_lossy().into_owned(),
            None => "127.0.0.1".to_owned(),
        }
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.user())
    }

    /// The role that connects.
    #[must_use]
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// `host:port`, or the socket's path: for messages.
    #[must_use]
    pub fn address(&self) -> String {
        let addresses: Vec<String> = self
            .servers()
            .into_iter()
            .map(|(host, port)| match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(directory) => format!("{}/.s.PGSQL.{port}", directory.display()),
            })
            .collect();
        addresses.join(",")
    }

    /// The whole URL with the password, for another program (`psql`, a migration command): never for a message.
    #[must_use]
    pub fn reveal(&self) -> String {
        let password = self.config.get_password().map(String::from_utf8_lossy);
        self.for_another_program(password.as_deref())
    }

    /// The same without the password, for a program that gets it by `PGPASSWORD`: others see what programs are started with.
    pub(in crate::db) fn reveal_without_password(&self) -> String {
        self.for_another_program(None)
    }

    /// The password, for `PGPASSWORD` of another program.
    pub(in crate::db) fn password(&self) -> Option<String> {
        let password = self.config.get_password();
        password.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn for_another_program(&self, password: Option<&str>) -> String {
        let plain = self.render(password);
        let mut parameters: Vec<(&str, String)> =
            vec![("sslmode", self.tls.mode.as_str().to_owned())];
        let files = [
            ("sslrootcert", &self.tls.root_certificate),
            ("sslcert", &self.tls.client_certificate),
            ("sslkey", &self.tls.client_key),
        ];
        for (name, file) in files {
            parameters.extend(
                file.iter()
                    .map(|path| (name, path.to_string_lossy().into_owned())),
            );
        }
        parameters.extend(
            self.config
                .get_options()
                .map(|options| ("options", options.to_owned())),
        );
        if self.is_local() {
            // TLS says nothing about a socket.
            parameters.retain(|(name, _)| *name == "options");
        }
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY_VALUE)))
            .collect();
        let separator = if plain.contains('?') { "&" } else { "?" };
        if query.is_empty() {
            plain
        } else {
            format!("{plain}{separator}{}", query.join("&"))
        }
    }

    /// The same with further options for the server's session.
    #[must_use]
    pub fn with_options(&self, options: &str) -> Self {
        let mut url = self.clone();
        let known = url.config.get_options().unwrap_or_default();
        let both = format!("{known} {options}");
        url.config.options(both.trim_start());
        url
    }

    /// Whether it is reached through a Unix socket.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.config.get_hosts().first(), Some(Host::Unix(_)))
    }

    /// How the connection is encrypted.
    #[must_use]
    pub fn tls(&self) -> &TlsOptions {
        &self.tls
    }

    /// Whether a password is known.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// The same with sessions whose transactions are read only unless they ask for more.
    pub(super) fn read_only(&self) -> Self {
        let mut url = self.clone();
        let options = format!(
            "{} -cdefault_transaction_read_only=on",
            self.config.get_options().unwrap_or_default()
        );
        url.config.options(options.trim_start());
        url
    }

    /// How long to wait until a session is there.
    pub(super) fn connect_timeout(&self) -> Duration {
        let written = self.config.get_connect_timeout().copied();
        // As with libpq, 0 waits for ever; nobody means that here.
        let known = written.filter(|time| !time.is_zero());
        // Each host is tried for so long.
        let hosts = self.config.get_hosts().len().max(1);
        known
            .unwrap_or(CONNECT_TIMEOUT)
            .saturating_mul(u32::try_from(hosts).unwrap_or(u32::MAX))
    }

    pub(crate) fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// The same for sqlx.
    pub(crate) fn sqlx_options(&self) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .port(self.config.get_ports().first().copied().unwrap_or(5432))
            .username(self.user())
            .database(self.database())
            .application_name("pgproof")
            .ssl_mode(match self.tls.mode {
                TlsMode::Disable => PgSslMode::Disable,
                TlsMode::Prefer => PgSslMode::Prefer,
                TlsMode::Require => PgSslMode::Require,
                TlsMode::VerifyCa => PgSslMode::VerifyCa,
                TlsMode::VerifyFull => PgSslMode::VerifyFull,
            });
        options = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => options.host(name),
            Some(Host::Unix(directory)) => options.socket(directory),
            None => options,
        };
        if let Some(password) = self.config.get_password() {
            options = options.password(&String::from_utf8_lossy(password));
        }
        if let Some(root) = &self.tls.root_certificate {
            options = options.ssl_root_cert(root);
        }
        if let Some(schema) = &self.schema {
            options = options.options([("search_path", schema)]);
        }
        if let (Some(certificate), Some(key)) = (&self.tls.client_certificate, &self.tls.client_key)
        {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options
    }

    fn render(&self, password: Option<&str>) -> String {
        let encode = |text: &str| {
            utf8_percent_encode(text, NON_ALPHANUMERIC)
                .to_string()
                .replace("%5F", "_")
        };
        let database = encode(self.database());
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let mut credentials = encode(self.user());
        if let Some(password) = password {
            credentials = format!("{credentials}:{}", encode(password));
        }
        match self.config.get_hosts().first() {
            Some(Host::Unix(directory)) => {
                let directory = directory.to_string_lossy();
                let directory = utf8_percent_encode(&directory, QUERY_VALUE);
                format!("postgres://{credentials}@/{database}?host={directory}&port={port}")
            }
            Some(Host::Tcp(_)) | None => {
                format!("postgres://{credentials}@{}/{database}", self.address())
            }
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(None))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests;
