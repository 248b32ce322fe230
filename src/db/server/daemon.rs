//! `pgproof server`: the embedded server as something that stays. Prints nothing: returns what there is to say.

use std::fs;

use super::account::Account;
use super::binaries::{find_binaries, supported};
use super::owners::{self, Owner, Word};
use super::place::Place;
use super::postmaster::Postmaster;
use super::{Cluster, ClusterOptions, ServerError, end, loopback_url, prune, remove_file, rescue};
use crate::db::connect::{DatabaseUrl, NEWEST_MAJOR, OLDEST_MAJOR, Session, describe};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::units::Bytes;

/// A project's server, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub major: u32,
    /// Where its files lie.
    pub directory: std::path::PathBuf,
    /// What its files take on the disk.
    pub size: Bytes,
    /// What runs; `None` where it is stopped.
    pub running: Option<Running>,
    /// Databases that people work with.
    pub personal: Vec<String>,
    /// The major that the project uses instead.
    pub replaced_by: Option<u32>,
}

/// A server that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its process.
    pub pid: i32,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Whether it outlives the commands that use it.
    pub kept: bool,
    /// Over 127.0.0.1, with the password.
    pub url: DatabaseUrl,
}

/// Starts the server, or joins it, and lets it run on when this process has ended.
///
/// # Errors
/// As [`Cluster::start`].
pub async fn start(
    options: &ClusterOptions,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Cluster, ServerError> {
    let cluster = Cluster::start(options, progress, interrupt).await?;
    keep(&cluster)?;
    Ok(cluster)
}

/// Lets the cluster run on when this process has ended.
///
/// # Errors
/// Where the mark cannot be written.
pub fn keep(cluster: &Cluster) -> Result<(), ServerError> {
    let path = cluster.place.kept();
    fs::write(&path, "").map_err(|error| ServerError::io("write", &path, error))?;
    if let Some(tenancy) = cluster.tenancy().as_mut() {
        tenancy.owner.send(Word::Keep);
    }
    Ok(())
}

/// Stops every server of the project, whoever uses it; returns the majors of those that ran.
///
/// # Errors
/// Where one does not stop.
pub fn stop(
    options: &ClusterOptions,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Vec<u32>, ServerError> {
    let mut stopped = Vec::new();
    for place in places(options)? {
        if stop_one(&place, progress, interrupt)? {
            stopped.push(place.major);
        }
    }
    Ok(stopped)
}

/// Whether the server ran.
pub(super) fn stop_one(
    place: &Place,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<bool, ServerError> {
    let _change = owners::lock_alone(
        &place.change_lock(),
        "waiting for another pgproof that is starting or stopping the embedded server",
        progress,
        interrupt,
    )?;
    remove_file(&place.kept())?;
    let Some(running) = Postmaster::running(&place.data()) else {
        return Ok(false);
    };
    match Owner::join(&place.pipe()) {
        Some(mut owner) => owner.send(Word::Stop),
        None => running.stop(&place.data()),
    }
    end(place, &running)?;
    Ok(true)
}

/// Every server that the project has, running or not.
///
/// # Errors
/// Where `.pgproof` cannot be read.
pub fn status(options: &ClusterOptions) -> Result<Vec<Status>, ServerError> {
    let mut found = Vec::new();
    let current = current_major(options);
    for place in places(options)? {
        let ready = Postmaster::running(&place.data()).filter(|running| running.ready);
        let running = match ready.and_then(|running| running.port.map(|port| (running.pid, port))) {
            Some((pid, port)) => Some(Running {
                pid,
                port,
                kept: place.kept().exists(),
                url: loopback_url(&place, port, "postgres")?,
            }),
            None => None,
        };
        found.push(Status {
            major: place.major,
            size: prune::size_of(&place.home),
            personal: rescue::personal_databases(&place),
            replaced_by: current.filter(|major| *major != place.major),
            directory: place.home,
            running,
        });
    }
    Ok(found)
}

/// The databases of a server and their sizes, without PostgreSQL's own.
///
/// # Errors
/// Where the server cannot be asked.
pub async fn databases(
    running: &Running,
    interrupt: &Interrupt,
) -> Result<Vec<(String, Bytes)>, ServerError> {
    let session = Session::open(&running.url, interrupt).await?;
    let query = "SELECT datname, pg_database_size(oid) FROM pg_database \
                 WHERE datname NOT IN ('postgres', 'template0', 'template1') ORDER BY datname";
    let rows = session.client().query(query, &[]).await;
    session.close().await;
    let rows = rows.map_err(|error| ServerError::Refused {
        action: "list databases",
        reason: describe(&error),
    })?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), Bytes(row.get::<_, i64>(1).unsigned_abs())))
        .collect())
}

/// The major that the project's commands use: the one it names, else that of the programs which are found.
pub(super) fn current_major(options: &ClusterOptions) -> Option<u32> {
    options.major.or_else(|| {
        let found = find_binaries(options.binaries.as_deref(), None);
        Some(found.ok()??.version.major())
    })
}

/// The places of the project's clusters.
pub(super) fn places(options: &ClusterOptions) -> Result<Vec<Place>, ServerError> {
    if !options.directory.exists() {
        return Ok(Vec::new());
    }
    let account = Account::for_server(&options.directory)?;
    let majors = (OLDEST_MAJOR..=NEWEST_MAJOR).filter(|major| supported(*major));
    let places = majors.map(|major| Place::choose(&options.directory, major, account.as_ref()));
    places
        .filter(|place| place.as_ref().map_or(true, |place| place.home.exists()))
        .collect()
}
