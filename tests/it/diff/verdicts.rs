//! Labelled migrations, typed as `pgproof diff` on one small shop: which queries change, how, since which statement, and that
//! nothing else is said. A normal run tries a sample; `PGPROOF_VERDICTS=all` tries each on PostgreSQL 14, 15 and 18.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::server::private;
use crate::support;

#[derive(Deserialize)]
struct Labels {
    migration: Vec<Label>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    name: String,
    sql: String,
    /// A second migration of the same range.
    then: Option<String>,
    /// `query verdict plan:LINE rows:LINE`; a line of the second migration stands after a slash.
    #[serde(default)]
    expect: Vec<String>,
    /// The first major version that takes it.
    #[serde(default)]
    from: u32,
}

/// What of a set is tried when nobody asks for all of it.
const SAMPLED: usize = 9;

#[test]
fn labelled_migrations_on_14() {
    on(14);
}

#[test]
fn labelled_migrations_on_15() {
    on(15);
}

#[test]
fn labelled_migrations_on_18() {
    on(18);
}

fn on(major: u32) {
    let Some(binaries) = support::binaries_of(major) else {
        return;
    };
    let changing: Labels = toml::from_str(&file("changing.toml")).unwrap();
    let harmless: Labels = toml::from_str(&file("harmless.toml")).unwrap();
    assert!(changing.migration.len() >= 60 && harmless.migration.len() >= 60);
    let shop = shop(major);
    let asked = std::env::var("PGPROOF_VERDICTS").unwrap_or_default();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (set, silent) in [(changing, false), (harmless, true)] {
        for (n, label) in set.migration.iter().enumerate() {
            // Each version has a sample of its own.
            let sampled = n % SAMPLED == major as usize % SAMPLED;
            let wanted = match asked.as_str() {
                "" => sampled && n % (2 * SAMPLED) < SAMPLED,
                "all" => true,
                words => label.name.contains(words),
            };
            if !wanted || label.from > major {
                continue;
            }
            tried += 1;
            let mut outcome = holds(shop.path(), &binaries, label, silent);
            // Time alone decides what is slower with the same work: beside other work it may be lost in the noise once.
            let time_decides = label.expect.iter().any(|query| query.contains(" slower"));
            if time_decides && outcome.is_err() {
                outcome = holds(shop.path(), &binaries, label, silent);
            }
            if let Err(message) = outcome {
                wrong.push(format!("{}\n    {message}", label.name));
            }
        }
    }
    println!(
        "PostgreSQL {major}: {} of {tried} as labelled",
        tried - wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/diff/verdicts");
    let path = folder.join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shop(major: u32) -> tempfile::TempDir {
    let project = private::bare_project();
    for folder in ["migrations", "queries"] {
        std::fs::create_dir(project.path().join(folder)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(project.path().join(name), text).unwrap();
    let layout = "migrations = { dir = \"migrations\", layout = \"sqlx\" }";
    write(
        "pgproof.toml",
        &format!("{layout}\n[server]\nversion = \"{major}\"\n"),
    );
    write("migrations/0001_base.sql", &file("base.sql"));
    write("queries/shop.sql", &file("queries.sql"));
    project
}

/// Runs the migration; what of its label does not hold.
fn holds(project: &Path, binaries: &Path, label: &Label, silent: bool) -> Result<(), String> {
    let path = |name: &str| project.join("migrations").join(name);
    std::fs::write(path("0002_change.sql"), label.sql.trim_start()).unwrap();
    match &label.then {
        Some(then) => std::fs::write(path("0003_then.sql"), then.trim_start()).unwrap(),
        None => drop(std::fs::remove_file(path("0003_then.sql"))),
    }
    let report = project.join("diff.json");
    let _ = std::fs::remove_file(&report);
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(["diff", "--from", "0001", "--quiet", "--fail-on", "never"])
        .args([
            "--format",
            "json=diff.json",
            "--format",
            "terminal=diff.txt",
        ])
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .env("PGPROOF_PG_BIN", binaries)
        .output()
        .unwrap();
    let Ok(text) = std::fs::read_to_string(&report) else {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    };
    let report: Value = serde_json::from_str(&text).unwrap();
    let found = verdicts(&report);
    let expected: BTreeSet<String> = label.expect.iter().cloned().collect();
    if found != expected {
        return Err(format!("found {found:#?}, not {expected:#?}"));
    }
    let findings = report["findings"].as_array().unwrap().iter();
    // How long an index of the shop is built depends on the machine.
    let unasked = findings.filter(|finding| silent || finding["rule"] != "blocking-migration");
    let unasked: Vec<String> = unasked
        .filter(|finding| silent || finding["query"].is_null())
        .map(|finding| format!("{} {}", finding["line"], finding["message"]))
        .collect();
    match unasked.as_slice() {
        [] => Ok(()),
        unasked => Err(unasked.join("\n    ")),
    }
}

/// Every query that is not as it was, as a label writes it.
fn verdicts(report: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for query in report["queries"].as_array().unwrap() {
        let verdict = query["verdict"].as_str().unwrap();
        if verdict == "unchanged" {
            continue;
        }
        let verdict = verdict.strip_prefix("major-").unwrap_or(verdict);
        let mut said = format!("{} {verdict}", query["query"].as_str().unwrap());
        let run = &query["runs"][0];
        for (what, cause) in [("plan", &run["cause"]), ("rows", &run["result_cause"])] {
            let _ = match cause["kind"].as_str() {
                None => Ok(()),
                Some("statement") => {
                    let second = cause["version"] == "0003";
                    let slash = if second { "/" } else { "" };
                    write!(said, " {what}:{slash}{}", cause["line"])
                }
                Some(other) => write!(said, " {what}:{other}"),
            };
        }
        found.insert(said);
    }
    found
}
