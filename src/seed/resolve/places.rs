//! Columns of one row that name a place: they name the same one.

use std::collections::BTreeMap;

use super::table::{Draft, TableDraft};
use crate::schema::{KeyPart, Table};
use crate::seed::generators::{Group, TextGenerator, agreeing};
use crate::seed::infer::names;
use crate::seed::plan::{Draw, Generator, Text, TextSource};

/// Where two columns or more have to do with one place, gives them the forms that agree; a column alone stays as it is.
pub(super) fn agree(draft: &mut TableDraft<'_>) {
    let of = |group: Group| {
        let free = draft
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| is_free(draft.table, column));
        let named =
            free.filter(|(_, column)| registered(column).is_some_and(|it| it.group == group));
        named
            .map(|(at, column)| (at, names::before(&column.column.name)))
            .collect::<Vec<(usize, String)>>()
    };
    // A prefix (`billing_`) tells several places apart.
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let anchors = of(Group::Place);
    let first = anchors
        .first()
        .map_or(String::new(), |(_, prefix)| prefix.clone());
    for (column, prefix) in anchors {
        places.entry(prefix).or_default().push(column);
    }
    // What only belongs to a place goes to the one of its own prefix, else to the row's first.
    for (column, prefix) in of(Group::PlaceToo) {
        let prefix = if places.contains_key(&prefix) {
            prefix
        } else {
            first.clone()
        };
        places.entry(prefix).or_default().push(column);
    }
    for (prefix, mut columns) in places.into_iter().filter(|(_, columns)| columns.len() > 1) {
        columns.sort_unstable();
        let key = draft.key.derive("place").derive(&prefix);
        let mut seen: Vec<&str> = Vec::new();
        for at in columns {
            let column = &mut draft.columns[at];
            let Some(generator) = registered(column) else {
                continue;
            };
            let nth = seen.iter().filter(|name| **name == generator.name).count();
            seen.push(generator.name);
            if let (Some(form), Generator::Text(text)) =
                (agreeing(generator, nth), &mut column.generator)
            {
                text.source = TextSource::Registered(form);
                column.key = key;
            }
        }
    }
}

fn registered(draft: &Draft<'_>) -> Option<&'static TextGenerator> {
    match &draft.generator {
        Generator::Text(Text {
            source: TextSource::Registered(generator),
            ..
        }) => Some(generator),
        _ => None,
    }
}

/// Nothing else decides its values: no foreign key, pattern, unique key or distribution of its own.
fn is_free(table: &Table, draft: &Draft<'_>) -> bool {
    let name = &draft.column.name;
    let foreign = table
        .foreign_keys
        .iter()
        .any(|key| key.columns.contains(name));
    let unique = table.indexes.iter().filter(|index| index.unique).any(|index| {
        matches!(index.keys.as_slice(), [key] if matches!(&key.part, KeyPart::Column(column) if column == name))
    });
    // A short one has no room for a telephone number with its country's prefix.
    const PHONE: u32 = 15;
    let short = matches!(&draft.generator, Generator::Text(text) if (1..PHONE).contains(&text.max_chars)
        && registered(draft).is_some_and(|generator| generator.name == "phone"));
    let plain =
        draft.draw == Draw::Row && draft.choices.is_none() && draft.facts.patterns.is_empty();
    plain && !foreign && !unique && !short
}
