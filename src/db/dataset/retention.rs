//! How long datasets are kept: what died half-made goes at once, what is whole until newer ones push it out. What a dataset
//! holds and when it was last used is the comment of its database, which can be read without connecting to it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::connect::Session;
use super::{BUILDING, DatasetError, DatasetTable, PREFIX, lock_key};
use crate::progress::Progress;

/// Whole datasets that are kept: switching between a few branches costs nothing.
const KEPT: usize = 3;
/// One that was used since is not dropped: a command may be about to copy it.
const FRESH: Duration = Duration::from_secs(600);

/// The comment of a dataset's database, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Seconds since 1970, by the server's clock.
    used: u64,
    tables: Vec<DatasetTable>,
}

/// The statement that notes what a dataset holds, and that it was used now.
pub(super) async fn comment(
    session: &Session,
    database: &str,
    tables: Vec<DatasetTable>,
) -> Result<String, DatasetError> {
    let sql = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    let row = session.client().query_one(sql, &[]).await;
    let row = row.map_err(|error| DatasetError::refused("ask for the time", &error))?;
    let record = Record {
        used: u64::try_from(row.get::<_, i64>(0)).unwrap_or(0),
        tables,
    };
    let text = serde_json::to_string(&record)
        .unwrap_or_default()
        .replace('\'', "''");
    Ok(format!("COMMENT ON DATABASE {database} IS '{text}'"))
}

/// What a dataset holds; notes that it was used.
pub(super) async fn use_again(
    session: &Session,
    database: &str,
) -> Result<Vec<DatasetTable>, DatasetError> {
    let sql = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1";
    let row = session.client().query_opt(sql, &[&database]).await;
    let row = row.map_err(|error| DatasetError::refused("read what the dataset holds", &error))?;
    let tables = read(row.and_then(|row| row.get(0))).tables;
    let again = comment(session, database, tables.clone()).await?;
    // Two commands at once may both note it: one of them fails, and that is as good.
    let _ = session.client().batch_execute(&again).await;
    Ok(tables)
}

/// A comment that somebody changed says nothing; the dataset is whole all the same.
fn read(comment: Option<String>) -> Record {
    comment
        .and_then(|comment| serde_json::from_str(&comment).ok())
        .unwrap_or_default()
}

/// Drops what builds that died left, of every dataset but `building`.
pub(super) async fn sweep(
    session: &Session,
    building: &str,
    progress: &Progress,
) -> Result<(), DatasetError> {
    let sql = "SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1) AND datname <> $2";
    let rows = session.client().query(sql, &[&BUILDING, &building]).await;
    for row in rows.map_err(|error| DatasetError::refused("list unfinished datasets", &error))? {
        let name: String = row.get(0);
        let Some(key) = name.strip_prefix(BUILDING).and_then(lock_key) else {
            continue;
        };
        let refused = |error| DatasetError::refused("lock an unfinished dataset", &error);
        // Somebody who holds the lock is still at it.
        let row = session
            .client()
            .query_one("SELECT pg_try_advisory_lock($1)", &[&key])
            .await
            .map_err(refused)?;
        if row.get::<_, bool>(0) {
            progress.detail(format!("dropping {name}: its build died"));
            super::drop_database(session, &name).await?;
            session
                .client()
                .execute("SELECT pg_advisory_unlock($1)", &[&key])
                .await
                .map_err(refused)?;
        }
    }
    Ok(())
}

/// Drops whole datasets but `current` and those that were used last.
pub(super) async fn drop_old(
    session: &Session,
    current: &str,
    progress: &Progress,
) -> Result<(), DatasetError> {
    let sql = "SELECT datname::text, shobj_description(oid, 'pg_database'), extract(epoch FROM clock_timestamp())::bigint \
               FROM pg_database WHERE starts_with(datname::text, $1) AND datname <> $2";
    let rows = session.client().query(sql, &[&PREFIX, &current]).await;
    let rows = rows.map_err(|error| DatasetError::refused("list the datasets", &error))?;
    let now = rows
        .first()
        .and_then(|row| u64::try_from(row.get::<_, i64>(2)).ok())
        .unwrap_or(0);
    let mut others: Vec<(u64, String)> = rows
        .iter()
        .map(|row| (read(row.get(1)).used, row.get(0)))
        .filter(|(_, name): &(u64, String)| name.strip_prefix(PREFIX).and_then(lock_key).is_some())
        .collect();
    others.sort_unstable_by(|a, b| b.cmp(a));
    let old = others
        .iter()
        .skip(KEPT - 1)
        .filter(|(used, _)| now.saturating_sub(*used) >= FRESH.as_secs());
    for (_, name) in old {
        let release = format!("ALTER DATABASE {name} WITH IS_TEMPLATE false");
        let dropped = match session.client().batch_execute(&release).await {
            Ok(()) => {
                session
                    .client()
                    .batch_execute(&format!("DROP DATABASE {name}"))
                    .await
            }
            Err(error) => Err(error),
        };
        match dropped {
            Ok(()) => progress.note(format!(
                "dropped dataset {name}: the {KEPT} that were used last are kept"
            )),
            // Another command copies it just now: the next build drops it.
            Err(_) => progress.detail(format!("{name} is in use and stays")),
        }
    }
    Ok(())
}
