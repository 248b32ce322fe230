//! Arrays whose elements are rows of a table (`tag_ids`): each element is a key that exists.

use super::Resolver;
use super::references::of_elements;
use super::table::TableDraft;
use crate::schema::KeyPart;
use crate::seed::plan::{Draw, Generator, Link, LinkChoice};
use crate::seed::types::TypeClass;

impl<'a> Resolver<'a> {
    pub(super) fn plan_elements(&mut self, index: usize, draft: &mut TableDraft<'a>) {
        for at in 0..draft.columns.len() {
            let column = &draft.columns[at];
            let TypeClass::Array { element: class, .. } = column.class.base() else {
                continue;
            };
            let named = |part: &KeyPart| matches!(part, KeyPart::Column(name) if *name == column.column.name);
            let mut unique = draft.table.indexes.iter().filter(|index| index.unique);
            let in_key = unique.any(|index| index.keys.iter().any(|key| named(&key.part)));
            if column.fixed || column.spec.is_some() || in_key {
                continue;
            }
            let found = of_elements(self.schema, draft.table, column.column, class)
                .and_then(|oid| self.index.get(&oid).copied())
                .filter(|parent| *parent != index && self.plan.tables[*parent].rows > 0)
                .and_then(|parent| {
                    Some((
                        parent,
                        self.key_column(parent, self.ordered[parent], class)?,
                    ))
                });
            let Some((parent, position)) = found else {
                continue;
            };
            let recode = match class.base() {
                TypeClass::Scalar(encoding) => Some(*encoding),
                _ => None,
            };
            let link = draft.links.len();
            let name = column.column.name.clone();
            draft.links.push(Link {
                parent,
                parent_rows: self.plan.tables[parent].rows,
                key: draft.key.derive("link").derive(&name),
                choice: LinkChoice::Uniform,
                null_share: 0.0,
                avoid: None,
                skip: Box::default(),
                only: Box::default(),
            });
            draft.link_columns.push(Vec::new());
            self.link_keys[index].push(format!("{name} (elements)"));
            if let Generator::Array { element, .. } = &mut draft.columns[at].generator {
                element.generator = Generator::Parent {
                    link,
                    table: parent,
                    column: position,
                    recode,
                };
                element.draw = Draw::Row;
            }
        }
    }
}
