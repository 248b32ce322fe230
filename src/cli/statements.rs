//! pg_stat_statements of the databases that `queries` names, read before the catalog is.

use super::Globals;
use super::exit::CliError;
use super::settings::Project;
use crate::catalog::{QuerySource, StatementsFrom};
use crate::db::connect::{DatabaseUrl, Session};
use crate::db::statements::{self, StatementsError};
use crate::trace::event::Statements;

impl Project {
    /// Asks every database among `queries` for its statements.
    pub async fn with_statements(mut self, globals: &Globals) -> Result<Self, CliError> {
        let sources = self.settings.queries.iter();
        let wanted: Vec<StatementsFrom> = sources
            .filter_map(|source| match source {
                QuerySource::Statements { from, .. } => Some(from.clone()),
                QuerySource::Files(_)
                | QuerySource::Sqlc(_)
                | QuerySource::Sqlx(_)
                | QuerySource::Written { .. } => None,
            })
            .collect();
        for from in wanted {
            if let Some(url) = url(&from, globals)? {
                self.live.push((from, read(&url, globals).await?));
            }
        }
        Ok(self)
    }
}

/// The database of a source; `None` where it is a file.
pub fn url(from: &StatementsFrom, globals: &Globals) -> Result<Option<DatabaseUrl>, CliError> {
    match from {
        StatementsFrom::File(_) => Ok(None),
        StatementsFrom::GivenDatabase => match globals.database()? {
            Some((url, _)) => Ok(Some(url)),
            None => Err(CliError::usage(
                "`queries` reads pg_stat_statements of the given database, and none is given",
            )
            .help(
                "give one with --database-url, or name the variable that holds its URL: { statements = \"$PRODUCTION_URL\" }",
            )),
        },
        StatementsFrom::Variable(name) => {
            let Some(text) = std::env::var(name).ok().filter(|text| !text.trim().is_empty()) else {
                return Err(CliError::usage(format!(
                    "`queries` reads pg_stat_statements of the database in ${name}, which is not set"
                ))
                .help(format!("set {name} to its URL, e.g. postgres://user@host:5432/database")));
            };
            DatabaseUrl::parse(&text)
                .map(Some)
                .map_err(|error| CliError::usage(format!("bad ${name}: {error}")))
        }
    }
}

/// The statements of a database.
pub async fn read(url: &DatabaseUrl, globals: &Globals) -> Result<Statements, CliError> {
    let session = Session::open(url, &globals.interrupt).await?;
    let read = statements::read(&session).await;
    session.close().await;
    Ok(read?)
}

impl From<StatementsError> for CliError {
    fn from(error: StatementsError) -> Self {
        Self::Environment {
            message: error.to_string(),
            causes: Vec::new(),
            help: error.remedy().map(str::to_owned),
        }
    }
}
