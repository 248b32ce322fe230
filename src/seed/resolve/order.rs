//! The order in which tables can be filled: parents first.

use std::collections::BTreeMap;

use crate::schema::{Schema, Table};

/// Seeded tables, parents before children; within a cycle the nullable foreign keys give way.
pub(super) fn fill_order(schema: &Schema) -> Vec<&Table> {
    let tables: Vec<&Table> = schema.tables.iter().filter(|table| super::is_seeded(table)).collect();
    let position: BTreeMap<u32, usize> = tables.iter().enumerate().map(|(at, table)| (table.oid, at)).collect();
    // The strongest edges first: those that cannot be NULL.
    let parents: Vec<Vec<(bool, usize)>> = tables
        .iter()
        .enumerate()
        .map(|(at, table)| {
            let mut edges: Vec<(bool, usize)> = table
                .foreign_keys
                .iter()
                .filter_map(|key| {
                    let nullable = key.columns.iter().any(|name| table.column(name).is_some_and(|c| !c.not_null));
                    let parent = schema.table_by_oid(key.references).map(|parent| schema.root_of(parent).oid)?;
                    position.get(&parent).filter(|parent| **parent != at).map(|parent| (nullable, *parent))
                })
                .collect();
            edges.sort_unstable();
            edges.dedup();
            edges
        })
        .collect();
    let mut sorter = Sorter { parents: &parents, state: vec![State::New; tables.len()], order: Vec::new() };
    // An edge back to an open table closes a cycle and is not obeyed.
    for at in 0..tables.len() {
        sorter.visit(at);
    }
    sorter.order.into_iter().map(|at| tables[at]).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

struct Sorter<'p> {
    parents: &'p [Vec<(bool, usize)>],
    state: Vec<State>,
    order: Vec<usize>,
}

impl Sorter<'_> {
    /// Depth first without recursion: a chain of a thousand tables is no reason to overflow the stack.
    fn visit(&mut self, start: usize) {
        let mut stack = vec![(start, 0)];
        while let Some((at, next)) = stack.pop() {
            if next == 0 {
                if self.state[at] != State::New {
                    continue;
                }
                self.state[at] = State::Open;
            }
            match self.parents[at].get(next) {
                Some((_, parent)) => {
                    stack.push((at, next + 1));
                    if self.state[*parent] == State::New {
                        stack.push((*parent, 0));
                    }
                }
                None => {
                    self.state[at] = State::Done;
                    self.order.push(at);
                }
            }
        }
    }
}
