//! Reports from the command line, without a server: plans that came from elsewhere in every format, saved reports written
//! again, and what the command says of itself.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("DATABASE_URL")
            .env_remove("GITHUB_STEP_SUMMARY");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A table read whole for one row, planned for longer than it ran.
fn plan(planning: f64, execution: f64) -> String {
    let mut node = serde_json::json!({
        "Node Type": "Seq Scan", "Parallel Aware": false, "Async Capable": false, "Relation Name": "parcels",
        "Schema": "public", "Alias": "p", "Startup Cost": 0.0, "Total Cost": 9000.0, "Plan Rows": 1, "Plan Width": 20,
        "Actual Startup Time": 0.1, "Actual Total Time": execution, "Actual Rows": 1, "Actual Loops": 1,
        "Filter": "(p.code = 'TOP-SECRET'::text)", "Rows Removed by Filter": 249_999, "Shared Hit Blocks": 4_000,
    });
    for key in [
        "Shared Read Blocks",
        "Shared Dirtied Blocks",
        "Shared Written Blocks",
    ] {
        node[key] = 0.into();
    }
    let plan = serde_json::json!([{ "Plan": node, "Planning Time": planning, "Execution Time": execution }]);
    plan.to_string()
}

fn valid(document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/report.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

fn rules_of(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|found| found["rule"].as_str().unwrap())
        .collect()
}

#[test]
fn a_plan_is_explained_in_every_format_and_fails_as_an_audit_does() {
    let folder = Folder::new();
    fs::write(folder.path("plan.json"), plan(2.0, 80.0)).unwrap();
    let text = folder.succeeds(&["explain", "plan.json", "--format", "json"], 1);
    let document: Value = serde_json::from_str(&text).unwrap();
    valid(&document);
    assert_eq!(document["command"], "explain");
    assert_eq!(document["summary"]["exit_code"], 1);
    assert_eq!(rules_of(&document), ["seq-scan"]);
    let never = [
        "explain",
        "plan.json",
        "--format",
        "short",
        "--fail-on",
        "never",
    ];
    let short = folder.succeeds(&never, 0);
    assert!(
        short.starts_with("plan.json:1:1: error[seq-scan]: plan: parcels"),
        "{short}"
    );

    // The project's own limits and severities hold.
    let settings = "fail-on = \"never\"\n[thresholds]\nseq-scan.min-pages = 5000\n";
    fs::write(folder.path("pgproof.toml"), settings).unwrap();
    let text = folder.succeeds(&["explain", "plan.json", "--format", "json"], 0);
    assert_eq!(
        rules_of(&serde_json::from_str(&text).unwrap()),
        Vec::<&str>::new()
    );
}

#[test]
fn planning_time_and_slowness_of_a_plan_are_judged() {
    let folder = Folder::new();
    let rules = |planning, execution| {
        fs::write(folder.path("plan.json"), plan(planning, execution)).unwrap();
        let output = folder.run(&["explain", "plan.json", "--format", "json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = document["findings"].as_array().unwrap().clone();
        let with_symptoms = all.iter().flat_map(|found| {
            let symptoms = found["symptoms"].as_array().unwrap().clone();
            std::iter::once(found.clone()).chain(symptoms)
        });
        with_symptoms
            .map(|found| found["rule"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(rules(900.0, 40.0).contains(&"planning-overhead".to_owned()));
    assert!(rules(1.0, 9_000.0).contains(&"slow-query".to_owned()));
    assert_eq!(rules(1.0, 40.0), ["seq-scan"]);
}

#[test]
fn a_saved_report_is_written_again_without_its_server() {
    let folder = Folder::new();
    fs::write(folder.path("plan.json"), plan(2.0, 80.0)).unwrap();
    let explained = folder.succeeds(&["explain", "plan.json"], 1);
    folder.run(&["explain", "plan.json", "--format", "json=saved.json"]);
    let again = folder.succeeds(&["report", "saved.json"], 1);
    let without_time = |text: &str| text.lines().rev().skip(2).collect::<Vec<_>>().join("\n");
    assert_eq!(without_time(&explained), without_time(&again));

    let several = ["--format", "sarif=a.sarif", "--format", "junit=b.xml"];
    folder.succeeds(&[&["report", "saved.json"], &several[..]].concat(), 1);
    let sarif: Value = serde_json::from_str(&folder.read("a.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "seq-scan");
    assert!(folder.read("b.xml").contains("<failure type=\"seq-scan\""));

    let short = folder.succeeds(&["report", "saved.json", "--format", "short"], 1);
    assert!(
        short.starts_with("plan.json:1:1: error[seq-scan]: "),
        "{short}"
    );
    assert_eq!(
        folder.succeeds(&["report", "saved.json", "--short"], 1),
        short
    );

    let filtered = folder.succeeds(&["report", "saved.json", "--rule", "sort-spill"], 1);
    assert!(!filtered.contains("seq-scan"), "{filtered}");
    let wrong = folder.run(&["report", "saved.json", "--rule", "sort-spil"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean sort-spill?"));
    let none = folder.run(&["report", "plan.json"]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn values_are_in_no_redacted_report() {
    let folder = Folder::new();
    fs::write(folder.path("plan.json"), plan(2.0, 80.0)).unwrap();
    for format in [
        "terminal",
        "short",
        "json",
        "markdown",
        "sarif",
        "junit",
        "github",
        "gitlab",
        "checkstyle",
    ] {
        let arguments = ["explain", "plan.json", "--format", format];
        let whole = folder.succeeds(&arguments, 1);
        let redacted = folder.succeeds(&[&arguments[..], &["--redact"]].concat(), 1);
        assert!(!redacted.contains("TOP-SECRET"), "{format}: {redacted}");
        assert!(
            whole.len() >= redacted.len() || !whole.contains("TOP-SECRET"),
            "{format}"
        );
    }
}

#[test]
fn annotations_come_with_the_steps_summary() {
    let folder = Folder::new();
    fs::write(folder.path("plan.json"), plan(2.0, 80.0)).unwrap();
    let summary = folder.path("summary.md");
    fs::write(&summary, "what an earlier step wrote\n").unwrap();
    let arguments = ["explain", "plan.json", "--format", "github"];
    let output = folder.run_with(&arguments, &[("GITHUB_STEP_SUMMARY", &summary)]);
    let commands = String::from_utf8(output.stdout).unwrap();
    assert!(
        commands.starts_with("::error file=plan.json,line=1,"),
        "{commands}"
    );
    let summary = folder.read("summary.md");
    assert!(
        summary.starts_with("what an earlier step wrote\n<!-- pgproof:audit -->"),
        "{summary}"
    );
}

#[test]
fn help_and_completions_know_every_command() {
    let folder = Folder::new();
    let help = folder.succeeds(&["help", "audit"], 0);
    assert!(
        help.contains("Examples:") && help.contains("--by"),
        "{help}"
    );
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.succeeds(&["completions", shell], 0);
        assert!(
            script.contains("explain") && script.contains("report"),
            "{shell}"
        );
    }
    folder.succeeds(&["completions", "man", "--out", "man"], 0);
    assert!(folder.read("man/pgproof-audit.1").contains("fail\\-on"));
}

/// As psql prints them: the same question by an index, of a day on which one row more was there.
const BY_INDEX: &str = "\
Index Scan using parcels_code_idx on public.parcels p  (cost=0.42..8.44 rows=1 width=20) (actual time=0.020..0.031 rows=2 loops=1)
  Index Cond: (p.code = 'A-17'::text)
  Buffers: shared hit=4
Planning Time: 0.100 ms
Execution Time: 0.050 ms
";
const BY_SCAN: &str = "\
Seq Scan on public.parcels p  (cost=0.00..9000.00 rows=1 width=20) (actual time=0.100..79.900 rows=1 loops=1)
  Filter: (p.code = 'A-17'::text)
  Rows Removed by Filter: 249999
  Buffers: shared hit=1000 read=3000
  I/O Timings: shared read=41.500
Planning Time: 0.100 ms
Execution Time: 80.000 ms
";

#[test]
fn two_plans_are_compared() {
    let folder = Folder::new();
    fs::write(folder.path("before.txt"), BY_INDEX).unwrap();
    fs::write(folder.path("after.txt"), BY_SCAN).unwrap();
    let worse = folder.succeeds(&["explain", "before.txt", "after.txt"], 1);
    for told in [
        "before.txt → after.txt",
        "parcels is read by Seq Scan, not by Index Scan",
        "4 → 4,000",
        "plan-regression",
    ] {
        assert!(worse.contains(told), "{told}: {worse}");
    }
    // Other rows are another day's data.
    assert!(!worse.contains("result-changed"), "{worse}");
    let better = folder.succeeds(&["explain", "after.txt", "before.txt"], 0);
    assert!(better.contains("major improvement"), "{better}");
    let same = folder.succeeds(&["explain", "after.txt", "after.txt"], 0);
    assert!(same.contains("1 query: 1 unchanged"), "{same}");

    let html = folder.succeeds(
        &["explain", "before.txt", "after.txt", "--format", "html"],
        1,
    );
    assert!(html.starts_with("<!doctype html>"));
    assert!(html.contains("parcels is read by Seq Scan, not by Index Scan"));

    fs::write(folder.path("both.txt"), format!("{BY_INDEX}\n{BY_SCAN}")).unwrap();
    let output = folder.run(&["explain", "before.txt", "both.txt"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("both.txt 2"), "{said}");
}

#[test]
fn a_tree_says_what_explain_says_of_each_node() {
    let folder = Folder::new();
    let plan = "\
Gather Merge  (cost=1.00..900.00 rows=10 width=20) (actual time=5.000..90.000 rows=1000 loops=1)
  Workers Planned: 2
  Workers Launched: 1
  Buffers: shared hit=90 read=10, temp read=7 written=8
  ->  Sort  (cost=1.00..90.00 rows=5 width=20) (actual time=4.000..80.000 rows=500 loops=2)
        Sort Key: p.code
        Sort Method: external merge  Disk: 5152kB
        Buffers: shared hit=90 read=10, temp read=7 written=8
        I/O Timings: shared read=12.500
        ->  Parallel Index Only Scan using parcels_code_idx on public.parcels p  (cost=0.42..80.00 rows=5 width=20) (actual time=0.020..60.000 rows=500 loops=2)
              Index Cond: (p.code > 'A'::text)
              Heap Fetches: 77
              Buffers: shared hit=90 read=10
              I/O Timings: shared read=12.500
Planning Time: 0.100 ms
Execution Time: 91.000 ms
";
    fs::write(folder.path("plan.txt"), plan).unwrap();
    let output = folder.run(&["explain", "plan.txt", "--fail-on", "never"]);
    let tree = String::from_utf8(output.stdout).unwrap();
    let words = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "workers 2 planned, 1 launched",
        "pages 90 hit, 10 read (90 % from cache)",
        "temporary 7 read, 8 written",
        "I/O read 12.5 ms",
        "sort external merge, 5.0 MB on disk",
        "Sort Key: p.code",
        "heap fetches 77",
        "own, 90.0 ms with what is below",
        "1,000 rows of 10 expected, ×100",
    ] {
        assert!(words.contains(told), "{told}: {tree}");
    }
}
