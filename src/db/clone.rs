//! A private copy of a database on the same server, gone when it is dropped. Made by copying files: as fast as the disk.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::connect::{ConnectError, DatabaseUrl, Session, describe};
use super::lease::{self, Lease, LeaseError};
use crate::interrupt::{Interrupt, Interrupted};

/// Every copy's name begins so; 16 random hexadecimal digits follow: process ids come again, in another container or after
/// a start of the machine.
const PREFIX: &str = "pgproof_run_";
/// How long a template may be in use by someone who is about to leave.
const TEMPLATE_LIMIT: Duration = Duration::from_secs(10);
/// How long dropping a copy may take before it is left to the next command: a server that hangs must not keep this one.
const DROP_LIMIT: Duration = Duration::from_secs(30);

/// Why there is no copy: exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    /// The server cannot be talked to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Someone stays connected to the template.
    #[error("cannot copy database \"{template}\": {reason}; close the sessions that use it")]
    InUse {
        /// What was to be copied.
        template: String,
        /// The server's message.
        reason: String,
    },
    /// No room for the copy.
    #[error("cannot copy database \"{template}\": the server's disk is full; free some space")]
    DiskFull {
        /// What was to be copied.
        template: String,
    },
    /// Any other refusal.
    #[error("cannot copy database \"{template}\": {reason}")]
    Refused {
        /// What was to be copied.
        template: String,
        /// The server's message.
        reason: String,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// How a database encodes and sorts its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    encoding: String,
    collate: String,
    ctype: String,
    /// `c` (the operating system), `i` (ICU) or `b` (PostgreSQL's own).
    provider: String,
    /// The provider's own name; `None` for the operating system's.
    name: Option<String>,
}

impl Locale {
    /// What says it of the database that is asked.
    #[must_use]
    pub fn query(major: u32) -> &'static str {
        match major {
            ..=14 => {
                "SELECT pg_catalog.pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, 'c', NULL::text \
                 FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
            }
            15..=16 => {
                "SELECT pg_catalog.pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, datlocprovider::text, \
                 daticulocale::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
            }
            17.. => {
                "SELECT pg_catalog.pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, datlocprovider::text, \
                 datlocale::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
            }
        }
    }

    /// Of a row of [`Self::query`].
    #[must_use]
    pub fn of(row: &tokio_postgres::Row) -> Self {
        Self {
            encoding: row.get(0),
            collate: row.get(1),
            ctype: row.get(2),
            provider: row.get(3),
            name: row.get(4),
        }
    }

    /// As CREATE DATABASE takes it.
    fn options(&self) -> String {
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let own = match (self.provider.as_str(), &self.name) {
            ("i", Some(name)) => format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(name)),
            ("b", Some(name)) => {
                format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(name))
            }
            (_, _) => String::new(),
        };
        format!(
            " ENCODING {} LC_COLLATE {} LC_CTYPE {}{own}",
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype)
        )
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or(&self.collate))
    }
}

/// A copy of a database. Dropped with its value, or explicitly with [`Clone::discard`].
pub struct Clone {
    url: DatabaseUrl,
    maintenance: DatabaseUrl,
    dropped: bool,
    /// Tells other commands that the copy is in use.
    _lease: Lease,
}

impl fmt::Debug for Clone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clone").field(&self.url).finish()
    }
}

impl Clone {
    /// Copies `template` on the server of `server` (a URL of any database there, as a role that may create databases).
    ///
    /// # Errors
    /// [`CloneError`].
    pub async fn of(
        server: &DatabaseUrl,
        template: &str,
        interrupt: &Interrupt,
    ) -> Result<Self, CloneError> {
        Self::made(server, template, "", interrupt).await
    }

    /// A database of its own with nothing in it, sorted by `locale` where one is given.
    ///
    /// # Errors
    /// [`CloneError::Refused`] where the machine does not have the locale, else [`CloneError`].
    pub async fn empty(
        server: &DatabaseUrl,
        locale: Option<&Locale>,
        interrupt: &Interrupt,
    ) -> Result<Self, CloneError> {
        let options = locale.map(Locale::options).unwrap_or_default();
        Self::made(server, "template0", &options, interrupt).await
    }

    async fn made(
        server: &DatabaseUrl,
        template: &str,
        options: &str,
        interrupt: &Interrupt,
    ) -> Result<Self, CloneError> {
        let maintenance = server.with_database("postgres");
        let session = Session::open(&maintenance, interrupt).await?;
        let digits = random_digits().map_err(|error| CloneError::Refused {
            template: template.to_owned(),
            reason: format!("no random name for the copy: {error}"),
        })?;
        let name = format!("{PREFIX}{digits}");
        let lease = Lease::take(&maintenance, lease::key(&digits).unwrap_or_default());
        let lease = lease.await.map_err(|error| match error {
            LeaseError::Connect(error) => CloneError::Connect(error),
            LeaseError::Refused(reason) => CloneError::Refused {
                template: template.to_owned(),
                reason,
            },
        })?;
        // Made before the database: where CREATE DATABASE is interrupted, whatever it left is dropped.
        let clone = Self {
            url: server.with_database(&name),
            maintenance,
            dropped: false,
            _lease: lease,
        };
        create(&session, &name, (template, options), interrupt).await?;
        session.close().await;
        Ok(clone)
    }

    /// The copy.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Gives the copy a name under which it stays, in place of a database of that name, and says where it comes from.
    ///
    /// # Errors
    /// What the server refused; the copy is dropped then.
    pub async fn keep_as(mut self, name: &str, origin: &str) -> Result<(), CloneError> {
        let session = Session::open(&self.maintenance, &Interrupt::new()).await?;
        let (copy, kept) = (quoted(self.url.database()), quoted(name));
        let comment = format!(
            "COMMENT ON DATABASE {copy} IS '{}'",
            origin.replace('\'', "''")
        );
        let drop = format!("DROP DATABASE IF EXISTS {kept} WITH (FORCE)");
        let rename = format!("ALTER DATABASE {copy} RENAME TO {kept}");
        for statement in [comment, drop, rename] {
            let done = session.client().batch_execute(&statement).await;
            done.map_err(|error| CloneError::Refused {
                template: name.to_owned(),
                reason: describe(&error),
            })?;
        }
        self.dropped = true;
        session.close().await;
        Ok(())
    }

    /// Drops the copy, and the sessions that are still connected to it.
    ///
    /// # Errors
    /// Where the server cannot be talked to: the copy is dropped by the next command then.
    pub async fn discard(mut self) -> Result<(), CloneError> {
        self.dropped = true;
        drop_database(&self.maintenance, self.url.database()).await
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        if self.dropped {
            return;
        }
        let (maintenance, name) = (self.maintenance.clone(), self.url.database().to_owned());
        // A thread and runtime of its own: this may run inside of one, or after it.
        let dropping = std::thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                // A server that is gone keeps its copy until its next start, which sweeps.
                let _ = runtime.block_on(drop_database(&maintenance, &name));
            }
        });
        let _ = dropping.join();
    }
}

async fn create(
    session: &Session,
    name: &str,
    (template, options): (&str, &str),
    interrupt: &Interrupt,
) -> Result<(), CloneError> {
    let major = session.version().major();
    // WAL-logging a copy is right for small templates only. 14 knows no other way than copying files.
    let strategy = if major >= 15 {
        " STRATEGY FILE_COPY"
    } else {
        ""
    };
    let statement = format!(
        "CREATE DATABASE {} TEMPLATE {}{options}{strategy}",
        quoted(name),
        quoted(template)
    );
    // 18 lets the file system share the blocks, where it can.
    let mut sharing = major >= 18
        && session
            .client()
            .batch_execute("SET file_copy_method = clone")
            .await
            .is_ok();
    let start = Instant::now();
    loop {
        interrupt.check()?;
        let Err(error) = session.client().batch_execute(&statement).await else {
            return Ok(());
        };
        let template = template.to_owned();
        let code = error.code().cloned();
        interrupt.check()?;
        if sharing
            && code
                .as_ref()
                .is_some_and(|code| *code != SqlState::OBJECT_IN_USE)
        {
            sharing = false;
            if session
                .client()
                .batch_execute("RESET file_copy_method")
                .await
                .is_ok()
            {
                continue;
            }
        }
        if code == Some(SqlState::DISK_FULL) {
            return Err(CloneError::DiskFull { template });
        }
        if code != Some(SqlState::OBJECT_IN_USE) {
            return Err(CloneError::Refused {
                template,
                reason: describe(&error),
            });
        }
        if start.elapsed() > TEMPLATE_LIMIT {
            return Err(CloneError::InUse {
                template,
                reason: describe(&error),
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The names of a server's databases. Not interruptible: what an interrupt left is looked for, too.
///
/// # Errors
/// Where the server cannot be talked to, or refuses.
pub async fn databases(
    maintenance: &DatabaseUrl,
) -> Result<std::collections::BTreeSet<String>, CloneError> {
    let session = Session::open(maintenance, &Interrupt::new()).await?;
    let rows = session
        .client()
        .query("SELECT datname::text FROM pg_catalog.pg_database", &[])
        .await;
    session.close().await;
    let rows = rows.map_err(|error| CloneError::Refused {
        template: maintenance.database().to_owned(),
        reason: describe(&error),
    })?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Drops a database, and the sessions that are still connected to it.
///
/// # Errors
/// Where the server cannot be talked to, or refuses.
pub async fn drop_database(maintenance: &DatabaseUrl, name: &str) -> Result<(), CloneError> {
    let dropping = async {
        // Not interruptible: this is the cleaning up that follows an interrupt.
        let session = Session::open(maintenance, &Interrupt::new()).await?;
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        let result = session.client().batch_execute(&statement).await;
        session.close().await;
        result.map_err(|error| CloneError::Refused {
            template: name.to_owned(),
            reason: describe(&error),
        })
    };
    tokio::time::timeout(DROP_LIMIT, dropping)
        .await
        .unwrap_or_else(|_| {
            Err(CloneError::Refused {
                template: name.to_owned(),
                reason: "the server does not answer; the next command drops the copy".to_owned(),
            })
        })
}

fn random_digits() -> std::io::Result<String> {
    let mut bytes = [0_u8; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Drops copies whose makers died without doing so.
///
/// # Errors
/// The server's message.
pub(crate) async fn sweep(session: &Session) -> Result<Vec<String>, String> {
    let query = "SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1)";
    let rows = session.client().query(query, &[&PREFIX]).await;
    let mut dropped = Vec::new();
    for row in rows.map_err(|error| describe(&error))? {
        let name: String = row.get(0);
        if is_left(session, &name).await? {
            let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&name));
            let done = session.client().batch_execute(&statement).await;
            done.map_err(|error| describe(&error))?;
            dropped.push(name);
        }
    }
    Ok(dropped)
}

/// Whether nobody uses a copy any more.
async fn is_left(session: &Session, name: &str) -> Result<bool, String> {
    let Some(key) = key(name) else {
        return Ok(false);
    };
    let free = lease::is_free(session, key).await;
    if !free.map_err(|error| describe(&error))? {
        return Ok(false);
    }
    // Nobody takes a lease on a copy that is there: names are random.
    let released = lease::release(session, key).await;
    released.map_err(|error| describe(&error)).map(|()| true)
}

/// The lock of a copy's name. Names of earlier versions hold process ids: all of them share one.
fn key(name: &str) -> Option<i64> {
    let digits = name.strip_prefix(PREFIX)?;
    lease::key(digits).or_else(|| {
        let old = digits.split('_').all(|part| part.parse::<u32>().is_ok());
        old.then_some(i64::MIN)
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_name_tells_its_lock() {
        let digits = random_digits().unwrap();
        assert_eq!(key(&format!("{PREFIX}{digits}")), lease::key(&digits));
        assert_ne!(digits, random_digits().unwrap());
        assert_eq!(key("pgproof_run_4711_3"), Some(i64::MIN));
        assert_eq!(key("pgproof_run_x"), None);
        assert_eq!(key("shop"), None);
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
