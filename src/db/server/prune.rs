//! `pgproof server prune`: removes what nobody needs any more. What a person worked with goes only where that is asked for.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binaries::cache_directory;
use super::place::{self, Place};
use super::postmaster::Postmaster;
use super::{Cluster, ClusterOptions, ServerError, daemon, download, owners, rescue, stage};
use crate::db::connect::Session;
use crate::db::dataset;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::units::Bytes;

/// Whether anything is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Remove,
    /// It is only said what would be.
    Look,
}

/// Whether databases that people worked with go as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// They stay, but for what was put aside as damaged.
    WithoutWork,
    /// They go with the clusters of majors that the project does not use.
    All,
}

/// Something that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    /// For people, with its name.
    pub what: String,
    /// What it takes on the disk.
    pub size: Bytes,
    /// Why it stays; `None` where it goes.
    pub kept: Option<String>,
}

/// What becomes of a server that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhatRuns {
    /// It is left alone.
    Stays,
    /// It is stopped.
    Stops,
}

/// What is asked for.
struct Pruning<'a> {
    options: &'a ClusterOptions,
    mode: Mode,
    extent: Extent,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
    found: Vec<Waste>,
}

/// Finds, and removes, what nobody needs: old datasets, clusters of majors that the project left, what was put aside,
/// unfinished downloads, and directories elsewhere whose project is gone.
///
/// # Errors
/// [`ServerError`] where something cannot be removed.
pub async fn prune(
    options: &ClusterOptions,
    mode: Mode,
    extent: Extent,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Vec<Waste>, ServerError> {
    let mut pruning = Pruning::new(options, mode, extent, progress, interrupt);
    let current = daemon::current_major(options);
    for place in daemon::places(options)? {
        pruning.aside(&place)?;
        if Some(place.major) == current {
            pruning.datasets(&place).await?;
        } else if current.is_some() {
            pruning.cluster(&place, WhatRuns::Stays)?;
        }
    }
    pruning.downloads()?;
    pruning.orphans()?;
    Ok(pruning.found)
}

/// Stops the project's servers and removes them with all that they hold; those in which people work only where that is asked
/// for.
///
/// # Errors
/// [`ServerError`] where one does not stop, or something cannot be removed.
pub fn remove(
    options: &ClusterOptions,
    mode: Mode,
    extent: Extent,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Vec<Waste>, ServerError> {
    let mut pruning = Pruning::new(options, mode, extent, progress, interrupt);
    for place in daemon::places(options)? {
        pruning.aside(&place)?;
        if mode == Mode::Remove && pruning.held(&place).is_none() {
            daemon::stop_one(&place, progress, interrupt)?;
        }
        pruning.cluster(&place, WhatRuns::Stops)?;
    }
    Ok(pruning.found)
}

impl<'a> Pruning<'a> {
    const fn new(
        options: &'a ClusterOptions,
        mode: Mode,
        extent: Extent,
        progress: &'a Progress,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            options,
            mode,
            extent,
            progress,
            interrupt,
            found: Vec::new(),
        }
    }

    /// Why a cluster stays: somebody works in it.
    fn held(&self, place: &Place) -> Option<String> {
        let databases = rescue::personal_databases(place);
        let stays = !databases.is_empty() && self.extent == Extent::WithoutWork;
        let named = || rescue::named(&databases);
        stays.then(|| format!("it holds {}; --all removes that, too", named()))
    }

    /// Removes a directory, unless this only looks.
    fn remove(&mut self, what: String, path: &Path) -> Result<(), ServerError> {
        let size = size_of(path);
        if self.mode == Mode::Remove {
            rescue::remove_directory(path)?;
        }
        self.found.push(Waste {
            what,
            size,
            kept: None,
        });
        Ok(())
    }

    /// Data directories that were put aside.
    fn aside(&mut self, place: &Place) -> Result<(), ServerError> {
        for path in children(&place.home, place::ASIDE) {
            self.remove(format!("damaged files in {}", path.display()), &path)?;
        }
        Ok(())
    }

    /// All datasets but the one that was used last.
    async fn datasets(&mut self, place: &Place) -> Result<(), ServerError> {
        if !place.data().exists() {
            return Ok(());
        }
        let options = ClusterOptions {
            offline: true,
            ..self.options.clone()
        };
        let cluster = Cluster::start(&options, self.progress, self.interrupt).await?;
        let session = Session::open(&cluster.url("postgres"), self.interrupt).await?;
        let refused = |error: dataset::DatasetError| ServerError::Refused {
            action: "drop datasets",
            reason: error.to_string(),
        };
        let unused = dataset::unused(&session).await.map_err(refused)?;
        for stored in unused.iter().skip(1) {
            let gone = match self.mode {
                Mode::Look => true,
                Mode::Remove => dataset::drop_unused(&session, stored)
                    .await
                    .map_err(refused)?,
            };
            if gone {
                self.found.push(Waste {
                    what: format!(
                        "dataset {}, not used for {}",
                        stored.name,
                        idle(stored.idle)
                    ),
                    size: stored.size,
                    kept: None,
                });
            }
        }
        session.close().await;
        cluster.stop().await;
        Ok(())
    }

    /// A cluster that goes whole.
    fn cluster(&mut self, place: &Place, what_runs: WhatRuns) -> Result<(), ServerError> {
        let what = format!(
            "the cluster of PostgreSQL {} in {}",
            place.major,
            place.home.display()
        );
        let _change = owners::lock_alone(
            &place.change_lock(),
            "waiting for another pgproof that is starting or stopping the embedded server",
            self.progress,
            self.interrupt,
        )?;
        let running = Postmaster::running(&place.data());
        let kept = match (self.held(place), running) {
            (held, None) => held,
            (held, Some(_)) if what_runs == WhatRuns::Stops => held,
            (_, Some(_)) => Some("it runs; `pgproof server stop` stops it".to_owned()),
        };
        if kept.is_some() {
            let size = size_of(&place.home);
            self.found.push(Waste { what, size, kept });
            return Ok(());
        }
        if place.socket.parent() != Some(&place.home) && self.mode == Mode::Remove {
            rescue::remove_directory(&place.socket)?;
        }
        self.remove(what, &place.home)
    }

    /// What downloads and copies of programs left that were killed, and releases that newer ones replaced.
    fn downloads(&mut self) -> Result<(), ServerError> {
        let mut directories = vec![stage::outside()];
        directories.extend(cache_directory().map(|cache| cache.join("postgresql")));
        for directory in directories {
            // Whoever downloads or copies holds it.
            let lock = place::open_lock(&directory.join(download::LOCK));
            if !lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                continue;
            }
            for path in download::leftovers(&directory) {
                self.remove(format!("an unfinished download, {}", path.display()), &path)?;
            }
            for path in download::replaced(&directory) {
                self.remove(format!("a replaced PostgreSQL, {}", path.display()), &path)?;
            }
        }
        Ok(())
    }

    /// Directories of sockets and of clusters whose project is gone.
    fn orphans(&mut self) -> Result<(), ServerError> {
        let mine = uzers::get_effective_uid();
        let sockets = children(Path::new("/tmp"), place::SOCKETS);
        for path in sockets.into_iter().chain(children(&place::outside(), "")) {
            let owned = path
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_dir() && (mine == 0 || metadata.uid() == mine));
            let Ok(origin) = fs::read(path.join(place::ORIGIN)) else {
                continue;
            };
            let origin = PathBuf::from(std::ffi::OsString::from_vec(origin));
            if owned && !origin.exists() {
                let what = format!("{}, of {}, which is gone", path.display(), origin.display());
                self.remove(what, &path)?;
            }
        }
        Ok(())
    }
}

/// In days, hours or minutes.
fn idle(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (count, unit) = match minutes {
        0..60 => (minutes, "minute"),
        60..2_880 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Directories in a directory whose names begin so.
fn children(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(prefix.as_bytes())
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// What a directory takes on the disk; what cannot be looked at counts nothing.
pub(super) fn size_of(path: &Path) -> Bytes {
    let entries = walkdir::WalkDir::new(path).into_iter().flatten();
    Bytes(
        entries
            .filter_map(|entry| entry.metadata().ok())
            .map(|metadata| metadata.blocks() * 512)
            .sum(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_times_are_rounded() {
        let said = |minutes: u64| idle(Duration::from_secs(minutes * 60));
        assert_eq!(said(0), "0 minutes");
        assert_eq!(said(61), "1 hour");
        assert_eq!(said(60 * 24 * 3), "3 days");
    }
}
