//! The order in which tables can be filled: parents first.

use std::collections::BTreeMap;

use crate::schema::{ForeignKey, Schema, Table};

/// Seeded tables, parents before children; within a cycle the foreign keys give way that can be NULL
/// or checked later.
pub(super) fn fill_order(schema: &Schema) -> Vec<&Table> {
    let tables: Vec<&Table> = schema
        .tables
        .iter()
        .filter(|table| super::is_seeded(table))
        .collect();
    let position: BTreeMap<u32, usize> = tables
        .iter()
        .enumerate()
        .map(|(at, table)| (table.oid, at))
        .collect();
    // A weak edge can give way: the child may be NULL at first, or is checked later.
    let parents: Vec<Vec<Edge>> = tables
        .iter()
        .enumerate()
        .map(|(at, table)| {
            let edge = |key: &ForeignKey| {
                // A column that other keys point to has to be there with its row.
                let nullable = key.columns.iter().any(|name| {
                    let column = table.column(name);
                    column.is_some_and(|c| !c.not_null) && !schema.is_referenced(table, name)
                });
                let parent = schema
                    .table_by_oid(key.references)
                    .map(|parent| schema.root_of(parent).oid)?;
                let parent = position
                    .get(&parent)
                    .copied()
                    .filter(|parent| *parent != at)?;
                Some(Edge {
                    parent,
                    weak: nullable || key.deferrable,
                })
            };
            table.foreign_keys.iter().filter_map(edge).collect()
        })
        .collect();
    let mut order = Order {
        parents: &parents,
        placed: vec![false; tables.len()],
    };
    std::iter::from_fn(|| order.next())
        .map(|at| tables[at])
        .collect()
}

/// A table that another one references.
struct Edge {
    parent: usize,
    weak: bool,
}

/// Which edges count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edges {
    All,
    /// Those that cannot give way: the column is not null, the key is checked at once.
    Firm,
}

struct Order<'p> {
    parents: &'p [Vec<Edge>],
    placed: Vec<bool>,
}

impl Order<'_> {
    /// The next table: one whose parents are all there, else the best one of a cycle.
    fn next(&mut self) -> Option<usize> {
        let mut open = (0..self.placed.len()).filter(|at| !self.placed[*at]);
        let first = open.clone().next()?;
        let next = open
            .find(|at| self.missing(*at, Edges::All).next().is_none())
            .unwrap_or_else(|| self.of_cycle(first));
        self.placed[next] = true;
        Some(next)
    }

    /// Parents that are not there yet.
    fn missing(&self, at: usize, edges: Edges) -> impl Iterator<Item = usize> {
        self.parents[at]
            .iter()
            .filter(move |edge| edges == Edges::All || !edge.weak)
            .map(|edge| edge.parent)
            .filter(|at| !self.placed[*at])
    }

    /// Every open table waits for another: from one to the next a cycle is met. Of its tables the first one that only
    /// weak edges hold back; where each of them waits for a table that must be there first, the one at the end of that way.
    fn of_cycle(&self, start: usize) -> usize {
        let mut path: Vec<usize> = Vec::new();
        let mut at = start;
        while !path.contains(&at) {
            path.push(at);
            match self.missing(at, Edges::All).next() {
                Some(parent) => at = parent,
                None => return at,
            }
        }
        let cycle = path.iter().skip_while(|step| **step != at);
        cycle
            .copied()
            .find(|at| self.missing(*at, Edges::Firm).next().is_none())
            .unwrap_or_else(|| self.first_needed(at))
    }

    /// Along the edges that cannot give way to a table which waits for none; in a circle of such edges, to any of it.
    fn first_needed(&self, start: usize) -> usize {
        let mut seen = vec![false; self.placed.len()];
        let mut at = start;
        while !std::mem::replace(&mut seen[at], true) {
            match self.missing(at, Edges::Firm).next() {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at
    }
}
