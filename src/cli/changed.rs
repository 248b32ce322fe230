//! `audit --changed`: the queries whose text, tables or indexes are not what they were at a git revision. Where it is not
//! known what a change is about, it is about everything: a query too many costs seconds, one too few a surprise.

use std::collections::{BTreeMap, BTreeSet};

use super::Globals;
use super::exit::CliError;
use super::revision::{Checkout, Files, GitUse};
use super::settings::Project;
use super::target;
use crate::catalog::Query;
use crate::migrations::{Migration, Statement};
use crate::sql::identifiers::{Kind, Made, identifiers};

/// What changed since a revision.
#[derive(Debug)]
pub struct Changes {
    /// The revision as people name it.
    pub since: String,
    /// The catalog then; `None` where everything counts as changed.
    old: Option<Before>,
}

#[derive(Debug)]
struct Before {
    catalog: Vec<Query>,
    /// Names of tables, views and functions that changed, and of what stands on them.
    objects: BTreeSet<String>,
}

impl Changes {
    /// Since the revision that was typed, else since this branch left the main one.
    pub fn since(
        revision: Option<&str>,
        project: &Project,
        globals: &Globals,
    ) -> Result<Self, CliError> {
        let root = &project.root;
        GitUse::Changed.git(root, &["rev-parse", "--is-inside-work-tree"])?;
        let (since, revision) = match revision {
            Some(revision) => (revision.to_owned(), revision.to_owned()),
            None => branching(project)?,
        };
        let files = match project.settings.migrations.command {
            Some(_) => Files::All,
            None => Files::OfProjects,
        };
        let checkout = Checkout::of(root, &revision, files, GitUse::Changed)?;
        let old = match before(&checkout, project, globals) {
            Ok(old) => old,
            Err(CliError::Interrupted) => return Err(CliError::Interrupted),
            Err(error) => {
                globals.progress.note(format!(
                    "the project cannot be read as it was at {since} ({error}): every query counts as changed"
                ));
                None
            }
        };
        Ok(Self { since, old })
    }

    /// The names of the queries that changed, of a catalog as it is now.
    #[must_use]
    pub fn of(&self, queries: &[Query]) -> BTreeSet<String> {
        let Some(old) = &self.old else {
            return queries.iter().map(|query| query.name.clone()).collect();
        };
        let is_changed = |query: &&Query| {
            let before = old.catalog.iter().find(|before| before.name == query.name);
            let touched = identifiers(&query.sql).any(|name| old.objects.contains(&name));
            touched || before.is_none_or(|before| !is_same(before, query))
        };
        let mut changed: BTreeSet<String> = queries
            .iter()
            .filter(is_changed)
            .map(|query| query.name.clone())
            .collect();
        // A child's values come from its parents.
        loop {
            let follows = |query: &&Query| {
                let mut parents = query.for_each.iter();
                !changed.contains(&query.name) && parents.any(|each| changed.contains(&each.parent))
            };
            let more: Vec<String> = queries
                .iter()
                .filter(follows)
                .map(|query| query.name.clone())
                .collect();
            if more.is_empty() {
                return changed;
            }
            changed.extend(more);
        }
    }
}

/// Text and directives; not the place in the file.
fn is_same(one: &Query, other: &Query) -> bool {
    let parents = |query: &Query| -> Vec<(String, String, u16)> {
        let each = query.for_each.iter();
        each.map(|each| (each.parent.clone(), each.column.clone(), each.parameter))
            .collect()
    };
    let allows = |query: &Query| -> Vec<_> {
        let allows = query.allows.iter();
        allows
            .map(|allow| (allow.rule, allow.reason.clone()))
            .collect()
    };
    one.source == other.source
        && one.command == other.command
        && one.parameters == other.parameters
        && one.budget == other.budget
        && one.calls_per_second == other.calls_per_second
        && one.asked_by == other.asked_by
        && parents(one) == parents(other)
        && allows(one) == allows(other)
}

/// Where this branch left the main one; the newest commit where there is no other branch, or this is the main one.
fn branching(project: &Project) -> Result<(String, String), CliError> {
    const MAIN: [&str; 5] = [
        "origin/HEAD",
        "origin/main",
        "origin/master",
        "main",
        "master",
    ];
    let root = &project.root;
    let ask = |arguments: &[&str]| GitUse::Changed.git(root, arguments);
    for main in MAIN {
        let commit = format!("{main}^{{commit}}");
        if ask(&["rev-parse", "--verify", "--quiet", &commit]).is_err() {
            continue;
        }
        // Histories without a common commit have no base.
        let Ok(base) = ask(&["merge-base", "HEAD", main]) else {
            continue;
        };
        let head = ask(&["rev-parse", "HEAD"])?;
        if base.trim() != head.trim() {
            return Ok((format!("this branch left {main}"), base.trim().to_owned()));
        }
    }
    let head = "HEAD^{commit}";
    ask(&["rev-parse", "--verify", "--quiet", head]).map_err(|_| {
        CliError::usage("--changed compares with a commit, and the repository has none yet")
            .help("commit once, or leave --changed out")
    })?;
    Ok(("HEAD".to_owned(), "HEAD".to_owned()))
}

/// `None` where settings changed that every query is measured with.
fn before(
    checkout: &Checkout,
    project: &Project,
    globals: &Globals,
) -> Result<Option<Before>, CliError> {
    let old = checkout.project(project, globals)?;
    let (then, now) = (&old.settings, &project.settings);
    if then.server != now.server || then.dataset != now.dataset || then.audit != now.audit {
        globals
            .progress
            .note("[server], [dataset] or [audit] changed: every query counts as changed");
        return Ok(None);
    }
    let (migrations_then, migrations_now) = (target::history(&old)?, target::history(project)?);
    let program = |migration: &Migration| migration.up.program.is_some();
    if migrations_now.migrations.iter().any(program)
        && migrations_then.migrations != migrations_now.migrations
    {
        globals
            .progress
            .note("the migrations of a program changed: every query counts as changed");
        return Ok(None);
    }
    let mut objects = changed_objects(&migrations_then.migrations, &migrations_now.migrations);
    objects.extend(changed_specs(&old, project)?);
    Ok(Some(Before {
        catalog: old.catalog()?.queries,
        objects,
    }))
}

/// Objects that statements of migrations name which are there on one side alone, and what is made from those.
fn changed_objects(then: &[Migration], now: &[Migration]) -> BTreeSet<String> {
    fn statements(migrations: &[Migration]) -> BTreeMap<&str, usize> {
        let mut found = BTreeMap::new();
        let all = migrations
            .iter()
            .flat_map(|migration| &migration.up.statements);
        for Statement { sql, .. } in all {
            *found.entry(sql.as_str()).or_default() += 1;
        }
        found
    }
    let (old, new) = (statements(then), statements(now));
    let all: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let differs = |sql: &&str| old.get(sql) != new.get(sql);
    let changed: Vec<&str> = all.iter().copied().filter(differs).collect();
    objects_of(&changed, all.iter().copied())
}

/// What the changed statements name, and what stands on it by all statements.
fn objects_of<'a>(changed: &[&str], all: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let made: Vec<Made> = all.filter_map(Made::of).collect();
    let known: BTreeSet<&str> = made.iter().map(|made| made.name.as_str()).collect();
    let words = changed.iter().flat_map(|sql| identifiers(sql));
    let mut objects: BTreeSet<String> = words.filter(|word| known.contains(&word[..])).collect();
    loop {
        let before = objects.len();
        for made in &made {
            let named = || {
                made.words
                    .iter()
                    .filter(|word| known.contains(&word[..]))
                    .cloned()
            };
            match made.kind {
                Kind::Index if objects.contains(&made.name) => objects.extend(named()),
                Kind::Trigger if made.words.iter().any(|word| objects.contains(word)) => {
                    objects.extend(named());
                }
                Kind::Definition if made.words.iter().any(|word| objects.contains(word)) => {
                    objects.insert(made.name.clone());
                }
                Kind::Index | Kind::Trigger | Kind::Definition | Kind::Table => {}
            }
        }
        if objects.len() == before {
            return objects;
        }
    }
}

/// Tables whose rows a seed file tells that is not what it was.
fn changed_specs(old: &Project, now: &Project) -> Result<BTreeSet<String>, CliError> {
    let (then, now) = (target::specs(old)?, target::specs(now)?);
    let is_in =
        |all: &[crate::source::Source], text: &str| all.iter().any(|source| *source.text == *text);
    let changed = then
        .iter()
        .filter(|source| !is_in(&now, &source.text))
        .chain(now.iter().filter(|source| !is_in(&then, &source.text)));
    let mut tables = BTreeSet::new();
    for source in changed {
        // What cannot be read is a mistake where the dataset is made.
        let Ok(table) = source.text.parse::<toml::Table>() else {
            continue;
        };
        let named = table.get("tables").and_then(toml::Value::as_table);
        for name in named.into_iter().flat_map(toml::Table::keys) {
            let plain = name.rsplit('.').next().unwrap_or(name);
            tables.insert(plain.to_lowercase());
        }
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIPS: &str =
        "CREATE TABLE transit.trips (id bigint PRIMARY KEY, started_at timestamptz)";
    const STOPS: &str =
        "CREATE TABLE stops (id bigint PRIMARY KEY, trip bigint REFERENCES transit.trips)";

    fn touched(changed: &str, others: &[&str]) -> Vec<String> {
        let all = [TRIPS, STOPS, changed]
            .into_iter()
            .chain(others.iter().copied());
        objects_of(&[changed], all).into_iter().collect()
    }

    #[test]
    fn an_index_that_goes_is_a_change_of_its_table() {
        let made = "CREATE UNIQUE INDEX IF NOT EXISTS trips_start ON transit.trips (started_at)";
        let other = "CREATE INDEX stops_trip ON stops (trip)";
        assert_eq!(
            touched("DROP INDEX trips_start", &[made, other]),
            ["trips", "trips_start"]
        );
    }

    #[test]
    fn what_stands_on_a_table_changes_with_it() {
        let view = "CREATE VIEW late_trips AS SELECT * FROM transit.trips WHERE delay > 300";
        let above = "CREATE OR REPLACE MATERIALIZED VIEW worst AS SELECT * FROM late_trips";
        let changed = "ALTER TABLE transit.trips ADD COLUMN line_id bigint";
        assert_eq!(
            touched(changed, &[view, above]),
            ["late_trips", "trips", "worst"]
        );
    }

    #[test]
    fn a_trigger_brings_its_table() {
        let trigger = "CREATE TRIGGER t AFTER INSERT ON stops EXECUTE FUNCTION note_stop()";
        let changed = "CREATE OR REPLACE FUNCTION note_stop() RETURNS trigger AS $$ BEGIN END $$ LANGUAGE plpgsql";
        assert_eq!(touched(changed, &[trigger]), ["note_stop", "stops", "t"]);
    }

    #[test]
    fn a_column_is_no_table() {
        let changed = "CREATE INDEX ON stops (trip)";
        assert_eq!(touched(changed, &[]), ["stops"]);
    }
}
