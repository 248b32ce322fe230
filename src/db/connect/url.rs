//! Where a database is, as people write it: a `postgres://` URL, completed by libpq's environment variables and
//! password file. Never shows the password: only [`DatabaseUrl::reveal`] does, for the one who asked for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::config::{Host, SslMode};

use super::keywords;
use super::libpq::Environment;
use crate::secret::{remember, remember_pieces};

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
        /// Its value.
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
    ServiceKey {
        /// The service.
        service: String,
        /// The key.
        key: String,
    },
    /// Anything else the driver's parser refuses.
    #[error(
        "the database URL does not parse ({0}); percent-encode special characters in the password"
    )]
    Malformed(String),
}

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

    fn parse(name: &str, value: &str) -> Result<Self, UrlError> {
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

impl TlsOptions {
    fn none() -> Self {
        Self {
            mode: TlsMode::Disable,
            root_certificate: None,
            client_certificate: None,
            client_key: None,
        }
    }
}

/// A URL's parts as people mean them: a password that was not escaped may hold `@`, `/`, `?` and `#`.
struct Written<'a> {
    /// `user:password@` with the password escaped; empty where there is none.
    credentials: String,
    /// Hosts and database.
    address: &'a str,
    query: &'a str,
}

impl<'a> Written<'a> {
    fn of(rest: &'a str) -> Self {
        let (credentials, rest) = match credentials(rest) {
            Some(at) => (escaped_credentials(&rest[..at]), &rest[at + 1..]),
            None => (String::new(), rest),
        };
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self {
            credentials,
            address,
            query,
        }
    }
}

/// Where the `@` stands that ends the credentials. It is the last one before the query, unless all of them belong to it.
fn credentials(rest: &str) -> Option<usize> {
    let first_at = rest.find('@')?;
    let colon = rest[..first_at].find(':');
    // `host:5432/db?user=a@b`: everything up to the path is an address.
    let path = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_port = |text: &str| {
        let is_part = |byte: u8| byte.is_ascii_digit() || byte == b',';
        !text.is_empty() && text.bytes().all(is_part)
    };
    let is_address = path < first_at
        && colon.is_none_or(|colon| colon > path || is_port(&rest[colon + 1..path]));
    if is_address {
        return None;
    }
    if colon.is_none() {
        return Some(first_at);
    }
    // A later `@` belongs to the password, but not one within a query that follows.
    let last = rest.rfind('@')?;
    let query = rest[..last]
        .rfind('?')
        .filter(|at| *at > first_at && is_query(&rest[at + 1..]));
    match query {
        Some(query) => rest[..query].rfind('@'),
        None => Some(last),
    }
}

/// Whether it is `name=value&…` with a name that a URL may have.
fn is_query(text: &str) -> bool {
    let name = text.split(['=', '&']).next().unwrap_or_default();
    text.contains('=')
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'))
}

/// `user:pass/word` → `user:pass%2Fword`. What is escaped already stays.
fn escaped_credentials(written: &str) -> String {
    const IN_PASSWORD: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'@')
        .add(b'/')
        .add(b'?')
        .add(b'#')
        .add(b':')
        .add(b'[')
        .add(b']');
    match written.split_once(':') {
        None => format!("{written}@"),
        Some((user, password)) => {
            format!("{user}:{}@", utf8_percent_encode(password, IN_PASSWORD))
        }
    }
}

/// Every piece of what may be a password: messages about a URL that is not understood must not hold one.
fn hide_pieces(text: &str) {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let end = rest.rfind('@').unwrap_or(rest.len());
    let Some((user, secret)) = rest[..end].split_once(':') else {
        return;
    };
    remember_pieces(secret, &[user]);
    let decoded = percent_decode_str(secret).decode_utf8_lossy();
    remember_pieces(&decoded, &[user]);
}

/// The values of `password=…` and `sslpassword=…` in libpq's notation, understood or not.
fn hide_assignments(text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("password") {
        rest = &rest[at + "password".len()..];
        if let Some(value) = rest.trim_start().strip_prefix('=') {
            let value = value.trim_start();
            let end = match value.strip_prefix('\'') {
                Some(quoted) => quoted.find('\'').map_or(value.len(), |end| end + 1),
                None => value.find(char::is_whitespace).unwrap_or(value.len()),
            };
            remember_pieces(value[..end].trim_matches('\''), &[]);
        }
    }
}

/// The password that will be sent, wherever it came from: URL, PGPASSWORD, password file.
fn hide(config: &tokio_postgres::Config) {
    let Some(password) = config.get_password() else {
        return;
    };
    let mut public: Vec<&str> = Vec::new();
    public.extend(config.get_user());
    public.extend(config.get_dbname());
    for host in config.get_hosts() {
        match host {
            Host::Tcp(name) => public.push(name),
            Host::Unix(_) => {}
        }
    }
    remember(&String::from_utf8_lossy(password), &public);
}

/// The URL's query, split into what the driver reads and what this module reads.
struct Parameters {
    /// `key=value` as written.
    driver: Vec<String>,
    tls: TlsOptions,
    mode_written: bool,
    schema: Option<String>,
    service: Option<String>,
}

impl Parameters {
    fn read(query: &str) -> Result<Self, UrlError> {
        let tls = TlsOptions {
            mode: TlsMode::Prefer,
            ..TlsOptions::none()
        };
        let mut parameters = Self {
            driver: Vec::new(),
            tls,
            mode_written: false,
            schema: None,
            service: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            parameters.take(name, &value, pair)?;
        }
        Ok(parameters)
    }

    fn take(&mut self, name: &str, value: &str, pair: &str) -> Result<(), UrlError> {
        match name {
            "sslmode" | "ssl-mode" => {
                self.tls.mode = TlsMode::parse(name, value)?;
                self.mode_written = true;
            }
            "sslrootcert" | "sslcert" | "sslkey" if value.is_empty() => {}
            "sslrootcert" => self.tls.root_certificate = Some(value.into()),
            "sslcert" => self.tls.client_certificate = Some(value.into()),
            "sslkey" => self.tls.client_key = Some(value.into()),
            "schema" => self.schema = Some(value.to_owned()),
            "service" => self.service = Some(value.to_owned()),
            "application_name" => {}
            "user"
            | "password"
            | "dbname"
            | "options"
            | "host"
            | "hostaddr"
            | "port"
            | "connect_timeout"
            | "tcp_user_timeout"
            | "keepalives"
            | "keepalives_idle"
            | "keepalives_interval"
            | "keepalives_retries"
            | "target_session_attrs"
            | "channel_binding"
            | "load_balance_hosts"
            | "sslnegotiation" => {
                // The driver takes an `@` anywhere for the end of the credentials.
                self.driver.push(pair.replace('@', "%40"));
            }
            foreign if FOREIGN.contains(&foreign) => {
                if foreign == "sslpassword" {
                    remember(value, &[]);
                }
            }
            unknown => return Err(UrlError::Parameter(unknown.to_owned())),
        }
        Ok(())
    }

    fn complete(&mut self, environment: &impl Fn(&str) -> Option<String>) -> Result<(), UrlError> {
        if let (false, Some(mode)) = (self.mode_written, environment("PGSSLMODE")) {
            self.tls.mode = TlsMode::parse("PGSSLMODE", &mode)?;
        }
        let file = |written: &mut Option<PathBuf>, variable: &str| {
            if written.is_none() {
                *written = environment(variable).map(PathBuf::from);
            }
        };
        file(&mut self.tls.root_certificate, "PGSSLROOTCERT");
        file(&mut self.tls.client_certificate, "PGSSLCERT");
        file(&mut self.tls.client_key, "PGSSLKEY");
        Ok(())
    }
}

/// Fills what the URL leaves out, in libpq's order.
fn complete(
    config: &mut tokio_postgres::Config,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<(), UrlError> {
    if config.get_ports().is_empty() {
        let port = environment("PGPORT").unwrap_or_else(|| "5432".to_owned());
        let number = port.parse().map_err(|_| UrlError::Value {
            name: "PGPORT".to_owned(),
            value: port.clone(),
            expected: "a port number",
        })?;
        config.port(number);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let host = environment("PGHOST").or_else(|| environment("PGHOSTADDR"));
        config.host(host.unwrap_or_else(|| default_host(port)));
    }
    if config.get_user().is_none() {
        let user = environment("PGUSER")
            .or_else(operating_system_user)
            .unwrap_or_else(|| "postgres".to_owned());
        config.user(user);
    }
    if config.get_dbname().is_none() {
        let name = environment("PGDATABASE")
            .or_else(|| config.get_user().map(str::to_owned))
            .unwrap_or_default();
        config.dbname(name);
    }
    if config.get_password().is_none()
        && let Some(password) =
            environment("PGPASSWORD").or_else(|| super::passfile::look_up(config, environment))
    {
        config.password(password);
    }
    if config.get_connect_timeout().is_none() {
        let seconds = environment("PGCONNECT_TIMEOUT")
            .and_then(|text| text.parse().ok())
            .unwrap_or(CONNECT_TIMEOUT.as_secs());
        config.connect_timeout(Duration::from_secs(seconds));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    // The driver's default is two hours: a network that is gone would be waited for that long.
    if config.get_keepalives_idle() > KEEPALIVE_IDLE {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    Ok(())
}

/// libpq tries its compiled-in socket directory, which differs by packager; then TCP.
fn default_host(port: u16) -> String {
    ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|directory| {
            Path::new(directory)
                .join(format!(".s.PGSQL.{port}"))
                .exists()
        })
        .unwrap_or("localhost")
        .to_owned()
}

fn operating_system_user() -> Option<String> {
    uzers::get_effective_username().and_then(|name| name.into_string().ok())
}

/// The driver's message without its "invalid connection string" preamble; it names options, never values.
fn malformed(error: &tokio_postgres::Error) -> UrlError {
    let reason =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    UrlError::Malformed(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, UrlError> {
        DatabaseUrl::parse_with(text, |_| None)
    }

    #[test]
    fn the_password_is_kept_and_never_shown() {
        let url = parse("postgres://app:s3cr%40t@db.example:6432/shop?sslmode=require").unwrap();
        assert_eq!(url.to_string(), "postgres://app@db.example:6432/shop");
        assert_eq!(
            format!("{url:?}"),
            "DatabaseUrl(postgres://app@db.example:6432/shop)"
        );
        assert!(!format!("{:?}", url.config()).contains("s3cr"));
        assert_eq!(
            url.reveal(),
            "postgres://app:s3cr%40t@db.example:6432/shop?sslmode=require"
        );
        assert_eq!(parse(&url.reveal()).unwrap(), url);
    }

    #[test]
    fn a_password_needs_no_escapes() {
        for (written, password) in [
            ("postgres://app:p@Sch0rle@h/db", "p@Sch0rle"),
            ("postgres://app:p?Sch0rle@h/db", "p?Sch0rle"),
            ("postgres://app:p#Sch0rle@h/db", "p#Sch0rle"),
            ("postgres://app:p/Sch0rle@h/db?sslmode=disable", "p/Sch0rle"),
            ("postgres://app:p:Sch0rle@h/db", "p:Sch0rle"),
            ("postgres://app:/Sch0rle@h/db", "/Sch0rle"),
            ("postgres://app:p%40Sch0rle@h/db", "p@Sch0rle"),
            (
                "postgres://app:a@b?c#d/e@h/db?application_name=x@y",
                "a@b?c#d/e",
            ),
        ] {
            let url = parse(written).unwrap();
            assert_eq!(
                url.config().get_password(),
                Some(password.as_bytes()),
                "{written}"
            );
            assert_eq!(
                (url.address().as_str(), url.database()),
                ("h:5432", "db"),
                "{written}"
            );
            assert!(!url.to_string().contains("Sch0rle"));
        }
        let none = parse("postgres://h:5432/db?options=-capp.mail%3Da@b").unwrap();
        assert_eq!(
            (none.address().as_str(), none.has_password()),
            ("h:5432", false)
        );
        let user = parse("postgres://app@h/db").unwrap();
        assert_eq!((user.user(), user.has_password()), ("app", false));
    }

    #[test]
    fn no_piece_of_a_password_is_in_any_message() {
        // Each is wrong in another way; a wrong reading would show a piece of the password as host, port or parameter.
        for written in [
            "postgres://app:p@Kr4ftwerk9@h:port/db",
            "postgres://app:p?Kr4ftwerk9=1@h/db",
            "postgres://app:123/Kr4ftwerk9@h/db",
            "postgres://app:p#Kr4ftwerk9",
            "postgres://app:p?Kr4ftwerk9",
            "postgres://app:x@h/db?sslmod=Kr4ftwerk9&password=Kr4ftwerk9",
            "mysql://app:p@Kr4ftwerk9@h/db",
            "host=db password=p@Kr4ftwerk9 sslmode=nope",
            "host=db password='p Kr4ftwerk9 sslmode=nope",
            "sslpassword=Kr4ftwerk9 sslmode=nope",
        ] {
            let message = match parse(written) {
                Ok(url) => format!("{url} {url:?} {}", url.address()),
                Err(error) => error.to_string(),
            };
            let message = crate::secret::redact(&message);
            assert!(!message.contains("Kr4ftwerk9"), "{written}: {message}");
        }
    }

    #[test]
    fn sockets_round_trip() {
        let url = DatabaseUrl::of_socket(Path::new("/run/my project"), 5433, "postgres", "shop");
        assert_eq!(
            url.to_string(),
            "postgres://postgres@/shop?host=/run/my%20project&port=5433"
        );
        let again = parse(&url.reveal()).unwrap();
        assert_eq!(again.address(), "/run/my project/.s.PGSQL.5433");
        assert_eq!(again.database(), "shop");
    }

    #[test]
    fn another_database_of_the_same_server() {
        let url = parse("postgresql://app:pw@h/shop")
            .unwrap()
            .with_database("copy of shop");
        assert_eq!(url.to_string(), "postgres://app@h:5432/copy%20of%20shop");
        assert!(url.has_password());
    }

    #[test]
    fn the_environment_completes_what_is_missing() {
        let environment = |name: &str| {
            let value = match name {
                "PGHOST" => "db.internal",
                "PGPORT" => "5439",
                "PGUSER" => "ada",
                "PGPASSWORD" => "pw",
                "PGSSLMODE" => "verify-full",
                "PGSSLROOTCERT" => "/etc/ca.pem",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let url = DatabaseUrl::parse_with("postgres://", environment).unwrap();
        assert_eq!(url.to_string(), "postgres://ada@db.internal:5439/ada");
        assert!(url.has_password());
        assert_eq!(url.tls().mode, TlsMode::VerifyFull);
        assert_eq!(
            url.tls().root_certificate,
            Some(PathBuf::from("/etc/ca.pem"))
        );
        let written =
            DatabaseUrl::parse_with("postgres://bob:x@h:1/d?sslmode=disable", environment).unwrap();
        assert_eq!(written.to_string(), "postgres://bob@h:1/d");
        assert_eq!(written.tls().mode, TlsMode::Disable);
    }

    #[test]
    fn object_mappers_urls_are_understood() {
        let url =
            parse("postgresql+asyncpg://u:p@h/d?schema=shop&connection_limit=5&pgbouncer=true")
                .unwrap();
        assert_eq!(url.config().get_options(), Some("-csearch_path=shop"));
        assert_eq!(
            url.reveal(),
            "postgres://u:p@h:5432/d?sslmode=prefer&options=-csearch_path%3Dshop"
        );
    }

    #[test]
    fn mistakes_are_named_without_the_password() {
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            message("mysql://u:hunter2@h/d"),
            UrlError::Scheme.to_string()
        );
        assert_eq!(message("shop"), UrlError::Scheme.to_string());
        assert_eq!(
            message("postgres://u:hunter2@h/d?sslmod=x"),
            "unknown parameter `sslmod` in the database URL"
        );
        assert_eq!(
            message("postgres://u:hunter2@h/d?sslmode=on"),
            "`on` is no value for `sslmode` in the database URL; expected disable, allow, prefer, require, verify-ca \
             or verify-full"
        );
        assert_eq!(
            message("postgres://u:hunter2@h:port/d"),
            "the database URL does not parse (invalid value for option `port`); percent-encode special characters \
             in the password"
        );
        for text in [
            "postgres://u:hunter2@h:99999/d",
            "postgres://u:hunter2@[::1/d",
            "postgres://u:hunter2@h/%zz",
        ] {
            if let Err(error) = parse(text) {
                assert!(!error.to_string().contains("hunter2"), "{error}");
            }
        }
    }
}
