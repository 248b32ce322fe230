//! Who runs the server: PostgreSQL refuses to run as root, so root hands it to an unprivileged account, and everything
//! that account must read has to lie where it may enter.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::ServerError;

/// Accounts that root may hand the server to, in order of preference.
const CANDIDATES: &[&str] = &["postgres", "nobody"];

/// An unprivileged account of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// For messages.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group; supplementary groups are dropped.
    pub gid: u32,
}

impl Account {
    /// The account to run the server of a project's `.pgproof` as: `None` where the current user can. For root it is
    /// whoever owns the project, so that the owner can use the server afterwards; else one that machines have for this.
    ///
    /// # Errors
    /// [`ServerError::NoAccount`] where root finds no account to hand it to.
    pub fn for_server(project: &Path) -> Result<Option<Self>, ServerError> {
        if uzers::get_effective_uid() != 0 {
            return Ok(None);
        }
        let owner = existing(project)
            .metadata()
            .ok()
            .and_then(|metadata| uzers::get_user_by_uid(metadata.uid()));
        owner
            .filter(|user| user.uid() != 0)
            .or_else(|| CANDIDATES.iter().find_map(uzers::get_user_by_name))
            .filter(|user| user.uid() != 0)
            .map(|user| {
                let name = user.name().to_string_lossy().into_owned();
                Some(Self {
                    name,
                    uid: user.uid(),
                    gid: user.primary_group_id(),
                })
            })
            .ok_or(ServerError::NoAccount)
    }

    /// Whether it owns what is at `path`, or the nearest directory above that exists.
    #[must_use]
    pub fn owns(&self, path: &Path) -> bool {
        existing(path)
            .metadata()
            .is_ok_and(|metadata| metadata.uid() == self.uid)
    }

    /// Whether the account may enter every directory on the way to `path` and `path` itself, as far as it exists.
    #[must_use]
    pub fn may_enter(&self, path: &Path) -> bool {
        let real = existing(path);
        let Ok(real) = real.canonicalize() else {
            return false;
        };
        real.ancestors().all(|directory| {
            let Ok(metadata) = directory.metadata() else {
                return false;
            };
            let bit = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            !metadata.is_dir() || metadata.permissions().mode() & bit != 0
        })
    }
}

/// The nearest ancestor of `path` that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"))
}

/// Lets `command` run as the account, with nothing of root's left.
pub(super) fn run_as(command: &mut Command, account: Option<&Account>) {
    if let Some(account) = account {
        // The standard library drops the supplementary groups where a uid is set by root.
        command
            .uid(account.uid)
            .gid(account.gid)
            .env("USER", &account.name);
    }
}

/// Gives `path` to the account.
///
/// # Errors
/// Where the operating system refuses, e.g. in a container without the right to.
pub(super) fn give(path: &Path, account: Option<&Account>) -> Result<(), ServerError> {
    let Some(account) = account else {
        return Ok(());
    };
    std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid))
        .map_err(|error| ServerError::io(format!("give to user {}", account.name), path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_directory_cannot_be_entered_by_others() {
        let root = tempfile::tempdir_in("/tmp").unwrap();
        let inner = root.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let other = Account {
            name: "other".to_owned(),
            uid: 4_000_000,
            gid: 4_000_000,
        };
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!other.may_enter(&inner));
        assert!(!other.may_enter(&inner.join("not/there/yet")));
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(other.may_enter(&inner.join("not/there/yet")));
    }
}
