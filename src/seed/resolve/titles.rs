//! A row's slug is made of its title or name.

use super::table::{Draft, TableDraft};
use crate::seed::generators::{TextGenerator, slug_of};
use crate::seed::infer::names;
use crate::seed::plan::{Draw, Generator, Text, TextSource};

/// What a page is called after, the likeliest first.
const TITLES: &[&str] = &["title", "name", "headline", "subject", "label"];

/// Gives every slug the words of the row's title, where it has one.
pub(super) fn slugs(draft: &mut TableDraft<'_>) {
    let free = |column: &Draft<'_>| {
        let foreign = draft
            .table
            .foreign_keys
            .iter()
            .any(|key| key.columns.contains(&column.column.name));
        column.draw == Draw::Row
            && column.choices.is_none()
            && column.facts.patterns.is_empty()
            && !foreign
    };
    let of = |wanted: &str| {
        let called = |column: &&Draft<'_>| {
            let words = names::words(&column.column.name);
            words.last().is_some_and(|last| last == wanted) && words.len() < 3
        };
        draft
            .columns
            .iter()
            .filter(|column| free(column))
            .find(called)
    };
    let titled = TITLES.iter().find_map(|title| {
        let column = of(title)?;
        Some((column.key, slug_of(registered(column)?)?))
    });
    let Some((key, slug)) = titled else { return };
    let slugs: Vec<usize> = (0..draft.columns.len())
        .filter(|at| free(&draft.columns[*at]))
        .filter(|at| {
            registered(&draft.columns[*at]).is_some_and(|generator| generator.name == "slug")
        })
        .collect();
    for at in slugs {
        if let Generator::Text(text) = &mut draft.columns[at].generator {
            text.source = TextSource::Registered(slug);
            draft.columns[at].key = key;
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
