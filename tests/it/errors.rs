//! What a person reads when an input file is wrong: whole messages, each beside the file that causes it.
//! `tests/it/errors/<area>/<case>` is the input, `<case>.snap` the message.

// A case that cannot be set up fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use pgproof::catalog::{self, QuerySource};
use pgproof::cli::exit::{CliError, Style, render};
use pgproof::cli::settings::{Project, Settings};
use pgproof::finding::{RuleId, Severity};
use pgproof::rules::{self, Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use pgproof::source::Source;

fn folder(area: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/errors")
        .join(area)
}

/// Runs every case of an area; each must fail, and say what its snapshot says.
fn each_case(area: &str, extension: &str, message: impl Fn(&Path) -> CliError) {
    let folder = folder(area);
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for case in &cases {
            let error = message(case);
            assert_eq!(error.exit_code().code(), 2, "{}", case.display());
            insta::assert_snapshot!(
                case.file_stem().unwrap().to_str().unwrap(),
                render(&error, Style::Plain)
            );
        }
    });
    let snapshots = fs::read_dir(&folder).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|found| found == "snap")
    });
    assert_eq!(
        snapshots.count(),
        cases.len(),
        "a snapshot without its case in {}",
        folder.display()
    );
}

#[test]
fn catalog_mistakes() {
    each_case("catalog", "sql", |case| {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let catalog = catalog::load(&folder("catalog"), &[QuerySource::Files(name)], &[]).unwrap();
        CliError::from(catalog.strict().unwrap_err())
    });
}

#[test]
fn settings_mistakes() {
    const MIN_PAGES: Threshold = Threshold {
        rule: RuleId::SeqScan,
        key: "min-pages",
        unit: ThresholdUnit::Pages,
        default: 1000.0,
        about: "",
    };
    const MAX_TIME: Threshold = Threshold {
        rule: RuleId::SlowQuery,
        key: "max-time",
        unit: ThresholdUnit::Millis,
        default: 1000.0,
        about: "",
    };
    let rule = |id, thresholds| Rule {
        id,
        severity: Severity::Error,
        depth: None,
        is_work_of_each_call: false,
        without_rows: WithoutRows::Counts,
        summary: "",
        condition: "",
        why: "",
        advice: "",
        bad: "",
        good: "",
        thresholds,
        check: Check::Elsewhere,
    };
    // A registry of its own: messages name its rules, and must not change with every new rule.
    let registry = [
        rule(RuleId::SeqScan, &[MIN_PAGES]),
        rule(RuleId::SlowQuery, &[MAX_TIME]),
        rule(RuleId::SortSpill, &[]),
    ];
    let registry: Vec<&rules::Rule> = registry.iter().collect();
    each_case("settings", "toml", |case| {
        let source = Source::new("pgproof.toml", fs::read_to_string(case).unwrap());
        CliError::from(Settings::read(&source, &registry).unwrap_err())
    });
}

/// The message with the temporary folder's name taken out.
fn shown(error: &CliError, folder: &Path) -> String {
    render(error, Style::Plain).replace(&folder.display().to_string(), "[project]")
}

#[test]
fn projects_without_configuration_or_queries() {
    let project = tempfile::tempdir().unwrap();
    let root = project.path();
    let mut messages = Vec::new();
    let missing = Project::load(None, root).unwrap_err();
    messages.push(shown(&missing, root));
    let named = Project::load(Some(Path::new("other.toml")), root).unwrap_err();
    messages.push(shown(&named, root));

    fs::write(
        root.join("pgproof.toml"),
        "queries = [\"sql/*.sql\", \"more/**/*.sql\"]\n",
    )
    .unwrap();
    let no_files = Project::load(None, root).unwrap().catalog().unwrap_err();
    messages.push(shown(&no_files, root));

    fs::create_dir_all(root.join("sql")).unwrap();
    fs::create_dir_all(root.join("more/deep")).unwrap();
    fs::write(root.join("sql/empty.sql"), "").unwrap();
    fs::write(root.join("more/deep/remarks.sql"), "-- nothing here yet\n").unwrap();
    let no_queries = Project::load(None, root).unwrap().catalog().unwrap_err();
    messages.push(shown(&no_queries, root));

    fs::write(
        root.join("sql/empty.sql"),
        "-- name: ListOrders :many\nSELECT 1;\n",
    )
    .unwrap();
    let config = "queries = [\"sql/*.sql\"]\n\n[[override]]\nqueries = [\"ListOrder\", \"sql/*\", \"reports/*\"]\n";
    fs::write(root.join("pgproof.toml"), config).unwrap();
    let unmatched = Project::load(None, root).unwrap().catalog().unwrap_err();
    messages.push(shown(&unmatched, root));
    insta::assert_snapshot!("projects", messages.join("\n----\n\n"));
}

#[test]
fn unreadable_files_are_named() {
    let project = tempfile::tempdir().unwrap();
    let root = project.path();
    fs::create_dir_all(root.join("queries/a.sql")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("queries/b.sql")).unwrap();
    let error = match catalog::load(root, &[QuerySource::files("queries/*.sql")], &[]) {
        Ok(catalog) => catalog.strict().unwrap_err(),
        Err(errors) => errors,
    };
    let error = CliError::from(error);
    insta::assert_snapshot!("unreadable", shown(&error, root));
}

#[test]
fn errors_of_the_environment_and_usage() {
    let cause = std::io::Error::other("connection refused");
    let environment = CliError::environment(&cause).help("is it running?");
    let chained = CliError::Environment {
        message: "cannot connect to postgres://ann:s3cret@db/shop".into(),
        causes: vec![
            "connection to db:5432 failed".into(),
            "refused: password=s3cret host=db".into(),
        ],
        help: Some("start it, or name another with --database-url".into()),
    };
    let usage = CliError::usage("unknown format `jsn`").help("did you mean `json`?");
    let codes: Vec<u8> = [&environment, &chained, &usage]
        .iter()
        .map(|error| error.exit_code().code())
        .collect();
    assert_eq!(codes, [3, 3, 2]);
    let text: Vec<String> = [environment, chained, usage]
        .iter()
        .map(|error| render(error, Style::Plain))
        .collect();
    let text = text.join("\n");
    assert!(!text.contains("s3cret"), "{text}");
    insta::assert_snapshot!("environment", text);
}
