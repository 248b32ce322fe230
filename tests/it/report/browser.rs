//! The HTML report in a real browser: `browser/check.mjs` opens what is written here. Chromium and what drives it must be
//! there: scripts/browser-tools says what is missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use pgproof::catalog::Query;
use pgproof::finding::{Evidence, Finding, Fingerprint, Quantity, RuleId, Severity};
use pgproof::lab::change::{ChangeKind, PlanChange};
use pgproof::lab::outlook::{Outlook, PlannedRun, SizedChange};
use pgproof::plan::parse;
use pgproof::report::terminal::TerminalStyle;
use pgproof::report::{Format, Origin, Report};
use pgproof::run::{Outcome, QueryRuns, Run, Sample};
use pgproof::units::{Millis, Pages};
use serde_json::{Value, json};

use super::sample;

/// Everything that a browser could take for its own.
const ATTACK: &str = "</script><script>window.hacked=1</script><!--<script> <img src=x onerror=window.hacked=1> \
    \" onmouseover='window.hacked=1' javascript:window.hacked=1 &lt;b&gt; <b>\u{202e}\u{7}${window.hacked=1} `<i>`";

#[test]
fn the_page_in_chromium() {
    let directory = tempfile::tempdir().unwrap();
    let reports = [
        ("audit", with_calls_in_turn()),
        ("explain", explained()),
        ("failing", sample::failing()),
        ("empty", Report::default()),
        ("hostile", hostile()),
        ("large", large()),
        ("diff", crate::diff::reports::report()),
    ];
    for (name, report) in &reports {
        write(report, &directory.path().join(format!("{name}.html")));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/report/browser/check.mjs");
    let run = Command::new("node")
        .arg(script)
        .arg(directory.path())
        .output()
        .expect("node is needed (apt-get install nodejs npm), then scripts/browser-tools once");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(run.status.success(), "{said}");
    println!("{said}");
}

#[test]
fn nothing_of_the_data_is_outside_of_its_element() {
    let mut bytes = Vec::new();
    html()
        .write(&hostile(), &TerminalStyle::FILE, &mut bytes)
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("<script>window.hacked"));
    assert!(!text.contains("<img"));
    assert!(!text.contains('\u{202e}'));
    // Data elements, and the one script that runs.
    let ends = text.matches("</script>").count();
    assert_eq!(ends, hostile().queries.len() + 2);
    // Nothing is fetched.
    for word in ["http://", "https://", "src=", "@import", "url("] {
        let code = text.split("type=\"application/json\"").next().unwrap();
        assert!(!code.contains(word), "{word}");
    }
}

fn html() -> &'static Format {
    Format::named("html").unwrap()
}

fn write(report: &Report, file: &Path) {
    let mut out = fs::File::create(file).unwrap();
    html()
        .write(report, &TerminalStyle::FILE, &mut out)
        .unwrap();
}

fn explained() -> Report {
    let mut report = sample::report();
    report.origin = Origin::Explain;
    report.server_version = None;
    report.dataset = None;
    report.tables.clear();
    report.queries.truncate(1);
    report.runs.truncate(1);
    let name = report.queries[0].name.clone();
    report
        .findings
        .retain(|found| found.query.as_ref() == Some(&name));
    report
}

/// The sample, and a query that another one's 50 rows drive.
fn with_calls_in_turn() -> Report {
    let mut report = sample::report();
    let child = Query {
        name: "ListItemsOfOrder".to_owned(),
        ..report.queries[4].clone()
    };
    let evidence = Evidence {
        condition: Some("ListOrdersByCustomer.id -> $1".to_owned()),
        relation: Some("order_items".to_owned()),
        ..Evidence::default()
    }
    .with("calls", Quantity::Rows(50.0))
    .with("time_each_ms", Quantity::Millis(Millis(0.175)))
    .with("at_0_1_ms", Quantity::Millis(Millis(13.75)))
    .with("at_0_5_ms", Quantity::Millis(Millis(33.75)))
    .with("at_1_ms", Quantity::Millis(Millis(58.75)))
    .with("at_5_ms", Quantity::Millis(Millis(258.75)));
    report.findings.push(Finding {
        rule: RuleId::NPlusOne,
        severity: Severity::Error,
        query: Some(child.name.clone()),
        location: Some(child.location()),
        message: "runs once for each of the 50 rows of ListOrdersByCustomer".to_owned(),
        why: "Each pays a round trip.".to_owned(),
        advice: "Run it once for all: `= ANY($1)`.".to_owned(),
        evidence,
        fix: None,
        fingerprint: Fingerprint::of(["n-plus-one", &child.name]),
        suppressed: None,
        symptoms: Vec::new(),
    });
    report.runs.push(QueryRuns {
        query: report.queries.len(),
        ..report.runs[4].clone()
    });
    report.queries.push(child);
    report.outlook = Some(outlook(&report.queries[0].name));
    report
}

/// A plan that changes at a size, and one that does not.
fn outlook(query: &str) -> Outlook {
    let planned = |query: &str, changes: Vec<SizedChange>| PlannedRun {
        query: query.to_owned(),
        parameters: "typical".to_owned(),
        cost_now: 8.3,
        cost_then: Some(1_204.0),
        changes,
    };
    let change = PlanChange {
        kind: ChangeKind::Access,
        before: vec!["Index Scan".to_owned()],
        after: vec![format!("Seq Scan {query}")],
    };
    let change = SizedChange {
        rows: 4.3e6,
        cost: 900.0,
        change,
    };
    Outlook {
        table: "orders".to_owned(),
        rows_now: 2e6,
        rows_then: 1e10,
        exhausted: vec![format!("orders.id (integer) {query}")],
        runs: vec![planned(query, vec![change]), planned("Gone", Vec::new())],
    }
}

/// Every text of the report is an attack.
fn hostile() -> Report {
    let mut report = with_calls_in_turn();
    for table in &mut report.tables {
        table.name.push_str(ATTACK);
    }
    report
        .server_settings
        .push(("x".to_owned(), ATTACK.to_owned()));
    report.server_version = Some(ATTACK.to_owned());
    for query in &mut report.queries {
        let name = format!("{}{ATTACK}", query.name);
        for found in &mut report.findings {
            if found.query.as_ref() == Some(&query.name) {
                found.query = Some(name.clone());
            }
        }
        query.name = name;
        query.file = format!("queries/{ATTACK}").into();
        query
            .source
            .push_str(&format!(" -- {ATTACK}\n AND '{ATTACK}' = \"{ATTACK}\""));
    }
    for found in &mut report.findings {
        for text in [&mut found.message, &mut found.why, &mut found.advice] {
            text.push_str(ATTACK);
        }
        found.evidence.node_label = Some(ATTACK.to_owned());
        if found.rule != RuleId::NPlusOne {
            found.evidence.condition = Some(ATTACK.to_owned());
        }
        found.fingerprint.0.push_str(&ATTACK.replace(' ', ""));
        if let Some(fix) = &mut found.fix {
            fix.sql.push_str(ATTACK);
        }
    }
    report.outlook = Some(outlook(ATTACK));
    for runs in &mut report.runs {
        runs.notes.push(ATTACK.to_owned());
        for run in &mut runs.runs {
            let id = pgproof::run_id::SetId::varied(format!("{}{ATTACK}", run.id)).custom();
            for found in &mut report.findings {
                if found.evidence.run.as_ref() == Some(&run.id) {
                    found.evidence.run = Some(id.clone());
                }
            }
            run.id = id;
            for node in &mut run.plan.nodes {
                node.index_name = Some(ATTACK.to_owned());
                node.conditions.filter = Some(ATTACK.to_owned());
                node.subplan_name = Some(ATTACK.to_owned());
            }
            for parameter in &mut run.parameters {
                parameter.value = Some(ATTACK.to_owned());
                parameter.type_name = ATTACK.to_owned();
            }
        }
    }
    report
}

fn leaf(table: &str, time: f64) -> Value {
    json!({
        "Node Type": "Seq Scan", "Parallel Aware": false, "Async Capable": false, "Relation Name": table, "Alias": table,
        "Schema": "public", "Startup Cost": 0.0, "Total Cost": 90.0, "Plan Rows": 10, "Plan Width": 20, "Actual Startup Time": 0.0,
        "Actual Total Time": time, "Actual Rows": 1000, "Actual Loops": 1, "Shared Hit Blocks": 10, "Shared Read Blocks": 1,
    })
}

fn above(kind: &str, children: Vec<Value>, time: f64) -> Value {
    let children: Vec<Value> = children
        .into_iter()
        .map(|mut child| {
            child["Parent Relationship"] = json!(if kind == "Append" { "Member" } else { "Outer" });
            child
        })
        .collect();
    json!({
        "Node Type": kind, "Parallel Aware": false, "Async Capable": false, "Startup Cost": 0.0, "Total Cost": 9000.0,
        "Plan Rows": 10, "Plan Width": 20, "Actual Startup Time": 0.0, "Actual Total Time": time, "Actual Rows": 1000,
        "Actual Loops": 1, "Shared Hit Blocks": 10_000, "Shared Read Blocks": 1_000, "Plans": children,
    })
}

fn run_of(root: &Value, time: f64) -> Run {
    let document = json!([{ "Plan": root, "Planning Time": 1.5, "Execution Time": time }]);
    let plan = parse::json_value(&document).unwrap().remove(0);
    let sample = Sample {
        execution: Millis(time),
        planning: Millis(1.5),
        blocks: Pages(11_000),
        temp_blocks: Pages(0),
    };
    Run {
        id: pgproof::run_id::SetId::base("given").custom(),
        parameters: Vec::new(),
        plan,
        explain_json: document,
        outcome: Outcome::Completed {
            samples: vec![sample],
        },
    }
}

/// 505 queries, one of them over 1,000 partitions and one 101 nodes deep.
fn large() -> Report {
    let mut report = sample::huge();
    let wide = (1..=1000)
        .map(|part| leaf(&format!("part_{part}"), 1.0))
        .collect();
    let wide = above(
        "Limit",
        vec![above("Sort", vec![above("Append", wide, 1100.0)], 1190.0)],
        1200.0,
    );
    let deep = (0..100).fold(leaf("bottom", 1.0), |below, level| {
        above("Materialize", vec![below], 2.0 + f64::from(level))
    });
    let mut add = |name: String, run: Run| {
        let query = Query {
            name,
            ..report.queries[4].clone()
        };
        report.runs.push(QueryRuns {
            query: report.queries.len(),
            runs: vec![run],
            failure: None,
            notes: Vec::new(),
        });
        report.queries.push(query);
    };
    add("Wide".to_owned(), run_of(&wide, 1200.0));
    add("Deep".to_owned(), run_of(&deep, 510.0));
    for number in 0..98 {
        add(format!("More{number}"), run_of(&leaf("orders", 3.0), 3.0));
    }
    report
}
