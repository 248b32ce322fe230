//! What was measured, kept by everything that it depends on, so that the next audit runs only what changed. A result is a
//! file below `.pgproof/results`, named by the hash of its key. Whatever cannot be read, was damaged or comes from another
//! version is as good as absent: this module never fails an audit. It knows neither queries nor servers.

mod prune;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

pub use prune::{Removed, prune};

/// Of the files; another version's are ignored.
const FORMAT: &str = "pgproof-result 1";
/// Below `.pgproof`.
const DIRECTORY: &str = "results";

/// Whether what is there is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Known,
    /// Everything is measured anew, and kept for the next time.
    Fresh,
}

/// The results of one environment: tool, server, dataset and settings.
#[derive(Debug)]
pub struct Results {
    store: Option<Store>,
}

#[derive(Debug)]
struct Store {
    directory: PathBuf,
    environment: String,
    reading: Reading,
    /// What this process kept: with [`Reading::Fresh`], all that it may find.
    own: Mutex<BTreeSet<String>>,
    /// Set after a failure to write: a full disk is not tried again for every query.
    refuses: AtomicBool,
}

/// What a result depends on beside its environment, as a hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

/// A result that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// What was measured.
    pub value: T,
    /// How long ago.
    pub age: Duration,
}

impl Results {
    /// Keeps and finds nothing: for databases that were given, which change without a trace.
    #[must_use]
    pub const fn off() -> Self {
        Self { store: None }
    }

    /// The results in a project's `.pgproof`, which is there. `environment` names everything that all results depend on.
    #[must_use]
    pub fn open(project: &Path, environment: &str, reading: Reading) -> Self {
        Self {
            store: Some(Store {
                directory: project.join(DIRECTORY),
                environment: environment.to_owned(),
                reading,
                own: Mutex::default(),
                refuses: AtomicBool::new(false),
            }),
        }
    }

    /// Whether anything is kept.
    #[must_use]
    pub fn are_kept(&self) -> bool {
        self.store.is_some()
    }

    /// The key of a result; `parts` are all that it depends on.
    #[must_use]
    pub fn key(&self, kind: &str, parts: &[&str]) -> Key {
        let environment = self.store.as_ref().map_or("", |store| &store.environment);
        let all = [environment, kind].into_iter().chain(parts.iter().copied());
        Key(hash_of(all))
    }

    /// A result, where it is there and whole.
    #[must_use]
    pub fn find<T: DeserializeOwned>(&self, key: &Key) -> Option<Found<T>> {
        let store = self.store.as_ref()?;
        if store.reading == Reading::Fresh && !store.own().contains(&key.0) {
            return None;
        }
        let path = store.directory.join(&key.0);
        let text = fs::read_to_string(&path).ok()?;
        let (header, body) = text.split_once('\n')?;
        let (rest, checksum) = header.rsplit_once(' ')?;
        let (format, seconds) = rest.rsplit_once(' ')?;
        if format != FORMAT || checksum != hash_of([body]) {
            return None;
        }
        let measured = UNIX_EPOCH + Duration::from_secs(seconds.parse().ok()?);
        let value = serde_json::from_str(body).ok()?;
        prune::mark_used(&path);
        // A clock that was set back makes nothing older than it is.
        let age = SystemTime::now()
            .duration_since(measured)
            .unwrap_or_default();
        Some(Found { value, age })
    }

    /// Keeps a result. Where that cannot be done, it is measured again the next time.
    pub fn keep<T: Serialize>(&self, key: &Key, value: &T) {
        let Some(store) = self
            .store
            .as_ref()
            .filter(|store| !store.refuses.load(Ordering::Relaxed))
        else {
            return;
        };
        let Ok(body) = serde_json::to_string(value) else {
            return;
        };
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let header = format!("{FORMAT} {seconds} {}\n", hash_of([body.as_str()]));
        match write_private(&store.directory, &key.0, &[&header, &body]) {
            Ok(()) => {
                store.own().insert(key.0.clone());
            }
            Err(_) => store.refuses.store(true, Ordering::Relaxed),
        }
    }

    /// Removes what was not used for long, and the oldest where all together take too much; only after something was kept.
    pub fn tidy(&self) {
        if let Some(store) = self.store.as_ref().filter(|store| !store.own().is_empty()) {
            prune::tidy(&store.directory);
        }
    }
}

impl Store {
    fn own(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash of texts that no other texts have: each goes in with its length.
pub fn hash_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(directory: &Path, name: &str, parts: &[&str]) -> io::Result<()> {
    prune::make_directory(directory)?;
    let beside = directory.join(format!(".{name}.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|file| fill(file, parts))
        .and_then(|()| fs::rename(&beside, directory.join(name)));
    if written.is_err() {
        // The first error is the one that counts; what is left is only a temporary file.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(mut file: File, parts: &[&str]) -> io::Result<()> {
    for part in parts {
        file.write_all(part.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn open(directory: &Path, environment: &str, reading: Reading) -> Results {
        Results::open(directory, environment, reading)
    }

    #[test]
    fn a_result_is_found_by_all_that_it_depends_on() {
        let directory = tempfile::tempdir().unwrap();
        let results = open(directory.path(), "server 15", Reading::Known);
        let key = results.key("runs", &["SELECT 1", "3 runs"]);
        assert_eq!(results.find::<f64>(&key), None);
        results.keep(&key, &0.1_f64);
        assert_eq!(results.find::<f64>(&key).unwrap().value, 0.1);
        let other_parts = results.key("runs", &["SELECT 1", "4 runs"]);
        let other_split = results.key("runs", &["SELECT 13", " runs"]);
        let other_kind = results.key("index", &["SELECT 1", "3 runs"]);
        let elsewhere = open(directory.path(), "server 16", Reading::Known);
        let other_server = elsewhere.key("runs", &["SELECT 1", "3 runs"]);
        for other in [other_parts, other_split, other_kind, other_server] {
            assert_eq!(results.find::<f64>(&other), None);
        }
        assert_eq!(Results::off().find::<f64>(&key), None);
    }

    #[test]
    fn a_fresh_reading_finds_only_what_it_kept_itself() {
        let directory = tempfile::tempdir().unwrap();
        let before = open(directory.path(), "", Reading::Known);
        let key = before.key("runs", &[]);
        before.keep(&key, &1);
        let fresh = open(directory.path(), "", Reading::Fresh);
        assert_eq!(fresh.find::<i32>(&key), None);
        fresh.keep(&key, &2);
        assert_eq!(fresh.find::<i32>(&key).unwrap().value, 2);
        assert_eq!(before.find::<i32>(&key).unwrap().value, 2);
    }

    #[test]
    fn files_are_private_and_damaged_ones_are_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let results = open(directory.path(), "", Reading::Known);
        let key = results.key("runs", &[]);
        results.keep(&key, &"as it was measured");
        let path = directory.path().join(DIRECTORY).join(&key.0);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));

        let whole = fs::read(&path).unwrap();
        let text = String::from_utf8(whole.clone()).unwrap();
        let damaged = [
            whole[..whole.len() - 3].to_vec(),
            text.replace("measured", "Measured").into_bytes(),
            text.replace("pgproof-result 1", "pgproof-result 2")
                .into_bytes(),
            b"\xff\xfe\0\n\0".to_vec(),
            Vec::new(),
        ];
        for bytes in damaged {
            fs::write(&path, bytes).unwrap();
            assert_eq!(results.find::<String>(&key), None);
        }
        fs::write(&path, whole).unwrap();
        assert_eq!(results.find::<u64>(&key), None, "of another type");
        assert!(results.find::<String>(&key).is_some());
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_costs_nothing() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(DIRECTORY), "a file").unwrap();
        let results = open(directory.path(), "", Reading::Known);
        let key = results.key("runs", &[]);
        results.keep(&key, &1);
        assert_eq!(results.find::<i32>(&key), None);
        results.tidy();
    }
}
