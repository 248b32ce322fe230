//! How long a server process on this machine was ready to run and waited for a processor: what other work took from it. A
//! statement's time without that is about what an idle machine needs.

use std::fs;
use std::path::PathBuf;

use crate::units::Millis;

use super::connect::DatabaseUrl;

/// The counters of one backend, where the system has them: Linux, and a server on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunQueue {
    counters: Option<PathBuf>,
}

/// What a backend has had of the processors since it began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turns {
    running: Millis,
    waiting: Millis,
}

impl RunQueue {
    /// Of the backend `pid` of the server at `url`.
    #[must_use]
    pub(super) fn of(url: &DatabaseUrl, pid: i32) -> Self {
        match url.is_local() {
            true => Self::of_embedded(pid),
            false => Self::UNKNOWN,
        }
    }

    /// Of the backend `pid` of the embedded server, which is on this machine.
    #[must_use]
    pub(super) fn of_embedded(pid: i32) -> Self {
        let is_ours = fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|arguments| arguments.starts_with(b"postgres"));
        Self {
            counters: is_ours.then(|| PathBuf::from(format!("/proc/{pid}/schedstat"))),
        }
    }

    /// Of a backend that is elsewhere.
    pub(super) const UNKNOWN: Self = Self { counters: None };

    /// The time waited since the process began; 0 where the system does not say.
    #[must_use]
    pub(super) fn waited(&self) -> Millis {
        self.turns().map_or(Millis(0.0), |turns| turns.waiting)
    }

    /// The counters now.
    #[must_use]
    pub(super) fn turns(&self) -> Option<Turns> {
        turns(&fs::read_to_string(self.counters.as_ref()?).ok()?)
    }
}

impl Turns {
    /// What an execution of `execution`, planned in `planning`, takes where nothing else wants the processors. It began after `self`
    /// and ended before `later`, as did what lies around it: it waited no longer than the process did, and the process ran no
    /// shorter than it.
    #[must_use]
    pub(super) fn undisturbed(self, later: Self, execution: Millis, planning: Millis) -> Millis {
        let waited = later.waiting.0 - self.waiting.0;
        let running = later.running.0 - self.running.0;
        let least = (execution.0 - waited).max(running - planning.0);
        if least > 0.0 {
            return Millis(execution.0.min(least));
        }
        // It waited while it was planned, too: nobody knows how much of it. Its share is taken to be the same all along.
        let share = running / (running + waited).max(f64::MIN_POSITIVE);
        Millis(execution.0 * share.clamp(0.0, 1.0))
    }
}

/// The first two of the kernel's counters: ns on a processor, ns ready and waiting for one.
fn turns(schedstat: &str) -> Option<Turns> {
    let mut counters = schedstat.split_whitespace();
    let mut next = || Some(Millis(counters.next()?.parse::<u64>().ok()? as f64 / 1e6));
    Some(Turns {
        running: next()?,
        waiting: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Turns, turns};
    use crate::units::Millis;

    fn at(running: f64, waiting: f64) -> Turns {
        Turns {
            running: Millis(running),
            waiting: Millis(waiting),
        }
    }

    #[test]
    fn the_first_counters_are_the_times_run_and_waited() {
        let read = turns("842292592 1160114164 294\n");
        assert_eq!(read, Some(at(842.292_592, 1_160.114_164)));
        assert_eq!(turns(""), None);
        assert_eq!(turns("842292592"), None);
    }

    #[test]
    fn what_was_waited_for_a_processor_is_not_the_statements() {
        let undisturbed =
            |later, execution| at(10.0, 5.0).undisturbed(later, Millis(execution), Millis(1.0));
        // 40 ms of running, 30 ms of waiting.
        assert_eq!(undisturbed(at(51.0, 35.0), 70.0), Millis(40.0));
        // It waited before it began: no statement took less than it ran.
        assert_eq!(undisturbed(at(14.0, 45.0), 3.0), Millis(3.0));
        // It waited while it was planned: a time is never negative.
        let planned = at(10.0, 5.0).undisturbed(at(12.0, 65.0), Millis(1.0), Millis(50.0));
        assert!(planned.0 > 0.0 && planned.0 < 1.0, "{planned:?}");
        // It waited for a disk.
        assert_eq!(undisturbed(at(13.0, 5.0), 70.0), Millis(70.0));
        // It read a disk and waited for a processor.
        assert_eq!(undisturbed(at(13.0, 25.0), 70.0), Millis(50.0));
    }
}
