//! Ctrl-C, SIGTERM and a closed terminal made an [`Interrupt`]: the first one stops the work, the second one the process.

use std::io::Write;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{CliError, ExitCode};
use crate::interrupt::Interrupt;

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
            if interrupt.is_set() {
                std::process::exit(i32::from(ExitCode::Interrupted.code()));
            }
            interrupt.set();
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(anstream::stderr(), "stopping; once more to leave at once");
        }
    });
    Ok(())
}
