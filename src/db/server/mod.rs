//! The embedded server: a private, throw-away PostgreSQL per project and major, shared by all commands that run at once
//! and stopped when the last of them ends, however it ends.
//!
//! `binaries` finds the programs and `download` fetches them; `place` says where files lie and `account` who runs the
//! server; `configuration` and `launch` make and start it; `owners` (with `watcher.sh`) keeps it from outliving its
//! commands; `postmaster` looks at its process; `daemon` is `pgproof server`.

#[cfg(not(unix))]
compile_error!("the embedded server needs Unix: sockets, signals and named pipes");

mod account;
mod binaries;
mod configuration;
pub mod daemon;
mod download;
mod error;
mod launch;
mod owners;
mod place;
pub(crate) mod postmaster;
mod stage;

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

pub use self::account::Account;
pub use self::binaries::{Installation, Search, cache_directory, find_binaries, supported};
pub use self::download::Downloads;
pub use self::error::ServerError;
use self::launch::{Launch, SUPERUSER};
use self::owners::{Owner, Word};
use self::place::Place;
pub use self::place::make_project as make_project_directory;
use self::postmaster::Postmaster;
use super::connect::{DatabaseUrl, ServerVersion, Session};
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// How long a shutdown may take before it is made an immediate one.
const STOP_LIMIT: Duration = Duration::from_secs(60);

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
    place: Place,
    port: u16,
    settings: Vec<(String, String)>,
    tenancy: Option<Tenancy>,
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
        let account = Account::for_server()?;
        let entry = Entry {
            installation: stage::reachable(installation, account.as_ref())?,
            account,
            options: options.clone(),
            progress: progress.clone(),
            interrupt: interrupt.clone(),
        };
        let cluster = blocking(move || entry.enter()).await?;
        let session = Session::open(&cluster.url("postgres"), interrupt).await?;
        super::clone::sweep(&session)
            .await
            .map_err(|reason| ServerError::Refused {
                action: "drop copies that nobody uses",
                reason,
            })?;
        session.close().await;
        Ok(cluster)
    }

    /// A database of this server, as superuser, through its private socket.
    #[must_use]
    pub fn url(&self, database: &str) -> DatabaseUrl {
        DatabaseUrl::of_socket(&self.place.socket, self.port, SUPERUSER, database)
    }

    /// The same over 127.0.0.1 with the password, for other programs.
    ///
    /// # Errors
    /// Where the password file cannot be read.
    pub fn loopback_url(&self, database: &str) -> Result<DatabaseUrl, ServerError> {
        loopback_url(&self.place, self.port, database)
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

    /// What it writes to its log: worth naming in errors.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.place.log()
    }

    /// Becomes `command`, which uses the server in this process's place and so keeps it running. Returns only where that
    /// fails.
    pub fn become_command(self, command: &mut Command) -> ServerError {
        let program = PathBuf::from(command.get_program());
        let inherited = self.tenancy.as_ref().map_or(Ok(()), |tenancy| {
            rustix::io::fcntl_setfd(&tenancy.use_lock, rustix::io::FdFlags::empty())?;
            tenancy.owner.inherit()
        });
        let error = inherited.err().unwrap_or_else(|| command.exec());
        ServerError::io("run", program, error)
    }

    /// Stops using it; waits for its end where nobody else uses it.
    pub async fn stop(mut self) {
        let tenancy = self.tenancy.take();
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
        leave(&self.place, self.tenancy.take());
    }
}

/// Everything that joining or starting a server needs, on a thread of its own: it waits for locks and processes.
struct Entry {
    installation: Installation,
    account: Option<Account>,
    options: ClusterOptions,
    progress: Progress,
    interrupt: Interrupt,
}

impl Entry {
    fn enter(self) -> Result<Cluster, ServerError> {
        let place = Place::choose(
            &self.options.directory,
            self.installation.version.major(),
            self.account.as_ref(),
        )?;
        let mut told = false;
        loop {
            let change = owners::lock_alone(
                &place.change_lock(),
                "waiting for another pgproof that is starting or stopping the embedded server",
                &self.progress,
                &self.interrupt,
            )?;
            if let Some((tenancy, port)) = self.join_or_start(&place)? {
                drop(change);
                let Self {
                    installation,
                    options,
                    ..
                } = self;
                return Ok(Cluster {
                    installation,
                    place,
                    port,
                    settings: options.settings,
                    tenancy: Some(tenancy),
                });
            }
            // Released before waiting: whoever uses the server needs it to leave.
            drop(change);
            if !told {
                self.progress.note(
                    "waiting for another pgproof that uses the embedded server with other settings",
                );
                told = true;
            }
            self.interrupt.check()?;
            thread::sleep(owners::PATIENCE);
        }
    }

    /// `None` where a server runs with other settings and someone uses it.
    fn join_or_start(&self, place: &Place) -> Result<Option<(Tenancy, u16)>, ServerError> {
        let mut keep = false;
        if let Some(running) = Postmaster::running(&place.data()) {
            let owner = Owner::join(&place.pipe()).filter(|_| running.ready);
            match (owner, running.port) {
                (Some(owner), Some(port)) if self.is_as_wanted(place, port) => {
                    let use_lock = owners::lock_shared(&place.use_lock())?;
                    return Ok(Some((
                        Tenancy {
                            owner,
                            use_lock,
                            child: None,
                        },
                        port,
                    )));
                }
                (Some(mut owner), _) => {
                    if !owners::is_unused(&place.use_lock()) {
                        return Ok(None);
                    }
                    keep = place.kept().exists();
                    self.progress
                        .detail("restarting the embedded server with other settings");
                    owner.tell(Word::Stop);
                }
                // Its watcher was killed, or it is stopping already.
                (None, _) => running.stop(),
            }
            end(place, &running)?;
        }
        let launch = Launch {
            installation: &self.installation,
            place,
            account: self.account.as_ref(),
            settings: &self.options.settings,
            progress: &self.progress,
            interrupt: &self.interrupt,
        };
        let mut launched = launch.run()?;
        if keep {
            launched.owner.tell(Word::Keep);
        } else {
            remove_file(&place.kept())?;
        }
        let use_lock = owners::lock_shared(&place.use_lock())?;
        let tenancy = Tenancy {
            owner: launched.owner,
            use_lock,
            child: Some(launched.child),
        };
        Ok(Some((tenancy, launched.port)))
    }

    fn is_as_wanted(&self, place: &Place, port: u16) -> bool {
        fs::read_to_string(place.data().join("postgresql.conf"))
            .is_ok_and(|text| text == configuration::render(place, port, &self.options.settings))
    }
}

/// Waits for a server that was asked to stop; asks harder in the end.
fn end(place: &Place, running: &Postmaster) -> Result<(), ServerError> {
    if postmaster::wait_until_gone(&place.data(), STOP_LIMIT) {
        return Ok(());
    }
    running.abort();
    if postmaster::wait_until_gone(&place.data(), STOP_LIMIT) {
        return Ok(());
    }
    Err(ServerError::Stuck {
        data: place.data(),
        log: place.log(),
    })
}

/// Leaves the server; the last one out waits until it is gone, so that the next command finds it as it should be.
fn leave(place: &Place, tenancy: Option<Tenancy>) {
    let Some(Tenancy {
        mut child,
        owner,
        use_lock,
    }) = tenancy
    else {
        return;
    };
    // Nobody joins between the look and the end.
    let change = place::open_lock(&place.change_lock()).and_then(|file| {
        file.lock()
            .map_err(|error| ServerError::io("lock", place.change_lock(), error))
            .map(|()| file)
    });
    drop(use_lock);
    drop(owner);
    if !place.kept().exists() && owners::is_unused(&place.use_lock()) {
        let limit = STOP_LIMIT;
        let start = std::time::Instant::now();
        while Postmaster::running(&place.data()).is_some() && start.elapsed() < limit {
            reap(child.as_mut());
            thread::sleep(Duration::from_millis(10));
        }
        reap(child.as_mut());
    }
    drop(change);
}

fn reap(child: Option<&mut Child>) {
    if let Some(child) = child {
        // Only to free the process's entry: whether it ended is read from the pid file.
        let _ = child.try_wait();
    }
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
        return Err(ServerError::Offline { wanted });
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
