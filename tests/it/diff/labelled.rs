//! The labelled set: statements of migrations with the lock that each takes, what it rewrites or reads in full, and which form is
//! safer, checked on the oldest, the usual and the newest server against what `pg_locks` and `relfilenode` say.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use pgproof::db::introspect;
use pgproof::db::migration_observer::inspect;
use pgproof::db::server::Cluster;
use pgproof::diff::locks::LockMode;
use pgproof::diff::observation::StatementObservation;
use pgproof::diff::safer::advised;
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{Layout, Migration, Tree, history};
use pgproof::schema::Schema;
use pgproof::source::Source;
use pgproof::sql::transaction::{BlockRule, block_rule};
use serde::Deserialize;

use crate::support::{self, TestDatabase};

#[derive(Deserialize)]
struct Labels {
    statement: Vec<Label>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    sql: String,
    /// The strongest lock on a relation that was there, as `orders AccessExclusive`; empty where none is above a reader's.
    #[serde(default)]
    lock: String,
    /// Tables whose rows are written into a new file.
    #[serde(default)]
    rewrites: Vec<String>,
    /// What is read in full: tables, foreign keys, indexes that are built.
    #[serde(default)]
    reads: Vec<String>,
    /// Words of the safer form, statements and reason; empty where it needs none.
    #[serde(default)]
    safer: String,
    /// The first version for which the label holds.
    #[serde(default)]
    from: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn labelled_statements_on_14() {
    on(support::cluster_of(14)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labelled_statements_on_15() {
    on(Some(support::cluster())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labelled_statements_on_18() {
    on(support::cluster_of(18)).await;
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/diff")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn on(cluster: Option<Arc<Cluster>>) {
    let Some(cluster) = cluster else { return };
    let labels: Labels = toml::from_str(&file("labelled.toml")).unwrap();
    let labels = labels.statement;
    assert!(labels.len() >= 120, "{}", labels.len());
    let template = TestDatabase::copy_of(&cluster, "template1").await;
    template.execute(&file("labelled.sql")).await;
    template.execute("VACUUM ANALYZE").await;
    let major = cluster.version().major();
    let (alone, together): (Vec<&Label>, Vec<&Label>) = labels
        .iter()
        .filter(|label| label.from <= major)
        .partition(|label| block_rule(&label.sql) == BlockRule::Outside);
    let mut wrong = Vec::new();
    // Each in a transaction that rolls back: all begin with the same.
    let script: String = together
        .iter()
        .map(|label| format!("BEGIN;\n{};\nROLLBACK;\n", statement(&label.sql)))
        .collect();
    let database = TestDatabase::copy_of(&cluster, template.url().database()).await;
    wrong.extend(hold(&database, &script, &together).await);
    for label in alone {
        let copy = TestDatabase::copy_of(&cluster, template.url().database()).await;
        wrong.extend(hold(&copy, &statement(&label.sql), &[label]).await);
    }
    assert!(
        wrong.is_empty(),
        "PostgreSQL {}: {} of {}\n{}",
        cluster.version(),
        wrong.len(),
        labels.len(),
        wrong.join("\n")
    );
}

/// One statement, whatever semicolons it holds.
fn statement(sql: &str) -> String {
    format!("-- +goose StatementBegin\n{sql};\n-- +goose StatementEnd\n")
}

/// Runs a script outside a transaction of the tool's; what of the labels does not hold.
async fn hold(database: &TestDatabase, script: &str, labels: &[&Label]) -> Vec<String> {
    let text = format!("-- +goose NO TRANSACTION\n-- +goose Up\n{script}");
    let migrations = read(Layout::Goose, &[("m/1_m.sql".to_owned(), text)]);
    let schema = introspect::schema(&database.session().await).await.unwrap();
    let observed = inspect(database.url(), &migrations, &Interrupt::new())
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let controls = ["BEGIN", "ROLLBACK"];
    let statements = observed
        .iter()
        .filter(|found| !controls.contains(&found.place.sql.as_str()));
    let statements: Vec<&StatementObservation> = statements.collect();
    assert_eq!(statements.len(), labels.len());
    labels
        .iter()
        .zip(statements)
        .filter_map(|(label, found)| {
            let message = holds(label, found, &schema).err()?;
            Some(format!("{}\n    {message}", label.sql))
        })
        .collect()
}

fn read(layout: Layout, files: &[(String, String)]) -> Vec<Migration> {
    let sources = files
        .iter()
        .map(|(name, text)| Source::new(name, text.as_str()));
    let tree = Tree::new(Path::new("m"), false, sources.collect(), false, false);
    history(&tree, Some(layout))
        .unwrap_or_else(|error| panic!("{error}"))
        .migrations
}

fn holds(label: &Label, found: &StatementObservation, before: &Schema) -> Result<(), String> {
    let short = |name: &str| name.strip_prefix("public.").unwrap_or(name).to_owned();
    let lock = strongest(found).map_or_else(String::new, |(relation, mode)| {
        format!("{} {mode}", short(relation))
    });
    let mut wrong = Vec::new();
    let mut check = |what: &str, is: String, wanted: String| {
        if is != wanted {
            wrong.push(format!("{what}: {is:?}, not {wanted:?}"));
        }
    };
    if label.lock != "*" {
        check("lock", lock, label.lock.clone());
    }
    let set = |names: &[String]| -> String {
        let names: BTreeSet<String> = names.iter().map(|name| short(name)).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    check("rewrites", set(&found.rewritten), set(&label.rewrites));
    check("reads", set(&found.scanned), set(&label.reads));
    let form = advised(found, before);
    let told = form.map(|form| format!("{}; {}", form.statements.join("; "), form.why));
    match (&told, label.safer.as_str()) {
        (None, "") => {}
        (Some(told), words) if !words.is_empty() && told.contains(words) => {}
        _ => check("safer", told.unwrap_or_default(), label.safer.clone()),
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n    "))
    }
}

/// Of what is more than a reader's lock.
fn strongest(found: &StatementObservation) -> Option<(&str, LockMode)> {
    let more = found
        .locks
        .iter()
        .filter(|lock| lock.mode > LockMode::AccessShare);
    let first = more.max_by(|a, b| a.mode.cmp(&b.mode).then(b.relation.cmp(&a.relation)))?;
    Some((&first.relation, first.mode))
}

/// Settings, comments, rights, names, and what only adds: no advice, in one file or in many.
#[tokio::test(flavor = "multi_thread")]
async fn forty_harmless_statements_ask_for_nothing() {
    let harmless: Vec<String> = file("harmless.sql")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .map(str::to_owned)
        .collect();
    assert!(harmless.len() >= 40, "{}", harmless.len());
    let template = support::database().await;
    template.execute(&file("labelled.sql")).await;
    let one = read(
        Layout::Sqlx,
        &[("m/1_all.sql".to_owned(), harmless.join("\n"))],
    );
    let many: Vec<(String, String)> = harmless
        .iter()
        .enumerate()
        .map(|(n, sql)| (format!("m/{n:03}_one.sql"), sql.clone()))
        .collect();
    let many = read(Layout::Sqlx, &many);
    for migrations in [one, many] {
        let copy = TestDatabase::copy_of(template.cluster(), template.url().database()).await;
        let schema = introspect::schema(&copy.session().await).await.unwrap();
        let observed = inspect(copy.url(), &migrations, &Interrupt::new())
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        for statement in &observed {
            assert!(
                statement.rewritten.is_empty() && statement.scanned.is_empty(),
                "{statement:#?}"
            );
            // Of one file the first lock is held while the others run: that is said, and nothing else.
            if !statement.in_transaction {
                assert_eq!(advised(statement, &schema), None, "{}", statement.place.sql);
            }
        }
    }
}
