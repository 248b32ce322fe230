//! `@for-each`: the values that a parent query's rows hand to a child's parameters. The parent runs with its normal
//! values first.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_postgres::Client;

use crate::catalog::Query;
use crate::catalog::query::ForEach;
use crate::db::explain::{ExplainError, Limits, Prepared, first_rows};
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

/// Elements of a loop that are looked at.
const ELEMENTS: usize = 20;

/// What a query's parents give.
pub(super) struct Given {
    /// By parameter.
    pub(super) values: BTreeMap<u16, Option<String>>,
    /// Of how many elements most find no row, in words.
    pub(super) note: Option<String>,
}

/// The values that a query's parents give; nothing where a parent could not be audited. Of a loop's elements one that finds
/// rows is typical, where the parent alone decides what the query looks for.
pub(super) async fn values(
    client: &Client,
    limits: &Limits,
    queries: &[Query],
    (query, prepared): (&Query, &Prepared),
    normal: &BTreeMap<usize, ParameterSet>,
) -> Result<Given, Failed> {
    let mut given = Given {
        values: BTreeMap::new(),
        note: None,
    };
    for each in &query.for_each {
        let Some(at) = queries.iter().position(|other| other.name == each.parent) else {
            continue;
        };
        let Some(set) = normal.get(&at) else { continue };
        let parent = &queries[at];
        let asked_by = limits.clone().asked_by(&parent.asked_by);
        let (name, sql) = ("pgproof_parent", &parent.sql);
        let statement = Prepared::new(client, name, sql, parent.writes, &asked_by).await?;
        let rows = first_rows(client, &statement, &set.values, &asked_by, ELEMENTS).await;
        statement.deallocate(client).await?;
        let rows = rows?;
        let Some(first) = rows.first() else { continue };
        let Some(column) = first.iter().position(|(name, _)| *name == each.column) else {
            return Err(Failed::Query(no_column(each, first)));
        };
        let elements: Vec<Option<String>> = rows.iter().map(|row| row[column].1.clone()).collect();
        let alone = prepared.types.len() == 1 && !query.writes;
        let element = if alone {
            let (element, empty) = typical(client, limits, prepared, &elements).await?;
            given.note = (empty > 0).then(|| {
                let (parent, all) = (&each.parent, elements.len());
                format!("{empty} of {all} rows of {parent} find nothing here")
            });
            element
        } else {
            elements.into_iter().next().flatten()
        };
        given.values.insert(each.parameter, element);
    }
    Ok(given)
}

/// The first element that finds a row, and how many find none; the first of all where none does.
async fn typical(
    client: &Client,
    limits: &Limits,
    prepared: &Prepared,
    elements: &[Option<String>],
) -> Result<(Option<String>, usize), Failed> {
    let (mut found, mut empty) = (None, 0);
    for element in elements {
        let values = [element.clone()];
        match first_rows(client, prepared, &values, limits, 1).await {
            Ok(rows) if rows.is_empty() => empty += 1,
            Ok(_) => found = found.or_else(|| element.clone()),
            // What fails or takes too long is reported by the audit itself.
            Err(
                ExplainError::Refused(_) | ExplainError::TimedOut | ExplainError::Unsafe { .. },
            ) => {
                return Ok((element.clone(), 0));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let first = elements.first().cloned().flatten();
    Ok((found.or(first), empty))
}

fn no_column(each: &ForEach, row: &[(String, Option<String>)]) -> QueryFailure {
    let columns: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
    QueryFailure {
        message: format!(
            "@for-each: {} returns no column {}",
            each.parent, each.column
        ),
        code: None,
        position: None,
        hint: Some(format!("its columns are {}", columns.join(", "))),
    }
}
