//! Why there is no server: what failed, where, and what to do.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::db::connect::{ConnectError, ServerVersion};
use crate::interrupt::Interrupted;

/// How many of the log's last lines an error shows.
const LOG_LINES: usize = 12;

/// With less than this a server can write neither its log nor a message.
const LEAST_SPACE: u64 = 64 << 10;

/// An embedded server that could not be had. Exit code 3, except where [`Self::is_configuration`].
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// None on the machine, and none may be downloaded.
    #[error(
        "no PostgreSQL {} on this machine and --offline forbids to download one; install it (e.g. apt install \
         postgresql-{}), set PGPROOF_PG_BIN to the directory of its programs, or use --database-url",
        majors_in_words(*.major), .major.unwrap_or(DEFAULT_MAJOR)
    )]
    Offline {
        /// The major that the configuration asks for.
        major: Option<u32>,
    },
    /// A major that pgproof does not know.
    #[error("PostgreSQL {major} is not supported: `server.version` must be one of 14 to 18")]
    UnsupportedMajor {
        /// What was asked for.
        major: u32,
    },
    /// `PGPROOF_PG_BIN` or the flag names a directory without a server.
    #[error(
        "{} holds no usable PostgreSQL (postgres and initdb); name the directory of its programs, e.g. \
         /usr/lib/postgresql/15/bin", path.display()
    )]
    NamedBinaries {
        /// The directory.
        path: PathBuf,
    },
    /// A named directory with a server that is too old or too new.
    #[error("{} holds PostgreSQL {version}; pgproof runs 14 to 18", path.display())]
    UnsupportedBinaries {
        /// The directory.
        path: PathBuf,
        /// What is there.
        version: ServerVersion,
    },
    /// The download failed.
    #[error(
        "cannot download PostgreSQL {major} from {url}: {reason}; install it, set PGPROOF_PG_BIN to the directory of \
         its programs, or set PGPROOF_POSTGRES_URL to a mirror"
    )]
    Download {
        major: u32,
        url: String,
        reason: String,
    },
    /// Root, and nobody to hand the server to.
    #[error(
        "PostgreSQL does not run as root and there is no user postgres or nobody to run it; run pgproof as another user"
    )]
    NoAccount,
    /// Programs that the server's account may not read.
    #[error("user {account} may not enter {}, and it has no bin, lib and share that could be copied", path.display())]
    Unreachable {
        account: String,
        /// The programs' directory.
        path: PathBuf,
    },
    /// A project where PostgreSQL cannot run.
    #[error(
        "PostgreSQL cannot keep its files in {path:?}: the name holds a line break; rename the directory, or move the project"
    )]
    LineBreak {
        /// The project's `.pgproof`.
        path: PathBuf,
    },
    /// Files that another user left.
    #[error(
        "cannot {action} {}: it belongs to {owner}; run pgproof as {owner}, or remove {} (`sudo rm -rf`): pgproof makes it \
         again, but for the database dev of `pgproof server start`", path.display(), root.display()
    )]
    Foreign {
        /// What was tried: an infinitive.
        action: String,
        path: PathBuf,
        /// A user.
        owner: String,
        /// The project's `.pgproof`.
        root: PathBuf,
    },
    /// A directory of ours that someone else made.
    #[error("{} is not a directory of this user; remove it, or run pgproof as its owner", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: an infinitive.
        action: String,
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// No port to listen on.
    #[error("cannot find a free port on 127.0.0.1: {source}")]
    Port {
        /// The system's message.
        source: io::Error,
    },
    /// The disk is full.
    #[error(
        "no space left on the disk of {}: free some, run `pgproof server prune`, or put the project elsewhere",
        path.display()
    )]
    DiskFull {
        /// The server's directory.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed in {}:\n{complaint}", path.display())]
    Initialize {
        /// The server's directory.
        path: PathBuf,
        /// The output of initdb.
        complaint: String,
    },
    /// A `[server] settings` entry that the server refuses: exit code 2.
    #[error("PostgreSQL refuses `server.settings` of pgproof.toml: {reason}")]
    Setting {
        /// The parameter at fault.
        name: Option<String>,
        /// The server's message.
        reason: String,
    },
    /// The server did not start.
    #[error("the embedded server {what}; the end of {}:\n{log}", path.display())]
    Start {
        /// "ended while starting".
        what: &'static str,
        /// The log file.
        path: PathBuf,
        /// Its last lines.
        log: String,
    },
    /// A server that does not stop.
    #[error("the server on {} does not stop; see {}", data.display(), log.display())]
    Stuck {
        /// The data directory.
        data: PathBuf,
        /// The log file.
        log: PathBuf,
    },
    /// A server that was started in another container and whose watcher is gone.
    #[error(
        "the server on {} runs in another container, where nobody watches it any more: end it there", data.display()
    )]
    Elsewhere {
        /// The data directory.
        data: PathBuf,
    },
    /// The server runs and cannot be talked to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refused something that every server should do.
    #[error("the embedded server refused to {action}: {reason}")]
    Refused {
        /// An infinitive.
        action: &'static str,
        /// Its message.
        reason: String,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What is downloaded where no version is asked for.
pub(super) const DEFAULT_MAJOR: u32 = 17;

impl ServerError {
    /// Whether pgproof.toml is at fault (exit code 2) and not the machine (3).
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Setting { .. } | Self::UnsupportedMajor { .. })
    }

    pub(super) fn io(action: impl Into<String>, path: impl AsRef<Path>, source: io::Error) -> Self {
        let (action, path) = (action.into(), path.as_ref().to_path_buf());
        if source.kind() == io::ErrorKind::StorageFull {
            return Self::DiskFull { path };
        }
        if source.kind() == io::ErrorKind::PermissionDenied
            && let Some((root, owner)) = foreign(&path)
        {
            return Self::Foreign {
                action,
                path,
                owner,
                root,
            };
        }
        Self::Io {
            action,
            path,
            source,
        }
    }

    pub(super) fn of_initdb(home: &Path, complaint: &str) -> Self {
        if is_disk_full(complaint) {
            return Self::DiskFull {
                path: home.to_path_buf(),
            };
        }
        Self::Initialize {
            path: home.to_path_buf(),
            complaint: last_lines(complaint),
        }
    }

    pub(super) fn of_start(what: &'static str, place: &Place) -> Self {
        let log = fs::read(place.log())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        // On a full disk the log cannot say so either.
        let no_space =
            super::configuration::free_bytes(&place.home).is_some_and(|free| free < LEAST_SPACE);
        if is_disk_full(&log) || no_space {
            return Self::DiskFull {
                path: place.home.clone(),
            };
        }
        refused_setting(&log).unwrap_or_else(|| Self::Start {
            what,
            path: place.log(),
            log: last_lines(&log),
        })
    }
}

/// The `.pgproof` that a path lies in and the user whom what is there belongs to, where that is another one.
fn foreign(path: &Path) -> Option<(PathBuf, String)> {
    let root = path.ancestors().find(|path| path.ends_with(".pgproof"))?;
    let nearest = path
        .ancestors()
        .find_map(|path| path.symlink_metadata().ok())?;
    let owner = nearest.uid();
    let name = || {
        uzers::get_user_by_uid(owner).map_or_else(
            || format!("user {owner}"),
            |user| user.name().to_string_lossy().into_owned(),
        )
    };
    (owner != uzers::get_effective_uid()).then(|| (root.to_path_buf(), name()))
}

fn majors_in_words(major: Option<u32>) -> String {
    major.map_or_else(|| "14 to 18".to_owned(), |major| major.to_string())
}

fn is_disk_full(text: &str) -> bool {
    text.contains("No space left on device") || text.contains("Disk quota exceeded")
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
    shown
        .iter()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The line of the log that names a parameter, without its preamble and the path of the file that pgproof wrote.
fn refused_setting(log: &str) -> Option<ServerError> {
    let line = log.lines().find(|line| {
        line.contains("unrecognized configuration parameter")
            || line.contains("invalid value for parameter")
            || line.contains("is outside the valid range for parameter")
            || line.contains("cannot be changed")
            || line.contains("syntax error in file")
            || (line.contains("FATAL:") && line.contains("parameter \""))
    })?;
    let message = ["FATAL:  ", "LOG:  ", "ERROR:  "]
        .iter()
        .find_map(|level| line.split_once(level))?
        .1;
    let reason = message.split(" in file \"").next().unwrap_or(message);
    let name = reason
        .split("parameter \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Some(ServerError::Setting {
        name: name.map(str::to_owned),
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_setting_is_told_from_other_failures() {
        let log = "2026-01-01 00:00:00.000 GMT [7] LOG:  unrecognized configuration parameter \"wrok_mem\" in file \
                   \"/p/.pgproof/cluster-15/data/postgresql.conf\" line 27\n\
                   2026-01-01 00:00:00.000 GMT [7] FATAL:  configuration file \"/p\" contains errors\n";
        let error = refused_setting(log).unwrap();
        assert!(error.is_configuration());
        assert_eq!(
            error.to_string(),
            "PostgreSQL refuses `server.settings` of pgproof.toml: unrecognized configuration parameter \"wrok_mem\""
        );
        assert!(
            refused_setting("GMT [7] FATAL:  could not create shared memory segment: No such file")
                .is_none()
        );
    }

    #[test]
    fn offline_says_what_to_install() {
        let text = ServerError::Offline { major: Some(15) }.to_string();
        assert_eq!(
            text,
            "no PostgreSQL 15 on this machine and --offline forbids to download one; install it (e.g. apt install \
             postgresql-15), set PGPROOF_PG_BIN to the directory of its programs, or use --database-url"
        );
    }
}
