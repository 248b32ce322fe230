//! A foreign key some of whose columns have their values from another key of the row: which of the parent's rows are left, and
//! whether the two already agree, by way of the tables between them.

use super::Resolver;
use super::links::Key;
use super::table::TableDraft;
use crate::seed::plan::{ColumnPlan, Generator, LinkChoice};

impl<'a> Resolver<'a> {
    /// A key whose columns all have their values from other keys: it holds if those values come from the same row of the
    /// same table; the server proves it.
    pub(super) fn check_implied(&mut self, draft: &mut TableDraft<'a>, key: &Key<'_>) {
        let implied = key
            .columns
            .iter()
            .zip(&key.positions)
            .all(|(column, position)| {
                self.origins(draft, *column)
                    .iter()
                    .any(|origin| (origin.table, origin.column) == (key.parent, *position))
            });
        if !implied
            && !self.is_covered(draft, key)
            && !self.holds_already(draft, key, key.key.references, &key.key.referenced_columns)
            && !self.can_leave_open(draft, key)
        {
            let columns = key.key.columns.join(", ");
            self.refuse(
                &draft.table.name,
                format!(
                    "foreign key {} ({columns}) gets its values from other foreign keys, which do not lead to the same table",
                    key.key.name
                ),
                super::leave_empty(&draft.table.name),
            );
        }
    }

    /// A key of which some columns have their values from another key: the parent row is looked for among those with the
    /// same values.
    pub(super) fn plan_shared(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        key: &Key<'_>,
        taken: &[usize],
    ) {
        if key.parent == index {
            let shared = taken
                .first()
                .and_then(|column| match draft.columns[*column].generator {
                    Generator::Parent { link, .. } => Some(link),
                    _ => None,
                });
            if let Some(shared) = shared
                .filter(|shared| matches!(draft.links[*shared].choice, LinkChoice::Grouped(_)))
            {
                let mut link = self.link_of(index, draft, key, Box::default());
                link.choice = LinkChoice::EarlierWithin { shared };
                self.attach(index, draft, key, link);
                return;
            }
        }
        match self.path_to(draft, key, taken) {
            Some(within) => {
                let mut link = self.link_of(index, draft, key, Box::default());
                link.choice = within;
                self.attach(index, draft, key, link);
            }
            None if self.can_leave_open(draft, key) => {}
            None => {
                let columns: Vec<&str> = taken
                    .iter()
                    .map(|column| draft.columns[*column].column.name.as_str())
                    .collect();
                let what = format!(
                    "foreign key {} shares column {} with another foreign key in a way that is not understood",
                    key.key.name,
                    columns.join(", ")
                );
                self.refuse(
                    &draft.table.name,
                    what,
                    super::leave_empty(&draft.table.name),
                );
            }
        }
    }

    /// The way from a row of this table to the row that groups the parent's rows, or those of its supertype.
    pub(super) fn path_to(
        &self,
        draft: &TableDraft<'a>,
        key: &Key<'_>,
        taken: &[usize],
    ) -> Option<LinkChoice> {
        let shared = || {
            key.columns
                .iter()
                .zip(&key.positions)
                .filter(|(column, _)| taken.contains(column))
        };
        let first = *shared().next()?.0;
        let (mut table, mut positions) = (
            key.parent,
            shared().map(|(_, at)| *at).collect::<Vec<usize>>(),
        );
        let mut down = Vec::new();
        loop {
            if let Some(Way {
                path,
                under,
                parent_link,
            }) = self.grouped_by(draft, first, table, &positions)
            {
                let (path, under, down) = (path.into(), under.into(), down.into());
                return Some(LinkChoice::Within {
                    path,
                    under,
                    parent_link,
                    down,
                    digit: None,
                });
            }
            let link = match self.plan.tables[table]
                .columns
                .get(*positions.first()?)?
                .generator
            {
                Generator::Parent { link, .. } => link,
                _ => return None,
            };
            let (above, columns) = self.covers(table, &positions)?;
            down.push((table, link));
            (table, positions) = (above, columns);
        }
    }

    /// Where one link of a table groups its rows by all these columns: the way there from a column of the draft (along links,
    /// and on from a supertype to its subtype), and it.
    fn grouped_by(
        &self,
        draft: &TableDraft<'a>,
        first: usize,
        parent: usize,
        positions: &[usize],
    ) -> Option<Way> {
        let parent = &self.plan.tables[parent];
        let position = *positions.first()?;
        let Generator::Parent {
            link: parent_link,
            table,
            column,
            ..
        } = parent.columns.get(position)?.generator
        else {
            return None;
        };
        let grouping = &parent.links[parent_link];
        if !matches!(grouping.choice, LinkChoice::Grouped(_)) {
            return None;
        }
        // Every shared column must come from that one row.
        let through = |position: &usize| matches!(parent.columns[*position].generator, Generator::Parent { link, .. } if link == parent_link);
        if !positions.iter().all(through) {
            return None;
        }
        let origins = self.origins(draft, first);
        let (mut at, mut under) = ((table, column), Vec::new());
        loop {
            if let Some(origin) = origins
                .iter()
                .find(|origin| (origin.table, origin.column) == at)
            {
                under.reverse();
                return Some(Way {
                    path: origin.path.clone(),
                    under,
                    parent_link,
                });
            }
            let Generator::Parent { link, .. } =
                self.plan.tables[at.0].columns.get(at.1)?.generator
            else {
                return None;
            };
            let (above, columns) = self.covers(at.0, &[at.1])?;
            under.push((at.0, link));
            at = (above, *columns.first()?);
        }
    }

    /// Whether the values come from one row of a table with a foreign key to these columns of that table, which holds there.
    fn holds_already(
        &self,
        draft: &TableDraft<'a>,
        key: &Key<'_>,
        to: u32,
        referenced: &[String],
    ) -> bool {
        let origins: Vec<_> = key
            .columns
            .iter()
            .map(|column| self.origins(draft, *column))
            .collect();
        let Some((first, others)) = origins.split_first() else {
            return false;
        };
        first.iter().any(
            |Origin {
                 path,
                 table,
                 column,
             }| {
                let mut columns = vec![*column];
                for origins in others {
                    let of_that_row =
                        |origin: &&Origin| origin.path == *path && origin.table == *table;
                    let Some(origin) = origins.iter().find(of_that_row) else {
                        return false;
                    };
                    columns.push(origin.column);
                }
                let (above, planned) = (self.ordered[*table], &self.plan.tables[*table]);
                let name = |column: &usize| {
                    planned
                        .columns
                        .get(*column)
                        .map(|column| column.name.as_str())
                };
                above.foreign_keys.iter().any(|held| {
                    let held_to = |from: Option<&str>, to: &String| {
                        held.columns
                            .iter()
                            .zip(&held.referenced_columns)
                            .any(|(a, b)| Some(a.as_str()) == from && b == to)
                    };
                    held.references == to
                        && columns
                            .iter()
                            .zip(referenced)
                            .all(|(from, to)| held_to(name(from), to))
                })
            },
        )
    }

    /// Whether the values come from one row of a table of which the referenced one has a row for each: a supertype, all
    /// of whose rows are of the subtype.
    fn is_covered(&self, draft: &TableDraft<'a>, key: &Key<'_>) -> bool {
        let (mut table, mut positions) = (key.parent, key.positions.clone());
        loop {
            let Some((above, columns)) = self.covers(table, &positions) else {
                return false;
            };
            (table, positions) = (above, columns);
            let reached = |column: usize, position: usize| {
                let origins = self.origins(draft, column).into_iter();
                origins
                    .filter(move |origin| (origin.table, origin.column) == (table, position))
                    .map(|origin| origin.path)
            };
            let mut columns = key.columns.iter().copied().zip(positions.iter().copied());
            let Some((first, position)) = columns.next() else {
                return false;
            };
            let mut paths = reached(first, position);
            if paths.any(|path| {
                columns
                    .clone()
                    .all(|(column, at)| reached(column, at).any(|other| other == path))
            }) {
                return true;
            }
            let columns = &self.plan.tables[table].columns;
            let names: Vec<String> = positions
                .iter()
                .map(|at| columns[*at].name.clone())
                .collect();
            if self.holds_already(draft, key, self.ordered[table].oid, &names) {
                return true;
            }
        }
    }

    /// The table and columns that these columns show, where every row of that table is shown.
    fn covers(&self, table: usize, positions: &[usize]) -> Option<(usize, Vec<usize>)> {
        let planned = &self.plan.tables[table];
        let shown = |position: &usize| match planned.columns.get(*position)?.generator {
            Generator::Parent {
                link,
                table,
                column,
                ..
            } => Some((link, table, column)),
            _ => None,
        };
        let (link, above, _) = shown(positions.first()?)?;
        let columns: Option<Vec<usize>> = positions
            .iter()
            .map(|at| {
                shown(at)
                    .filter(|(other, ..)| *other == link)
                    .map(|(.., column)| column)
            })
            .collect();
        let link = planned.links.get(link)?;
        let whole = matches!(link.choice, LinkChoice::OneToOne(_))
            && link.null_share == 0.0
            && link.avoid.is_none()
            && (link.only.is_empty() && link.skip.is_empty())
            && planned.rows == self.plan.tables[above].rows;
        columns
            .filter(|_| whole && above < table)
            .map(|columns| (above, columns))
    }

    /// Where a column's value comes from, hop by hop.
    fn origins(&self, draft: &TableDraft<'a>, column: usize) -> Vec<Origin> {
        let mut found = Vec::new();
        let Generator::Parent {
            link,
            table,
            column,
            ..
        } = draft.columns[column].generator
        else {
            return found;
        };
        let (mut path, mut table, mut column) = (vec![link], table, column);
        loop {
            found.push(Origin {
                path: path.clone(),
                table,
                column,
            });
            let next: Option<&ColumnPlan> = self.plan.tables[table].columns.get(column);
            match next.map(|plan| &plan.generator) {
                Some(Generator::Parent {
                    link,
                    table: further,
                    column: at,
                    ..
                }) if path.len() < 32 => {
                    path.push(*link);
                    (table, column) = (*further, *at);
                }
                _ => return found,
            }
        }
    }
}

/// A column that another one has its value from.
struct Origin {
    /// The links that lead to its row.
    path: Vec<usize>,
    table: usize,
    column: usize,
}

/// To the row that groups a parent's rows (see [`LinkChoice::Within`]).
struct Way {
    path: Vec<usize>,
    under: Vec<(usize, usize)>,
    parent_link: usize,
}
