//! flyway and refinery: `V1__x.sql`. flyway has dotted versions, repeatable `R__x.sql`, undo `U1__x.sql` and baselines: a new
//! database begins with the newest `B5__x.sql`, in place of every version up to it. refinery's `U1__x.sql` is a migration like
//! any other that may come late.

use crate::source::{Source, SourceError};
use crate::sql::token::{TokenKind, tokens};

use super::tree::Tree;
use super::{Layout, Migration, Script, TransactionRule, script};

pub(super) fn detect(tree: &Tree) -> Option<(Layout, String)> {
    let named: Vec<(&Source, Name)> = tree
        .files
        .iter()
        .filter_map(|file| Some((file, name(&tree.name(file))?)))
        .collect();
    let (first, _) = named.iter().find(|(_, name)| name.prefix == 'V')?;
    let flyway = named
        .iter()
        .find(|(_, name)| matches!(name.prefix, 'R' | 'B') || name.version.len() > 1);
    if let Some((file, _)) = flyway {
        return Some((Layout::Flyway, format!("{} and its like", tree.name(file))));
    }
    // refinery opens a transaction around each file, in which the server refuses these.
    let alone = named.iter().find(|(file, _)| {
        script(file, TransactionRule::File)
            .is_ok_and(|script| script.statements.iter().any(|one| runs_alone(&one.sql)))
    });
    if let Some((file, _)) = alone {
        let name = tree.name(file);
        return Some((
            Layout::Flyway,
            format!("{name}, whose statements run in no transaction"),
        ));
    }
    let first = tree.name(first);
    match tree.cargo_project {
        true => Some((
            Layout::Refinery,
            format!("{first} and its like, beside a Cargo.toml"),
        )),
        false => Some((Layout::Flyway, format!("{first} and its like"))),
    }
}

pub(super) fn read(tree: &Tree, layout: Layout) -> Result<Vec<Migration>, SourceError> {
    let (mut migrations, mut repeatable, mut undo) = (Vec::new(), Vec::new(), Vec::new());
    let mut baselines = Vec::new();
    for file in &tree.files {
        let Some(name) = name(&tree.name(file)) else {
            continue;
        };
        let script = script_of(tree, layout, file)?;
        let versions = name
            .version
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(".");
        let migration = |up| Migration {
            version: versions.clone(),
            name: name.title.clone(),
            up,
            down: None,
        };
        match (name.prefix, layout) {
            ('R', Layout::Flyway) => repeatable.push(migration(script)),
            ('U', Layout::Flyway) => undo.push((name.version, script)),
            ('B', Layout::Flyway) => baselines.push((name.version, migration(script))),
            ('R' | 'B', _) => {}
            _ => migrations.push((name.version, migration(script))),
        }
    }
    if let Some((version, baseline)) = baselines.into_iter().max_by(|(a, _), (b, _)| a.cmp(b)) {
        migrations.retain(|(of, _)| *of > version);
        migrations.push((version, baseline));
    }
    migrations.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (version, script) in undo {
        if let Some((_, up)) = migrations.iter_mut().find(|(of, _)| *of == version) {
            up.down = Some(script);
        }
    }
    repeatable.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(migrations
        .into_iter()
        .map(|(_, migration)| migration)
        .chain(repeatable)
        .collect())
}

fn script_of(tree: &Tree, layout: Layout, file: &Source) -> Result<Script, SourceError> {
    let mut script = script(file, TransactionRule::File)?;
    if layout == Layout::Flyway
        && (configured_alone(tree, file) || script.statements.iter().any(|s| runs_alone(&s.sql)))
    {
        script.transaction = TransactionRule::Statement;
    }
    Ok(script)
}

/// `V1__x.sql.conf` with `executeInTransaction=false`.
fn configured_alone(tree: &Tree, file: &Source) -> bool {
    let conf = format!("{}.conf", tree.relative(file));
    tree.files
        .iter()
        .filter(|other| tree.relative(other) == conf)
        .any(|other| {
            other.text.lines().any(|line| {
                line.replace(' ', "")
                    .eq_ignore_ascii_case("executeInTransaction=false")
            })
        })
}

/// What flyway looks for in the first keywords of a statement, and in no other (`detectCanExecuteInTransaction` of its
/// `PostgreSQLParser`): REINDEX CONCURRENTLY is sent in a transaction, where the server refuses it.
const FLYWAY_OUTSIDE: [&[&str]; 18] = [
    &["ALTER", "SYSTEM"],
    &["CREATE", "DATABASE"],
    &["CREATE", "INDEX", "CONCURRENTLY"],
    &["CREATE", "SUBSCRIPTION"],
    &["CREATE", "TABLESPACE"],
    &["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY"],
    &["DISCARD", "ALL"],
    &["DROP", "DATABASE"],
    &["DROP", "INDEX", "CONCURRENTLY"],
    &["DROP", "SUBSCRIPTION"],
    &["DROP", "TABLESPACE"],
    &["REINDEX", "DATABASE"],
    &["REINDEX", "SCHEMA"],
    &["REINDEX", "SYSTEM"],
    &["REINDEX", "VERBOSE", "DATABASE"],
    &["REINDEX", "VERBOSE", "SCHEMA"],
    &["REINDEX", "VERBOSE", "SYSTEM"],
    &["VACUUM"],
];

/// Whether flyway takes a statement for one that cannot run in a transaction.
fn runs_alone(sql: &str) -> bool {
    let keywords: Vec<String> = tokens(sql)
        .into_iter()
        .filter(|token| token.kind == TokenKind::Ident)
        .take(4)
        .map(|token| sql[token.span].to_ascii_uppercase())
        .collect();
    FLYWAY_OUTSIDE.iter().any(|rule| {
        let start = keywords.iter().map(String::as_str).take(rule.len());
        start.eq(rule.iter().copied())
    })
}

struct Name {
    prefix: char,
    version: Vec<u64>,
    title: String,
}

fn name(file: &str) -> Option<Name> {
    let stem = file.strip_suffix(".sql")?;
    let (head, title) = stem.split_once("__")?;
    let mut characters = head.chars();
    let prefix = characters
        .next()
        .filter(|prefix| matches!(prefix, 'V' | 'U' | 'R' | 'B'))?;
    let rest = characters.as_str();
    let version: Option<Vec<u64>> = match rest {
        "" if prefix == 'R' => Some(Vec::new()),
        _ => rest
            .split(['.', '_'])
            .map(|part| part.parse().ok())
            .collect(),
    };
    Some(Name {
        prefix,
        version: version?,
        title: title.replace('_', " "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_database_begins_with_the_newest_baseline() {
        let files = [
            "V1__a", "V2__b", "B2__all", "B1__old", "V2_1__c", "R__views",
        ];
        let sources = files.map(|file| Source::new(format!("m/{file}.sql"), "SELECT 1;"));
        let tree = Tree::new(
            std::path::Path::new("m"),
            false,
            sources.to_vec(),
            false,
            false,
        );
        let (layout, _) = detect(&tree).unwrap();
        let read: Vec<String> = read(&tree, layout)
            .unwrap()
            .into_iter()
            .map(|migration| migration.name)
            .collect();
        assert_eq!(
            (layout, read),
            (
                Layout::Flyway,
                ["all", "c", "views"].map(str::to_owned).to_vec()
            )
        );
    }

    #[test]
    fn what_no_transaction_takes_is_flyways_beside_a_cargo_toml_too() {
        let tree = |second: &str| {
            let files = [("V1__a", "CREATE TABLE a (id int);"), ("V2__b", second)];
            let sources = files.map(|(name, sql)| Source::new(format!("m/{name}.sql"), sql));
            Tree::new(
                std::path::Path::new("m"),
                false,
                sources.to_vec(),
                true,
                false,
            )
        };
        let layout = |second: &str| detect(&tree(second)).unwrap().0;
        assert_eq!(
            layout("CREATE INDEX CONCURRENTLY a_id ON a (id);"),
            Layout::Flyway
        );
        assert_eq!(layout("CREATE INDEX a_id ON a (id);"), Layout::Refinery);
    }

    #[test]
    fn flyway_knows_its_own_statements_and_no_others() {
        for sql in [
            "create unique index concurrently if not exists i on t (a)",
            "-- why\nREINDEX (VERBOSE) SCHEMA shop",
            "DISCARD ALL",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p",
            "VACUUM ANALYZE t",
        ] {
            assert!(runs_alone(sql), "{sql}");
        }
        for sql in [
            "REINDEX INDEX CONCURRENTLY i",
            "ALTER TABLE events DETACH PARTITION e CONCURRENTLY",
            "COMMENT ON TABLE t IS 'CREATE INDEX CONCURRENTLY'",
            "CREATE INDEX i ON t (a)",
        ] {
            assert!(!runs_alone(sql), "{sql}");
        }
    }
}
