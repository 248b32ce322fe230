//! A copy of somebody's database on the embedded server: what `audit --copy` measures on. Read by pg_dump, which changes nothing
//! there; written by pg_restore into a private copy that is dropped like any other. Sorted as the original sorts, and planned with
//! its settings, as far as this machine has them.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio_postgres::Client;

use super::clone::{Clone as DatabaseClone, CloneError, Locale};
use super::connect::{ConnectError, DatabaseUrl, Session, describe};
use super::server::{Cluster, clean_environment};
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::{Progress, Unit};
use crate::schema::quote_identifier;
use crate::secret::redact;
use crate::units::Bytes;

/// How long pg_dump waits for a table that somebody holds.
const LOCK_WAIT: &str = "10s";
/// How often the progress looks at the copy's size.
const PULSE: Duration = Duration::from_millis(500);
/// What a copy may take beyond the original's size: the log, and indexes that are tried.
const BESIDE: Bytes = Bytes(256 << 20);
/// How many of the statements that failed are shown.
const SHOWN: usize = 3;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyOfGivenError {
    /// One of the servers cannot be talked to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The embedded server does not take it.
    #[error(transparent)]
    Clone(#[from] CloneError),
    /// The given server does not say what it holds.
    #[error("{address} does not say what it holds: {reason}")]
    Unread {
        /// The given server.
        address: String,
        reason: String,
    },
    /// No room.
    #[error(
        "a copy of {database} takes about {needed} of the disk and {free} are free; \
         audit the database itself (without --copy), or free some space"
    )]
    Space {
        /// What was to be copied.
        database: String,
        /// What it takes.
        needed: Bytes,
        /// What there is.
        free: Bytes,
    },
    /// pg_dump or pg_restore does not run, or ends with an error.
    #[error("{program} {reason}")]
    Program {
        program: &'static str,
        /// Its message.
        reason: String,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What the copy has to be like.
struct Original {
    bytes: Bytes,
    locale: Locale,
    /// Roles that its objects, privileges and policies name.
    roles: Vec<String>,
    /// Settings that plans and names depend on.
    settings: Vec<(String, String)>,
}

/// What of a server's settings decides plans, values and names, as this machine's own server lists them: what a given server says of
/// its settings names none that is set here.
const SETTINGS: &str = "\
    SELECT name FROM pg_catalog.pg_settings \
    WHERE context IN ('user', 'superuser') AND (category LIKE 'Query Tuning%' OR name IN ('work_mem', 'hash_mem_multiplier', \
      'search_path', 'TimeZone', 'DateStyle', 'IntervalStyle', 'max_parallel_workers_per_gather', 'max_parallel_workers'))";

/// Their values, where they are not the defaults; numbers are in the setting's own unit.
const VALUES: &str = "\
    SELECT name, reset_val FROM pg_catalog.pg_settings \
    WHERE name = ANY ($1) AND reset_val IS DISTINCT FROM boot_val AND reset_val IS NOT NULL";

/// Roles that something in this database depends on; the superuser that made the cluster is pinned and not among them.
const ROLES: &str = "\
    SELECT DISTINCT r.rolname::text FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid \
    WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND r.rolname !~ '^pg_' \
      AND d.dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) \
    UNION SELECT pg_catalog.pg_get_userbyid(datdba)::text FROM pg_catalog.pg_database \
    WHERE datname = pg_catalog.current_database()";

/// Copies the database of `source` to the embedded server.
///
/// # Errors
/// [`CopyOfGivenError`]; nothing is left on the embedded server then.
pub async fn copy_of_given(
    source: &DatabaseUrl,
    cluster: &Cluster,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<DatabaseClone, CopyOfGivenError> {
    let server = cluster.url("postgres");
    let session = Session::open(&server, interrupt).await?;
    let original = original(source, session.client(), interrupt).await?;
    let needed = Bytes(original.bytes.0.saturating_add(BESIDE.0));
    if let Some(free) = cluster.free_space()
        && free < needed
    {
        return Err(CopyOfGivenError::Space {
            database: source.database().to_owned(),
            needed,
            free,
        });
    }
    progress.note(format!(
        "copying {} from {}, {}, to the embedded server; pg_dump reads every table there, holds ACCESS SHARE locks \
         (no ALTER TABLE comes through until it is done) and changes nothing",
        source.database(),
        source.address(),
        original.bytes
    ));
    let (copy, sorts_alike) = empty(&server, &original.locale, interrupt).await?;
    if !sorts_alike {
        progress.note(format!(
            "this machine does not have the original's collation {}: texts are sorted otherwise in the copy, and a plain index \
             may serve LIKE 'x%' in one and not in the other",
            original.locale
        ));
    }
    make_roles(session.client(), &original.roles).await;
    let refused = fill(
        source,
        copy.url(),
        cluster.binaries(),
        (&session, original.bytes),
        (progress, interrupt),
    )
    .await?;
    session.close().await;
    for note in refused {
        progress.note(note);
    }
    finish(copy.url(), &original.settings, (progress, interrupt)).await?;
    Ok(copy)
}

async fn original(
    source: &DatabaseUrl,
    own: &Client,
    interrupt: &Interrupt,
) -> Result<Original, CopyOfGivenError> {
    let session = Session::open_given(source, interrupt).await?;
    let unread = |error: tokio_postgres::Error| CopyOfGivenError::Unread {
        address: source.address(),
        reason: describe(&error),
    };
    let client = session.client();
    let bytes = client
        .query_one(
            "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())",
            &[],
        )
        .await
        .map_err(unread)?;
    let major = session.version().major();
    let locale = client
        .query_one(Locale::query(major), &[])
        .await
        .map_err(unread)?;
    let roles = client.query(ROLES, &[]).await.map_err(unread)?;
    let known = own.query(SETTINGS, &[]).await.map_err(unread)?;
    let known: Vec<String> = known.iter().map(|row| row.get(0)).collect();
    let settings = client.query(VALUES, &[&known]).await.map_err(unread)?;
    let found = Original {
        bytes: Bytes(bytes.get::<_, i64>(0).unsigned_abs()),
        locale: Locale::of(&locale),
        roles: roles.iter().map(|row| row.get(0)).collect(),
        settings: settings
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .filter(|(name, _)| known.contains(name))
            .collect(),
    };
    session.close().await;
    Ok(found)
}

/// An empty private copy, and whether it sorts as the original does.
async fn empty(
    server: &DatabaseUrl,
    locale: &Locale,
    interrupt: &Interrupt,
) -> Result<(DatabaseClone, bool), CopyOfGivenError> {
    match DatabaseClone::empty(server, Some(locale), interrupt).await {
        Ok(copy) => Ok((copy, true)),
        Err(CloneError::Refused { .. }) => {
            Ok((DatabaseClone::empty(server, None, interrupt).await?, false))
        }
        Err(error) => Err(error.into()),
    }
}

/// The names alone: no role of the copy may log in.
async fn make_roles(client: &Client, roles: &[String]) {
    for role in roles {
        // One that is there already is as good; what is missing shows in what pg_restore refuses.
        let _ = client
            .batch_execute(&format!("CREATE ROLE {} NOLOGIN", quote_identifier(role)))
            .await;
    }
}

/// pg_dump into pg_restore. What single statements of the restoring were refused for is returned in words.
async fn fill(
    source: &DatabaseUrl,
    copy: &DatabaseUrl,
    programs: &Path,
    (session, bytes): (&Session, Bytes),
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Vec<String>, CopyOfGivenError> {
    let program = |program: &'static str| {
        move |error: std::io::Error| CopyOfGivenError::Program {
            program,
            reason: format!("does not run: {error}"),
        }
    };
    let mut dump = command(&programs.join("pg_dump"), source);
    let mut dump = dump
        .args(["--format=custom", "--compress=0", "--no-password"])
        .args(["--no-publications", "--no-subscriptions", "--no-comments"])
        .arg(format!("--lock-wait-timeout={LOCK_WAIT}"))
        .arg(format!("--dbname={}", source.reveal_without_password()))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(program("pg_dump"))?;
    let piped: Stdio = dump
        .stdout
        .take()
        .ok_or_else(|| std::io::Error::other("its output is missing"))
        .and_then(TryInto::try_into)
        .map_err(program("pg_dump"))?;
    let restore = command(&programs.join("pg_restore"), copy)
        .arg(format!("--dbname={}", copy.reveal_without_password()))
        .stdin(piped)
        .stdout(Stdio::null())
        .spawn()
        .map_err(program("pg_restore"))?;
    let task = progress.task("Copying the database", Unit::Bytes, Some(bytes.0));
    let both = async { tokio::join!(dump.wait_with_output(), restore.wait_with_output()) };
    let watched = async {
        let mut seen = 0;
        loop {
            tokio::time::sleep(PULSE).await;
            let size = size_of(session.client(), copy.database()).await;
            task.advance(size.saturating_sub(seen).min(bytes.0.saturating_sub(seen)));
            seen = seen.max(size);
        }
    };
    let (dumped, restored) = interrupt
        .race(async {
            tokio::select! {
                both = both => both,
                () = watched => unreachable!("watching does not end"),
            }
        })
        .await?;
    let dumped = dumped.map_err(program("pg_dump"))?;
    let restored = restored.map_err(program("pg_restore"))?;
    let refused = refusals(&restored);
    // A dump that ends early ends the restoring as well: the cause is the dump's.
    if !dumped.status.success() {
        return Err(CopyOfGivenError::Program {
            program: "pg_dump",
            reason: format!("failed: {}", last_lines(&dumped)),
        });
    }
    if !restored.status.success() && refused.is_empty() {
        return Err(CopyOfGivenError::Program {
            program: "pg_restore",
            reason: format!("failed: {}", last_lines(&restored)),
        });
    }
    Ok(in_words(&refused))
}

/// Nothing of the caller's environment reaches it but how it is found; the password does by a variable of its own, which other
/// users of the machine cannot read.
fn command(program: &Path, url: &DatabaseUrl) -> Command {
    let mut command = std::process::Command::new(program);
    clean_environment(&mut command);
    if let Some(password) = url.password() {
        command.env("PGPASSWORD", password);
    }
    let mut command = Command::from(command);
    command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn size_of(client: &Client, database: &str) -> u64 {
    let size = client
        .query_opt(
            "SELECT pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datname = $1",
            &[&database],
        )
        .await;
    size.ok()
        .flatten()
        .map_or(0, |row| row.get::<_, i64>(0).unsigned_abs())
}

/// The errors of single statements.
fn refusals(restored: &Output) -> Vec<String> {
    let text = redact(&String::from_utf8_lossy(&restored.stderr));
    text.lines()
        .filter_map(|line| {
            let said = line.strip_prefix("pg_restore: error: could not execute query: ")?;
            Some(
                said.strip_prefix("ERROR:")
                    .unwrap_or(said)
                    .trim()
                    .to_owned(),
            )
        })
        .collect()
}

fn in_words(refused: &[String]) -> Vec<String> {
    if refused.is_empty() {
        return Vec::new();
    }
    let mut shown: Vec<&str> = Vec::new();
    for reason in refused {
        if !shown.contains(&reason.as_str()) && shown.len() < SHOWN {
            shown.push(reason);
        }
    }
    vec![format!(
        "{} of the original could not be made in the copy, and what needs them is audited without: {}",
        match refused.len() {
            1 => "1 object".to_owned(),
            many => format!("{many} objects"),
        },
        shown.join("; ")
    )]
}

fn last_lines(output: &Output) -> String {
    let text = redact(String::from_utf8_lossy(&output.stderr).trim());
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}

/// Statistics, the visibility map, and the settings of the original.
async fn finish(
    copy: &DatabaseUrl,
    settings: &[(String, String)],
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<(), CopyOfGivenError> {
    let session = Session::open(copy, interrupt).await?;
    let _task = progress.task("VACUUM and ANALYZE of the copy", Unit::Steps, None);
    let name = quote_identifier(copy.database());
    for (setting, value) in settings {
        let client = session.client();
        let taken = client
            .execute(
                "SELECT pg_catalog.set_config($1, $2, false)",
                &[setting, value],
            )
            .await;
        let kept = format!(
            "ALTER DATABASE {name} SET {} FROM CURRENT",
            quote_identifier(setting)
        );
        let kept = match taken {
            Ok(_) => client.batch_execute(&kept).await,
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            progress.note(format!(
                "the original's {setting} is not set in the copy: {}",
                describe(&error)
            ));
        }
    }
    for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
        interrupt.check()?;
        let done = session.client().batch_execute(statement).await;
        interrupt.check()?;
        done.map_err(|error| {
            CopyOfGivenError::Clone(CloneError::Refused {
                template: copy.database().to_owned(),
                reason: describe(&error),
            })
        })?;
    }
    session.close().await;
    Ok(())
}
