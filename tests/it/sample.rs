//! The main job on the sample project, as a user runs it: every planted fault is found at the right table, node and line,
//! and no fine query has an error. What is expected stands in `tests/sample_expectations.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use pgproof::finding::{RuleId, Severity};
use pgproof::report::json::{self, SavedFinding, SavedReport};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Expectations {
    planted: Vec<Planted>,
    fine: Fine,
}

#[derive(Debug, Deserialize)]
struct Planted {
    query: String,
    file: String,
    line: u32,
    table: String,
    rules: Vec<String>,
    severity: Severity,
    index: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Fine {
    queries: BTreeSet<String>,
}

/// Every planted fault, and nothing at error beside them.
#[test]
fn the_planted_faults_are_found_and_nothing_else_is_an_error() {
    let expected = expectations();
    let report = report();
    let names: BTreeSet<&str> = report
        .queries
        .iter()
        .map(|query| query.name.as_str())
        .collect();
    let listed: BTreeSet<&str> = expected
        .planted
        .iter()
        .map(|planted| planted.query.as_str())
        .chain(expected.fine.queries.iter().map(String::as_str))
        .collect();
    assert_eq!(
        names, listed,
        "the catalog and the expectations name the same queries"
    );
    assert_eq!(
        report
            .queries
            .iter()
            .filter(|query| query.failure.is_some())
            .count(),
        0,
        "every query runs"
    );

    let mut wrong = Vec::new();
    for planted in &expected.planted {
        if let Err(message) = check_planted(planted, report) {
            wrong.push(message);
        }
    }
    for query in &expected.fine.queries {
        for finding in of_query(report, query).filter(|finding| finding.severity == Severity::Error)
        {
            wrong.push(format!(
                "{query} is fine, but: {} {}",
                finding.rule, finding.message
            ));
        }
    }
    let with_errors: BTreeSet<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error && finding.suppressed.is_none())
        .filter_map(|finding| finding.query.as_deref())
        .collect();
    let should: BTreeSet<&str> = expected
        .planted
        .iter()
        .map(|planted| planted.query.as_str())
        .collect();
    for query in with_errors.difference(&should) {
        wrong.push(format!("{query} has an error and is not planted"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An index that is advised was built: its statement, its size, and what it saved.
#[test]
fn advised_indexes_are_measured() {
    let proven: BTreeMap<&str, &SavedFinding> = report()
        .findings
        .iter()
        .filter(|finding| finding.rule == RuleId::MissingIndex)
        .filter_map(|finding| Some((finding.query.as_deref()?, finding)))
        .collect();
    assert!(proven.len() >= 5, "found {:?}", proven.keys());
    for (query, finding) in &proven {
        let fix = finding
            .fix
            .as_ref()
            .unwrap_or_else(|| panic!("{query} has no fix"));
        assert!(fix.sql.contains("CREATE INDEX "), "{query}: {}", fix.sql);
        let proof = fix
            .proof
            .as_ref()
            .unwrap_or_else(|| panic!("{query} has no proof"));
        assert!(
            proof.index_bytes.is_some_and(|bytes| bytes.0 > 0),
            "{query}: the index has a size"
        );
        let Some(old) = &proof.before else { continue };
        let (before, after) = (old.blocks.0, proof.after.blocks.0);
        // A foreign key's check is not in the plan's pages: there time is the proof.
        assert!(
            after * 2 <= before || proof.after.time_ms.0 * 2.0 <= old.time_ms.0,
            "{query}: {proof:?}"
        );
    }
    for planted in expectations()
        .planted
        .iter()
        .filter(|planted| planted.rules.iter().any(|rule| rule == "missing-index"))
    {
        let Some(columns) = &planted.index else {
            continue;
        };
        let finding = proven.get(planted.query.as_str());
        let sql = finding
            .and_then(|finding| finding.fix.as_ref())
            .map(|fix| fix.sql.as_str())
            .unwrap_or_default();
        // The advisor may find that fewer columns do as well, or move a constant into a partial index.
        assert!(
            columns.split(',').any(|column| sql.contains(column.trim())),
            "{}: expected an index on {columns}, got {sql:?}",
            planted.query
        );
    }
}

/// `fail-on` decides the exit code, the report's shape is the documented one, and a second audit finds the dataset there.
#[test]
fn exit_code_and_second_audit() {
    let _ = report();
    let start = std::time::Instant::now();
    let output = pgproof(project(), &["audit", "GetCustomer", "GetOrder"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let loud = pgproof(
        project(),
        &["audit", "FindCustomersByPhone", "--fail-on", "never"],
    );
    assert_eq!(loud.status.code(), Some(0));
    let failing = pgproof(project(), &["audit", "FindCustomersByPhone"]);
    assert_eq!(failing.status.code(), Some(1));
    eprintln!(
        "three audits on a dataset that was there: {:?}",
        start.elapsed()
    );
}

fn check_planted(planted: &Planted, report: &SavedReport) -> Result<(), String> {
    let findings: Vec<&SavedFinding> = of_query(report, &planted.query).collect();
    let seen = || {
        findings
            .iter()
            .map(|f| format!("{} {} {:?}", f.severity, f.rule, relation(f)))
            .collect::<Vec<_>>()
    };
    let of_rules: Vec<&&SavedFinding> = findings
        .iter()
        .filter(|finding| {
            planted
                .rules
                .iter()
                .any(|rule| *rule == finding.rule.as_str())
        })
        .filter(|finding| finding.severity >= planted.severity && finding.suppressed.is_none())
        .collect();
    if of_rules.is_empty() {
        return Err(format!(
            "{}: none of {:?} at {}; found {:?}",
            planted.query,
            planted.rules,
            planted.severity,
            seen()
        ));
    }
    if of_rules
        .iter()
        .any(|f| f.file.as_deref() != Some(&*planted.file) || f.line != Some(planted.line))
    {
        return Err(format!(
            "{}: expected {}:{}",
            planted.query, planted.file, planted.line
        ));
    }
    // Budgets and times are the query's, not a table's: then another finding of the query must name the table.
    if !findings
        .iter()
        .any(|finding| relation(finding).is_some_and(|name| name == planted.table))
    {
        return Err(format!(
            "{}: no finding names the table {}; found {:?}",
            planted.query,
            planted.table,
            seen()
        ));
    }
    Ok(())
}

fn relation(finding: &SavedFinding) -> Option<&str> {
    finding
        .evidence
        .get("relation")
        .and_then(|value| value.as_str())
}

/// Findings of a query, those under another one too.
fn of_query<'a>(report: &'a SavedReport, query: &'a str) -> impl Iterator<Item = &'a SavedFinding> {
    fn all<'a>(finding: &'a SavedFinding, into: &mut Vec<&'a SavedFinding>) {
        into.push(finding);
        finding
            .symptoms
            .iter()
            .for_each(|symptom| all(symptom, into));
    }
    let mut found = Vec::new();
    for finding in report
        .findings
        .iter()
        .filter(move |finding| finding.query.as_deref() == Some(query))
    {
        all(finding, &mut found);
    }
    found.into_iter()
}

fn expectations() -> Expectations {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample_expectations.toml");
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The audit of the whole sample, once a test run.
fn report() -> &'static SavedReport {
    static REPORT: OnceLock<SavedReport> = OnceLock::new();
    REPORT.get_or_init(|| {
        let file = project().join("report.json");
        let output = pgproof(
            project(),
            &[
                "audit",
                "--format",
                "terminal",
                "--format",
                &format!("json={}", file.display()),
            ],
        );
        let code = output.status.code();
        assert_eq!(
            code,
            Some(1),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let text = fs::read_to_string(file).unwrap();
        follows_the_schema(&text);
        json::read(&text).unwrap()
    })
}

/// A whole real report is as `docs/schema` says, nothing in it unsaid.
fn follows_the_schema(report: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/report.schema.json");
    let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let report = serde_json::from_str(report).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// A copy of the sample, so that a test run does not touch the server that a developer uses; its dataset is kept
/// between runs, below the build directory.
pub(crate) fn project() -> &'static Path {
    static PROJECT: OnceLock<PathBuf> = OnceLock::new();
    PROJECT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sample");
        fs::create_dir_all(&copy).unwrap();
        for part in ["pgproof.toml", "migrations", "seeds", "queries"] {
            replace(&root.join(part), &copy.join(part));
        }
        copy
    })
}

fn replace(from: &Path, to: &Path) {
    if from.is_dir() {
        let _ = fs::remove_dir_all(to);
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            replace(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

pub(crate) fn pgproof(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("DATABASE_URL")
        .output()
        .expect("the program runs")
}
