//! Whether readers are linear: the time of each at 1, 10 and 100 times an input. `cargo bench --bench readers`; a name reads one
//! kind alone. Fails where 100 times the input takes more than 300 times as long.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark says what it measured, and ends where it fails"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use pgproof::migrations::{self, Tree};
use pgproof::plan::parse;
use pgproof::rules::{self, Policy};
use pgproof::run::{QueryRuns, Run};
use pgproof::source::Source;
use pgproof::{catalog, report, seed};

/// A quadratic reader takes 10,000 times as long.
const MOST: f64 = 300.0;

struct Reader {
    name: &'static str,
    /// Of the smallest input.
    size: usize,
    input: fn(usize) -> String,
    read: fn(&str),
}

const READERS: &[Reader] = &[
    Reader {
        name: "query file, queries",
        size: 400,
        input: |size| (0..size).map(query).collect(),
        read: |text| drop(black_box(catalog::parse(&[Source::new("q.sql", text)]))),
    },
    Reader {
        name: "query file, one mistake a query",
        size: 400,
        input: |size| {
            (0..size)
                .map(|n| format!("-- name: Q{n} :many\n-- @budget time=5\nSELECT FROM FROM;\n"))
                .collect()
        },
        read: |text| {
            drop(black_box(
                catalog::parse(&[Source::new("q.sql", text)]).strict(),
            ))
        },
    },
    Reader {
        name: "query file, one comment of lines",
        size: 4_000,
        input: |size| format!("/*\n{}*/\nSELECT 1", " * a line of prose\n".repeat(size)),
        read: |text| drop(black_box(catalog::parse(&[Source::new("q.sql", text)]))),
    },
    Reader {
        name: "migration, statements",
        size: 400,
        input: |size| {
            (0..size)
                .map(|n| {
                    format!("CREATE TABLE t{n} (id bigint PRIMARY KEY, name text NOT NULL);\n")
                })
                .collect()
        },
        read: |text| drop(black_box(migrations::history(&tree(text), None))),
    },
    Reader {
        name: "seed spec, tables",
        size: 100,
        input: |size| {
            (0..size)
                .map(|n| format!("[tables.t{n}]\nrows = 1000\n[tables.t{n}.columns]\nname = {{ generator = \"email\" }}\n"))
                .collect()
        },
        read: |text| drop(black_box(seed::spec::parse(&[Source::new("s.toml", text)]))),
    },
    Reader {
        name: "plan, text",
        size: 100,
        input: |size| plan(size, Form::Text),
        read: |text| drop(black_box(parse::read(text))),
    },
    Reader {
        name: "plan, text, judged and drawn",
        size: 100,
        input: |size| plan(size, Form::Text),
        read: explained,
    },
    Reader {
        name: "plan, text, each scan at fault",
        size: 100,
        input: faulty_plan,
        read: explained,
    },
    Reader {
        name: "plan, JSON",
        size: 100,
        input: |size| plan(size, Form::Json),
        read: |text| drop(black_box(parse::read(text))),
    },
    Reader {
        name: "plan, YAML",
        size: 100,
        input: |size| plan(size, Form::Yaml),
        read: |text| drop(black_box(parse::read(text))),
    },
    Reader {
        name: "plan, XML",
        size: 100,
        input: |size| plan(size, Form::Xml),
        read: |text| drop(black_box(parse::read(text))),
    },
    Reader {
        name: "no plan, bytes that look random",
        size: 40_000,
        input: |size| {
            let mut state = 1_u64;
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                char::from((state >> 57) as u8)
            };
            (0..size).map(|_| next()).collect()
        },
        read: |text| drop(black_box(parse::read(text))),
    },
];

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    println!("| reader | bytes at 1x | 1x | 10x | 100x | 100x over 1x |");
    println!("|---|--:|--:|--:|--:|--:|");
    let mut slow = Vec::new();
    for reader in READERS {
        if !wanted.is_empty()
            && !wanted
                .iter()
                .any(|word| reader.name.contains(word.as_str()))
        {
            continue;
        }
        let times: Vec<(usize, Duration)> = [1, 10, 100]
            .iter()
            .map(|factor| {
                let text = (reader.input)(reader.size * factor);
                (text.len(), fastest(reader.read, &text))
            })
            .collect();
        let ratio = times[2].1.as_secs_f64() / times[0].1.as_secs_f64();
        println!(
            "| {} | {} | {} | {} | {} | {ratio:.0} |",
            reader.name,
            times[0].0,
            shown(times[0].1),
            shown(times[1].1),
            shown(times[2].1)
        );
        if ratio > MOST {
            slow.push(reader.name);
        }
    }
    assert!(slow.is_empty(), "not linear: {slow:?}");
}

/// Of a few times, so that what else the machine does counts little.
fn fastest(read: fn(&str), text: &str) -> Duration {
    let start = Instant::now();
    let mut best = Duration::MAX;
    for round in 0..5 {
        let began = Instant::now();
        read(text);
        best = best.min(began.elapsed());
        if round > 0 && start.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    best
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn query(n: usize) -> String {
    format!(
        "-- name: Query{n} :many\n-- @budget time=50ms\nSELECT o.id, o.total FROM orders o JOIN customers c ON c.id = o.customer_id\n\
         WHERE c.email = @email AND o.created_at > @since ORDER BY o.created_at DESC LIMIT 50;\n\n"
    )
}

fn tree(text: &str) -> Tree {
    let file = Source::new("migrations/0001_all.sql", text);
    Tree::new(Path::new("migrations"), false, vec![file], false, false)
}

/// What `pgproof explain FILE` does with it.
fn explained(text: &str) {
    let catalog = catalog::parse(&[Source::new("q.sql", "SELECT 1;")]);
    for found in parse::read(text).plans {
        let run = Run::given(found.plan, text.to_owned());
        let runs = QueryRuns {
            query: 0,
            runs: vec![run],
            failure: None,
            notes: Vec::new(),
        };
        let findings = rules::judge_alone(&catalog.queries[0], &runs, &Policy::default());
        let shown: Vec<_> = findings.iter().collect();
        report::plan_tree(&runs.runs[0].plan, &shown, 100, &mut std::io::sink()).unwrap();
        black_box(findings);
    }
}

/// Joins side by side, each with a scan that throws nearly all away and a sort that spills: findings and their symptoms.
fn faulty_plan(nodes: usize) -> String {
    let part = |n: usize| {
        format!(
            "  ->  Sort  (cost=0.00..35.50 rows=10 width=4) (actual time=90.011..99.012 rows=10 loops=1)\n        Sort Key: t_{n}.name\n        \
             Sort Method: external merge  Disk: 90000kB\n        Buffers: shared hit=50000, temp read=11000 written=11000\n        \
             ->  Seq Scan on t_{n}  (cost=0.00..35.50 rows=10 width=4) (actual time=0.011..80.012 rows=10 loops=1)\n              \
             Filter: (customer_{n} = 5)\n              Rows Removed by Filter: 5000000\n              Buffers: shared hit=50000\n"
        )
    };
    let parts: String = (0..nodes / 2).map(part).collect();
    format!(
        "Append  (cost=0.00..48.25 rows=2550 width=4) (actual time=0.011..{nodes}00.012 rows=30 loops=1)\n  \
         Buffers: shared hit={nodes}0000\n{parts}"
    )
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
    Yaml,
    Xml,
}

/// An Append over `nodes` scans, as EXPLAIN prints it.
fn plan(nodes: usize, form: Form) -> String {
    let scan = |n: usize| match form {
        Form::Text => format!(
            "  ->  Seq Scan on t_{n} t  (cost=0.00..35.50 rows=2550 width=4) (actual time=0.011..0.012 rows=3 loops=1)\n        Filter: (id > {n})\n"
        ),
        Form::Json => format!(
            "{{\"Node Type\": \"Seq Scan\", \"Parent Relationship\": \"Member\", \"Relation Name\": \"t_{n}\", \"Alias\": \"t\", \"Startup Cost\": 0.00, \"Total Cost\": 35.50, \"Plan Rows\": 2550, \"Plan Width\": 4, \"Filter\": \"(id > {n})\"}}"
        ),
        Form::Yaml => format!(
            "      - Node Type: \"Seq Scan\"\n        Parent Relationship: \"Member\"\n        Relation Name: \"t_{n}\"\n        Alias: \"t\"\n        Startup Cost: 0.00\n        Total Cost: 35.50\n        Plan Rows: 2550\n        Plan Width: 4\n        Filter: \"(id > {n})\"\n"
        ),
        Form::Xml => format!(
            "<Plan><Node-Type>Seq Scan</Node-Type><Parent-Relationship>Member</Parent-Relationship><Relation-Name>t_{n}</Relation-Name><Alias>t</Alias><Startup-Cost>0.00</Startup-Cost><Total-Cost>35.50</Total-Cost><Plan-Rows>2550</Plan-Rows><Plan-Width>4</Plan-Width><Filter>(id &gt; {n})</Filter></Plan>"
        ),
    };
    let scans: Vec<String> = (0..nodes).map(scan).collect();
    match form {
        Form::Text => format!(
            "Append  (cost=0.00..48.25 rows=2550 width=4) (actual time=0.011..0.012 rows=3 loops=1)\n{}",
            scans.concat()
        ),
        Form::Json => format!(
            "[{{\"Plan\": {{\"Node Type\": \"Append\", \"Startup Cost\": 0.00, \"Total Cost\": 48.25, \"Plan Rows\": 2550, \"Plan Width\": 4, \"Plans\": [{}]}}}}]",
            scans.join(",")
        ),
        Form::Yaml => format!(
            "- Plan: \n    Node Type: \"Append\"\n    Startup Cost: 0.00\n    Total Cost: 48.25\n    Plan Rows: 2550\n    Plan Width: 4\n    Plans: \n{}",
            scans.concat()
        ),
        Form::Xml => format!(
            "<explain xmlns=\"http://www.postgresql.org/2009/explain\"><Query><Plan><Node-Type>Append</Node-Type><Startup-Cost>0.00</Startup-Cost><Total-Cost>48.25</Total-Cost><Plan-Rows>2550</Plan-Rows><Plan-Width>4</Plan-Width><Plans>{}</Plans></Plan></Query></explain>",
            scans.concat()
        ),
    }
}
