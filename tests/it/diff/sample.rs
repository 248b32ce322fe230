//! `pgproof diff` on the sample storefront: its newest migration drops an index, rewrites a table and adds a constraint. A
//! twentieth of the rows by default; the whole, and ten runs of a version against itself, with `-- --ignored diff::sample`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

const MIGRATION: &str = "migrations/0013_payment_amounts.sql";

#[test]
fn the_newest_migration_is_blamed_statement_by_statement() {
    let arguments = ["--from", "0012", "--to", "0013", "--fail-on", "never"];
    let run = || diff("sample-twentieth", 0.05, &arguments);
    // The lock is held for milliseconds here: on a busy machine none of the traffic may get its turn meanwhile.
    let somebody_waited = |report: &Value| report["statements"][0]["blocked"][0] != Value::Null;
    let runs = (0..3).map(|_| run());
    let (report, text) = runs
        .into_iter()
        .find(|(report, _)| somebody_waited(report))
        .unwrap_or_else(run);
    blamed(&report, &text);
}

#[test]
#[ignore = "seeds 3.4 million rows: cargo test --release --test it -- --ignored diff::sample"]
fn the_whole_sample_takes_less_than_three_minutes() {
    let arguments = ["--from", "0012", "--to", "0013", "--fail-on", "never"];
    diff("sample-diff", 1.0, &arguments);
    let start = Instant::now();
    let (report, text) = diff("sample-diff", 1.0, &arguments);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{seconds:.1} s: {}",
        text.lines().last().unwrap_or_default()
    );
    blamed(&report, &text);
    let lost = named(&report, "ListFailedPayments");
    assert_eq!(lost["verdict"], "major-regression", "{text}");
    let spent = |key: &str| report["spent_ms"][key].as_f64().unwrap();
    let share = (spent("queries") + spent("migrations")) / report["elapsed_ms"].as_f64().unwrap();
    assert!(seconds < 180.0 && share > 0.5, "{seconds} s, {share}");
}

#[test]
#[ignore = "seeds the sample at three scales: cargo test --release --test it -- --ignored diff::sample"]
fn what_two_scales_foretell_is_measured_at_a_third() {
    let versions = ["--from", "0012", "--to", "0013", "--fail-on", "never"];
    let foretold = diff(
        "sample-quarter",
        0.25,
        &[&versions[..], &["--extrapolate", "4"]].concat(),
    )
    .0;
    let measured = diff("sample-diff", 1.0, &versions).0;
    let statements = |report: &Value| report["statements"].as_array().unwrap().clone();
    let mut compared = 0;
    for (foretold, measured) in statements(&foretold).iter().zip(statements(&measured)) {
        let at = &foretold["extrapolation"];
        let (Some(low), Some(high)) = (at["low_ms"].as_f64(), at["high_ms"].as_f64()) else {
            continue;
        };
        let took = measured["duration_ms"].as_f64().unwrap();
        println!(
            "line {}: {:.0} ms, foretold {} ({low:.0} to {high:.0})",
            measured["line"], took, at["expected_ms"]
        );
        assert!((low..=high).contains(&took), "{foretold:#}");
        compared += 1;
    }
    assert!(compared >= 1);
}

#[test]
#[ignore = "ten runs on 3.4 million rows: cargo test --release --test it -- --ignored diff::sample"]
fn a_version_against_itself_is_no_regression_and_no_improvement_in_ten_runs() {
    let mut found = Vec::new();
    for run in 1..=10 {
        let (report, text) = diff(
            "sample-diff",
            1.0,
            &["--from", "0013", "--to", "0013", "--fail-on", "never"],
        );
        println!("{run}: {}", text.lines().last().unwrap_or_default());
        for query in report["queries"].as_array().unwrap() {
            let verdict = query["verdict"].as_str().unwrap();
            if !matches!(verdict, "unchanged" | "unstable" | "neutral") {
                found.push(format!("run {run}: {} is a {verdict}", query["query"]));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn named<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["queries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|query| query["query"] == name)
        .unwrap()
}

/// What holds at every scale.
fn blamed(report: &Value, text: &str) {
    let statements = report["statements"].as_array().unwrap();
    let at: Vec<(&str, u64)> = statements
        .iter()
        .map(|s| (s["file"].as_str().unwrap(), s["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(at, [(MIGRATION, 2), (MIGRATION, 4), (MIGRATION, 6)]);
    let [drop, rewrite, check] = statements.as_slice() else {
        panic!("{text}")
    };

    // The index: who used it, and which statement took it away.
    let index = &report["indexes"][0];
    assert_eq!(
        (&index["name"], &index["added"]),
        (
            &"payments_provider_status_created_at_idx".into(),
            &false.into()
        )
    );
    assert!(
        index["queries"].to_string().contains("ListFailedPayments"),
        "{text}"
    );
    let cause = &named(report, "ListFailedPayments")["runs"][0]["cause"];
    assert_eq!(
        (&cause["file"], &cause["line"]),
        (&MIGRATION.into(), &2.into()),
        "{text}"
    );

    // The rewrite and the constraint: what they do, under whose lock, and whom they keep waiting for how long.
    assert_eq!(
        drop["locks"][0],
        serde_json::json!({ "relation": "public.payments", "mode": "access-exclusive" })
    );
    assert_eq!(
        (
            &rewrite["rewritten"][0],
            &rewrite["inherited"][0]["taken_at"]
        ),
        (&"public.payments".into(), &2.into())
    );
    assert_eq!(
        (&check["scanned"][0], &check["inherited"][0]["taken_at"]),
        (&"table payments".into(), &2.into())
    );
    // The whole transaction stands between the lock and its release, whoever came by when.
    let worst = &drop["worst_wait"];
    assert_eq!(
        (&worst["relation"], &worst["mode"]),
        (&"public.payments".into(), &"access-exclusive".into())
    );
    let (worst, works) = (
        worst["wait_ms"].as_f64().unwrap(),
        rewrite["duration_ms"].as_f64().unwrap(),
    );
    assert!(worst >= works, "{worst} {works}: {text}");
    assert_eq!(rewrite["worst_wait"], Value::Null, "{text}");
    // Queries on the table come by every few milliseconds: some met the lock.
    let traffic = report["traffic"].as_array().unwrap();
    let longest = &drop["blocked"][0];
    let who = traffic
        [usize::try_from(longest["probe"].as_u64().expect("somebody waited")).unwrap()]
    .as_str()
    .unwrap();
    assert!(who.contains("Payment"), "{who} waited: {text}");
    let waited = longest["longest_ms"].as_f64().unwrap();
    assert!(waited > 0.0, "{waited} {worst}: {text}");
    assert!(
        rewrite["kept_waiting"][0]["longest_ms"].as_f64().unwrap() > 0.0,
        "{text}"
    );

    // Behind a long reader, with and without lock_timeout.
    let pile_up = &drop["pile_up"];
    let patient = pile_up["blocked"][0]["longest_ms"].as_f64().unwrap();
    assert!(patient > 500.0, "{text}");
    assert_eq!(pile_up["with_timeout"]["through"], true, "{text}");
    assert!(
        pile_up["with_timeout"]["longest_ms"].as_f64().unwrap() < patient,
        "{text}"
    );

    // The safer forms ran, kept nobody waiting as long, and end in the same schema.
    assert_eq!(
        drop["safer"]["statements"][0],
        "DROP INDEX CONCURRENTLY payments_provider_status_created_at_idx"
    );
    for (statement, begins) in [
        (drop, "DROP INDEX CONCURRENTLY"),
        (rewrite, "ALTER TABLE payments ADD COLUMN"),
    ] {
        let safer = &statement["safer"];
        assert!(
            safer["statements"][0].as_str().unwrap().starts_with(begins),
            "{text}"
        );
        assert_eq!(safer["measured"]["failure"], Value::Null, "{text}");
        let least = safer["measured"]["worst_wait_ms"].as_f64().unwrap();
        assert!(least < worst, "{least} {worst}: {text}");
    }
    assert_eq!(
        report["safer_schema"],
        serde_json::json!({ "missing": [], "left_over": [] }),
        "{text}"
    );
}

/// Runs diff on a copy of the sample at a scale; its dataset is kept between runs, below the build directory.
fn diff(folder: &str, scale: f64, arguments: &[&str]) -> (Value, String) {
    let project = project(folder, scale);
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args([
            "diff",
            "--format",
            "terminal",
            "--format",
            "json=diff.json",
            "--quiet",
        ])
        .args(arguments)
        .current_dir(&project)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let json: Value =
        serde_json::from_str(&fs::read_to_string(project.join("diff.json")).unwrap()).unwrap();
    super::reports::valid(&json);
    (json, text)
}

fn project(folder: &str, scale: f64) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&copy).unwrap();
    for part in ["migrations", "seeds", "queries"] {
        let _ = fs::remove_dir_all(copy.join(part));
        fs::create_dir_all(copy.join(part)).unwrap();
        for entry in fs::read_dir(root.join(part)).unwrap().flatten() {
            fs::copy(entry.path(), copy.join(part).join(entry.file_name())).unwrap();
        }
    }
    let settings = fs::read_to_string(root.join("pgproof.toml")).unwrap();
    fs::write(
        copy.join("pgproof.toml"),
        settings.replace("scale = 1.0", &format!("scale = {scale:?}")),
    )
    .unwrap();
    copy
}
