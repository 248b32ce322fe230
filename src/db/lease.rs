//! A database that this process uses, which every other process sees by an advisory lock: it ends with the process, in whichever
//! container that ran, and needs no process ids. Held by a session and a thread of its own, so that it outlives the
//! runtime that took it.

use std::thread;

use tokio::sync::oneshot;

use super::connect::{ConnectError, DatabaseUrl, Session, describe};
use crate::interrupt::Interrupt;

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    _end: oneshot::Sender<()>,
}

/// Why there is no lease.
#[derive(Debug)]
pub(super) enum LeaseError {
    /// The server cannot be talked to.
    Connect(ConnectError),
    /// It refuses.
    Refused(String),
}

impl Lease {
    /// Takes a share of a lock on the server of `maintenance`, the database where all of them are taken.
    pub(super) async fn take(maintenance: &DatabaseUrl, key: i64) -> Result<Self, LeaseError> {
        let (end, ended) = oneshot::channel::<()>();
        let (answer, answered) = oneshot::channel();
        let url = maintenance.clone();
        let refused = |error: std::io::Error| LeaseError::Refused(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refused)?;
        thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || runtime.block_on(hold(&url, key, answer, ended)))
            .map_err(refused)?;
        answered
            .await
            .unwrap_or_else(|_| Err(LeaseError::Refused("its thread ended".to_owned())))?;
        Ok(Self { _end: end })
    }
}

async fn hold(
    url: &DatabaseUrl,
    key: i64,
    answer: oneshot::Sender<Result<(), LeaseError>>,
    ended: oneshot::Receiver<()>,
) {
    // Not interruptible: what was made has to be cleaned up under it.
    let session = match Session::open(url, &Interrupt::new()).await {
        Ok(session) => session,
        Err(error) => return drop(answer.send(Err(LeaseError::Connect(error)))),
    };
    let locked = session
        .client()
        .execute("SELECT pg_advisory_lock_shared($1)", &[&key])
        .await;
    match locked {
        Ok(_) => {
            drop(answer.send(Ok(())));
            // Its sender is dropped, never used.
            let _ = ended.await;
        }
        Err(error) => drop(answer.send(Err(LeaseError::Refused(describe(&error))))),
    }
    session.close().await;
}

/// Whether nobody holds a lease of this key, nor builds what it stands for. The lock stays with the session until it is
/// unlocked with [`release`].
pub(super) async fn is_free(session: &Session, key: i64) -> Result<bool, tokio_postgres::Error> {
    let row = session
        .client()
        .query_one("SELECT pg_try_advisory_lock($1)", &[&key])
        .await?;
    Ok(row.get(0))
}

/// Gives back what [`is_free`] took.
pub(super) async fn release(session: &Session, key: i64) -> Result<(), tokio_postgres::Error> {
    session
        .client()
        .execute("SELECT pg_advisory_unlock($1)", &[&key])
        .await?;
    Ok(())
}

/// The lock of a name that ends with 16 hexadecimal digits; `None` for what is none.
pub(super) fn key(digits: &str) -> Option<i64> {
    let whole = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole
        .then(|| i64::from_str_radix(&digits[..15], 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_a_fingerprints_first_digits() {
        assert_eq!(key("00000000000000ff"), Some(0xf));
        assert_eq!(key("00000000000000f"), None);
        assert_eq!(key("00000000000000fé"), None);
    }
}
