//! The reports of a diff: whole, as they are read, from plans that are written down here; the JSON against its schema.

use std::path::{Path, PathBuf};

use pgproof::diff::blocking::BlockedQuery;
use pgproof::diff::extrapolate::Extrapolation;
use pgproof::diff::locks::{HeldLock, LockMode};
use pgproof::diff::names::{Names, Renames, SavedNames};
use pgproof::diff::observation::{
    InheritedLock, PileUp, ProvenForm, Retries, SaferMeasurement, StatementObservation,
    StatementPlace, WorstWait,
};
use pgproof::diff::outcome::{Cause, Fate, FreshRun, Presence, QueryDiff, RunDiff, Side};
use pgproof::diff::report::{Comparison, IndexUse, RoundTrip, SchemaDifference, Spent};
use pgproof::diff::safer::SaferForm;
use pgproof::diff::verdict::Limits;
use pgproof::finding::Finding;
use pgproof::migrations::Layout;
use pgproof::plan::parse;
use pgproof::report::terminal::TerminalStyle;
use pgproof::report::{DatasetInfo, Origin, Report, json, markdown, terminal};
use pgproof::rules::blocking_migration::Before;
use pgproof::rules::{Policy, blocking_migration, plan_regression};
use pgproof::run::{Outcome, QueryFailure, Run, Sample};
use pgproof::run_id::SetId;
use pgproof::units::{Bytes, Millis, Pages};
use serde_json::{Value, json};

/// Fails where a document is not what its schema says.
pub(super) fn valid(document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/diff.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn the_document_is_what_its_schema_says() {
    let mut text = Vec::new();
    json::render(&report(), &mut text).unwrap();
    valid(&serde_json::from_slice(&text).unwrap());
    let mut empty = Vec::new();
    json::render(&compared(Comparison::default(), Vec::new()), &mut empty).unwrap();
    valid(&serde_json::from_slice(&empty).unwrap());
}

#[test]
fn at_a_terminal() {
    let text = |width, verbose| {
        let mut out = Vec::new();
        terminal::render(
            &report(),
            &TerminalStyle {
                width,
                color: false,
                verbose,
                docs: None,
            },
            &mut out,
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!("diff_terminal_120", text(120, false));
    insta::assert_snapshot!("diff_terminal_80_verbose", text(80, true));
}

#[test]
fn in_a_pull_request() {
    let mut out = Vec::new();
    markdown::render(&report(), &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

fn index_scan(index: &str, blocks: u64, time: f64) -> Run {
    let node = json!({
        "Node Type": "Index Scan", "Parallel Aware": false, "Async Capable": false, "Scan Direction": "Forward",
        "Index Name": index, "Relation Name": "orders", "Schema": "public", "Alias": "orders", "Startup Cost": 0.4,
        "Total Cost": 9.0, "Plan Rows": 10, "Plan Width": 20, "Actual Startup Time": 0.1, "Actual Total Time": time,
        "Actual Rows": 10, "Actual Loops": 1, "Index Cond": "(orders.customer_id = 7)", "Rows Removed by Index Recheck": 0,
    });
    run(node, blocks, time)
}

fn seq_scan(blocks: u64, time: f64) -> Run {
    let node = json!({
        "Node Type": "Seq Scan", "Parallel Aware": false, "Async Capable": false, "Relation Name": "orders", "Schema": "public",
        "Alias": "orders", "Startup Cost": 0.0, "Total Cost": 9000.0, "Plan Rows": 10, "Plan Width": 20,
        "Actual Startup Time": 0.1, "Actual Total Time": time, "Actual Rows": 10, "Actual Loops": 1,
        "Filter": "(orders.customer_id = 7)", "Rows Removed by Filter": 399990,
    });
    run(node, blocks, time)
}

fn run(mut node: Value, blocks: u64, time: f64) -> Run {
    for kind in ["Shared", "Local"] {
        for what in ["Hit", "Read", "Dirtied", "Written"] {
            node[format!("{kind} {what} Blocks")] = json!(0);
        }
    }
    (
        node["Shared Hit Blocks"],
        node["Temp Read Blocks"],
        node["Temp Written Blocks"],
    ) = (json!(blocks), json!(0), json!(0));
    let document = json!([{ "Plan": node, "Planning Time": 0.2, "Execution Time": time }]);
    let plan = parse::json_value(&document).unwrap().remove(0);
    let sample = Sample {
        execution: Millis(time),
        planning: Millis(0.2),
        blocks: Pages(blocks),
        temp_blocks: Pages(0),
    };
    Run {
        id: SetId::varied("hot customer_id").custom(),
        parameters: Vec::new(),
        plan,
        explain_json: document,
        outcome: Outcome::Completed {
            samples: vec![sample],
        },
    }
}

fn place(line: u32, sql: &str) -> StatementPlace {
    StatementPlace {
        version: "0042".to_owned(),
        file: PathBuf::from("migrations/0042_drop.sql"),
        line,
        sql: sql.to_owned(),
    }
}

fn query(name: &str, presence: Presence, runs: Vec<RunDiff>) -> QueryDiff {
    QueryDiff {
        query: name.to_owned(),
        file: PathBuf::from("queries/orders.sql"),
        line: 4,
        presence,
        runs,
        failed_before: None,
        fails_after: None,
        fresh: Vec::new(),
    }
}

fn blocked(probe: usize, ms: f64) -> BlockedQuery {
    BlockedQuery {
        probe,
        executions: 1,
        longest: Millis(ms),
        relation: Some("public.orders".to_owned()),
        mode: Some(LockMode::AccessShare),
    }
}

fn orders(mode: LockMode) -> HeldLock {
    HeldLock {
        relation: "public.orders".to_owned(),
        mode,
    }
}

fn drop_index() -> StatementObservation {
    StatementObservation {
        place: place(1, "DROP INDEX orders_customer_idx"),
        rows: None,
        duration: Millis(0.8),
        duration_cpu_wait: Millis(0.0),
        locks_held: Millis(1_210.0),
        locks_held_cpu_wait: Millis(0.0),
        in_transaction: true,
        locks: vec![orders(LockMode::AccessExclusive)],
        inherited: Vec::new(),
        rewritten: Vec::new(),
        scanned: Vec::new(),
        wal: Bytes(448),
        size_change: -9_000_000,
        worst_wait: Some(WorstWait { lock: orders(LockMode::AccessExclusive), wait: Millis(1_208.0) }),
        blocked: vec![blocked(0, 1_190.0), blocked(1, 1_100.0)],
        kept_waiting: Vec::new(),
        deadlocked: false,
        pile_up: Some(PileUp {
            reader: Millis(1_500.0),
            waited_for: Some(orders(LockMode::AccessExclusive)),
            blocked: vec![blocked(0, 1_480.0), blocked(1, 1_390.0)],
            with_timeout: Some(Retries {
                lock_timeout: Millis(100.0),
                pause: Millis(400.0),
                tries: 4,
                through: true,
                longest: Millis(96.0),
            }),
        }),
        safer: Some(ProvenForm {
            form: SaferForm {
                statements: vec!["DROP INDEX CONCURRENTLY orders_customer_idx".to_owned()],
                why: "CONCURRENTLY waits for readers without stopping new ones; it must run outside a transaction"
                    .to_owned(),
            },
            measured: Some(SaferMeasurement {
                duration: Millis(6.0),
                longest_block: Millis(0.0),
                worst_wait: Millis(0.0),
                strongest: None,
                failure: None,
            }),
        }),
        extrapolation: None,
    }
}

fn rewrite() -> StatementObservation {
    StatementObservation {
        place: place(3, "ALTER TABLE orders ALTER COLUMN total TYPE bigint"),
        duration: Millis(1_180.0),
        locks_held: Millis(1_185.0),
        locks: Vec::new(),
        inherited: vec![InheritedLock {
            lock: orders(LockMode::AccessExclusive),
            taken_at: 1,
        }],
        rewritten: vec!["public.orders".to_owned()],
        scanned: vec!["building index orders_pkey".to_owned()],
        wal: Bytes(80_000_000),
        size_change: 2_500_000,
        worst_wait: None,
        blocked: Vec::new(),
        kept_waiting: vec![blocked(0, 1_150.0)],
        deadlocked: true,
        pile_up: None,
        safer: Some(ProvenForm {
            form: SaferForm {
                statements: Vec::new(),
                why: "add a column of the new type".to_owned(),
            },
            measured: None,
        }),
        extrapolation: Some(Extrapolation {
            rows: 8_000_000.0,
            expected: Millis(23_600.0),
            low: Millis(19_000.0),
            high: Millis(31_000.0),
            repeats: 3,
            spread: 0.12,
        }),
        ..drop_index()
    }
}

fn compared(comparison: Comparison, findings: Vec<Finding>) -> Report {
    Report {
        origin: Origin::Diff,
        server_version: Some("15.18".to_owned()),
        dataset: Some(DatasetInfo {
            fingerprint: "0123456789abcdef".to_owned(),
            seed: 42,
            scale: 1.0,
            reused: true,
        }),
        findings,
        comparison: Some(Box::new(comparison)),
        elapsed: Millis(16_200.0),
        ..Report::default()
    }
}

pub(crate) fn report() -> Report {
    let names = SavedNames {
        indexes: [(
            "orders_customer_idx".to_owned(),
            "btree (customer_id)".to_owned(),
        )]
        .into(),
        ..SavedNames::default()
    };
    let names = Names {
        saved: Some(&names),
        ..Names::UNKNOWN
    };
    let judge = |before: &Run, after: &Fate| {
        let control = Fate::of(before, &names);
        let side = Side::of(before, &names);
        RunDiff::judge(
            before,
            side,
            after,
            Some(&control),
            &Renames::default(),
            &Limits::default(),
        )
    };
    let (index, seq) = (
        index_scan("orders_customer_idx", 12, 0.2),
        seq_scan(5_000, 41.0),
    );
    let mut lost = judge(&index, &Fate::of(&seq, &names));
    lost.cause = Some(Cause::Statement {
        place: place(1, "DROP INDEX orders_customer_idx"),
    });
    let failure = QueryFailure {
        message: "column \"note\" does not exist".to_owned(),
        code: Some("42703".to_owned()),
        position: None,
        hint: None,
    };
    let broken = judge(&index, &Fate::Failed(failure));
    let same = judge(&index, &Fate::of(&index, &names));
    let mut new = query("ListReturns", Presence::New, Vec::new());
    new.fresh = vec![FreshRun {
        id: SetId::base("typical").custom(),
        side: Side::of(&index, &names),
    }];
    let mut wrong = query("ListWrong", Presence::New, Vec::new());
    wrong.fails_after = Some("column \"reson\" does not exist".to_owned());
    let queries = vec![
        wrong,
        query("ListOrders", Presence::Both, vec![lost]),
        query("GetOrder", Presence::Both, vec![same]),
        new,
        query("GetGone", Presence::Removed, Vec::new()),
    ];
    let statements = vec![drop_index(), rewrite()];
    let probes = vec!["ListOrders".to_owned(), "GetOrder".to_owned()];
    let policy = Policy::default();
    let regressions = queries
        .iter()
        .filter_map(|diff| plan_regression::finding(diff, &policy));
    let blocking = statements.iter().filter_map(|statement| {
        blocking_migration::finding(statement, &probes, &policy, Before::Unknown)
    });
    let findings = regressions.chain(blocking).collect();
    let comparison = Comparison {
        from: "0041 orders".to_owned(),
        to: "0042 drop".to_owned(),
        layout: Some(("sqlx".to_owned(), "0001_orders.sql and its like".to_owned())),
        without_transaction: Layout::Sqlx.without_transaction().map(str::to_owned),
        rolling: vec![query("GetNote", Presence::Changed, vec![broken])],
        broken: vec![(
            Some(1),
            "GetNote".to_owned(),
            "column \"note\" does not exist".to_owned(),
        )],
        indexes: vec![IndexUse {
            table: "public.orders".to_owned(),
            name: "orders_customer_idx".to_owned(),
            definition: "btree (customer_id)".to_owned(),
            added: false,
            queries: vec!["ListOrders".to_owned()],
        }],
        round_trip: Some(RoundTrip {
            schema: SchemaDifference {
                missing: vec![
                    "index orders_customer_idx on public.orders btree (customer_id)".to_owned(),
                ],
                left_over: Vec::new(),
            },
            ..RoundTrip::default()
        }),
        safer_schema: Some(SchemaDifference::default()),
        queries,
        statements,
        probes,
        spent: Spent {
            dataset: Millis(120.0),
            copies: Millis(900.0),
            queries: Millis(6_000.0),
            migrations: Millis(5_000.0),
            traffic: Millis(3_000.0),
            rehearsals: Millis(1_000.0),
        },
    };
    compared(comparison, findings)
}
