//! Partitions of tables that have none, because a program makes them as it runs: without one they hold no row, and no query of
//! them proves anything.

use super::{DatasetError, Recipe};
use crate::db::connect::{DatabaseUrl, Session};
use crate::interrupt::Interrupt;

/// Whether tables without a partition get one. Where migrations are applied on top of the rows they must not: a partition that a
/// migration makes would be in the way of the rows that lie in ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// They get one that takes every row.
    Made,
    /// They stay as the migrations leave them.
    Left,
}

/// Each table without a partition, with the statement that makes it one for every row.
const STATEMENTS: &str = "\
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.format('CREATE TABLE %I.%I PARTITION OF %1$I.%3$I %4$s', n.nspname,
           pg_catalog.left(c.relname, 44) || '_all_' || pg_catalog.row_number() OVER (ORDER BY n.nspname, c.relname), c.relname,
           CASE p.partstrat WHEN 'h' THEN 'FOR VALUES WITH (MODULUS 1, REMAINDER 0)' ELSE 'DEFAULT' END)
FROM pg_catalog.pg_partitioned_table p
JOIN pg_catalog.pg_class c ON c.oid = p.partrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = p.partrelid)
ORDER BY n.nspname, c.relname";

/// Whether the dataset of a recipe may hold such a partition: known before anything is made, since the fingerprint says it.
pub(super) fn may_be_made(recipe: Recipe<'_>) -> bool {
    let is_partitioned = |text: &str| {
        let words = text.split_ascii_whitespace().map(str::to_ascii_lowercase);
        let mut before = String::new();
        words.into_iter().any(|word| {
            let found = before == "partition" && word.starts_with("by");
            before = word;
            found
        })
    };
    let mut scripts = recipe.migrations.migrations.iter();
    recipe.lacking == Lacking::Made
        && scripts.any(|migration| is_partitioned(&migration.up.source.text))
}

/// Makes them, and returns the tables that got one.
pub(super) async fn make(
    url: &DatabaseUrl,
    recipe: Recipe<'_>,
    interrupt: &Interrupt,
) -> Result<Vec<String>, DatasetError> {
    if !may_be_made(recipe) {
        return Ok(Vec::new());
    }
    let refused = |error| DatasetError::refused("make partitions of tables that have none", &error);
    let session = Session::open(url, interrupt).await?;
    let client = session.client();
    let rows = client.query(STATEMENTS, &[]).await.map_err(refused)?;
    let mut tables = Vec::with_capacity(rows.len());
    for row in rows {
        client.batch_execute(row.get(1)).await.map_err(refused)?;
        tables.push(row.get(0));
    }
    session.close().await;
    Ok(tables)
}

/// What a person should know of them.
pub(super) fn note(tables: &[String]) -> Option<String> {
    const SHOWN: usize = 3;
    let shown = tables.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    let more = match tables.len().saturating_sub(SHOWN) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    (!tables.is_empty()).then(|| {
        format!(
            "no migration makes a partition of {}{more}: in the dataset each has a single one that takes every row, so plans show no pruning",
            shown.join(", ")
        )
    })
}
