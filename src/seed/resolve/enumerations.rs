//! Tables that stand for a list of words: `type text REFERENCES account_types`, whose few rows the migrations inserted. Where a
//! CHECK ties such a column's values to other columns (`type = 'org' AND parent_id IS NOT NULL OR …`), the column is planned as
//! a list of the rows that are there, so that the ways of the CHECK can choose among them; every value still has its row.

use super::Resolver;
use super::links::Key;
use super::table::TableDraft;
use crate::schema::{IndexKey, KeyPart};
use crate::seed::check::Atom;
use crate::seed::infer::values::{choice_of, ranked};
use crate::seed::plan::Fill;
use crate::seed::types::{TypeClass, text};
use crate::seed::wishes;

/// A list of more words than this is no list of kinds.
const MOST: usize = 64;

impl<'a> Resolver<'a> {
    /// Plans a key's column as a list of the rows that it may point to; `false` where it stays a key.
    pub(super) fn plan_enumeration(&self, draft: &mut TableDraft<'a>, key: &Key<'_>) -> bool {
        let ([column], [position]) = (key.columns.as_slice(), key.positions.as_slice()) else {
            return false;
        };
        let planned = &draft.columns[*column];
        let name = &planned.column.name;
        if planned.unique || is_counted(draft, name) || !is_told_apart(draft, name) {
            return false;
        }
        let Some(words) = self.words_of(key.parent, *position, &planned.class) else {
            return false;
        };
        let said = planned.spec.and_then(wishes::values);
        let of_spec = said.map(|said| {
            said.into_iter()
                .filter(|(text, _)| words.contains(text))
                .collect::<Vec<_>>()
        });
        let choices = of_spec
            .filter(|said| !said.is_empty())
            .unwrap_or_else(|| ranked(&words));
        let Ok(generator) = choice_of(&planned.class, &choices) else {
            return false;
        };
        let planned = &mut draft.columns[*column];
        planned.generator = generator;
        planned.choices = Some(choices);
        true
    }

    /// What the stored rows of a table have in a column, as text.
    fn words_of(&self, table: usize, position: usize, class: &TypeClass) -> Option<Vec<String>> {
        let plan = &self.plan.tables[table];
        if plan.fill != Fill::Keep || plan.rows == 0 || plan.rows > MOST as u64 {
            return None;
        }
        let stored = self.stored.get(&self.ordered[table].oid)?;
        let column = plan.columns.get(position)?;
        let cells = stored.cells.get(&column.name)?;
        let mut words = Vec::with_capacity(cells.len());
        for cell in cells {
            let mut word = String::new();
            if text::write(cell, class.base(), column.data_type.oid, &mut word) {
                words.push(word);
            }
        }
        (!words.is_empty()).then_some(words)
    }
}

/// Whether another key of the table has the column too: which values come together is counted by rows of parents there.
fn is_counted(draft: &TableDraft<'_>, name: &str) -> bool {
    let keys = draft.table.foreign_keys.iter();
    let shared = keys.filter(|key| key.columns.iter().any(|column| column == name));
    let in_unique = draft.table.indexes.iter().any(|index| {
        let has = |part: &IndexKey| matches!(&part.part, KeyPart::Column(column) if column == name);
        index.unique && index.keys.iter().any(has)
    });
    in_unique || shared.count() > 1
}

/// Whether a constraint with alternatives names values of a column.
fn is_told_apart(draft: &TableDraft<'_>, name: &str) -> bool {
    draft.choices.iter().any(|choice| {
        choice.alternatives.iter().flatten().any(
            |atom| matches!(atom, Atom::In { column, values, .. } if column == name && !values.is_empty()),
        )
    })
}
