//! One table: its columns, links, keys, bounds and partitions, in this order.

use super::Resolver;
use crate::schema::{Column, Table};
use crate::seed::check::{Expression, Facts};
use crate::seed::infer::types::{TypeClass, classify};
use crate::seed::plan::{Bound, ColumnPlan, Draw, Fill, Generator, Link, Nulls};
use crate::seed::random::Key;
use crate::seed::spec::ColumnSpec;

/// A column while its plan is being made.
pub(super) struct Draft<'a> {
    pub column: &'a Column,
    pub class: TypeClass,
    pub spec: Option<&'a ColumnSpec>,
    pub key: Key,
    pub nulls: Nulls,
    pub draw: Draw,
    pub generator: Generator,
    /// Every row has its own value.
    pub unique: bool,
    /// Follows from a link or a key and must not be changed.
    pub fixed: bool,
}

/// A table while its plan is being made.
pub(super) struct TableDraft<'a> {
    pub table: &'a Table,
    pub rows: u64,
    pub key: Key,
    pub columns: Vec<Draft<'a>>,
    pub links: Vec<Link>,
    /// For each link its foreign key's columns, as indexes of `columns`.
    pub link_columns: Vec<Vec<usize>>,
    pub facts: Facts,
}

impl TableDraft<'_> {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|draft| draft.column.name == name)
    }

    /// Bounds of a scalar column; `None` for others.
    pub(super) fn bounds_mut(&mut self, column: usize) -> Option<&mut Vec<Bound>> {
        match &mut self.columns[column].generator {
            Generator::Scalar(scalar) => Some(&mut scalar.bounds),
            _ => None,
        }
    }
}

/// Columns that get a value, in the order of COPY's column list.
pub(super) fn written_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.generated.is_none())
}

impl<'a> Resolver<'a> {
    pub(super) fn plan_table(&mut self, index: usize) {
        let table: &'a Table = self.ordered[index];
        if self.plan.tables[index].fill == Fill::Keep {
            self.keep_table(index, table);
            return;
        }
        let key = self.key.derive(&table.name.sql());
        let spec = self.specs.get(&table.oid).copied();
        let mut draft = TableDraft {
            table,
            rows: self.plan.tables[index].rows,
            key,
            columns: Vec::new(),
            links: Vec::new(),
            link_columns: Vec::new(),
            facts: Facts::default(),
        };
        self.collect_facts(&mut draft);
        for column in written_columns(table) {
            let column_spec = spec.and_then(|spec| spec.columns.iter().find(|c| c.name.text == column.name));
            let class = classify(self.schema, &column.data_type);
            let planned = self.plan_column(&draft, column, class, column_spec);
            draft.columns.push(planned);
        }
        self.plan_links(index, &mut draft);
        self.plan_keys(&mut draft);
        self.plan_bounds(&mut draft);
        self.finish(index, draft);
    }

    /// A table that keeps its rows: every column that is pointed to shows what is stored.
    fn keep_table(&mut self, index: usize, table: &Table) {
        let Some(stored) = self.stored.get(&table.oid) else { return };
        self.plan.tables[index].columns = written_columns(table)
            .map(|column| ColumnPlan {
                name: column.name.clone(),
                data_type: column.data_type.clone(),
                key: self.key,
                nulls: Nulls::Never,
                draw: Draw::Row,
                generator: Generator::Stored(stored.cells.get(&column.name).cloned().unwrap_or_default().into()),
            })
            .collect();
    }

    fn collect_facts(&mut self, draft: &mut TableDraft<'_>) {
        let table = draft.table;
        for check in &table.checks {
            match Expression::parse(&check.expression) {
                Ok(expression) => {
                    let before = draft.facts.unsolved.len();
                    draft.facts.add(&expression);
                    if draft.facts.unsolved.len() > before {
                        draft.facts.unsolved.truncate(before);
                        draft.facts.unsolved.push(format!("{} CHECK ({})", check.name, check.expression));
                    }
                }
                Err(error) => draft.facts.unsolved.push(format!("{} ({error})", check.name)),
            }
        }
        for column in written_columns(table) {
            let class = classify(self.schema, &column.data_type);
            for check in class.checks() {
                match Expression::parse(&check.expression) {
                    Ok(expression) => draft.facts.add(&expression.with_value_named(&column.name)),
                    Err(error) => draft.facts.unsolved.push(format!("{} ({error})", check.name)),
                }
            }
        }
        for unsolved in &draft.facts.unsolved {
            self.plan
                .notes
                .push(format!("{}: constraint {unsolved} is not understood and may be violated", table.name));
        }
    }

    fn finish(&mut self, index: usize, draft: TableDraft<'_>) {
        let plan = &mut self.plan.tables[index];
        plan.rows = draft.rows;
        plan.links = draft.links;
        plan.columns = draft
            .columns
            .into_iter()
            .map(|draft| ColumnPlan {
                name: draft.column.name.clone(),
                data_type: draft.column.data_type.clone(),
                key: draft.key,
                nulls: draft.nulls,
                draw: draft.draw,
                generator: draft.generator,
            })
            .collect();
        self.plan_partitions(index);
        let sample = self.plan.tables[index].rows.min(64);
        let evaluator = crate::seed::Evaluator::new(&self.plan);
        let mut bytes = Vec::new();
        // Rows of the whole table: the first ones may be shorter.
        let step = (self.plan.tables[index].rows / sample.max(1)).max(1);
        let safe = self.plan.tables[index].links.iter().all(|link| link.parent <= index);
        if safe {
            for row in 0..sample {
                evaluator.write_row(index, row * step, &mut bytes);
            }
        }
        let width = bytes.len() as u64 / sample.max(1);
        self.plan.tables[index].width = u32::try_from(width).unwrap_or(u32::MAX).max(if safe { 0 } else { 100 });
    }
}
