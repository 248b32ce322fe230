//! The formats for CI: each valid by its published schema, with every finding at its place, and nothing of the data as markup.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgproof::finding::Severity;
use pgproof::report::terminal::TerminalStyle;
use pgproof::report::{Format, Grouping, Report, View, json, restore};
use serde_json::Value;

use super::sample;

fn written(name: &str, report: &Report) -> String {
    let mut bytes = Vec::new();
    let format = Format::named(name).unwrap();
    format
        .write(report, &TerminalStyle::FILE, &mut bytes)
        .unwrap();
    String::from_utf8(bytes)
        .unwrap()
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

/// Names, messages and paths with everything that means something to one format or another.
const ATTACK: &str = "a\u{1b}[2J]]>--><b a=\"'\">&amp;\n::error file=x,line=1::y%0A\u{202e}\u{7}";

fn attacked() -> Report {
    let mut report = sample::report();
    report.queries[0].name = format!("Orders{ATTACK}");
    report.queries[0].file = format!("queries/{}.sql", ATTACK.replace('\n', " ")).into();
    for found in &mut report.findings {
        if found.query.as_deref() == Some("ListOrdersByCustomer") {
            found.query = Some(report.queries[0].name.clone());
            found.location = Some(report.queries[0].location());
        }
        found.message.push_str(ATTACK);
        found.advice.push_str(ATTACK);
    }
    report
}

fn reports() -> Vec<Report> {
    vec![
        sample::report(),
        sample::fine(),
        sample::failing(),
        sample::huge(),
        attacked(),
        Report::default(),
    ]
}

fn schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/report/schemas")
        .join(name)
}

#[test]
fn the_formats_of_the_sample() {
    for name in ["short", "sarif", "junit", "github", "gitlab", "checkstyle"] {
        insta::assert_snapshot!(format!("format_{name}"), written(name, &sample::report()));
    }
}

#[test]
fn sarif_is_valid_by_its_schema() {
    let text = std::fs::read_to_string(schema("sarif-schema-2.1.0.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for report in reports() {
        let document: Value = serde_json::from_str(&written("sarif", &report)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

/// By libxml2's validator, which CI installs; a machine without it fails here.
fn validated(text: &str, schema: Option<&Path>) {
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet"]);
    if let Some(schema) = schema {
        command.arg("--schema").arg(schema);
    }
    let mut child = command
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint is needed (Debian: libxml2-utils)");
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn junit_is_valid_by_its_schema() {
    for report in reports() {
        validated(&written("junit", &report), Some(&schema("junit-10.xsd")));
    }
}

#[test]
fn checkstyle_is_well_formed() {
    for report in reports() {
        validated(&written("checkstyle", &report), None);
    }
}

#[test]
fn gitlab_issues_have_what_the_report_asks_for() {
    for report in reports() {
        let issues: Value = serde_json::from_str(&written("gitlab", &report)).unwrap();
        let mut fingerprints = std::collections::HashSet::new();
        for issue in issues.as_array().unwrap() {
            for key in ["description", "check_name", "fingerprint"] {
                assert!(!issue[key].as_str().unwrap().is_empty(), "{issue}");
            }
            let severity = issue["severity"].as_str().unwrap();
            assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity));
            assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() > 0);
            let path = issue["location"]["path"].as_str().unwrap();
            assert!(!path.starts_with("./") && !path.starts_with('/'), "{path}");
            assert!(fingerprints.insert(issue["fingerprint"].to_string()));
        }
    }
}

#[test]
fn a_line_is_a_finding_whatever_it_holds() {
    let report = attacked();
    let counting = report
        .findings
        .iter()
        .filter(|found| found.suppressed.is_none())
        .count();
    assert_eq!(written("short", &report).lines().count(), counting);
    let commands = written("github", &report);
    let annotations = commands.lines().filter(|line| line.starts_with("::"));
    assert_eq!(annotations.count(), counting);
}

#[test]
fn no_format_lets_a_control_character_through() {
    for name in ["terminal", "short", "json", "markdown", "sarif", "junit"]
        .into_iter()
        .chain(["github", "gitlab", "checkstyle"])
    {
        let text = written(name, &attacked());
        let raw = text
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(raw, None, "{name}");
    }
}

#[test]
fn a_finding_points_at_its_clause() {
    let text = written("short", &sample::report());
    assert!(
        text.contains("queries/orders.sql:7:8: error[missing-index]: ListOrdersByCustomer"),
        "{text}"
    );
}

/// A saved report gives every format as the first one did.
#[test]
fn a_saved_report_is_the_report_that_it_was() {
    for report in [sample::report(), sample::fine(), sample::failing()] {
        let saved = json::read(&written("json", &report)).unwrap();
        let queries = report.queries.clone();
        let restored = restore::restore(saved, &|saved| {
            let of_name = queries.iter().find(|query| query.name == saved.name);
            of_name.unwrap().clone()
        })
        .unwrap();
        for name in ["terminal", "short", "markdown", "sarif", "junit", "gitlab"] {
            let first = written(name, &report).replace("(new)", "(reused)");
            assert_eq!(first, written(name, &restored), "{name}");
        }
    }
}

#[test]
fn the_last_screen_fits_and_a_view_is_no_verdict() {
    let lines = |report: &Report, width| {
        let style = TerminalStyle {
            width,
            ..TerminalStyle::FILE
        };
        let mut bytes = Vec::new();
        pgproof::report::terminal::render(report, &style, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    for width in [60, 80, 100, 200] {
        let text = lines(&sample::huge(), width);
        assert!(text.lines().count() <= 60, "{width}\n{text}");
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{width}\n{text}");
        assert!(text.contains("exit code 1"), "{text}");
    }
    let mut report = sample::report();
    report.view = View {
        severity: Some(Severity::Error),
        by: Grouping::Table,
        ..View::default()
    };
    let text = lines(&report, 100);
    assert!(!text.contains("warning["), "{text}");
    assert!(text.contains("2 findings at or above"), "{text}");
}
