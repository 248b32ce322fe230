//! How long a server process on this machine was ready to run and waited for a processor: what other work took from it. A
//! statement's time without that is about what an idle machine needs.

use std::fs;
use std::path::PathBuf;

use crate::units::Millis;

use super::connect::DatabaseUrl;

/// The waiting time of one backend, where the system tells it: Linux, and a server on this machine.
#[derive(Debug)]
pub(super) struct RunQueue {
    counters: Option<PathBuf>,
}

impl RunQueue {
    /// Of the backend `pid` of the server at `url`.
    #[must_use]
    pub(super) fn of(url: &DatabaseUrl, pid: i32) -> Self {
        let is_ours = || {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|arguments| arguments.starts_with(b"postgres"))
        };
        let counters =
            (url.is_local() && is_ours()).then(|| PathBuf::from(format!("/proc/{pid}/schedstat")));
        Self { counters }
    }

    /// The time waited since the process began; 0 where the system does not tell it.
    #[must_use]
    pub(super) fn waited(&self) -> Millis {
        let text = self.counters.as_ref().map(fs::read_to_string);
        Millis(
            text.and_then(Result::ok)
                .as_deref()
                .and_then(wait)
                .unwrap_or(0.0),
        )
    }
}

/// The second of the kernel's counters: ns on a processor, ns ready and waiting for one, turns.
fn wait(schedstat: &str) -> Option<f64> {
    let nanoseconds: u64 = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(nanoseconds as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::wait;

    #[test]
    fn the_second_counter_is_the_time_waited() {
        assert_eq!(wait("842292592 1160114164 294\n"), Some(1_160.114_164));
        assert_eq!(wait(""), None);
        assert_eq!(wait("842292592"), None);
    }
}
