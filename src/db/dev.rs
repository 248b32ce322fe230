//! The database for daily work: a copy of the dataset under a name that stays, so that an application or a person can
//! connect to it. Never touched by an audit; made anew only when asked to.

use super::clone::{Clone, CloneError};
use super::connect::{DatabaseUrl, Session, describe};
use super::dataset::Dataset;
use crate::interrupt::Interrupt;

/// Its name on the embedded server.
pub const DATABASE: &str = "dev";

/// What is done with a database that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, whatever it holds.
    Keep,
    /// It is dropped, with all that was changed in it.
    Replace,
}

/// The database as it was found or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was copied just now.
    Made,
    /// It was there, and comes from the current dataset.
    Current,
    /// It was there, and comes from a dataset of other migrations, seeds or options.
    Outdated,
}

/// Makes the database for daily work from `dataset`, unless it is there.
///
/// # Errors
/// [`CloneError`] where the copy cannot be made.
pub async fn ensure(
    server: &DatabaseUrl,
    dataset: &Dataset,
    existing: Existing,
    interrupt: &Interrupt,
) -> Result<State, CloneError> {
    match (origin(server, interrupt).await?, existing) {
        (Some(origin), Existing::Keep) if origin == dataset.fingerprint => {
            return Ok(State::Current);
        }
        (Some(_), Existing::Keep) => return Ok(State::Outdated),
        (Some(_), Existing::Replace) | (None, _) => {}
    }
    let copy = Clone::of(server, &dataset.database, interrupt).await?;
    copy.keep_as(DATABASE, &dataset.fingerprint).await?;
    Ok(State::Made)
}

/// The fingerprint of the dataset that it was copied from; `None` where there is no such database.
///
/// # Errors
/// Where the server cannot be asked.
pub async fn origin(
    server: &DatabaseUrl,
    interrupt: &Interrupt,
) -> Result<Option<String>, CloneError> {
    let session = Session::open(&server.with_database("postgres"), interrupt).await?;
    let query = "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1";
    let found = session.client().query_opt(query, &[&DATABASE]).await;
    session.close().await;
    let refused = |error| CloneError::Refused {
        template: DATABASE.to_owned(),
        reason: describe(&error),
    };
    Ok(found.map_err(refused)?.map(|row| row.get(0)))
}
