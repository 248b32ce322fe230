//! Reports made by hand around plans that a server printed (`plans/`).

use std::path::Path;

use pgproof::advise::changes::Changes;
use pgproof::catalog::{Query, SkipReason, Skipped};
use pgproof::finding::{
    Evidence, Finding, Fingerprint, Fix, Location, Measurement, Proof, Quantity, RuleId, Severity,
    Suppression,
};
use pgproof::plan::NodeId;
use pgproof::report::{DatasetInfo, Report, TableInfo};
use pgproof::rules::Policy;
use pgproof::rules::not_audited::{self, Unjudged};
use pgproof::run::{BoundParameter, Outcome, QueryFailure, QueryRuns, Run, Sample};
use pgproof::run_id::{RunId, SetId};
use pgproof::source::{Source, SourceError};
use pgproof::units::{Bytes, Millis, Pages};

fn id(label: &str) -> RunId {
    match label {
        "typical" | "given" => SetId::base(label).custom(),
        _ => SetId::varied(label).custom(),
    }
}

fn run(label: &str, plan: &str, parameters: &[(u16, &str, &str, Option<&str>)]) -> Run {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/report/plans")
        .join(format!("{plan}.json"));
    let text = std::fs::read_to_string(file).unwrap();
    let explain_json = serde_json::from_str(&text).unwrap();
    let plan = pgproof::plan::parse::json(&text).unwrap().remove(0);
    let (execution, planning) = (plan.execution_ms, plan.planning_ms);
    let buffers = plan.root().buffers;
    let sample = |execution| Sample {
        execution,
        planning: planning.unwrap(),
        blocks: buffers.unwrap().touched(),
        temp_blocks: buffers.unwrap().temp(),
    };
    let outcome = execution.map_or(Outcome::Estimated, |execution| Outcome::Completed {
        samples: vec![sample(execution); 3],
    });
    Run {
        id: id(label),
        parameters: parameters
            .iter()
            .map(|(number, name, type_name, value)| BoundParameter {
                number: *number,
                name: Some((*name).to_owned()),
                type_name: (*type_name).to_owned(),
                value: value.map(str::to_owned),
                column: Some(format!("orders.{name}")),
            })
            .collect(),
        plan,
        explain_json,
        outcome,
    }
}

const ORDERS: &str = "-- Orders, as the storefront reads them.

-- name: ListOrdersByCustomer :many
-- @budget time=10ms
SELECT o.id, o.status, o.total
  FROM orders o
 WHERE o.customer_id = @customer_id
   AND o.status = @status
 ORDER BY o.placed_at DESC
 LIMIT 20;

-- name: BrowseOrders :many
SELECT id, status FROM orders ORDER BY id LIMIT 20 OFFSET @skip;
";
const REPORTS: &str = "-- name: RevenueByCustomerAndStatusForTheBoard :many
SELECT o.customer_id, count(*), sum(o.total)
  FROM orders o
 GROUP BY o.customer_id, o.status
 ORDER BY sum(o.total) DESC;

-- name: MatchTotals :many
SELECT o.id, c.email
  FROM orders o, customers c
 WHERE o.total > c.id;
";
const CUSTOMERS: &str = "-- name: GetCustomer :one
SELECT id, email FROM customers WHERE id = @id;
";

fn catalog(files: &[(&str, &str)]) -> Vec<Query> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new(path, *text))
        .collect();
    pgproof::catalog::parse(&sources).strict().unwrap().queries
}

/// ListOrdersByCustomer, BrowseOrders, Revenue…, MatchTotals, GetCustomer.
fn queries() -> Vec<Query> {
    catalog(&[
        ("queries/orders.sql", ORDERS),
        ("queries/reports.sql", REPORTS),
        ("queries/customers.sql", CUSTOMERS),
    ])
}

fn runs() -> Vec<QueryRuns> {
    let of = |query, runs| QueryRuns {
        query,
        runs,
        failure: None,
        notes: Vec::new(),
    };
    let mut timed_out = run("given", "estimated", &[]);
    timed_out.outcome = Outcome::TimedOut {
        after: Millis(30_000.0),
    };
    vec![
        of(
            0,
            vec![run(
                "hot customer_id",
                "orders_by_status",
                &[
                    (1, "customer_id", "bigint", Some("4711")),
                    (2, "status", "text", Some("open")),
                ],
            )],
        ),
        of(
            1,
            vec![run(
                "given",
                "deep_page",
                &[(1, "skip", "bigint", Some("300000"))],
            )],
        ),
        of(2, vec![run("given", "revenue", &[])]),
        of(3, vec![timed_out]),
        of(
            4,
            vec![run(
                "typical",
                "customer_by_id",
                &[(1, "id", "bigint", Some("4711"))],
            )],
        ),
    ]
}

/// A finding with the parts that every one has.
fn finding(rule: RuleId, severity: Severity, query: &Query, message: &str) -> Finding {
    Finding {
        rule,
        severity,
        query: Some(query.name.clone()),
        location: Some(query.location()),
        message: message.to_owned(),
        why: String::new(),
        advice: String::new(),
        evidence: Evidence::default(),
        fix: None,
        fingerprint: Fingerprint::of([rule.as_str(), &query.name]),
        suppressed: None,
        symptoms: Vec::new(),
    }
}

/// What the rules say of the scan, and the advisor of the index.
fn missing_index(query: &Query) -> Finding {
    let condition = "((o.customer_id = '4711'::bigint) AND (o.status = 'open'::text))";
    let evidence = Evidence {
        run: Some(id("hot customer_id")),
        node: Some(NodeId(2)),
        node_label: Some("Seq Scan on orders o".to_owned()),
        relation: Some("orders".to_owned()),
        condition: Some(condition.to_owned()),
        measures: Vec::new(),
    };
    let scan = Finding {
        evidence: evidence
            .clone()
            .with("rows_read", Quantity::Rows(400_000.0))
            .with("rows_kept", Quantity::Rows(13_333.0))
            .with("pages", Quantity::Pages(Pages(3334)))
            .with("query_pages", Quantity::Pages(Pages(3337)))
            .with("time_ms", Quantity::Millis(Millis(25.87)))
            .with("query_time_ms", Quantity::Millis(Millis(28.824))),
        ..finding(
            RuleId::SeqScan,
            Severity::Error,
            query,
            "orders is read row by row: 400,000 rows to keep 13,333, 3,334 pages (26 MB), 25.9 ms of 28.8 ms",
        )
    };
    let budget = finding(
        RuleId::OverBudget,
        Severity::Error,
        query,
        "takes 28.8 ms, its budget is 10.0 ms",
    );
    Finding {
        why: "Without it each call reads the pages of rows that it then throws away, to return 20 rows; they grow with the table."
            .to_owned(),
        advice: "Create the index, CONCURRENTLY where the table is in use.".to_owned(),
        evidence: evidence
            .with("pages_before", Quantity::Pages(Pages(3337)))
            .with("pages_after", Quantity::Pages(Pages(9)))
            .with("time_before_ms", Quantity::Millis(Millis(28.824)))
            .with("time_after_ms", Quantity::Millis(Millis(0.069)))
            .with("index_key", Quantity::Text("(customer_id, status, placed_at)".to_owned())),
        fix: Some(Fix {
            sql: "CREATE INDEX orders_customer_id_status_placed_at_idx ON public.orders (customer_id, status, placed_at DESC);"
                .to_owned(),
            proof: Some(Proof {
                cancelled_ms: None,
                before: Some(Measurement {
                    time_ms: Millis(28.824),
                    blocks: Pages(3337),
                    temp_blocks: Pages(0),
                    rows: 20.0,
                }),
                after: Measurement { time_ms: Millis(0.069), blocks: Pages(9), temp_blocks: Pages(0), rows: 20.0 },
                index_bytes: Some(Bytes(16_261_120)),
                build_ms: Some(Millis(412.0)),
            }),
        }),
        symptoms: vec![scan, budget],
        ..finding(
            RuleId::MissingIndex,
            Severity::Error,
            query,
            "an index on orders (customer_id, status, placed_at DESC) takes this query from 3,337 pages and 28.8 ms to 9 pages \
             and 0.07 ms",
        )
    }
}

fn sort_spill(query: &Query) -> Finding {
    Finding {
        why: "A sort that does not fit in work_mem writes its rows to disk and reads them again."
            .to_owned(),
        advice: "Set work_mem to 12MB for this report, or aggregate less.".to_owned(),
        evidence: Evidence {
            run: Some(id("given")),
            node: Some(NodeId(0)),
            node_label: Some("Sort".to_owned()),
            condition: Some("(sum(o.total)) DESC".to_owned()),
            ..Evidence::default()
        }
        .with("spilled_bytes", Quantity::Bytes(Bytes(5152 << 10)))
        .with("rows", Quantity::Rows(135_003.0))
        .with("time_share", Quantity::Ratio(0.207)),
        ..finding(
            RuleId::SortSpill,
            Severity::Warning,
            query,
            "The sort of 135,003 rows by sum(o.total) spills 5.0 MB to disk.",
        )
    }
}

fn large_offset(query: &Query) -> Finding {
    Finding {
        evidence: Evidence {
            run: Some(id("given")),
            node: Some(NodeId(0)),
            node_label: Some("Limit".to_owned()),
            ..Evidence::default()
        }
        .with("rows_skipped", Quantity::Rows(300_000.0)),
        suppressed: Some(Suppression {
            by: "@allow".to_owned(),
            reason: "only the export walks this far".to_owned(),
        }),
        ..finding(
            RuleId::LargeOffset,
            Severity::Warning,
            query,
            "OFFSET reads and drops 300,000 rows.",
        )
    }
}

fn timeout(query: &Query) -> Finding {
    Finding {
        why: "It holds a connection and its snapshot for all that time.".to_owned(),
        advice: "Look at the estimated plan: `pgproof explain MatchTotals`.".to_owned(),
        evidence: Evidence {
            run: Some(id("given")),
            relation: Some("orders".to_owned()),
            ..Evidence::default()
        }
        .with("timeout_ms", Quantity::Millis(Millis(30_000.0))),
        ..finding(
            RuleId::Timeout,
            Severity::Error,
            query,
            "MatchTotals did not finish within 30.00 s and was cancelled.",
        )
    }
}

fn unindexed_foreign_key() -> Finding {
    Finding {
        rule: RuleId::UnindexedForeignKey,
        severity: Severity::Warning,
        query: None,
        location: Some(Location {
            file: "migrations/0004_orders.sql".into(),
            line: 18,
        }),
        message: "The foreign key orders_customer_id_fkey has no index on orders (customer_id)."
            .to_owned(),
        why: "Deleting a customer reads all of orders.".to_owned(),
        advice: "Create the index.".to_owned(),
        evidence: Evidence {
            relation: Some("orders".to_owned()),
            ..Evidence::default()
        }
        .with("pages", Quantity::Pages(Pages(3334))),
        fix: Some(Fix {
            sql: "CREATE INDEX orders_customer_id_idx ON public.orders (customer_id);".to_owned(),
            proof: None,
        }),
        fingerprint: Fingerprint::of(["unindexed-foreign-key", "orders", "customer_id"]),
        suppressed: None,
        symptoms: Vec::new(),
    }
}

fn dataset() -> DatasetInfo {
    DatasetInfo {
        fingerprint: "8f3a2c5512d0e9b4".to_owned(),
        seed: 42,
        scale: 1.0,
        reused: true,
    }
}

fn tables() -> Vec<TableInfo> {
    let table = |name: &str, rows, bytes| TableInfo {
        name: name.to_owned(),
        rows,
        bytes: Bytes(bytes),
        indexes: Vec::new(),
        partitions: Vec::new(),
    };
    vec![
        table("order_items", 600_000, 61_000_000),
        table("orders", 400_000, 36_000_000),
        table("customers", 50_000, 5_300_000),
    ]
}

/// Findings of every kind.
pub(crate) fn report() -> Report {
    let queries = queries();
    let note = finding(
        RuleId::SeqScan,
        Severity::Info,
        &queries[2],
        "The report reads all 400,000 rows of orders and needs them: its time grows with the table.",
    );
    Report {
        server_version: Some("15.18".to_owned()),
        server_settings: vec![("random_page_cost".to_owned(), "1.1".to_owned())],
        dataset: Some(dataset()),
        tables: tables(),
        findings: vec![
            missing_index(&queries[0]),
            timeout(&queries[3]),
            sort_spill(&queries[2]),
            unindexed_foreign_key(),
            large_offset(&queries[1]),
            note,
        ],
        queries,
        runs: runs(),
        skipped: Vec::new(),
        ended_early: None,
        changes: Changes::default(),
        reused: None,
        unchanged: None,
        compared: Vec::new(),
        fail_on: Some(Severity::Error).into(),
        elapsed: Millis(41_234.0),
        ..Report::default()
    }
}

/// Nothing found, on a database given by URL.
pub(crate) fn fine() -> Report {
    let mut report = report();
    report.queries.drain(2..4);
    report.runs.drain(2..4);
    report.runs[2].query = 2;
    report.findings.clear();
    report.dataset = None;
    report.elapsed = Millis(812.0);
    report
}

/// A query that the server refuses.
pub(crate) fn failing() -> Report {
    let mut report = fine();
    let misspelt = ORDERS.replace("o.status = @status", "o.sttus = @status");
    report.queries[0] = catalog(&[("queries/orders.sql", &misspelt)]).remove(0);
    let sql = &report.queries[0].sql;
    report.runs[0] = QueryRuns {
        notes: Vec::new(),
        query: 0,
        runs: Vec::new(),
        failure: Some(QueryFailure {
            message: "column o.sttus does not exist".to_owned(),
            code: Some("42703".to_owned()),
            position: Some(u32::try_from(sql.find("o.sttus").unwrap() + 1).unwrap()),
            hint: Some("Perhaps you meant to reference the column \"o.status\".".to_owned()),
        }),
    };
    let source = Source::new("queries/jobs.sql", "-- name: Clean :exec\nVACUUM orders;\n");
    let mistake = SourceError::new(&source, 21..27, "VACUUM statements cannot be audited");
    let skipped = |name: &str, line, why| Skipped {
        name: name.to_owned(),
        file: "queries/jobs.sql".into(),
        line,
        why,
    };
    report.skipped = vec![
        skipped(
            "Clean",
            2,
            SkipReason::Mistake(mistake.help("write `-- @skip: reason` above it")),
        ),
        skipped(
            "Nightly",
            9,
            SkipReason::Asked {
                reason: "run by hand".to_owned(),
            },
        ),
    ];
    let unjudged = Unjudged {
        skipped: &report.skipped,
        queries: &report.queries,
        runs: &report.runs,
    };
    report.findings =
        not_audited::findings(&unjudged, &|_| Policy::default(), &|_| Policy::default());
    report
}

/// More findings than a comment can hold.
pub(crate) fn huge() -> Report {
    let mut report = report();
    for number in 0..400 {
        let mut query = report.queries[0].clone();
        query.name = format!("Copy{number}");
        report.findings.push(missing_index(&query));
        report.runs.push(QueryRuns {
            notes: Vec::new(),
            query: report.queries.len(),
            ..report.runs[0].clone()
        });
        report.queries.push(query);
    }
    report
}
