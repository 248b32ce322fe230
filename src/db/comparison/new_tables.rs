//! Tables that the migration made are empty: nothing could be said of the queries on them. They are filled as the dataset
//! was; every other table stays as the migration left it.

use std::sync::Arc;

use crate::db::dataset;
use crate::db::load;
use crate::diff::specs::fitting;
use crate::schema::{Schema, TableKind};
use crate::seed::plan::Fill;
use crate::source::Source;

use super::{CompareError, Copy, Task};

/// Fills them; returns whether there was anything to fill. Where the seeds do not say how, they stay empty, and a note
/// says so.
///
/// # Errors
/// The server's failure.
pub(super) async fn fill(
    task: &Task<'_>,
    after: &Copy,
    old: &Schema,
    new: &Schema,
) -> Result<bool, CompareError> {
    let made = |oid: u32| old.table_by_oid(oid).is_none();
    let holds_rows = |kind: TableKind| matches!(kind, TableKind::Ordinary | TableKind::Partitioned);
    if !new
        .tables
        .iter()
        .any(|table| holds_rows(table.kind) && made(table.oid))
    {
        return Ok(false);
    }
    let specs: Vec<Source> = task
        .seeds
        .0
        .iter()
        .map(|source| fitting(source, new))
        .collect();
    let (schema, mut plan) =
        match dataset::plan(after.url(), &specs, task.seeds.1, task.interrupt).await {
            Ok(planned) => planned,
            Err(error) if error.is_configuration() => {
                task.progress
                    .note(format!("the migrations' new tables stay empty: {error}"));
                return Ok(false);
            }
            Err(error) => return Err(failed(&error)),
        };
    for table in plan.tables.iter_mut().filter(|table| !made(table.oid)) {
        table.fill = Fill::Keep;
    }
    if !plan
        .tables
        .iter()
        .any(|table| table.fill == Fill::Generate && table.rows > 0)
    {
        return Ok(false);
    }
    load::embedded(
        after.url(),
        &Arc::new(schema),
        &Arc::new(plan),
        task.progress,
        task.interrupt,
    )
    .await
    .map_err(|error| failed(&error))?;
    Ok(true)
}

fn failed(error: &dyn std::error::Error) -> CompareError {
    CompareError::Server {
        doing: "filling the tables that the migrations made",
        reason: error.to_string(),
    }
}
