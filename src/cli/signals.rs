//! Ctrl-C, SIGTERM and a closed terminal made an [`Interrupt`]: the first one stops the work, the second one the process.
//! Work that cannot stop, e.g. since a server does not answer, is left after a while: its server ends by itself, and
//! what lies there is cleaned up by the next command.

use std::io::Write;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{CliError, ExitCode};
use crate::interrupt::{Interrupt, is_reading};

/// How long stopping may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Listens until the process ends. To be called within the runtime.
pub(super) fn watch(interrupt: Interrupt) -> Result<(), CliError> {
    let listen = |kind| signal(kind).map_err(|error| CliError::environment(&error));
    let mut ctrl_c = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = ctrl_c.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            if interrupt.is_set() || is_reading() {
                std::process::exit(i32::from(ExitCode::Interrupted.code()));
            }
            interrupt.set();
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(anstream::stderr(), "stopping; once more to leave at once");
            leave_in_the_end();
        }
    });
    Ok(())
}

/// On a thread of its own, which nothing can keep.
fn leave_in_the_end() {
    // Where the system has no thread to give, the second signal does it.
    let _ = std::thread::Builder::new()
        .name("leave".to_owned())
        .spawn(|| {
            std::thread::sleep(PATIENCE);
            let _ = writeln!(
                anstream::stderr(),
                "not everything could be stopped; the next command cleans up"
            );
            std::process::exit(i32::from(ExitCode::Interrupted.code()));
        });
}
