//! Where things are measured, and what is known of them already: a session is opened only for what is not known.

use tokio_postgres::Client;

use super::connect::Session;
use super::explain::ExplainError;
use crate::results::Results;

static NOTHING_KNOWN: Results = Results::off();

/// A session, where one is open, and the results that were kept.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    session: Option<&'a Session>,
    /// What is known of the same database.
    pub results: &'a Results,
}

impl<'a> Bench<'a> {
    /// Of a session that may not be open yet.
    #[must_use]
    pub fn new(session: Option<&'a Session>, results: &'a Results) -> Self {
        Self { session, results }
    }

    /// The session.
    ///
    /// # Errors
    /// [`ExplainError::NoSession`].
    pub fn session(&self) -> Result<&'a Session, ExplainError> {
        self.session.ok_or(ExplainError::NoSession)
    }

    pub(super) fn client(&self) -> Result<&'a Client, ExplainError> {
        Ok(self.session()?.client())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.session
            .is_none_or(|session| session.client().is_closed())
    }
}

impl<'a> From<&'a Session> for Bench<'a> {
    fn from(session: &'a Session) -> Self {
        Self::new(Some(session), &NOTHING_KNOWN)
    }
}
