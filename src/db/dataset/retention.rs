//! How long datasets are kept: what died half-made goes at once, what is whole until newer ones push it out, or it is too
//! old, or too large. What is in use stays: whoever uses it holds a lease. What a dataset holds and when it was last used
//! is the comment of its database, which can be read without connecting to it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::connect::Session;
use super::super::lease;
use super::{BUILDING, DatasetError, DatasetTable, PREFIX};
use crate::progress::Progress;
use crate::units::Bytes;

/// Whole datasets that are kept: switching between a few branches costs nothing.
const KEPT: usize = 3;
/// What those that are not the current one may take together.
const KEPT_BYTES: u64 = 20 << 30;
/// A dataset that nobody used for so long is dropped.
const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 3600);

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
        let Some(key) = name.strip_prefix(BUILDING).and_then(lease::key) else {
            continue;
        };
        let refused = |error| DatasetError::refused("lock an unfinished dataset", &error);
        // Somebody who holds the lock is still at it.
        if lease::is_free(session, key).await.map_err(refused)? {
            progress.detail(format!("dropping {name}: its build died"));
            super::drop_database(session, &name).await?;
            lease::release(session, key).await.map_err(refused)?;
        }
    }
    Ok(())
}

/// A dataset that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its database.
    pub(crate) name: String,
    /// What it takes on the disk.
    pub(crate) size: Bytes,
    /// How long ago it was used.
    pub(crate) idle: Duration,
}

/// Every dataset that nobody uses, the one that was used last first.
pub(super) async fn unused(session: &Session) -> Result<Vec<Stored>, DatasetError> {
    let sql = "SELECT datname::text, shobj_description(oid, 'pg_database'), \
               extract(epoch FROM clock_timestamp())::bigint, pg_database_size(oid) \
               FROM pg_database WHERE starts_with(datname::text, $1)";
    let rows = session.client().query(sql, &[&PREFIX]).await;
    let rows = rows.map_err(|error| DatasetError::refused("list the datasets", &error))?;
    let mut found = Vec::new();
    for row in &rows {
        let name: String = row.get(0);
        let Some(key) = name.strip_prefix(PREFIX).and_then(lease::key) else {
            continue;
        };
        let refused = |error| DatasetError::refused("look whether a dataset is in use", &error);
        if !lease::is_free(session, key).await.map_err(refused)? {
            continue;
        }
        lease::release(session, key).await.map_err(refused)?;
        let now = u64::try_from(row.get::<_, i64>(2)).unwrap_or(0);
        found.push(Stored {
            name,
            size: Bytes(row.get::<_, i64>(3).unsigned_abs()),
            idle: Duration::from_secs(now.saturating_sub(read(row.get(1)).used)),
        });
    }
    found.sort_by(|a, b| a.idle.cmp(&b.idle).then_with(|| a.name.cmp(&b.name)));
    Ok(found)
}

/// Drops a dataset, unless somebody uses it by now.
pub(super) async fn drop_unused(session: &Session, dataset: &Stored) -> Result<bool, DatasetError> {
    let name = &dataset.name;
    let refused = |error| DatasetError::refused("drop a dataset", &error);
    let Some(key) = name.strip_prefix(PREFIX).and_then(lease::key) else {
        return Ok(false);
    };
    if !lease::is_free(session, key).await.map_err(refused)? {
        return Ok(false);
    }
    let mut dropped = Ok(());
    for statement in [
        format!("ALTER DATABASE {name} WITH IS_TEMPLATE false"),
        format!("DROP DATABASE IF EXISTS {name}"),
    ] {
        if dropped.is_ok() {
            dropped = session.client().batch_execute(&statement).await;
        }
    }
    lease::release(session, key).await.map_err(refused)?;
    // One that is being copied, by a tool of somebody's, stays.
    Ok(dropped.is_ok())
}

/// Drops whole datasets but `current` and those that were used last, as far as count, size and age allow.
pub(super) async fn drop_old(
    session: &Session,
    current: &str,
    progress: &Progress,
) -> Result<(), DatasetError> {
    let others = unused(session).await?;
    let others: Vec<Stored> = others
        .into_iter()
        .filter(|dataset| dataset.name != current)
        .collect();
    for (dataset, why) in too_old(&others) {
        if drop_unused(session, dataset).await? {
            progress.note(format!(
                "dropped dataset {} ({}): {why}",
                dataset.name, dataset.size
            ));
        } else {
            progress.detail(format!("{} is in use and stays", dataset.name));
        }
    }
    Ok(())
}

/// Those that go, with the reason. `others` come the one that was used last first.
fn too_old(others: &[Stored]) -> Vec<(&Stored, String)> {
    let mut kept = Bytes(0);
    let mut going = Vec::new();
    for (number, dataset) in others.iter().enumerate() {
        let sum = Bytes(kept.0.saturating_add(dataset.size.0));
        let why = if number >= KEPT - 1 {
            format!("the {KEPT} that were used last are kept")
        } else if dataset.idle > KEPT_FOR {
            format!("nobody used it for {} days", KEPT_FOR.as_secs() / 86_400)
        } else if sum > Bytes(KEPT_BYTES) {
            format!(
                "{} of datasets are kept beside the current one",
                Bytes(KEPT_BYTES)
            )
        } else {
            kept = sum;
            continue;
        };
        going.push((dataset, why));
    }
    going
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, gigabytes: u64, days: u64) -> Stored {
        Stored {
            name: name.to_owned(),
            size: Bytes(gigabytes << 30),
            idle: Duration::from_secs(days * 86_400),
        }
    }

    #[test]
    fn datasets_are_bounded_by_count_size_and_age() {
        let names = |others: &[Stored]| -> Vec<String> {
            too_old(others)
                .into_iter()
                .map(|(dataset, _)| dataset.name.clone())
                .collect()
        };
        let few = [stored("a", 1, 0), stored("b", 1, 1)];
        assert_eq!(names(&few), [""; 0]);
        let many = [stored("a", 1, 0), stored("b", 1, 0), stored("c", 1, 0)];
        assert_eq!(names(&many), ["c"]);
        let old = [stored("a", 1, 0), stored("b", 1, 30)];
        assert_eq!(names(&old), ["b"]);
        let large = [stored("a", 15, 0), stored("b", 15, 0)];
        assert_eq!(names(&large), ["b"]);
        let one_too_large = [stored("a", 50, 0), stored("b", 1, 0)];
        assert_eq!(names(&one_too_large), ["a"]);
    }
}
