//! Foreign keys: which parent row each row points to.

use super::Resolver;
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::schema::ForeignKey;
use crate::seed::distribution::{Grouping, Order, Zipf};
use crate::seed::plan::{Draw, Generator, Link, LinkChoice, Nulls};
use crate::seed::random::Permutation;
use crate::seed::spec::RowsSpec;

/// Children per parent are uneven unless the spec says otherwise.
const DEFAULT_SKEW: f64 = 0.5;
/// Below this many parents, uneven children would look odd.
const FEW_PARENTS: u64 = 100;

impl<'a> Resolver<'a> {
    pub(super) fn plan_links(&mut self, index: usize, draft: &mut TableDraft<'a>) {
        let table = draft.table;
        for key in &table.foreign_keys {
            // A second key over the same columns adds nothing that the first does not say.
            let columns: Vec<usize> = key.columns.iter().filter_map(|name| draft.position(name)).collect();
            if columns.len() != key.columns.len() || columns.iter().any(|column| draft.columns[*column].fixed) {
                continue;
            }
            self.plan_link(index, draft, key, &columns);
        }
    }

    fn plan_link(&mut self, index: usize, draft: &mut TableDraft<'a>, key: &ForeignKey, columns: &[usize]) {
        let schema = self.schema;
        let Some(parent_table) = schema.table_by_oid(key.references).map(|table| schema.root_of(table)) else { return };
        let Some(&parent) = self.index.get(&parent_table.oid) else {
            self.refuse(
                &draft.table.name,
                format!("foreign key {} references {}, which is not seeded", key.name, parent_table.name),
                "remove the reference or seed that table",
            );
            return;
        };
        let written: Vec<&str> =
            super::table::written_columns(parent_table).map(|column| column.name.as_str()).collect();
        let positions: Option<Vec<usize>> =
            key.referenced_columns.iter().map(|name| written.iter().position(|other| other == name)).collect();
        let Some(positions) = positions else {
            self.refuse(
                &draft.table.name,
                format!("foreign key {} references a generated column of {}", key.name, parent_table.name),
                "no generator can compute it",
            );
            return;
        };
        let link = self.link_of(index, parent, draft, key, columns);
        let link_index = draft.links.len();
        let optional = link.null_share > 0.0 || matches!(link.choice, LinkChoice::Earlier { roots } if roots > 0);
        draft.links.push(link);
        draft.link_columns.push(columns.to_vec());
        for (column, position) in columns.iter().zip(positions) {
            let column = &mut draft.columns[*column];
            column.generator = Generator::Parent { link: link_index, table: parent, column: position };
            column.draw = Draw::Row;
            column.fixed = true;
            column.nulls = if optional { Nulls::WithLink(link_index) } else { Nulls::Never };
        }
    }

    fn link_of(
        &mut self,
        index: usize,
        parent: usize,
        draft: &TableDraft<'a>,
        key: &ForeignKey,
        columns: &[usize],
    ) -> Link {
        let table = draft.table;
        let self_reference = parent == index;
        let parent_rows = if self_reference { draft.rows } else { self.plan.tables[parent].rows };
        let link_key = draft.key.derive("link").derive(&key.columns.join(","));
        let spec = columns.iter().find_map(|column| draft.columns[*column].spec);
        let nullable = columns.iter().all(|column| draft.columns[*column].nulls != Nulls::Never);
        let null_share = match (nullable, spec.and_then(|spec| spec.null)) {
            (false, _) => 0.0,
            (true, Some(share)) => share,
            (true, None) if self_reference => 0.0,
            (true, None) => 0.05,
        };
        let grouped = self.grouping_of(draft, key);
        let unique = table.indexes.iter().any(|index| is_unique_within(index, &key.columns));
        let skew =
            spec.and_then(|spec| spec.skew).unwrap_or(if parent_rows > FEW_PARENTS { DEFAULT_SKEW } else { 0.0 });
        let choice = if self_reference {
            let roots = if nullable { (draft.rows / 50).max(1) } else { 0 };
            LinkChoice::Earlier { roots }
        } else if unique {
            LinkChoice::OneToOne(Permutation::new(link_key, parent_rows.max(1)))
        } else if let Some((skew, order)) = grouped {
            match Grouping::new(link_key, parent_rows, draft.rows, skew, order, u64::MAX) {
                Some(grouping) => LinkChoice::Grouped(grouping),
                None => LinkChoice::Uniform,
            }
        } else if skew > 0.0 {
            let ranks = Permutation::new(link_key.derive("ranks"), parent_rows.max(1));
            LinkChoice::Skewed { zipf: Zipf::new(parent_rows, skew), ranks }
        } else {
            LinkChoice::Uniform
        };
        Link { parent, parent_rows, key: link_key, choice, null_share }
    }

    /// The skew and order of `rows = { per = … }`, where this key is the one that it names.
    fn grouping_of(&self, draft: &TableDraft<'a>, key: &ForeignKey) -> Option<(f64, Order)> {
        let spec = self.specs.get(&draft.table.oid)?;
        let Some(RowsSpec::Per { table, column, skew, order, .. }) = &spec.rows else { return None };
        let named = super::find_table(self.schema, &table.text)?;
        let referenced = self.schema.table_by_oid(key.references)?;
        let fits = self.schema.root_of(referenced).oid == named.oid
            && column.as_ref().is_none_or(|column| key.columns.contains(&column.text));
        // The first key to that parent is meant where the spec does not say.
        let taken = draft.links.iter().any(|link| matches!(link.choice, LinkChoice::Grouped(_)));
        let order = order.unwrap_or(if *skew > 0.0 { Order::Scattered } else { Order::ByGroup });
        (fits && !taken).then_some((*skew, order))
    }
}
