//! node-pg-migrate's SQL files: `N_x.sql`, up to the line `-- Down Migration` the way forward, behind it the way back. Each runs
//! in a transaction. <https://salsita.github.io/node-pg-migrate/migrations/>

use std::ops::Range;

use crate::source::{Source, SourceError};

use super::statements::split_range;
use super::tree::Tree;
use super::{Layout, Migration, Script, TransactionRule, by_number, leading_version};

/// What a line says of the direction: dashes, blanks, the word, `migration`; in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Up,
    Down,
}

impl Mark {
    fn of(line: &str) -> Option<Self> {
        let comment = line.trim_start().strip_prefix("--")?;
        let words = comment.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
        let mut words = words.split_whitespace().map(str::to_ascii_lowercase);
        let mark = match words.next()?.as_str() {
            "up" => Self::Up,
            "down" => Self::Down,
            _ => return None,
        };
        words
            .next()
            .is_some_and(|word| word.starts_with("migration"))
            .then_some(mark)
    }
}

pub(super) fn detect(tree: &Tree) -> Option<(Layout, String)> {
    // It has both directions in one file.
    let is_of_a_pair = |file: &Source| {
        let name = tree.name(file);
        name.ends_with(".up.sql") || name.ends_with(".down.sql")
    };
    if tree.top_level().any(is_of_a_pair) {
        return None;
    }
    let file = tree.top_level().find(|file| {
        leading_version(&tree.name(file)).is_some()
            && file.text.lines().any(|line| Mark::of(line).is_some())
    })?;
    Some((
        Layout::NodePgMigrate,
        format!(
            "-- Up Migration or -- Down Migration in {}",
            tree.name(file)
        ),
    ))
}

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    for file in tree.top_level() {
        let name = tree.name(file);
        let Some((version, title)) = name.strip_suffix(".sql").and_then(leading_version) else {
            continue;
        };
        let (up, down) = directions(file);
        let script = |range: Range<usize>| -> Result<Script, SourceError> {
            Ok(Script {
                source: file.clone(),
                statements: split_range(file, range)?,
                transaction: TransactionRule::File,
                program: None,
            })
        };
        let down = down.map(script).transpose()?;
        migrations.push(Migration {
            version: version.to_owned(),
            name: title.to_owned(),
            up: script(up)?,
            down: down.filter(|script| !script.statements.is_empty()),
        });
    }
    migrations.sort_by(|a, b| by_number(&a.version).cmp(&by_number(&b.version)));
    Ok(migrations)
}

/// What is run forward and back: without a mark all of it is forward, and either may come first.
fn directions(file: &Source) -> (Range<usize>, Option<Range<usize>>) {
    let (mut up, mut down) = (None, None);
    let mut offset = 0;
    for line in file.text.split_inclusive('\n') {
        match Mark::of(line) {
            Some(Mark::Up) if up.is_none() => up = Some(offset),
            Some(Mark::Down) if down.is_none() => down = Some(offset),
            Some(Mark::Up | Mark::Down) | None => {}
        }
        offset += line.len();
    }
    let end = file.text.len();
    match (up, down) {
        (up, None) => (up.unwrap_or(0)..end, None),
        (Some(up), Some(down)) if down < up => (up..end, Some(down..up)),
        (up, Some(down)) => (up.unwrap_or(0)..down, Some(down..end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_not_run() {
        let texts = |text: &str| {
            let sources = vec![Source::new("m/1700000000000_a.sql", text)];
            let tree = Tree::new(std::path::Path::new("m"), false, sources, false, false);
            assert_eq!(
                detect(&tree).map(|found| found.0),
                Some(Layout::NodePgMigrate)
            );
            let migration = read(&tree).unwrap().remove(0);
            let sql = |script: &Script| {
                let statements = script.statements.iter();
                statements.map(|one| one.sql.clone()).collect::<Vec<_>>()
            };
            (sql(&migration.up), migration.down.as_ref().map(sql))
        };
        let both = (
            vec!["CREATE TABLE a (b int)".to_owned()],
            Some(vec!["DROP TABLE a".to_owned()]),
        );
        assert_eq!(
            texts("-- Up Migration\nCREATE TABLE a (b int);\n\n-- Down Migration\nDROP TABLE a;\n"),
            both
        );
        assert_eq!(
            texts("CREATE TABLE a (b int);\n --- down migration: gone\nDROP TABLE a;\n"),
            both
        );
        assert_eq!(
            texts("-- Down Migration\nDROP TABLE a;\n-- Up Migration\nCREATE TABLE a (b int);\n"),
            both
        );
        assert_eq!(
            texts("-- up migration\nCREATE TABLE a (b int);\n"),
            (both.0, None)
        );
    }
}
