//! Joining the server that runs, or starting one.

use std::fs::{self};
use std::sync::Mutex;
use std::sync::atomic::AtomicU16;
use std::thread;

use super::configuration::Tuning;
use super::launch::Launch;
use super::owners::{Owner, Word};
use super::place::Place;
use super::postmaster::Postmaster;
use super::{
    Account, Cluster, ClusterOptions, Installation, ServerError, Tenancy, end, remove_file,
};
use super::{configuration, owners};
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// What is done with the data that is there.
pub(super) enum Data {
    /// It is used.
    Kept,
    /// It is made anew, unless others use it: the server starts and nobody can work with it, for this reason.
    Damaged(String),
}

/// Everything that joining or starting a server needs, on a thread of its own: it waits for locks and processes.
pub(super) struct Entry {
    pub(super) installation: Installation,
    pub(super) account: Option<Account>,
    pub(super) options: ClusterOptions,
    pub(super) progress: Progress,
    pub(super) interrupt: Interrupt,
}

impl Entry {
    pub(super) fn enter(&self, data: Data) -> Result<Cluster, ServerError> {
        let place = Place::choose(
            &self.options.directory,
            self.installation.version.major(),
            self.account.as_ref(),
        )?;
        let mut reported = false;
        let mut damaged = match data {
            Data::Kept => None,
            Data::Damaged(reason) => Some(reason),
        };
        loop {
            let change = owners::lock_alone(
                &place.change_lock(),
                "waiting for another pgproof that is starting or stopping the embedded server",
                &self.progress,
                &self.interrupt,
            )?;
            if let Some(reason) = damaged.take()
                && owners::is_unused(&place.use_lock())
                && Postmaster::running(&place.data()).is_none()
            {
                self.launch(&place)
                    .discard(&format!("nobody can connect to it ({reason})"))?;
            }
            if let Some((tenancy, port)) = self.join_or_start(&place)? {
                drop(change);
                tenancy.owner.guard(&place, self.account.as_ref());
                let data = place.data();
                let wake = self.interrupt.on_set(move || {
                    if let Some(running) = Postmaster::running(&data) {
                        running.wake(&data);
                    }
                });
                return Ok(Cluster {
                    _wake: wake,
                    installation: self.installation.clone(),
                    account: self.account.clone(),
                    place,
                    port: AtomicU16::new(port),
                    settings: self.options.settings.clone(),
                    tenancy: Mutex::new(Some(tenancy)),
                    leases: Mutex::default(),
                });
            }
            // Released before waiting: whoever uses the server needs it to leave.
            drop(change);
            if !reported {
                self.progress.note(
                    "waiting for another pgproof that uses the embedded server with other settings",
                );
                reported = true;
            }
            self.interrupt.check()?;
            thread::sleep(owners::PATIENCE);
        }
    }

    fn launch<'a>(&'a self, place: &'a Place) -> Launch<'a> {
        Launch {
            installation: &self.installation,
            place,
            account: self.account.as_ref(),
            settings: &self.options.settings,
            progress: &self.progress,
            interrupt: &self.interrupt,
        }
    }

    /// `None` where a server runs with other settings and someone uses it.
    fn join_or_start(&self, place: &Place) -> Result<Option<(Tenancy, u16)>, ServerError> {
        let mut keep = false;
        if let Some(running) = Postmaster::running(&place.data()) {
            let owner = self.joined(place, &running);
            let used = !owners::is_unused(&place.use_lock());
            match (owner, running.port) {
                (Some(owner), Some(port)) if self.is_as_wanted(place, port) => {
                    let use_lock = owners::lock_shared(&place.use_lock())?;
                    let tenancy = Tenancy {
                        owner,
                        use_lock,
                        child: None,
                    };
                    return Ok(Some((tenancy, port)));
                }
                (Some(mut owner), _) => {
                    if used {
                        return Ok(None);
                    }
                    keep = place.kept().exists();
                    self.progress
                        .detail("restarting the embedded server with other settings");
                    owner.send(Word::Stop);
                }
                // It is ending, or does not answer.
                (None, _) => {
                    keep = place.kept().exists() && running.ready;
                    running.stop(&place.data());
                }
            }
            end(place, &running)?;
        } else if place.kept().exists() {
            // It was kept and is gone: killed, or the machine was started anew.
            self.progress
                .detail("the server that `pgproof server start` left running is gone");
        }
        let mut launched = self.launch(place).run()?;
        if keep {
            launched.owner.send(Word::Keep);
        } else {
            remove_file(&place.kept())?;
        }
        let use_lock = owners::lock_shared(&place.use_lock())?;
        let tenancy = Tenancy {
            owner: launched.owner,
            use_lock,
            child: Some(launched.child),
        };
        Ok(Some((tenancy, launched.port)))
    }

    /// Becomes an owner of a server that is ready and answers; gives it another watcher where its own was killed.
    fn joined(&self, place: &Place, running: &Postmaster) -> Option<Owner> {
        if !running.ready {
            return None;
        }
        if !running.answers() {
            // Somebody stopped it (`kill -STOP`, a debugger, a frozen container): it may go on.
            running.wake(&place.data());
            if !running.answers() {
                return None;
            }
        }
        Owner::join(&place.pipe()).or_else(|| owners::watch(place, self.account.as_ref()))
    }

    fn is_as_wanted(&self, place: &Place, port: u16) -> bool {
        fs::read_to_string(place.data().join("postgresql.conf")).is_ok_and(|text| {
            let tuning = Tuning::of_running(place, &text);
            text == configuration::render(place, port, &self.options.settings, &tuning)
        })
    }
}
