//! Rows that queries name by a constant (`WHERE slug = 'default'`) of a column whose values all differ: the first rows have those
//! values. So have the parents of a foreign key's column that is compared with one.

use crate::seed::types::{TypeClass, literal};
use std::collections::BTreeSet;

use super::Resolver;
use super::table::{Draft, TableDraft};
use crate::seed::check::{ColumnFacts, Matcher};
use crate::seed::evaluate::write_text;
use crate::seed::infer::constants::equalities;
use crate::seed::plan::{Draw, Generator, Nulls, Text, TextSource};

/// Constants of one column; more are data in a query's disguise.
const MOST: usize = 40;
/// Rows whose texts are compared with the constants, lest one occurs twice.
const COMPARED: u64 = 200_000;

impl Resolver<'_> {
    /// Gives the first rows the values that queries ask for.
    pub(super) fn name_rows(&self, draft: &mut TableDraft<'_>) {
        for at in 0..draft.columns.len() {
            if !can_be_named(draft, at) {
                continue;
            }
            let texts = self.named(draft, &draft.columns[at]);
            let column = &draft.columns[at];
            let cells: Vec<Box<[u8]>> = texts
                .iter()
                .filter(|text| fits(&column.facts, text))
                .filter_map(|text| literal::cell(&column.class, text))
                .filter(|cell| !occurs(column, cell, draft.rows))
                .take(MOST.min(draft.rows as usize / 2))
                .collect();
            if cells.is_empty() {
                continue;
            }
            let column = &mut draft.columns[at];
            let rest = Box::new(std::mem::replace(&mut column.generator, Generator::Uuid));
            let cells = cells.into();
            column.generator = Generator::Named { cells, rest };
        }
    }

    /// The constants that the column is compared with, and the columns of foreign keys that point to it.
    fn named(&self, draft: &TableDraft<'_>, column: &Draft<'_>) -> BTreeSet<String> {
        let constants = &self.options.constants;
        let name = &column.column.name;
        let mut found = equalities(draft.table, name, constants);
        for child in &self.schema.tables {
            for key in &child.foreign_keys {
                if key.references == draft.table.oid
                    && let ([own], [referenced]) = (&key.columns[..], &key.referenced_columns[..])
                    && referenced == name
                {
                    found.extend(equalities(child, own, constants));
                }
            }
        }
        found
    }
}

/// Whether each row has a value of its own in a column that nothing else decides: a text or a UUID of a unique key.
fn can_be_named(draft: &TableDraft<'_>, at: usize) -> bool {
    let column = &draft.columns[at];
    let name = &column.column.name;
    let is_key = draft
        .table
        .indexes
        .iter()
        .any(|index| index.unique && index.key_columns().iter().any(|column| column == name));
    let has_kind = match &column.generator {
        Generator::Uuid => true,
        Generator::Text(text) => column.unique && !matches!(text.source, TextSource::Template(_)),
        _ => false,
    };
    let mentioned = |text: &str| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word == name)
    };
    let mut unread = draft.opaque_checks.iter();
    is_key
        && has_kind
        && column.draw == Draw::Row
        && matches!(column.nulls, Nulls::Never)
        && column.arms.is_none()
        && column.choices.is_none()
        && !matches!(column.class, TypeClass::Domain { .. })
        && column.spec.is_none_or(|spec| spec.generator.is_none())
        && !unread.any(|check| mentioned(&check.expression))
}

/// Whether the column's constraints allow a constant, as far as they are understood.
fn fits(facts: &ColumnFacts, text: &str) -> bool {
    let characters = text.chars().count();
    let is_long_enough = facts
        .length
        .is_none_or(|(least, most)| (least as usize..=most as usize).contains(&characters));
    let mut patterns = facts.patterns.iter();
    facts.allows(text)
        && is_long_enough
        && !(facts.lower && text.chars().any(char::is_uppercase))
        && !(facts.upper && text.chars().any(char::is_lowercase))
        && facts.parts.is_empty()
        && patterns.all(|(pattern, is_denied)| {
            Matcher::new(pattern).is_some_and(|matcher| matcher.finds(text) != *is_denied)
        })
}

/// Whether some row has the value anyway. Of a table with more rows than are compared only what has a number behind it is sure not
/// to be a word.
fn occurs(column: &Draft<'_>, cell: &[u8], rows: u64) -> bool {
    let Generator::Text(text) = &column.generator else {
        return false;
    };
    let is_word = !cell.iter().skip(4).any(u8::is_ascii_digit);
    let is_numbered = matches!(
        text,
        Text {
            source: TextSource::Registered(_),
            unique: Some(_),
            ..
        }
    );
    if rows > COMPARED && !(is_word && is_numbered) {
        return true;
    }
    let mut made = Vec::new();
    (0..rows.min(COMPARED)).any(|row| {
        made.clear();
        write_text(column.key, text, row, &mut made);
        made == cell
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_obey_the_columns_constraints() {
        let facts = ColumnFacts {
            length: Some((3, 8)),
            lower: true,
            patterns: vec![("^[a-z-]+$".to_owned(), false), ("--".to_owned(), true)],
            excluded: vec!["root".to_owned()],
            ..ColumnFacts::default()
        };
        let fitting = [
            "main",
            "main-2",
            "ma",
            "Main",
            "far-too-long",
            "a--b",
            "root",
        ];
        let fitting = fitting.into_iter().filter(|text| fits(&facts, text));
        assert_eq!(fitting.collect::<Vec<_>>(), ["main"]);
    }
}
