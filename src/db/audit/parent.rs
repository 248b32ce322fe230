//! `@for-each`: the values that a parent query's rows hand to a child's parameters. The parent runs with its normal
//! values first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::pin;

use futures_util::StreamExt;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::catalog::Query;
use crate::db::explain::{ExplainError, Limits, NO_POSITION, PlanChoice, Prepared, opening};
use crate::db::parameters::ParameterSet;
use crate::run::QueryFailure;

use super::Failed;

/// The order in which parents come before their children; a circle is broken anywhere.
pub(super) fn order(queries: &[Query]) -> Vec<usize> {
    let mut order = Vec::with_capacity(queries.len());
    let mut left: Vec<usize> = (0..queries.len()).collect();
    while !left.is_empty() {
        let names: HashMap<&str, usize> = left
            .iter()
            .map(|i| (queries[*i].name.as_str(), *i))
            .collect();
        let waits = |i: &usize| {
            let mut parents = queries[*i].for_each.iter().map(|each| each.parent.as_str());
            parents.any(|parent| names.get(parent).is_some_and(|other| other != i))
        };
        let ready: Vec<usize> = left.iter().copied().filter(|i| !waits(i)).collect();
        let mut next = if ready.is_empty() {
            left.clone()
        } else {
            ready
        };
        // What is written and rolled back still takes the marks of index-only scans away: reads come first.
        next.sort_by_key(|i| queries[*i].writes);
        let taken: HashSet<usize> = next.iter().copied().collect();
        left.retain(|i| !taken.contains(i));
        order.extend(next);
    }
    order
}

/// The values that a query's parents give; nothing where a parent could not be audited.
pub(super) async fn values(
    client: &Client,
    limits: &Limits,
    queries: &[Query],
    query: &Query,
    normal: &BTreeMap<usize, ParameterSet>,
) -> Result<BTreeMap<u16, Option<String>>, Failed> {
    let mut given = BTreeMap::new();
    for each in &query.for_each {
        let Some(at) = queries.iter().position(|other| other.name == each.parent) else {
            continue;
        };
        let Some(set) = normal.get(&at) else { continue };
        let parent = &queries[at];
        let prepared =
            Prepared::new(client, "pgproof_parent", &parent.sql, parent.writes, limits).await?;
        let row = first_row(client, limits, &prepared, set, &each.column).await;
        prepared.deallocate(client).await?;
        match row? {
            Found::Value(value) => {
                given.insert(each.parameter, value);
            }
            Found::NoRow => {}
            Found::NoColumn(columns) => {
                return Err(Failed::Query(QueryFailure {
                    message: format!(
                        "@for-each: {} returns no column {}",
                        each.parent, each.column
                    ),
                    code: None,
                    position: None,
                    hint: Some(format!("its columns are {columns}")),
                }));
            }
        }
    }
    Ok(given)
}

enum Found {
    Value(Option<String>),
    NoRow,
    NoColumn(String),
}

/// The first row's value of a column; the rest of the rows is thrown away unread.
async fn first_row(
    client: &Client,
    limits: &Limits,
    prepared: &Prepared,
    set: &ParameterSet,
    column: &str,
) -> Result<Found, ExplainError> {
    let opening = opening(limits, PlanChoice::Custom);
    let sql = format!("{opening}{};ROLLBACK;", prepared.execute(&set.values));
    let mut found = Found::NoRow;
    let mut failed = None;
    {
        let messages = client
            .simple_query_raw(&sql)
            .await
            .map_err(|error| ExplainError::of(error, NO_POSITION))?;
        let mut messages = pin!(messages);
        while let Some(message) = messages.next().await {
            match message {
                Ok(SimpleQueryMessage::Row(row)) if matches!(found, Found::NoRow) => {
                    let at = row
                        .columns()
                        .iter()
                        .position(|candidate| candidate.name() == column);
                    let names = || {
                        row.columns()
                            .iter()
                            .map(|c| c.name())
                            .collect::<Vec<_>>()
                            .join(", ")
                    };
                    found = at.map_or_else(
                        || Found::NoColumn(names()),
                        |at| Found::Value(row.get(at).map(str::to_owned)),
                    );
                }
                Ok(_) => {}
                Err(error) => failed = Some(ExplainError::of(error, NO_POSITION)),
            }
        }
    }
    match failed {
        Some(error) => {
            client
                .simple_query("ROLLBACK")
                .await
                .map_err(|error| ExplainError::of(error, NO_POSITION))?;
            Err(error)
        }
        None => Ok(found),
    }
}
