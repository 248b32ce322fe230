//! Makes a cluster's data directory and starts the server on it. Decides nothing about sharing: [`super::Cluster`] does;
//! what is done where it does not start is `rescue`'s.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::ServerError;
use super::account::{self, Account};
use super::binaries::Installation;
use super::configuration::{self, Tuning};
use super::owners::Owner;
use super::place::Place;
use super::postmaster::Postmaster;
use super::{ballast, environment, rescue};
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// The superuser of every embedded cluster.
pub(super) const SUPERUSER: &str = "postgres";
/// How long a start may take: after a crash the server replays up to `max_wal_size` first.
const START_LIMIT: Duration = Duration::from_secs(600);
/// Two servers may pick the same free port.
const PORT_ATTEMPTS: u32 = 5;

/// What a start needs.
pub(super) struct Launch<'a> {
    pub(super) installation: &'a Installation,
    pub(super) place: &'a Place,
    pub(super) account: Option<&'a Account>,
    pub(super) settings: &'a [(String, String)],
    pub(super) progress: &'a Progress,
    pub(super) interrupt: &'a Interrupt,
}

/// A server that takes connections.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) owner: Owner,
    pub(super) child: Child,
    pub(super) port: u16,
}

impl Launch<'_> {
    /// Makes the data directory where there is none that fits, then starts the server and waits until it is ready.
    pub(super) fn run(&self) -> Result<Launched, ServerError> {
        self.place.make(self.account)?;
        self.discard_unusable()?;
        if !self.place.data().exists() {
            self.initialize()?;
        }
        ballast::keep(self.place);
        self.clear_dead()?;
        self.start().or_else(|error| self.rescue(error))
    }

    pub(super) fn initialize(&self) -> Result<(), ServerError> {
        let _task = self.progress.task(
            format!(
                "Creating a PostgreSQL {} cluster",
                self.installation.version
            ),
            crate::progress::Unit::Steps,
            None,
        );
        self.write_password()?;
        let unfinished = self.place.unfinished();
        let mut command = Command::new(self.installation.bin.join("initdb"));
        command.arg("-D").arg(&unfinished);
        command.args([
            "-U",
            SUPERUSER,
            "-E",
            "UTF8",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--no-sync",
        ]);
        command.arg("--pwfile").arg(self.place.password());
        command
            .arg(format!("--locale={}", locale()))
            .arg("--lc-messages=C");
        if self.place.major >= 17 {
            command.arg("--no-instructions");
        }
        clean(&mut command, self.place, self.account);
        // A process group of its own: Ctrl-C is this process's to handle.
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| ServerError::io("run", self.installation.bin.join("initdb"), error))?;
        let mut complaint = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = stderr.read_to_string(&mut complaint);
        }
        let status = child
            .wait()
            .map_err(|error| ServerError::io("wait for initdb in", &unfinished, error))?;
        self.interrupt.check()?;
        if !status.success() {
            rescue::remove_directory(&unfinished)?;
            return Err(ServerError::of_initdb(&self.place.home, &complaint));
        }
        fs::rename(&unfinished, self.place.data())
            .map_err(|error| ServerError::io("rename the new cluster", &unfinished, error))
    }

    fn write_password(&self) -> Result<(), ServerError> {
        let path = self.place.password();
        let fail = |error| ServerError::io("write", &path, error);
        let mut bytes = [0_u8; 16];
        File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(fail)?;
        let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if path.exists() {
            fs::remove_file(&path).map_err(fail)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        std::io::Write::write_all(&mut file, password.as_bytes()).map_err(fail)?;
        account::give(&path, self.account)
    }

    pub(super) fn start(&self) -> Result<Launched, ServerError> {
        let mut preferred = last_port(self.place);
        for attempt in 1.. {
            let port =
                free_port(preferred.take()).map_err(|error| ServerError::Port { source: error })?;
            match self.start_on(port) {
                Err(ServerError::Start { log, .. })
                    if attempt < PORT_ATTEMPTS && log.contains("Address already in use") => {}
                other => return other,
            }
        }
        Err(ServerError::Port {
            source: std::io::ErrorKind::AddrInUse.into(),
        })
    }

    fn start_on(&self, port: u16) -> Result<Launched, ServerError> {
        let place = self.place;
        let data = place.data();
        let text = configuration::render(place, port, self.settings, &Tuning::of(place));
        self.write_whole(&data.join("postgresql.conf"), &text)?;
        self.write_whole(&data.join("pg_hba.conf"), configuration::ACCESS)?;
        self.write_whole(&data.join("pg_ident.conf"), "")?;
        let log = self.open_log()?;
        let errors = log
            .try_clone()
            .map_err(|error| ServerError::io("open", place.log(), error))?;
        if let Some(boot) = rescue::boot_id() {
            self.write_whole(&place.boot(), &boot)?;
        }
        let (owner, reading_end) = Owner::first(&place.pipe(), self.account)?;
        let mut command = Command::new("/bin/sh");
        command
            .arg(self.write_watcher()?)
            .arg(place.data())
            .arg(place.pipe())
            .arg("self");
        command
            .arg(self.installation.bin.join("postgres"))
            .arg("-D")
            .arg(place.data());
        clean(&mut command, place, self.account);
        let child = command
            .process_group(0)
            .stdin(reading_end)
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| {
                ServerError::io("start", self.installation.bin.join("postgres"), error)
            })?;
        self.wait_until_ready(Launched { owner, child, port })
    }

    /// The script lies in a file, so that process lists stay readable. Replaced whole: the watcher of a server that is just
    /// ending may still read the old one.
    fn write_watcher(&self) -> Result<PathBuf, ServerError> {
        let path = self.place.watcher();
        self.write_whole(&path, include_str!("watcher.sh"))?;
        Ok(path)
    }

    fn wait_until_ready(&self, mut launched: Launched) -> Result<Launched, ServerError> {
        let start = Instant::now();
        let label = format!("Starting PostgreSQL {}", self.installation.version);
        let _task = self
            .progress
            .task(label, crate::progress::Unit::Steps, None);
        let data = self.place.data();
        let pid = i32::try_from(launched.child.id()).unwrap_or_default();
        loop {
            if Postmaster::recorded(&data).is_some_and(|postmaster| {
                postmaster.pid == pid && postmaster.ready && postmaster.answers()
            }) {
                return Ok(launched);
            }
            let ended = launched
                .child
                .try_wait()
                .map_err(|error| ServerError::io("wait for", &data, error))?;
            let failure = if ended.is_some() {
                Some("ended while starting")
            } else if start.elapsed() > START_LIMIT {
                Some("did not become ready in 10 minutes")
            } else {
                None
            };
            if let Some(what) = failure {
                return Err(ServerError::of_start(what, self.place));
            }
            // Dropping the owner makes the watcher stop the server.
            self.interrupt.check()?;
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn open_log(&self) -> Result<File, ServerError> {
        let path = self.place.log();
        let fail = |error| ServerError::io("open", &path, error);
        if path.exists() {
            fs::rename(&path, path.with_extension("log.before")).map_err(fail)?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        account::give(&path, self.account)?;
        Ok(file)
    }
}

/// Nothing of the caller's environment may reach the server, and nothing of root's.
fn clean(command: &mut Command, place: &Place, account: Option<&Account>) {
    environment::clean(command).current_dir(&place.home);
    account::run_as(command, account);
}

/// A locale that sorts like production's: PostgreSQL uses a plain index for `LIKE 'x%'` only in the C locale, so a
/// cluster in C would hide missing indexes.
fn locale() -> String {
    let installed = environment::clean(&mut Command::new("locale"))
        .arg("-a")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    choose_locale(&installed).to_owned()
}

fn choose_locale(installed: &str) -> &str {
    let normal = |name: &str| name.to_lowercase().replace('-', "");
    ["en_US.UTF-8", "C.UTF-8"]
        .into_iter()
        .find_map(|wanted| {
            installed
                .lines()
                .find(|name| normal(name) == normal(wanted))
        })
        .unwrap_or("C")
}

/// The port of the last start, so that bookmarks in other tools stay right.
fn last_port(place: &Place) -> Option<u16> {
    let text = fs::read_to_string(place.data().join("postgresql.conf")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("port = '"))?;
    line.trim_end_matches('\'').parse().ok()
}

fn free_port(preferred: Option<u16>) -> std::io::Result<u16> {
    if let Some(port) =
        preferred.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
    {
        return Ok(port);
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_like_productions_is_chosen() {
        assert_eq!(choose_locale("C\nC.utf8\nPOSIX\n"), "C.utf8");
        assert_eq!(
            choose_locale("C\nC.utf8\nde_DE.utf8\nen_US.utf8\n"),
            "en_US.utf8"
        );
        assert_eq!(choose_locale(""), "C");
    }

    #[test]
    fn a_port_that_is_taken_is_not_chosen() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(Some(port)).unwrap(), port);
    }
}
