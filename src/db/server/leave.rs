//! Leaving the server, and its end.

use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::place::Place;
use super::postmaster::Postmaster;
use super::{ServerError, Tenancy};
use super::{owners, place, postmaster};

/// How long a shutdown may take altogether.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long one may take that ends sessions and writes a checkpoint; then it is made an immediate one.
const FAST_STOP_LIMIT: Duration = Duration::from_secs(20);

/// How long an immediate one may take; then the process is killed.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// Waits for a server that was asked to stop; asks harder in the end.
pub(super) fn end(place: &Place, running: &Postmaster) -> Result<(), ServerError> {
    let data = place.data();
    let gone = postmaster::wait_until_gone(&data, FAST_STOP_LIMIT)
        || {
            running.abort(&data);
            postmaster::wait_until_gone(&data, ABORT_LIMIT)
        }
        || {
            running.kill();
            postmaster::wait_until_gone(&data, ABORT_LIMIT)
        };
    if gone {
        return Ok(());
    }
    Err(if running.is_seen() {
        ServerError::Stuck {
            data,
            log: place.log(),
        }
    } else {
        ServerError::Elsewhere { data }
    })
}

/// Leaves the server; the last one out waits until it is gone, so that the next command finds it as it should be.
pub(super) fn leave(place: &Place, tenancy: Option<Tenancy>) {
    let Some(Tenancy {
        mut child,
        owner,
        use_lock,
    }) = tenancy
    else {
        return;
    };
    // Nobody joins between the look and the end.
    let change = place::open_lock(&place.change_lock()).and_then(|file| {
        file.lock()
            .map_err(|error| ServerError::io("lock", place.change_lock(), error))
            .map(|()| file)
    });
    drop(use_lock);
    drop(owner);
    if !place.kept().exists() && owners::is_unused(&place.use_lock()) {
        stop_unused(place, child.as_mut());
        postmaster::end_leftovers(&place.data());
    }
    reap(child.as_mut());
    drop(change);
}

/// The watcher asks the server to stop, too, unless it was killed; a server that does not end is made to.
fn stop_unused(place: &Place, mut child: Option<&mut Child>) {
    let start = Instant::now();
    let mut asked = 0;
    while let Some(running) = Postmaster::running(&place.data()) {
        let elapsed = start.elapsed();
        match asked {
            0 => running.stop(&place.data()),
            1 if elapsed > FAST_STOP_LIMIT => running.abort(&place.data()),
            2 if elapsed > FAST_STOP_LIMIT + ABORT_LIMIT => running.kill(),
            _ if elapsed > STOP_LIMIT => return,
            _ => {
                reap(child.as_deref_mut());
                thread::sleep(Duration::from_millis(10));
                continue;
            }
        }
        asked += 1;
    }
}

pub(super) fn reap(child: Option<&mut Child>) {
    if let Some(child) = child {
        // Only to free the process's entry: whether it ended is read from the pid file.
        let _ = child.try_wait();
    }
}
