//! The embedded server: a private, throw-away PostgreSQL per project and major, shared by all commands that run at once
//! and stopped when the last of them ends, however it ends.
//!
//! `binaries` finds the programs and `download` fetches them; `place` says where files lie, `account` who runs the
//! server and `environment` what it sees; `configuration` and `launch` make and start it, `rescue` helps one that does
//! not start and `ballast` keeps space for that; `owners` (with `watcher.sh`) keeps it from outliving its commands;
//! `postmaster` looks at its process; `daemon` is `pgproof server`, `prune` removes what nobody needs.

mod account;
mod archive;
mod ballast;
mod binaries;
mod configuration;
pub mod daemon;
mod download;
mod entry;
mod environment;
mod error;
mod launch;
mod leave;
mod owners;
mod place;
mod postmaster;
pub mod prune;
mod rescue;
mod stage;
pub mod uuid_ossp;

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::configuration::Tuning;
use self::launch::{Launch, SUPERUSER};
use self::owners::{Owner, Word};
use self::place::Place;
use self::postmaster::Postmaster;
use super::connect::{ConnectError, DatabaseUrl, ServerVersion, Session, describe};
use super::lease::Lease;
use crate::interrupt::{Interrupt, Registration};
use crate::progress::Progress;
use crate::units::Bytes;
use entry::{Data, Entry};
use leave::{STOP_LIMIT, end, leave, reap};

pub use self::account::Account;
pub use self::binaries::{Installation, Search, cache_directory, find_binaries, supported};
pub use self::download::{Checksum, Downloads};
pub(in crate::db) use self::environment::clean as clean_environment;
pub use self::error::ServerError;
pub use self::place::make_project as make_project_directory;

#[cfg(not(unix))]
compile_error!("the embedded server needs Unix: sockets, signals and named pipes");

/// What the project asks of its server.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The project's `.pgproof`.
    pub directory: PathBuf,
    /// `[server] version`; `None` takes any supported one.
    pub major: Option<u32>,
    /// The directory of PostgreSQL's programs, where the user names one.
    pub binaries: Option<PathBuf>,
    /// `[server] settings`: planner settings of production.
    pub settings: Vec<(String, String)>,
    /// Never download.
    pub offline: bool,
}

/// A running embedded server that this process uses. Dropping it, or the process's end, stops the server unless others
/// use it or `pgproof server start` keeps it.
#[derive(Debug)]
pub struct Cluster {
    installation: Installation,
    account: Option<Account>,
    place: Place,
    port: AtomicU16,
    settings: Vec<(String, String)>,
    tenancy: Mutex<Option<Tenancy>>,
    /// Databases that this process uses: nobody drops them meanwhile.
    leases: Mutex<Vec<Lease>>,
    /// An interrupt lets a server on that was stopped: it would not hear that its statements are cancelled.
    _wake: Registration,
}

/// This process's part in the server's life.
#[derive(Debug)]
struct Tenancy {
    owner: Owner,
    use_lock: File,
    /// Where this process started it: reaped at the end.
    child: Option<Child>,
}

impl Cluster {
    /// Finds or downloads PostgreSQL, and starts the project's server or joins the one that runs.
    ///
    /// # Errors
    /// [`ServerError`] with what to do about it.
    pub async fn start(
        options: &ClusterOptions,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Self, ServerError> {
        let installation = installation(options, progress, interrupt).await?;
        let account = Account::for_server(&options.directory)?;
        let entry = Entry {
            installation: stage::reachable(installation, account.as_ref())?,
            account,
            options: options.clone(),
            progress: progress.clone(),
            interrupt: interrupt.clone(),
        };
        let (entry, mut cluster) = blocking(move || {
            let cluster = entry.enter(Data::Kept)?;
            Ok((entry, cluster))
        })
        .await?;
        let session = match Session::open(&cluster.url("postgres"), interrupt).await {
            // It starts, and cannot read what every session reads first.
            Err(error @ (ConnectError::Refused { .. } | ConnectError::NoSuchDatabase { .. })) => {
                let reason = error.to_string();
                cluster.stop().await;
                cluster = blocking(move || entry.enter(Data::Damaged(reason))).await?;
                Session::open(&cluster.url("postgres"), interrupt).await?
            }
            other => other?,
        };
        super::clone::sweep(&session)
            .await
            .map_err(|reason| ServerError::Refused {
                action: "drop copies that nobody uses",
                reason,
            })?;
        super::dataset::sweep(&session, progress)
            .await
            .map_err(|error| ServerError::Refused {
                action: "drop unfinished datasets",
                reason: error.to_string(),
            })?;
        session.close().await;
        let place = cluster.place.clone();
        // What filled the disk is gone.
        blocking(move || {
            ballast::keep(&place);
            Ok(())
        })
        .await?;
        Ok(cluster)
    }

    /// A database of this server, as superuser, through its private socket.
    #[must_use]
    pub fn url(&self, database: &str) -> DatabaseUrl {
        DatabaseUrl::of_socket(&self.place.socket, self.port(), SUPERUSER, database)
    }

    fn port(&self) -> u16 {
        self.port.load(Ordering::Acquire)
    }

    fn tenancy(&self) -> MutexGuard<'_, Option<Tenancy>> {
        self.tenancy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a lease until this process leaves the server.
    pub(super) fn hold(&self, lease: Lease) {
        self.leases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lease);
    }

    /// The same over 127.0.0.1 with the password, for other programs.
    ///
    /// # Errors
    /// Where the password file cannot be read.
    pub fn loopback_url(&self, database: &str) -> Result<DatabaseUrl, ServerError> {
        loopback_url(&self.place, self.port(), database)
    }

    /// The version of its programs.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.installation.version
    }

    /// The directory of its programs.
    #[must_use]
    pub fn binaries(&self) -> &Path {
        &self.installation.bin
    }

    /// The planner settings it was started with.
    #[must_use]
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Where its files are, for who lays some of them out.
    pub(in crate::db) fn data(&self) -> PathBuf {
        self.place.data()
    }

    /// What it writes to its log: worth naming in errors.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.place.log()
    }

    /// Becomes `command`, which uses the server in this process's place and so keeps it running. Returns only where that
    /// fails.
    pub fn become_command(self, command: &mut Command) -> ServerError {
        let program = PathBuf::from(command.get_program());
        let inherited = self.tenancy().as_ref().map_or(Ok(()), |tenancy| {
            rustix::io::fcntl_setfd(&tenancy.use_lock, rustix::io::FdFlags::empty())?;
            tenancy.owner.inherit()
        });
        let error = inherited.err().unwrap_or_else(|| command.exec());
        ServerError::io("run", program, error)
    }

    /// What the file system of the server's files has left.
    #[must_use]
    pub fn free_space(&self) -> Option<Bytes> {
        configuration::free_bytes(&self.place.home).map(Bytes)
    }

    /// Gives up the reserve on the disk, so that a server whose disk is full can drop what filled it.
    pub fn release_reserve(&self) {
        ballast::release(&self.place);
    }

    /// Keeps a database safe that a person works with: from now on what is written survives a failure of the machine, and
    /// nothing throws the database away without naming it.
    ///
    /// # Errors
    /// Where that cannot be noted, or the server refuses.
    pub async fn protect(&self, database: &str, interrupt: &Interrupt) -> Result<(), ServerError> {
        let had = self.place.personal().exists();
        rescue::note_personal(&self.place, database)?;
        if had {
            return Ok(());
        }
        let path = self.place.data().join("postgresql.conf");
        let read = |error| ServerError::io("read", &path, error);
        let running = Tuning::of_running(&self.place, &fs::read_to_string(&path).map_err(read)?);
        let text = configuration::render(&self.place, self.port(), &self.settings, &running);
        fs::write(&path, text).map_err(|error| ServerError::io("write", &path, error))?;
        let session = Session::open(&self.url("postgres"), interrupt).await?;
        for statement in ["SELECT pg_reload_conf()", "CHECKPOINT"] {
            session
                .client()
                .batch_execute(statement)
                .await
                .map_err(|error| ServerError::Refused {
                    action: "write its data to the disk",
                    reason: describe(&error),
                })?;
        }
        session.close().await;
        let data = self.place.data();
        // What was written before went without fsync.
        blocking(move || synchronize(&data)).await
    }

    /// Makes room in the server's lock table for a schema of so many relations. Restarts the server where it has less, and
    /// says so by `true`: every session of this process is gone then. A server that others use stays as it is.
    ///
    /// # Errors
    /// Where it does not start again.
    pub async fn provide_locks(
        &self,
        relations: u64,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<bool, ServerError> {
        if !rescue::note_locks(&self.place, relations)? {
            return Ok(false);
        }
        let tenancy = self.tenancy().take();
        let (place, installation) = (self.place.clone(), self.installation.clone());
        let (account, settings) = (self.account.clone(), self.settings.clone());
        let (progress, interrupt) = (progress.clone(), interrupt.clone());
        let (tenancy, launched) = blocking(move || {
            let launch = Launch {
                installation: &installation,
                place: &place,
                account: account.as_ref(),
                settings: &settings,
                progress: &progress,
                interrupt: &interrupt,
            };
            restart(&launch, tenancy)
        })
        .await?;
        if let Some(port) = launched {
            self.port.store(port, Ordering::Release);
            // They went with the server's sessions.
            self.leases
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
        *self.tenancy() = tenancy;
        Ok(launched.is_some())
    }

    /// Stops using it; waits for its end where nobody else uses it.
    pub async fn stop(self) {
        let tenancy = self.tenancy().take();
        let place = self.place.clone();
        let _ = blocking(move || {
            leave(&place, tenancy);
            Ok(())
        })
        .await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let tenancy = self.tenancy().take();
        leave(&self.place, tenancy);
    }
}

/// Restarts a server that nobody else uses, with what is noted for it; its new port, `None` where it was left alone.
fn restart(
    launch: &Launch<'_>,
    tenancy: Option<Tenancy>,
) -> Result<(Option<Tenancy>, Option<u16>), ServerError> {
    let Some(mut tenancy) = tenancy else {
        return Ok((None, None));
    };
    let place = launch.place;
    let _change = owners::lock_alone(
        &place.change_lock(),
        "waiting for another pgproof that is starting or stopping the embedded server",
        launch.progress,
        launch.interrupt,
    )?;
    drop(tenancy.use_lock);
    if !owners::is_unused(&place.use_lock()) {
        tenancy.use_lock = owners::lock_shared(&place.use_lock())?;
        return Ok((Some(tenancy), None));
    }
    launch
        .progress
        .detail("restarting the embedded server with more room for locks");
    let keep = place.kept().exists();
    tenancy.owner.send(Word::Stop);
    if let Some(running) = Postmaster::running(&place.data()) {
        end(place, &running)?;
    }
    reap(tenancy.child.as_mut());
    let mut launched = launch.run()?;
    if keep {
        launched.owner.send(Word::Keep);
    }
    launched.owner.guard(place, launch.account);
    let port = launched.port;
    let tenancy = Tenancy {
        owner: launched.owner,
        use_lock: owners::lock_shared(&place.use_lock())?,
        child: Some(launched.child),
    };
    Ok((Some(tenancy), Some(port)))
}

/// Has everything written to the disk that was written to the directory's file system.
fn synchronize(directory: &Path) -> Result<(), ServerError> {
    let fail = |error| ServerError::io("write to the disk", directory, error);
    let handle = File::open(directory).map_err(fail)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&handle).map_err(|error| fail(error.into()))?;
    #[cfg(not(target_os = "linux"))]
    {
        drop(handle);
        rustix::fs::sync();
    }
    Ok(())
}

fn loopback_url(place: &Place, port: u16, database: &str) -> Result<DatabaseUrl, ServerError> {
    let path = place.password();
    let password =
        fs::read_to_string(&path).map_err(|error| ServerError::io("read", &path, error))?;
    Ok(DatabaseUrl::of_loopback(
        port,
        SUPERUSER,
        password.trim(),
        database,
    ))
}

fn remove_file(path: &Path) -> Result<(), ServerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ServerError::io("remove", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The programs to run: on the machine, else downloaded.
async fn installation(
    options: &ClusterOptions,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Installation, ServerError> {
    if let Some(major) = options.major.filter(|major| !supported(*major)) {
        return Err(ServerError::UnsupportedMajor { major });
    }
    let (named, wanted) = (options.binaries.clone(), options.major);
    let found = blocking(move || find_binaries(named.as_deref(), wanted)).await?;
    if let Some(found) = found {
        if wanted.is_some_and(|major| major != found.version.major()) {
            progress.note(format!(
                "using PostgreSQL {} of {}",
                found.version,
                found.bin.display()
            ));
        }
        return Ok(found);
    }
    if options.offline {
        return Err(ServerError::Offline { major: wanted });
    }
    let major = wanted.unwrap_or(error::DEFAULT_MAJOR);
    Downloads::of_machine(major)?
        .fetch(major, progress, interrupt)
        .await
}

/// Runs what waits for files, locks and processes off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServerError> + Send + 'static,
) -> Result<T, ServerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The runtime is shutting down, or the work panicked: its message has been printed.
        Err(_) => Err(ServerError::Interrupted(crate::interrupt::Interrupted)),
    }
}
