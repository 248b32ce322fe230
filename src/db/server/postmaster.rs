//! The server's process: is it there, is it ready, is it gone. A number in a file is no process: another boot, another
//! container or another program may have it by now. A process counts only where it works in the data directory, a server
//! of another PID namespace only where its socket is listened on.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::environment;

/// How long a server may take to answer a connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long a backend whose postmaster is gone may take to end by itself.
const LEFTOVER_LIMIT: Duration = Duration::from_secs(5);

/// What `postmaster.pid` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    /// The process, in the server's own PID namespace.
    pub(super) pid: i32,
    /// Its port; `None` while it starts.
    pub(super) port: Option<u16>,
    /// Whether it takes connections.
    pub(super) ready: bool,
    /// The directory of its socket; `None` while it starts.
    socket: Option<PathBuf>,
    /// Whether its process was seen from here, and may be signalled.
    seen: bool,
}

impl Postmaster {
    /// What the data directory's pid file says, whether or not that process lives.
    pub(super) fn recorded(data: &Path) -> Option<Self> {
        let text = fs::read(data.join("postmaster.pid")).ok()?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// The server that runs on the data directory; a stale pid file is not one.
    pub(super) fn running(data: &Path) -> Option<Self> {
        let mut recorded = Self::recorded(data)?;
        recorded.seen = works_in(recorded.pid, data);
        (recorded.seen || recorded.listens()).then_some(recorded)
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
            seen: false,
        })
    }

    /// Whether its process can be seen and signalled from here: it runs in this PID namespace.
    pub(super) fn is_seen(&self) -> bool {
        self.seen
    }

    fn connection(&self) -> Option<UnixStream> {
        let (directory, port) = self.socket.as_ref().zip(self.port)?;
        UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).ok()
    }

    /// Whether somebody listens on its socket: a server in another container, whose processes cannot be seen from here.
    fn listens(&self) -> bool {
        self.connection().is_some()
    }

    /// Whether it answers. One that was stopped (`SIGSTOP`) or hangs listens and says nothing.
    pub(super) fn answers(&self) -> bool {
        /// `SSLRequest`: its length, and the code that no version of the protocol has.
        const QUESTION: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
        let Some(mut stream) = self.connection() else {
            return false;
        };
        let mut answer = [0_u8; 1];
        stream
            .set_read_timeout(Some(ANSWER_LIMIT))
            .and_then(|()| stream.write_all(&QUESTION))
            .and_then(|()| stream.read_exact(&mut answer))
            .is_ok()
    }

    /// Asks for a fast shutdown; wakes what was stopped, which would not hear it.
    pub(super) fn stop(&self, data: &Path) {
        self.wake(data);
        self.signal(Signal::INT);
    }

    /// Asks for an immediate one.
    pub(super) fn abort(&self, data: &Path) {
        self.wake(data);
        self.signal(Signal::QUIT);
    }

    /// Lets it and its sessions run on where they were stopped.
    pub(super) fn wake(&self, data: &Path) {
        if self.seen {
            send(self.pid, Signal::CONT);
            for pid in processes_in(data) {
                send(pid, Signal::CONT);
            }
        }
    }

    /// Ends it with no chance to do anything.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if self.seen {
            send(self.pid, signal);
        }
    }
}

fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // One that is gone already is what was wanted.
        let _ = kill_process(pid, signal);
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

/// Ends the processes of a server whose postmaster was killed: they would hold its shared memory, and so keep the next
/// one from starting, until their statements end. To be called only where no server runs and none may be started.
pub(super) fn end_leftovers(data: &Path) {
    let start = Instant::now();
    let mut signal = Signal::QUIT;
    loop {
        let left = processes_in(data);
        if left.is_empty() || start.elapsed() > LEFTOVER_LIMIT * 2 {
            return;
        }
        if start.elapsed() > LEFTOVER_LIMIT {
            signal = Signal::KILL;
        }
        for pid in left {
            send(pid, Signal::CONT);
            send(pid, signal);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Processes of PostgreSQL that work in the data directory. Empty where the system does not list processes as files: there
/// PostgreSQL's own look at its shared memory is what keeps two servers apart.
fn processes_in(data: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_postgres(*pid) && works_in(*pid, data))
        .collect()
}

fn is_postgres(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
}

/// Whether a process lives and works in the data directory. A server changes into it before it writes its pid file.
fn works_in(pid: i32, data: &Path) -> bool {
    let Ok(directory) = data.metadata() else {
        return false;
    };
    match fs::metadata(format!("/proc/{pid}/cwd")) {
        Ok(own) => (own.dev(), own.ino()) == (directory.dev(), directory.ino()),
        // Another user's, and this one may not look (a container without CAP_SYS_PTRACE); or there is no /proc.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => runs_on(pid, data),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => runs_on(pid, data),
    }
}

/// Whether a process's arguments are those of a server on the data directory.
fn runs_on(pid: i32, data: &Path) -> bool {
    if let Ok(bytes) = fs::read(format!("/proc/{pid}/cmdline")) {
        return is_server_on(&bytes, data);
    }
    let output = environment::clean(&mut Command::new("ps"))
        .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout);
        output.status.success()
            && line.contains("postgres")
            && line.contains(&*data.to_string_lossy())
    })
}

/// Reads arguments that end with zero bytes each. A watcher names the directory, too: the program decides.
fn is_server_on(command_line: &[u8], data: &Path) -> bool {
    let mut arguments = command_line.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    program.ends_with(b"postgres")
        && arguments.any(|argument| argument == data.as_os_str().as_encoded_bytes())
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
                socket: Some("/sock".into()),
                seen: false,
            })
        );
        assert_eq!(
            Postmaster::parse("4711\n/data\n"),
            Some(Postmaster {
                pid: 4711,
                port: None,
                ready: false,
                socket: None,
                seen: false,
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

    #[test]
    fn a_process_is_known_by_the_directory_that_it_works_in() {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .current_dir(data.path())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(works_in(pid, data.path()));
        assert!(!works_in(pid, &std::env::temp_dir()));
        // It works there and is no server: nobody ends it.
        assert_eq!(processes_in(data.path()), Vec::<i32>::new());
        child.kill().unwrap();
        // It ended, and nobody has waited for it yet.
        while works_in(pid, data.path()) {
            thread::sleep(Duration::from_millis(5));
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_watchers_arguments_are_not_a_servers() {
        let data = Path::new("/p/.pgproof/cluster-15/data");
        let server = b"/usr/lib/postgresql/15/bin/postgres\0-D\0/p/.pgproof/cluster-15/data\0";
        let watcher = b"/bin/sh\0/p/watcher.sh\0/p/.pgproof/cluster-15/data\0/p/owners\0";
        let other = b"postgres\0-D\0/p/.pgproof/cluster-15/data2\0";
        assert!(is_server_on(server, data));
        assert!(!is_server_on(watcher, data));
        assert!(!is_server_on(other, data));
    }

    #[test]
    fn one_that_listens_and_says_nothing_does_not_answer() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join(".s.PGSQL.5433");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let postmaster = Postmaster {
            pid: 1,
            port: Some(5433),
            ready: true,
            socket: Some(directory.path().into()),
            seen: false,
        };
        assert!(postmaster.listens());
        let silent = thread::spawn(move || listener.accept().map(drop));
        assert!(!postmaster.answers(), "it hung up");
        let _ = silent.join();
    }
}
