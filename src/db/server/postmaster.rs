//! The server's process: is it there, is it ready, is it gone. Reads `postmaster.pid` the way `pg_ctl` does.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// What `postmaster.pid` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    /// The process.
    pub(super) pid: i32,
    /// Its port; `None` while it starts.
    pub(super) port: Option<u16>,
    /// Whether it takes connections.
    pub(super) ready: bool,
    /// The directory of its socket; `None` while it starts.
    socket: Option<PathBuf>,
}

impl Postmaster {
    /// What the data directory's pid file says, whether or not that process lives.
    pub(super) fn recorded(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    /// The server that runs on the data directory; a stale pid file is not one.
    pub(super) fn running(data: &Path) -> Option<Self> {
        Self::recorded(data).filter(|postmaster| postmaster.runs_on(data) || postmaster.answers())
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok().filter(|pid| *pid > 0)?;
        let port = lines.get(3).and_then(|line| line.parse().ok());
        let socket = lines
            .get(4)
            .filter(|line| !line.is_empty())
            .map(PathBuf::from);
        Some(Self {
            pid,
            port,
            ready: lines.get(7) == Some(&"ready"),
            socket,
        })
    }

    /// Whether the process lives and is a server on this data directory, not one that got its number later.
    fn runs_on(&self, data: &Path) -> bool {
        is_alive(self.pid)
            && command_line(self.pid).is_some_and(|line| line.contains(&*data.to_string_lossy()))
    }

    /// Whether it takes connections: a server in another container, whose processes cannot be seen from here.
    fn answers(&self) -> bool {
        match (&self.socket, self.port) {
            (Some(directory), Some(port)) => {
                UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).is_ok()
            }
            (None, _) | (_, None) => false,
        }
    }

    /// Asks for a fast shutdown.
    pub(super) fn stop(&self) {
        self.signal(Signal::INT);
    }

    /// Asks for an immediate one.
    pub(super) fn abort(&self) {
        self.signal(Signal::QUIT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // One that is gone already is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Waits until no server runs on the data directory; false where one still does after `limit`.
pub(super) fn wait_until_gone(data: &Path, limit: Duration) -> bool {
    let start = Instant::now();
    while Postmaster::running(data).is_some() {
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Whether a process lives.
pub(crate) fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| match test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::PERM,
    })
}

/// Waits for a process that ended but is still listed, as long as nobody asked how; false where it is another one, or stays.
pub(super) fn wait_until_reaped(pid: i32, limit: Duration) -> bool {
    let start = Instant::now();
    while is_alive(pid) {
        let has_ended = command_line(pid).is_none_or(|line| line.is_empty());
        if !has_ended || start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// The arguments of a process; empty for one that ended and was not waited for yet.
fn command_line(pid: i32) -> Option<String> {
    if let Ok(bytes) = fs::read(format!("/proc/{pid}/cmdline")) {
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let output = Command::new("ps")
        .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_as_far_as_it_is_written() {
        let whole = "4711\n/data\n1763820000\n5433\n/sock\n127.0.0.1\n  5433001   7\nready   \n";
        assert_eq!(
            Postmaster::parse(whole),
            Some(Postmaster {
                pid: 4711,
                port: Some(5433),
                ready: true,
                socket: Some("/sock".into())
            })
        );
        assert_eq!(
            Postmaster::parse("4711\n/data\n"),
            Some(Postmaster {
                pid: 4711,
                port: None,
                ready: false,
                socket: None
            })
        );
        assert_eq!(Postmaster::parse(""), None);
        assert_eq!(Postmaster::parse("-1\n"), None);
    }

    #[test]
    fn a_process_that_is_no_server_does_not_count() {
        let data = tempfile::tempdir().unwrap();
        let me = std::process::id();
        fs::write(
            data.path().join("postmaster.pid"),
            format!("{me}\n{}\n0\n5433\n", data.path().display()),
        )
        .unwrap();
        assert!(Postmaster::recorded(data.path()).is_some());
        assert_eq!(Postmaster::running(data.path()), None);
    }
}
