//! `@for-each`: the values that a parent query's rows hand to a child's parameters. The parent runs with its normal
//! values first.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_postgres::Client;

use crate::catalog::Query;
use crate::db::explain::{Limits, Prepared, first_row};
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
        let row = first_row(client, &prepared, &set.values, limits).await;
        prepared.deallocate(client).await?;
        let Some(row) = row? else { continue };
        match row.iter().find(|(name, _)| *name == each.column) {
            Some((_, value)) => {
                given.insert(each.parameter, value.clone());
            }
            None => {
                let columns: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Failed::Query(QueryFailure {
                    message: format!(
                        "@for-each: {} returns no column {}",
                        each.parent, each.column
                    ),
                    code: None,
                    position: None,
                    hint: Some(format!("its columns are {}", columns.join(", "))),
                }));
            }
        }
    }
    Ok(given)
}
