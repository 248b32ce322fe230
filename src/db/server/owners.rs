//! Who owns a running server: each command holds a shared lock and one end of a pipe. The lock tells the last one out;
//! the pipe stops the server however its owners end, a `kill -9` included (see `watcher.sh`). A watcher that is killed
//! is replaced by the commands that run.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;

use super::ServerError;
use super::account::{self, Account};
use super::environment;
use super::place::{self, Place};
use super::postmaster::Postmaster;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// How often a lock is tried again.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

/// How long the watcher may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What an owner sends to the watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Run on with no owner.
    Keep,
    /// Stop although there are owners.
    Stop,
}

/// The writing end of the pipe: the server runs at least as long as this is held.
#[derive(Debug)]
pub(super) struct Owner {
    // Shared with the guard only while it looks.
    end: Arc<File>,
}

impl Owner {
    /// Makes the pipe anew and opens both ends; the reading end is for the watcher's standard input.
    pub(super) fn first(
        pipe: &Path,
        account: Option<&Account>,
    ) -> Result<(Self, Stdio), ServerError> {
        let fail = |error| ServerError::io("make the pipe", pipe, error);
        if pipe.symlink_metadata().is_ok() {
            fs::remove_file(pipe).map_err(fail)?;
        }
        let made = environment::clean(&mut Command::new("mkfifo"))
            .args(["-m", "600"])
            .arg(pipe)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .map_err(fail)?;
        if !made.status.success() {
            let text = String::from_utf8_lossy(&made.stderr).trim().to_owned();
            return Err(fail(std::io::Error::other(text)));
        }
        account::give(pipe, account)?;
        // Opened without blocking, since the other end is opened next; the watcher's reads must block.
        let reading = open(OpenOptions::new().read(true), pipe).map_err(fail)?;
        let end = open(OpenOptions::new().write(true), pipe).map_err(fail)?;
        rustix::fs::fcntl_setfl(&reading, OFlags::empty()).map_err(|error| fail(error.into()))?;
        let end = Arc::new(end);
        Ok((Self { end }, Stdio::from(reading)))
    }

    /// Joins the owners of a server that runs; `None` where no watcher listens. The watcher answers, since one whose
    /// last owner has just left may have decided already.
    pub(super) fn join(pipe: &Path) -> Option<Self> {
        pipe.symlink_metadata()
            .ok()
            .filter(|metadata| metadata.file_type().is_fifo())?;
        let mut end = open(OpenOptions::new().write(true), pipe).ok()?;
        let mut question = pipe.as_os_str().to_owned();
        question.push(".hello");
        let question = PathBuf::from(question);
        fs::write(&question, "").ok()?;
        end.write_all(b"hello\n").ok()?;
        let start = Instant::now();
        while question.exists() {
            if start.elapsed() > ANSWER_LIMIT || !is_watched(&end) {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let end = Arc::new(end);
        Some(Self { end })
    }

    /// Replaces the watcher as often as it is killed, until this owner leaves.
    pub(super) fn guard(&self, place: &Place, account: Option<&Account>) {
        let (end, place, account) = (Arc::downgrade(&self.end), place.clone(), account.cloned());
        // Where the system has no thread to give, the last one out still stops the server.
        let _ = thread::Builder::new()
            .name("guard".to_owned())
            .spawn(move || keep_watched(&end, &place, account.as_ref()));
    }

    /// Lets a program that replaces this process own the server in its place.
    pub(super) fn inherit(&self) -> std::io::Result<()> {
        Ok(rustix::io::fcntl_setfd(
            &*self.end,
            rustix::io::FdFlags::empty(),
        )?)
    }

    /// Tells the watcher something; one that is gone needs no telling.
    pub(super) fn send(&mut self, word: Word) {
        let text: &[u8] = match word {
            Word::Keep => b"keep\n",
            Word::Stop => b"stop\n",
        };
        let _ = (&*self.end).write_all(text);
    }
}

/// How often an owner looks whether the watcher lives.
const GUARD_INTERVAL: Duration = Duration::from_millis(300);

fn keep_watched(end: &Weak<File>, place: &Place, account: Option<&Account>) {
    loop {
        thread::sleep(GUARD_INTERVAL);
        let Some(end) = end.upgrade() else { return };
        if is_watched(&end) {
            continue;
        }
        // Whoever starts or stops the server just now knows better.
        let Ok(change) = place::open_lock(&place.change_lock()) else {
            continue;
        };
        if change.try_lock().is_ok() && is_pipe_of(&end, &place.pipe()) {
            // Its own end of the pipe goes at once: the owner has one.
            drop(watch(place, account));
        }
    }
}

/// Whether somebody reads the pipe.
fn is_watched(end: &File) -> bool {
    let mut descriptors = [PollFd::new(end, PollFlags::empty())];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let polled = rustix::event::poll(&mut descriptors, Some(&at_once));
    polled.is_err() || !descriptors[0].revents().contains(PollFlags::ERR)
}

/// Whether the pipe is still this one, and not that of a server which was started since.
fn is_pipe_of(end: &File, pipe: &Path) -> bool {
    match (end.metadata(), pipe.symlink_metadata()) {
        (Ok(ours), Ok(now)) => (ours.dev(), ours.ino()) == (now.dev(), now.ino()),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Starts another watcher on the pipe of a server that runs, and joins its owners; `None` where there is none that could
/// be watched from here. To be called with the change lock held.
pub(super) fn watch(place: &Place, account: Option<&Account>) -> Option<Owner> {
    let running = Postmaster::running(&place.data()).filter(Postmaster::is_seen)?;
    let pipe = place.pipe();
    pipe.symlink_metadata()
        .ok()
        .filter(|metadata| metadata.file_type().is_fifo())?;
    // The writing end before the watcher: one that finds no owner would stop the server.
    let reading = open(OpenOptions::new().read(true), &pipe).ok()?;
    let end = Arc::new(open(OpenOptions::new().write(true), &pipe).ok()?);
    rustix::fs::fcntl_setfl(&reading, OFlags::empty()).ok()?;
    let mut command = Command::new("/bin/sh");
    environment::clean(&mut command)
        .arg(place.watcher())
        .arg(place.data())
        .arg(pipe)
        .arg(running.pid.to_string())
        .current_dir(&place.home);
    account::run_as(&mut command, account);
    let status = command
        .process_group(0)
        .stdin(Stdio::from(reading))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.ok().filter(std::process::ExitStatus::success)?;
    let mut owner = Owner { end };
    if place.kept().exists() {
        owner.send(Word::Keep);
    }
    Some(owner)
}

fn open(options: &mut OpenOptions, pipe: &Path) -> std::io::Result<File> {
    options
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(pipe)
}

/// Takes a lock alone, telling once that it waits and for what.
pub(super) fn lock_alone(
    path: &Path,
    waiting: &str,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<File, ServerError> {
    let file = place::open_lock(path)?;
    let start = Instant::now();
    let mut reported = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(ServerError::io("lock", path, error)),
        }
        interrupt.check()?;
        if !reported && start.elapsed() > Duration::from_secs(1) {
            progress.note(waiting);
            reported = true;
        }
        thread::sleep(PATIENCE);
    }
}

/// Joins those who use the server.
pub(super) fn lock_shared(path: &Path) -> Result<File, ServerError> {
    let file = place::open_lock(path)?;
    file.lock_shared()
        .map_err(|error| ServerError::io("lock", path, error))?;
    Ok(file)
}

/// Whether nobody uses the server. A process that was just forked holds its parent's locks until it becomes a program of
/// its own: one look is not enough.
pub(super) fn is_unused(path: &Path) -> bool {
    const LOOKS: u32 = 5;
    (0..LOOKS).any(|look| {
        if look > 0 {
            thread::sleep(Duration::from_millis(20));
        }
        place::open_lock(path).is_ok_and(|file| file.try_lock().is_ok())
    })
}
