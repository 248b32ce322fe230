//! Programs that lie where the server's account may not enter (a cache below `/root`) are copied to where it may.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::ServerError;
use super::account::Account;
use super::binaries::Installation;
use super::place::digest;

/// The parts of an installation that the server needs.
const PARTS: &[&str] = &["bin", "lib", "lib64", "share"];

/// The installation itself, or a copy that the account may enter, made once.
///
/// # Errors
/// Where there is nothing to copy, or the copy fails.
pub(super) fn reachable(
    installation: Installation,
    account: Option<&Account>,
) -> Result<Installation, ServerError> {
    let Some(account) = account else {
        return Ok(installation);
    };
    if account.may_enter(&installation.bin) {
        return Ok(installation);
    }
    let unreachable = || ServerError::Unreachable {
        account: account.name.clone(),
        path: installation.bin.clone(),
    };
    let prefix = installation.bin.parent().ok_or_else(unreachable)?;
    if installation
        .bin
        .file_name()
        .is_none_or(|name| name != "bin")
        || !prefix.join("share").is_dir()
    {
        return Err(unreachable());
    }
    let modified = installation
        .bin
        .join("postgres")
        .metadata()
        .map(|metadata| metadata.mtime())
        .unwrap_or_default();
    let name = format!("{}-{}-{modified}", installation.version, digest(prefix));
    let parent = outside();
    let target = parent.join(name);
    if !target.is_dir() {
        fs::create_dir_all(&parent)
            .map_err(|error| ServerError::io("make the directory", &parent, error))?;
        let lock = super::place::open_lock(&parent.join(super::download::LOCK))?;
        lock.lock()
            .map_err(|error| ServerError::io("lock", &parent, error))?;
        for left in super::download::leftovers(&parent) {
            super::rescue::remove_directory(&left)?;
        }
        let unfinished = parent.join(format!(".unfinished-{}", std::process::id()));
        let fail = |error| ServerError::io("copy PostgreSQL's programs to", &target, error);
        fs::create_dir_all(&unfinished).map_err(fail)?;
        for part in PARTS.iter().filter(|part| prefix.join(part).is_dir()) {
            copy(&prefix.join(part), &unfinished.join(part)).map_err(fail)?;
        }
        match fs::rename(&unfinished, &target) {
            // Another process was faster.
            Err(_) if target.is_dir() => fs::remove_dir_all(&unfinished).map_err(fail)?,
            other => other.map_err(fail)?,
        }
    }
    Installation::at(&target).ok_or_else(unreachable)
}

/// Where such copies lie.
pub(super) fn outside() -> PathBuf {
    PathBuf::from(if Path::new("/var/cache").is_dir() {
        "/var/cache/pgproof"
    } else {
        "/var/tmp/pgproof-programs"
    })
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
