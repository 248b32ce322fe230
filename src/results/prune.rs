//! How long results stay, and how much all of them may take.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::DIRECTORY;
use crate::units::Bytes;

/// What was not used for so long goes.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// All together take no more than this.
const MOST: u64 = 256 << 20;
/// When a result was used is known to this precision: a finer one costs a write for every reading.
const PRECISION: Duration = Duration::from_secs(60 * 60);

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Results.
    pub files: usize,
    /// What they took.
    pub size: Bytes,
}

struct Entry {
    path: PathBuf,
    size: u64,
    idle: Duration,
}

/// Removes by `remove` what is kept in a project's `.pgproof` and was not used for so long.
pub fn prune(
    project: &Path,
    unused: Duration,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> Removed {
    let mut removed = Removed::default();
    let mut entries = entries(&project.join(DIRECTORY));
    entries.retain(|entry| entry.idle >= unused);
    for entry in entries {
        if remove(&entry.path).is_ok() {
            removed.files += 1;
            removed.size.0 += entry.size;
        }
    }
    removed
}

/// Removes what was not used for long, and the longest unused where all together take too much.
pub(super) fn tidy(directory: &Path) {
    for path in excess(entries(directory), LONGEST, MOST) {
        // Another command may have been faster.
        let _ = fs::remove_file(path);
    }
}

fn excess(mut entries: Vec<Entry>, longest: Duration, most: u64) -> Vec<PathBuf> {
    entries.sort_by_key(|entry| entry.idle);
    let mut size = 0_u64;
    let too_much = entries.into_iter().filter(|entry| {
        size = size.saturating_add(entry.size);
        entry.idle > longest || size > most
    });
    too_much.map(|entry| entry.path).collect()
}

fn entries(directory: &Path) -> Vec<Entry> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    found
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let used = metadata.modified().ok()?;
            Some(Entry {
                path: entry.path(),
                size: metadata.len(),
                idle: SystemTime::now().duration_since(used).unwrap_or_default(),
            })
        })
        .collect()
}

/// Notes that a result was used.
pub(super) fn mark_used(path: &Path) {
    let now = SystemTime::now();
    let used = fs::metadata(path).and_then(|metadata| metadata.modified());
    let is_new = |used: SystemTime| now.duration_since(used).is_ok_and(|idle| idle < PRECISION);
    if !used.is_ok_and(is_new) {
        // A result that only looks old is measured anew one day: that is all.
        let _ = File::options()
            .append(true)
            .open(path)
            .and_then(|file| file.set_modified(now));
    }
}

/// Only its owner looks into it: what is there holds values of the data.
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_goes_and_then_the_longest_unused() {
        let entry = |name: &str, size, hours: u64| Entry {
            path: PathBuf::from(name),
            size,
            idle: Duration::from_secs(hours * 3600),
        };
        let entries = vec![
            entry("old", 1, 100),
            entry("used yesterday", 40, 24),
            entry("used now", 50, 0),
            entry("used today", 40, 3),
        ];
        let gone = excess(entries, Duration::from_secs(99 * 3600), 100);
        assert_eq!(gone, ["used yesterday", "old"].map(PathBuf::from));
    }

    #[test]
    fn a_use_is_noted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("result");
        fs::write(&path, "x").unwrap();
        let long_ago = SystemTime::now() - LONGEST * 2;
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        assert!(entries(directory.path())[0].idle > LONGEST);
        mark_used(&path);
        assert!(entries(directory.path())[0].idle < PRECISION);
        tidy(directory.path());
        assert!(path.exists());
    }
}
