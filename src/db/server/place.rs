//! Where one server's files lie. Decides paths and makes directories; starts nothing.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::ServerError;
use super::account::{self, Account};

/// The longest directory in which a socket's name still fits into `sockaddr_un` (104 bytes on macOS, 108 on Linux).
const LONGEST_SOCKET_DIRECTORY: usize = 85;

/// What directories of sockets that lie elsewhere are called; the project's digest and a user's number follow.
pub(super) const SOCKETS: &str = "pgproof-";
/// What data directories that were put aside are called; a number follows.
pub(super) const ASIDE: &str = "data.damaged-";
/// Names the project whose files lie elsewhere, beside them.
pub(super) const ORIGIN: &str = "project";

/// The directory of one project's server of one major.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// `.pgproof`.
    pub(super) project: PathBuf,
    /// Everything of this server; its account's, closed to others.
    pub(super) home: PathBuf,
    /// The directory of the socket; its account's, closed to others.
    pub(super) socket: PathBuf,
    /// The server's major.
    pub(super) major: u32,
}

impl Place {
    /// Chooses the place: `<project>/cluster-<major>`, or a directory of the system's where the account may not
    /// enter the project.
    ///
    /// # Errors
    /// Where `.pgproof` cannot be made or used.
    pub(super) fn choose(
        project: &Path,
        major: u32,
        account: Option<&Account>,
    ) -> Result<Self, ServerError> {
        make_project(project)?;
        let project = project
            .canonicalize()
            .map_err(|error| ServerError::io("open the directory", project, error))?;
        if has_line_break(&project) {
            return Err(ServerError::LineBreak { path: project });
        }
        let name = format!("cluster-{major}");
        let home = match account {
            Some(account) if !account.may_enter(&project) => {
                let elsewhere = outside().join(digest(&project));
                write_pointer(&project, &elsewhere)?;
                fs::create_dir_all(&elsewhere)
                    .map_err(|error| ServerError::io("make the directory", &elsewhere, error))?;
                note_origin(&elsewhere, &project)?;
                elsewhere.join(name)
            }
            Some(_) | None => project.join(name),
        };
        let socket = socket_directory(&home, account);
        Ok(Self {
            project,
            home,
            socket,
            major,
        })
    }

    /// Makes the directories that the server owns.
    ///
    /// # Errors
    /// Where the operating system refuses, or a directory of that name is someone else's.
    pub(super) fn make(&self, account: Option<&Account>) -> Result<(), ServerError> {
        if let Some(parent) = self.home.parent() {
            fs::create_dir_all(parent)
                .map_err(|error| ServerError::io("make the directory", parent, error))?;
        }
        make_private(&self.home, account)?;
        make_private(&self.socket, account)?;
        if self.socket.parent() != Some(&self.home) {
            note_origin(&self.socket, &self.home)?;
        }
        if self.data().exists() {
            restore(&self.data(), account)
        } else {
            Ok(())
        }
    }

    /// `PGDATA`.
    pub(super) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// What initdb works on, renamed to [`Self::data`] when it is whole.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.home.join("data.unfinished")
    }

    /// What the server writes to stderr.
    pub(super) fn log(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// The pipe whose last writer's end stops the server.
    pub(super) fn pipe(&self) -> PathBuf {
        self.home.join("owners")
    }

    /// What starts the server and watches its owners.
    pub(super) fn watcher(&self) -> PathBuf {
        self.home.join("watcher.sh")
    }

    /// The superuser's password.
    pub(super) fn password(&self) -> PathBuf {
        self.home.join("password")
    }

    /// Says that the server outlives the commands that use it.
    pub(super) fn kept(&self) -> PathBuf {
        self.home.join("kept")
    }

    /// Names the databases that people work with, one a line: what must not be lost without a word.
    pub(super) fn personal(&self) -> PathBuf {
        self.home.join("personal")
    }

    /// How many locks the schema needs; see [`super::configuration::Tuning`].
    pub(super) fn locks(&self) -> PathBuf {
        self.home.join("locks")
    }

    /// Space that is given up where the disk is full.
    pub(super) fn ballast(&self) -> PathBuf {
        self.home.join("ballast")
    }

    /// A free name for a data directory that is put aside.
    pub(super) fn aside(&self) -> PathBuf {
        let mut number = 1;
        loop {
            let path = self.home.join(format!("{ASIDE}{number}"));
            if path.symlink_metadata().is_err() {
                return path;
            }
            number += 1;
        }
    }

    /// The boot during which the server was started.
    pub(super) fn boot(&self) -> PathBuf {
        self.home.join("boot")
    }

    /// Held alone while the server is started or stopped.
    pub(super) fn change_lock(&self) -> PathBuf {
        self.project
            .join(format!("cluster-{}.change.lock", self.major))
    }

    /// Shared by all who use the server.
    pub(super) fn use_lock(&self) -> PathBuf {
        self.project
            .join(format!("cluster-{}.use.lock", self.major))
    }
}

/// Makes `.pgproof` with a `.gitignore` that ignores all of it.
///
/// # Errors
/// Where the operating system refuses.
pub fn make_project(project: &Path) -> Result<(), ServerError> {
    if !project.is_dir() {
        fs::create_dir_all(project)
            .map_err(|error| ServerError::io("make the directory", project, error))?;
        give_to_owner(project);
    }
    let ignore = project.join(".gitignore");
    if ignore.exists() {
        return Ok(());
    }
    fs::write(&ignore, "*\n").map_err(|error| ServerError::io("write", &ignore, error))?;
    give_to_owner(&ignore);
    Ok(())
}

/// What root makes in somebody's project is theirs: they work there next.
fn give_to_owner(path: &Path) {
    if uzers::get_effective_uid() != 0 {
        return;
    }
    let above = path.parent().and_then(|parent| parent.metadata().ok());
    if let Some(owner) = above.filter(|owner| owner.uid() != 0) {
        // Where the file system knows no owners, it stays as it is.
        let _ = std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()));
    }
}

/// PostgreSQL's own files name its directory a line each, and its programs refuse such names.
fn has_line_break(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Says in a directory that lies elsewhere whose it is, so that it can be removed when that is gone.
fn note_origin(elsewhere: &Path, origin: &Path) -> Result<(), ServerError> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = elsewhere.join(ORIGIN);
    let bytes = origin.as_os_str().as_bytes();
    if fs::read(&path).is_ok_and(|written| written == bytes) {
        return Ok(());
    }
    fs::write(&path, bytes).map_err(|error| ServerError::io("write", &path, error))
}

/// Opens a lock file.
///
/// # Errors
/// Where the operating system refuses, e.g. a file that root left behind.
pub(super) fn open_lock(path: &Path) -> Result<File, ServerError> {
    let new = !path.exists();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o644)
        .open(path)
        .map_err(|error| ServerError::io("open the lock", path, error))?;
    if new {
        give_to_owner(path);
    }
    Ok(file)
}

/// Where servers of root's projects lie when their account may not enter the project.
pub(super) fn outside() -> PathBuf {
    let persistent = Path::new("/var/lib");
    if persistent.is_dir() {
        persistent.join("pgproof")
    } else {
        PathBuf::from("/var/tmp/pgproof")
    }
}

fn write_pointer(project: &Path, elsewhere: &Path) -> Result<(), ServerError> {
    let path = project.join("cluster-location");
    let text = format!("{}\n", elsewhere.display());
    if fs::read_to_string(&path).is_ok_and(|written| written == text) {
        return Ok(());
    }
    fs::write(&path, text).map_err(|error| ServerError::io("write", &path, error))
}

/// `<home>/socket`, or a short path where that would not fit into a socket's address, or into the list of paths that
/// `unix_socket_directories` is.
fn socket_directory(home: &Path, account: Option<&Account>) -> PathBuf {
    let near = home.join("socket");
    let plain = near
        .to_str()
        .is_some_and(|text| !text.contains(|c: char| c.is_control() || c == ',' || c == '"'));
    if plain && near.as_os_str().len() <= LONGEST_SOCKET_DIRECTORY {
        return near;
    }
    let user = account.map_or_else(uzers::get_effective_uid, |account| account.uid);
    let name = format!("{SOCKETS}{}-{user}", digest(home));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|directory| account.is_none() && directory.is_dir())
        .filter(|directory| directory.as_os_str().len() + name.len() < LONGEST_SOCKET_DIRECTORY);
    runtime.unwrap_or_else(|| PathBuf::from("/tmp")).join(name)
}

/// A directory that is the account's and closed to all others. In `/tmp` another user may have made it first: refused.
fn make_private(path: &Path, account: Option<&Account>) -> Result<(), ServerError> {
    let fail = |error: io::Error| ServerError::io("make the directory", path, error);
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return account::give(path, account),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(fail(error)),
    }
    let metadata = path.symlink_metadata().map_err(fail)?;
    let mine = uzers::get_effective_uid();
    let owner = account.map_or(mine, |account| account.uid);
    if !metadata.is_dir() || (metadata.uid() != owner && metadata.uid() != mine) {
        return Err(ServerError::NotOurs {
            path: path.to_path_buf(),
        });
    }
    if metadata.uid() != owner {
        account::give(path, account)?;
    }
    if metadata.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(fail)?;
    }
    Ok(())
}

/// Data that came from a backup or a CI cache may have another owner and mode than PostgreSQL insists on.
fn restore(data: &Path, account: Option<&Account>) -> Result<(), ServerError> {
    let metadata = data
        .metadata()
        .map_err(|error| ServerError::io("look at", data, error))?;
    if account.is_some_and(|account| account.uid != metadata.uid()) {
        for entry in walkdir::WalkDir::new(data) {
            let entry = entry.map_err(|error| ServerError::io("look at", data, error.into()))?;
            account::give(entry.path(), account)?;
        }
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        let private = Permissions::from_mode(0o700);
        fs::set_permissions(data, private)
            .map_err(|error| ServerError::io("close to others", data, error))?;
    }
    Ok(())
}

/// A short name for a path.
pub(super) fn digest(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hash.iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_project_gets_a_short_socket() {
        let shallow = socket_directory(Path::new("/home/ada/shop/.pgproof/cluster-15"), None);
        assert_eq!(
            shallow,
            Path::new("/home/ada/shop/.pgproof/cluster-15/socket")
        );
        let deep = PathBuf::from(format!("/home/{}/.pgproof/cluster-15", "deep/".repeat(30)));
        let short = socket_directory(&deep, None);
        assert!(
            short.as_os_str().len() <= LONGEST_SOCKET_DIRECTORY,
            "{}",
            short.display()
        );
        assert_ne!(short, socket_directory(&deep.join("other"), None));
    }

    #[test]
    fn a_path_that_cannot_stand_in_a_list_gets_another_socket() {
        use std::os::unix::ffi::OsStrExt as _;
        for name in [&b"a,b"[..], b"say \"hi\"", b"\xff", b"tab\t"] {
            let home = Path::new("/p").join(std::ffi::OsStr::from_bytes(name));
            let socket = socket_directory(&home, None);
            assert!(!socket.starts_with("/p"), "{}", socket.display());
            assert!(socket.to_str().is_some_and(|text| !text.contains(',')));
        }
        let home = Path::new("/p/it's a shop");
        assert_eq!(socket_directory(home, None), home.join("socket"));
    }

    #[test]
    fn the_project_directory_ignores_itself() {
        let root = tempfile::tempdir().unwrap();
        let project = root.path().join(".pgproof");
        make_project(&project).unwrap();
        make_project(&project).unwrap();
        assert_eq!(
            fs::read_to_string(project.join(".gitignore")).unwrap(),
            "*\n"
        );
    }
}
