//! A cluster that cannot be used as it is: what PostgreSQL can recover is recovered, what can be made again is made anew,
//! and what a person worked with is never thrown away: it is put aside and named.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::ServerError;
use super::launch::{Launch, Launched};
use super::place::Place;
use super::postmaster::{self, Postmaster};
use super::{ballast, configuration};

/// What `ALTER SYSTEM` writes.
const ALTERED: &str = "postgresql.auto.conf";

/// Changes with every boot of the machine; `None` where that cannot be known.
pub(super) fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .map(|text| text.trim().to_owned())
}

/// The databases that people work with.
pub(super) fn personal_databases(place: &Place) -> Vec<String> {
    let text = fs::read_to_string(place.personal()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl Launch<'_> {
    /// Removes what another version or a killed initdb left, and what a failure of the machine made worthless.
    pub(super) fn discard_unusable(&self) -> Result<(), ServerError> {
        remove_directory(&self.place.unfinished())?;
        let data = self.place.data();
        if !data.exists() {
            return Ok(());
        }
        let version = fs::read_to_string(data.join("PG_VERSION")).unwrap_or_default();
        if version.trim() != self.place.major.to_string() {
            let why = format!(
                "its data directory is not one of PostgreSQL {}",
                self.place.major
            );
            return self.discard(&why).map(drop);
        }
        let crashed = Postmaster::recorded(&data).is_some();
        let booted = fs::read_to_string(self.place.boot()).ok();
        if !crashed || booted.is_none() || booted == boot_id() {
            return Ok(());
        }
        let databases = personal_databases(self.place);
        if databases.is_empty() {
            // It ran without fsync: what the failure left on disk cannot be trusted, and all of it can be made again.
            return self
                .discard("the machine went down while it was running")
                .map(drop);
        }
        self.progress.note(format!(
            "the machine went down while the embedded server was running: PostgreSQL recovers {}",
            named(&databases)
        ));
        Ok(())
    }

    /// What a server that is gone left, and what keeps the next one from starting: PostgreSQL takes any process for a server
    /// that has its number. Nobody starts or stops this one meanwhile, and it was looked at: it does not run.
    pub(super) fn clear_dead(&self) -> Result<(), ServerError> {
        let data = self.place.data();
        postmaster::end_leftovers(&data);
        super::remove_file(&data.join("postmaster.pid"))?;
        let entries = fs::read_dir(&self.place.socket).into_iter().flatten();
        for entry in entries.flatten() {
            if entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(b".s.PGSQL.")
            {
                super::remove_file(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Another try for a cluster that did not start. Whether its files are at fault shows where others start.
    pub(super) fn rescue(&self, error: ServerError) -> Result<Launched, ServerError> {
        // One that was interrupted, or takes too long, ends first.
        if !postmaster::wait_until_gone(&self.place.data(), super::STOP_LIMIT) {
            return Err(error);
        }
        match error {
            ServerError::DiskFull { .. } => self.make_room(error),
            // Another server's processes: nothing is wrong with the files.
            ServerError::Start { ref log, .. } if is_in_use(log) => Err(error),
            ServerError::Start { .. } => match self.without_altered() {
                Some(launched) => Ok(launched),
                None => self.start_anew(error),
            },
            other => Err(other),
        }
    }

    /// A setting of `ALTER SYSTEM` with which no server starts is put aside.
    fn without_altered(&self) -> Option<Launched> {
        let path = self.place.data().join(ALTERED);
        let text = fs::read_to_string(&path).ok()?;
        let sets_something = text
            .lines()
            .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        if !sets_something {
            return None;
        }
        let aside = path.with_extension("conf.refused");
        fs::rename(&path, &aside).ok()?;
        if let Ok(launched) = self.start() {
            self.progress.note(format!(
                "the embedded server does not start with what ALTER SYSTEM set; that is in {} now",
                aside.display()
            ));
            return Some(launched);
        }
        // It was not that.
        let _ = fs::rename(&aside, &path);
        None
    }

    /// A fresh cluster in place of one that does not start. Where the fresh one does not start either, the machine is at
    /// fault and the files are not: they stay.
    fn start_anew(&self, error: ServerError) -> Result<Launched, ServerError> {
        let data = self.place.data();
        let aside = self.place.aside();
        let fail = |error| ServerError::io("put aside", &data, error);
        fs::rename(&data, &aside).map_err(fail)?;
        match self.initialize().and_then(|()| self.start()) {
            Ok(launched) => {
                self.lose(&format!("it does not start ({})", cause(&error)), &aside)?;
                Ok(launched)
            }
            Err(fresh) => {
                postmaster::wait_until_gone(&data, super::STOP_LIMIT);
                self.put_back(&aside)?;
                Err(match fresh {
                    ServerError::Interrupted(_) => fresh,
                    _ => error,
                })
            }
        }
    }

    fn put_back(&self, aside: &Path) -> Result<(), ServerError> {
        let data = self.place.data();
        remove_directory(&data)?;
        fs::rename(aside, &data).map_err(|error| ServerError::io("put back", &data, error))
    }

    /// Gives up the reserve; then, where nobody's work is in it, the data.
    fn make_room(&self, error: ServerError) -> Result<Launched, ServerError> {
        if ballast::release(self.place) {
            match self.start() {
                Err(ServerError::DiskFull { .. }) => {}
                other => {
                    self.progress
                        .note("the disk is full: the embedded server uses its reserve to recover");
                    return other;
                }
            }
        }
        if !self.place.data().exists() || !personal_databases(self.place).is_empty() {
            return Err(error);
        }
        self.discard("the disk is full, and it cannot start without space")?;
        self.initialize()?;
        self.start()
    }

    /// Takes the data directory away; the next start makes another.
    pub(super) fn discard(&self, why: &str) -> Result<(), ServerError> {
        let aside = self.place.aside();
        let data = self.place.data();
        fs::rename(&data, &aside).map_err(|error| ServerError::io("put aside", &data, error))?;
        self.lose(why, &aside)
    }

    /// Says what is lost with a data directory that was put aside; removes it where that can be made again.
    fn lose(&self, why: &str, aside: &Path) -> Result<(), ServerError> {
        let home = self.place.home.display();
        let databases = personal_databases(self.place);
        let lost = if databases.is_empty() {
            remove_directory(aside)?;
            "its datasets are made again when they are needed".to_owned()
        } else {
            format!(
                "{} is lost with all that was changed in it; its files are kept in {} until `pgproof server prune`; datasets \
                 are made again when they are needed",
                named(&databases),
                aside.display()
            )
        };
        super::remove_file(&self.place.personal())?;
        self.progress.note(format!(
            "making the embedded server in {home} anew: {why}; {lost}"
        ));
        Ok(())
    }

    /// Writes a file of the server's whole, or not at all: the disk may be full.
    pub(super) fn write_whole(&self, path: &Path, text: &str) -> Result<(), ServerError> {
        if fs::read(path).is_ok_and(|written| written == text.as_bytes()) {
            // It may have come from elsewhere.
            return super::account::give(path, self.account);
        }
        let new = PathBuf::from({
            let mut name = path.as_os_str().to_owned();
            name.push(".new");
            name
        });
        let written = fs::write(&new, text)
            .and_then(|()| fs::set_permissions(&new, Permissions::from_mode(0o600)))
            .map_err(|error| ServerError::io("write", path, error))
            .and_then(|()| super::account::give(&new, self.account))
            .and_then(|()| {
                fs::rename(&new, path).map_err(|error| ServerError::io("write", path, error))
            });
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

/// Notes that a person works with a database of this server: from now on it is kept safe.
pub(super) fn note_personal(place: &Place, database: &str) -> Result<(), ServerError> {
    let mut databases = personal_databases(place);
    if databases.iter().any(|known| known == database) {
        return Ok(());
    }
    databases.push(database.to_owned());
    let path = place.personal();
    fs::write(&path, databases.join("\n") + "\n")
        .map_err(|error| ServerError::io("write", &path, error))
}

/// Notes how many locks the schema needs; whether a server that runs has too few.
pub(super) fn note_locks(place: &Place, relations: u64) -> Result<bool, ServerError> {
    let wanted = configuration::locks_for(relations);
    let has = configuration::Tuning::of(place).locks;
    if wanted <= has {
        return Ok(false);
    }
    let path = place.locks();
    fs::write(&path, format!("{wanted}\n"))
        .map_err(|error| ServerError::io("write", &path, error))?;
    Ok(true)
}

/// `database dev`, `databases dev and shop`.
pub(super) fn named(databases: &[String]) -> String {
    match databases {
        [] => "nothing of a person's".to_owned(),
        [one] => format!("database {one}"),
        [first @ .., last] => format!("databases {} and {last}", first.join(", ")),
    }
}

/// Whether the server found another one at work on its files.
fn is_in_use(log: &str) -> bool {
    log.contains("is still in use") || log.contains("lock file \"postmaster.pid\" already exists")
}

/// The server's own last word, without its time and process.
fn cause(error: &ServerError) -> String {
    let ServerError::Start { log, what, .. } = error else {
        return error.to_string();
    };
    let levels = ["PANIC:  ", "FATAL:  "];
    log.lines()
        .rev()
        .find_map(|line| {
            levels
                .iter()
                .find_map(|level| Some(line.split_once(level)?.1.to_owned()))
        })
        .unwrap_or_else(|| (*what).to_owned())
}

pub(super) fn remove_directory(path: &Path) -> Result<(), ServerError> {
    if !path.exists() {
        return Ok(());
    }
    let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
    fs::remove_dir_all(path).map_err(|error| ServerError::io("remove", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_named() {
        let names =
            |names: &[&str]| named(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["dev"]), "database dev");
        assert_eq!(names(&["dev", "a", "b"]), "databases dev, a and b");
    }

    #[test]
    fn the_servers_last_word_is_the_cause() {
        let error = ServerError::Start {
            what: "ended while starting",
            path: "/p/server.log".into(),
            log: "  2026-01-01 00:00:00 GMT [7] LOG:  starting\n  2026-01-01 00:00:00 GMT [7] PANIC:  could not locate a \
                  valid checkpoint record\n  2026 GMT [1] LOG:  shutting down"
                .to_owned(),
        };
        assert_eq!(cause(&error), "could not locate a valid checkpoint record");
    }
}
