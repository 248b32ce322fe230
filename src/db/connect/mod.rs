//! One way to a database: a URL, a session whose running statement an interrupt cancels, and errors that say what to do.
//! Retries nothing and hides nothing: who connects decides that.

mod error;
mod keywords;
pub mod libpq;
mod passfile;
mod tls;
mod url;

use std::fmt;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, CancelToken, Client, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use self::error::ConnectError;
pub use self::tls::TlsError;
pub(super) use self::tls::connector as tls_connector;
pub use self::url::{DatabaseUrl, TlsMode, TlsOptions, UrlError};
pub(super) use tokio_postgres::config::Host;

use crate::interrupt::{Interrupt, Registration};

/// The oldest server that pgproof reads.
pub const OLDEST_MAJOR: u32 = 14;
/// The newest server that pgproof is tested on.
pub const NEWEST_MAJOR: u32 = 18;

/// A server's version as `server_version_num`: 150018 is 15.18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion(u32);

impl ServerVersion {
    /// From `server_version_num`.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// Reads `15.18`, `15.18 (Debian 15.18-1)`, `18beta2` or `postgres (PostgreSQL) 15.18`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = &text[text.find(|character: char| character.is_ascii_digit())?..];
        let mut parts = digits.split(|character: char| !character.is_ascii_digit());
        let major: u32 = parts.next()?.parse().ok()?;
        let dotted = digits[digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len())..]
            .starts_with('.');
        let minor = if dotted {
            parts.next()?.parse().ok()?
        } else {
            0
        };
        major.checked_mul(10_000)?.checked_add(minor).map(Self)
    }

    /// 15 of 15.18.
    #[must_use]
    pub const fn major(self) -> u32 {
        self.0 / 10_000
    }

    /// 18 of 15.18.
    #[must_use]
    pub const fn minor(self) -> u32 {
        self.0 % 10_000
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

/// How long a statement may take to end after an interrupt has cancelled it. Past that the server does not listen, and the
/// connection is given up.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How long the server's side may take to close a connection.
const FAREWELL: Duration = Duration::from_secs(5);

/// Whose sessions these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// pgproof's own until it is closed.
    Own,
    /// Behind a pooler, perhaps: what is set in it may reach somebody else.
    Shared,
}

/// How long a request to cancel may take on the way.
const CANCELLING: Duration = Duration::from_secs(5);

/// Asks the server to stop what a session runs, encrypted as the session is.
#[derive(Clone)]
struct Canceller {
    token: CancelToken,
    /// `None` over a socket of this machine: nothing is waited for there, so that a frozen server finds the request when it
    /// wakes up.
    tls: Option<MakeRustlsConnect>,
}

impl Canceller {
    async fn ask(self) {
        let request = async {
            match self.tls {
                Some(tls) => self.token.cancel_query(tls).await,
                None => self.token.cancel_query(NoTls).await,
            }
        };
        // A server that is gone needs no cancelling, and the statement's own limit ends it where nobody is heard.
        let _ = tokio::time::timeout(CANCELLING, request).await;
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}

/// A connection to a database. Dropping it closes the connection.
#[derive(Debug)]
pub struct Session {
    client: Client,
    url: DatabaseUrl,
    version: ServerVersion,
    keeping: Keeping,
    canceller: Canceller,
    driver: tokio::task::JoinHandle<()>,
    // An interrupt cancels the statement that runs.
    _cancel: Registration,
}

impl Session {
    /// Connects. From now on the interrupt cancels whatever statement this session runs.
    ///
    /// # Errors
    /// [`ConnectError`], naming the server, the user or the database at fault and a remedy.
    pub async fn open(url: &DatabaseUrl, interrupt: &Interrupt) -> Result<Self, ConnectError> {
        Self::open_noting(url, interrupt, |_| {}).await
    }

    /// Connects to a database that somebody else owns: every transaction of the session is read only unless it asks for
    /// more. A pooler that refuses or ignores that is recognized, and nothing is ever set in its sessions.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_given(
        url: &DatabaseUrl,
        interrupt: &Interrupt,
    ) -> Result<Self, ConnectError> {
        let mut session = match Self::open(&url.read_only(), interrupt).await {
            Ok(session) => session,
            // Poolers know few options: the transactions say READ ONLY themselves.
            Err(ConnectError::Refused { .. }) => Self::open(url, interrupt).await?,
            Err(error) => return Err(error),
        };
        session.url = url.clone();
        let shown = session
            .client
            .simple_query("SHOW default_transaction_read_only");
        let shown = interrupt
            .race(tokio::time::timeout(url.connect_timeout(), shown))
            .await?
            .map_err(|_| ConnectError::silent(url))?
            .map_err(|error| ConnectError::of(url, &error))?;
        let is_read_only = shown.iter().any(
            |message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")),
        );
        session.keeping = match is_read_only {
            true => Keeping::Own,
            false => Keeping::Shared,
        };
        Ok(session)
    }

    /// Whether its settings and statements are nobody else's: no pooler hands it on between transactions.
    #[must_use]
    pub fn is_own(&self) -> bool {
        match self.keeping {
            Keeping::Own => true,
            Keeping::Shared => false,
        }
    }

    /// Makes the session as new: no lock, setting, temporary object or statement of an earlier query is left. A session that
    /// may be a pooler's is left alone: nothing was ever set in it.
    pub async fn reset(&self, patience: crate::units::Millis) {
        match self.keeping {
            Keeping::Own => {
                let patience = Duration::from_secs_f64(patience.0.max(0.0) / 1000.0);
                let discarding = self.client.simple_query("DISCARD ALL");
                // A session that cannot be reset fails its next statement, which says why.
                let _ = tokio::time::timeout(patience + LAST_WORDS, discarding).await;
            }
            Keeping::Shared => {}
        }
    }

    /// Connects, and hands every notice of the server (`client_min_messages`) to `on_notice` as it comes.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_noting(
        url: &DatabaseUrl,
        interrupt: &Interrupt,
        on_notice: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, ConnectError> {
        let tls = tls::connector(url.tls()).map_err(|source| ConnectError::TlsSetup {
            address: url.address(),
            source,
        })?;
        // The driver's own limit ends with the connection; a server that is stopped accepts one and says nothing.
        let connecting =
            tokio::time::timeout(url.connect_timeout(), url.config().connect(tls.clone()));
        let (client, mut connection) = interrupt
            .race(connecting)
            .await?
            .map_err(|_| ConnectError::silent(url))?
            .map_err(|error| ConnectError::of(url, &error))?;
        let reported = connection
            .parameter("server_version")
            .and_then(ServerVersion::parse);
        // The driver's task ends with the connection; the error reaches whoever waits for a statement.
        let stop = interrupt.clone();
        let driver = tokio::spawn(async move {
            let conversation = async move {
                while let Some(Ok(message)) =
                    std::future::poll_fn(|context| connection.poll_message(context)).await
                {
                    if let AsyncMessage::Notice(notice) = message {
                        on_notice(notice.message());
                    }
                }
            };
            tokio::select! {
                () = conversation => {}
                // The statement was cancelled; who does not hear that is not waited for.
                () = async { stop.wait().await; tokio::time::sleep(LAST_WORDS).await } => {}
            }
        });
        let hosts = url.config().get_hosts();
        let local = |host: &Host| matches!(host, Host::Unix(_));
        let is_local = !hosts.is_empty() && hosts.iter().all(local);
        let canceller = Canceller {
            token: client.cancel_token(),
            tls: (!is_local).then_some(tls),
        };
        let runtime = tokio::runtime::Handle::current();
        let interrupted = canceller.clone();
        let cancel = interrupt.on_set(move || {
            runtime.spawn(interrupted.clone().ask());
        });
        // A pooler in between may not report it.
        let version = match reported {
            Some(version) => version,
            None => version_of(&client)
                .await
                .map_err(|error| ConnectError::of(url, &error))?,
        };
        if version.major() < OLDEST_MAJOR {
            return Err(ConnectError::TooOld {
                address: url.address(),
                version,
            });
        }
        Ok(Self {
            client,
            url: url.clone(),
            version,
            keeping: Keeping::Own,
            canceller,
            driver,
            _cancel: cancel,
        })
    }

    /// Asks the server to stop the statement that runs.
    pub async fn cancel(&self) {
        self.canceller.clone().ask().await;
    }

    /// The driver's client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The driver's client, for transactions.
    #[must_use]
    pub fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// What it is connected to.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The server's version.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// Closes the connection and waits until the server's side knows.
    pub async fn close(self) {
        let Self {
            client,
            mut driver,
            _cancel,
            ..
        } = self;
        drop(client);
        if tokio::time::timeout(FAREWELL, &mut driver).await.is_err() {
            driver.abort();
        }
    }
}

async fn version_of(client: &Client) -> Result<ServerVersion, tokio_postgres::Error> {
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int4", &[])
        .await?;
    Ok(ServerVersion::from_number(
        row.get::<_, i32>(0).unsigned_abs(),
    ))
}

/// A server error in one line: message, detail, hint and SQLSTATE, without the driver's "db error:" in front.
#[must_use]
pub fn describe(error: &tokio_postgres::Error) -> String {
    let Some(refusal) = error.as_db_error() else {
        let cause = std::error::Error::source(error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        return format!("{error}{cause}");
    };
    let mut text = cut(refusal.message());
    if let Some(detail) = refusal.detail() {
        text = format!("{text}: {}", cut(detail));
    }
    if let Some(hint) = refusal.hint() {
        text = format!("{text} (hint: {hint})");
    }
    format!("{text} (SQLSTATE {})", refusal.code().code())
}

/// A migration that raises an error with every row in it fills no report.
fn cut(text: &str) -> String {
    const MOST: usize = 1_000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What an error says about the environment rather than about the statement: exit code 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvironmentFault {
    /// No space left where the server keeps its data.
    DiskFull,
    /// The connection is gone: the server crashed, was stopped, or the network broke.
    ConnectionLost,
    /// The server is out of memory or other resources.
    OutOfResources,
}

impl EnvironmentFault {
    /// Reads an error; `None` where the statement is at fault.
    #[must_use]
    pub fn of(error: &tokio_postgres::Error) -> Option<Self> {
        match error.code() {
            Some(code) if *code == SqlState::DISK_FULL => Some(Self::DiskFull),
            Some(code) if matches!(&code.code()[..2], "57" if *code != SqlState::QUERY_CANCELED) => {
                Some(Self::ConnectionLost)
            }
            Some(code) if code.code().starts_with("08") => Some(Self::ConnectionLost),
            Some(code) if code.code().starts_with("53") => Some(Self::OutOfResources),
            Some(_) => None,
            None if error.is_closed() => Some(Self::ConnectionLost),
            None => std::error::Error::source(error)
                .is_some_and(|cause| cause.is::<std::io::Error>())
                .then_some(Self::ConnectionLost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_every_row_in_it_is_cut_between_characters() {
        assert_eq!(cut("duplicate key"), "duplicate key");
        let long = cut(&"é, ".repeat(5_000));
        assert_eq!(long.chars().count(), 1_001);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn versions_parse_as_servers_print_them() {
        let version = |text| ServerVersion::parse(text).map(|version| version.to_string());
        assert_eq!(
            version("15.18 (Debian 15.18-0+deb12u1)").as_deref(),
            Some("15.18")
        );
        assert_eq!(
            version("postgres (PostgreSQL) 14.23").as_deref(),
            Some("14.23")
        );
        assert_eq!(version("18beta2").as_deref(), Some("18.0"));
        assert_eq!(version("19devel").as_deref(), Some("19.0"));
        assert_eq!(version("none"), None);
    }
}
