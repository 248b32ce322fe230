//! `audit --at` and `growth` as a user runs them: what they print, that they say what was not run, and that a killed one leaves
//! nothing that another has to trip over.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pgproof::finding::RuleId;
use pgproof::report::json::{self, SavedReport};

use crate::lab::loaded;
use crate::server::private;
use crate::support;

const MIGRATION: &str = include_str!("lab/tables.sql");
const SEED: &str = "[tables.customers]\nrows = 8_000\n[tables.orders]\nrows = { per = \"customers\", mean = 10 }\n\
                    [tables.items]\nrows = 20_000\n[tables.events]\nrows = 5_000\n";
const QUERIES: &str = "\
-- name: OrderById :one
SELECT * FROM orders WHERE id = $1;

-- name: OrdersOfCustomer :many
SELECT * FROM orders WHERE customer_id = $1 ORDER BY placed DESC LIMIT 10;

-- name: CountByNote :one
SELECT count(*) FROM orders WHERE note LIKE '%' || $1 || '%';

-- name: NewOrders :many
SELECT id, total FROM orders WHERE status = 'new' AND placed > '2024-06-01';

-- name: Revenue :many
SELECT c.country, sum(o.total) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.country;
";

/// By the schema that documents it.
fn assert_is_valid(report: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/report.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document = serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {report}"));
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// Rows that a spec counts.
const FIXED: &str = "[tables.orders]\nrows = 5000\n";

struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "pgproof.toml",
            "migrations = \"migrations\"\nqueries = [\"queries/*.sql\"]\nseeds = [\"seeds/*.toml\"]\n",
        );
        write("migrations/0001_shop.sql", MIGRATION);
        write("seeds/shop.toml", SEED);
        write("queries/shop.sql", QUERIES);
        Self { directory }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command
            .args(args)
            .current_dir(self.directory.path())
            .env_remove("DATABASE_URL")
            .env(
                "PGPROOF_PG_BIN",
                support::binaries_of(support::MAJOR).unwrap(),
            )
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What it prints where it ends as it should.
    fn printed(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{text}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        text
    }

    fn report(&self, args: &[&str]) -> SavedReport {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_is_valid(&text);
        json::read(&text).unwrap_or_else(|error| {
            panic!(
                "{error}\n{text}\n{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// Files of databases that are longer than any of the dataset's.
    fn stretched(&self) -> Vec<PathBuf> {
        let files = walkdir::WalkDir::new(self.directory.path().join(".pgproof"))
            .into_iter()
            .flatten();
        let is_stretched =
            |path: &Path| std::fs::metadata(path).is_ok_and(|found| found.len() == 1 << 30);
        files
            .map(walkdir::DirEntry::into_path)
            .filter(|path| is_stretched(path))
            .collect()
    }
}

#[test]
fn the_catalog_is_planned_at_ten_billion_rows() {
    let project = Project::new();
    let text = project.printed(&["audit", "--at", "1e10"], 0);
    assert!(text.contains("10,000,000,000 rows of orders"), "{text}");
    let of_queries: Vec<&str> = text.lines().filter(|line| line.contains("cost ")).collect();
    assert!(
        of_queries.len() >= 4
            && of_queries
                .iter()
                .all(|line| line.contains("planned, not run")),
        "{text}"
    );
    assert_eq!(
        project.stretched(),
        Vec::<PathBuf>::new(),
        "nothing hollow is left"
    );

    let report = project.report(&["audit", "--at", "1e10", "--format", "json"]);
    let outlook = report.outlook.unwrap();
    assert_eq!(
        (outlook.table.as_str(), outlook.rows_then),
        ("orders", 1e10)
    );
    assert!(
        (70_000.0..90_000.0).contains(&outlook.rows_now),
        "{}",
        outlook.rows_now
    );
    let of = |name: &str| outlook.runs.iter().find(|run| run.query == name).unwrap();
    let scan = of("CountByNote");
    let times = scan.cost_then.unwrap() / scan.cost_now;
    let grown = 1e10 / outlook.rows_now;
    assert!(
        times > grown / 10.0 && times < grown * 2.0,
        "a scan costs as much more as there are rows: {times}"
    );
    let key = of("OrderById");
    assert!(
        key.cost_then.unwrap() < key.cost_now * 3.0 && key.changes.is_empty(),
        "{key:?}"
    );
    assert_eq!(report.summary.executed, 0);
}

#[test]
fn a_size_that_is_there_already_is_refused() {
    let project = Project::new();
    let output = project.run(&["audit", "--at", "10"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("rows already") && told.contains("--at"),
        "{told}"
    );
}

/// What ends a command with exit code 2, and says why.
fn refused(project: &Project, args: &[&str]) -> String {
    let output = project.run(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    error
}

#[test]
fn statistics_are_drawn_of_the_dataset_alone() {
    let project = Project::new();
    let given = ["--database-url", "postgres://nobody@localhost/none"];
    let error = refused(&project, &["audit", "--lottery", given[0], given[1]]);
    assert!(error.contains("--copy"), "{error}");
    let error = refused(&project, &["audit", "--at", "1e9", given[0], given[1]]);
    assert!(error.contains("leave --database-url out"), "{error}");
    let error = refused(&project, &["audit", "--hollow"]);
    assert!(error.contains("--profile"), "{error}");

    let args = [
        "audit",
        "--lottery",
        "20",
        "--fail-on",
        "never",
        "--format",
        "json",
    ];
    let output = project.run(&args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert_is_valid(&String::from_utf8_lossy(&output.stdout));
    assert!(error.contains("drawn 20 times"), "{error}");
    let error = refused(&project, &["audit", "--at", "1000"]);
    assert!(error.contains("rows already"), "{error}");
}

#[test]
fn a_file_that_is_no_profile_is_refused_with_what_makes_one() {
    let project = Project::new();
    let write = |name: &str, text: &str| {
        std::fs::write(project.directory.path().join(name), text).unwrap();
    };
    write(
        "stats.sql",
        "SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180000'::integer);\n",
    );
    write("notes.txt", "rows: many\n");
    let error = refused(&project, &["seed", "--profile", "stats.sql"]);
    assert!(error.contains("pgproof profile --from"), "{error}");
    let error = refused(&project, &["seed", "--profile", "notes.txt"]);
    assert!(error.contains("pgproof profile --database-url"), "{error}");
    let settings = std::fs::read_to_string(project.directory.path().join("pgproof.toml")).unwrap();
    write(
        "pgproof.toml",
        &format!("{settings}[dataset]\nprofile = \"shop.profile\"\n"),
    );
    let error = refused(&project, &["audit"]);
    assert!(error.contains("shop.profile cannot be read"), "{error}");
}

#[test]
fn work_that_grows_is_found_at_three_sizes() {
    let project = Project::new();
    let report = project.report(&["growth", "--to", "1e8", "--format", "json"]);
    let growth = report.growth.unwrap();
    println!("{growth:#?}");
    assert_eq!(growth.sizes.len(), 3);
    let of = |name: &str| {
        let runs = growth.runs.iter().filter(|run| run.query == name);
        runs.filter_map(|run| run.exponent)
            .map(|exponent| exponent.value)
            .fold(0.0, f64::max)
    };
    assert!(
        (of("CountByNote") - 1.0).abs() < 0.07,
        "{}",
        of("CountByNote")
    );
    assert!(of("OrderById") < 0.15);
    let found: Vec<&str> = report
        .findings
        .iter()
        .filter(|found| found.rule == RuleId::GrowsWithTable)
        .filter_map(|found| found.query.as_deref())
        .collect();
    assert!(
        found.contains(&"CountByNote") && !found.contains(&"OrderById"),
        "{found:?}"
    );
    let text = project.printed(&["growth", "--to", "1e8"], 1);
    assert!(
        text.contains("k = 1.0") && text.contains("confirmed at"),
        "{text}"
    );
    // What people read says the same, whatever its form.
    for format in ["markdown", "html"] {
        let text = project.printed(&["growth", "--to", "1e8", "--format", format], 1);
        assert!(
            text.contains("k = 1.0") && text.contains("looked ahead to 100,000,000"),
            "{format}: {text}"
        );
    }
}

/// Both the command and the server are killed while files are stretched.
/// What a spec, a target size and the command line count: all of it takes part.
#[test]
fn each_way_to_count_rows_grows_with_the_sizes() {
    let project = Project::new();
    let configuration = project.directory.path().join("pgproof.toml");
    let written = std::fs::read_to_string(&configuration).unwrap();
    std::fs::remove_dir_all(project.directory.path().join("seeds")).unwrap();
    let sizes = |dataset: &str| {
        let text = written.replace("seeds = [\"seeds/*.toml\"]\n", "");
        std::fs::write(&configuration, format!("{text}{dataset}")).unwrap();
        let report = project.report(&["growth", "OrderById", "--sizes", "1,4", "--format", "json"]);
        report.growth.unwrap().sizes
    };
    for dataset in [
        "[dataset]\ntarget-size = \"4MB\"\n",
        "[dataset]\nscale = 0.005\n",
    ] {
        let sizes = sizes(dataset);
        let times = sizes[1] / sizes[0];
        assert!((3.5..4.5).contains(&times), "{dataset}: {sizes:?}");
    }
    // Sizes that are nearly the same are refused.
    let spec = project.directory.path().join("seeds/fixed.toml");
    std::fs::create_dir_all(spec.parent().unwrap()).unwrap();
    std::fs::write(&spec, FIXED).unwrap();
    std::fs::write(
        &configuration,
        format!("{written}[dataset]\ntarget-size = \"2MB\"\n"),
    )
    .unwrap();
    let error = refused(&project, &["growth", "OrderById", "--sizes", "100,104"]);
    assert!(error.contains("of it grows"), "{error}");
}

#[test]
fn what_a_killed_command_stretched_is_gone_before_anything_uses_it() {
    let project = Project::new();
    assert_eq!(project.run(&["seed"]).status.code(), Some(0));
    let mut killed = project
        .command(&["audit", "--at", "1e10"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while project.stretched().is_empty() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "nothing was stretched"
        );
        assert!(
            killed.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let server = private::postmaster(project.directory.path()).expect("the server runs");
    killed.kill().unwrap();
    private::kill(server, "KILL");
    killed.wait().unwrap();
    assert!(
        !project.stretched().is_empty(),
        "it was killed in the middle"
    );

    let text = project.printed(&["seed"], 0);
    assert!(
        text.contains("it was there already"),
        "the dataset is not hurt: {text}"
    );
    assert_eq!(project.stretched(), Vec::<PathBuf>::new());
    let report = project.report(&["audit", "--format", "json"]);
    assert!(report.summary.executed >= 4, "{:?}", report.summary);
}

/// Production's numbers of two days: the catalog is planned with those of one, and what flipped a plan in between is named.
#[tokio::test(flavor = "multi_thread")]
async fn two_profiles_say_what_flipped_a_plan() {
    let production = loaded(&support::cluster(), 20_000).await;
    let project = Project::new();
    let url = production.url().reveal();
    let profile = |file: &str| {
        let output = project.run(&[
            "profile",
            "--database-url",
            &url,
            "-o",
            file,
            "--key-file",
            "key",
        ]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    profile("before.profile");
    production
        .execute("UPDATE orders SET status = 'new' WHERE id % 10 > 0")
        .await;
    production.execute("ANALYZE orders").await;
    profile("after.profile");

    let text = project.printed(&["why", "before.profile", "after.profile"], 0);
    assert!(
        text.contains("NewOrders") && text.contains("because of orders"),
        "{text}"
    );
    let text = project.printed(&["why", "before.profile", "before.profile"], 0);
    assert!(text.contains("the same numbers"), "{text}");

    let report = project.report(&[
        "audit",
        "--hollow",
        "--profile",
        "before.profile",
        "--format",
        "json",
    ]);
    let outlook = report.outlook.unwrap();
    println!("{outlook:#?}");
    assert_eq!(outlook.table, "items", "the profile's largest table");
    assert!(
        (390_000.0..410_000.0).contains(&outlook.rows_then),
        "{}",
        outlook.rows_then
    );
    assert!(outlook.runs.len() >= 5 && outlook.runs.iter().all(|run| run.cost_then.is_some()));
    assert_eq!(report.summary.executed, 0);
}
