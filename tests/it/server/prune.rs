//! `pgproof server prune`: what nobody needs goes, and is named; what a person works with stays.

use std::path::Path;
use std::process::Command;

use super::private;
use crate::support;

fn pgproof(project: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .env("PGPROOF_CACHE_DIR", project.join("cache"))
        .env("PGPROOF_PG_BIN", support::binaries_of(15).unwrap())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn project_of_15() -> tempfile::TempDir {
    let project = private::project();
    let settings = project.path().join("pgproof.toml");
    std::fs::write(settings, "[server]\nversion = \"15\"\n").unwrap();
    project
}

/// What is said of each thing, without its place, its size and its age.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.split(" (").next().unwrap_or(line))
        .map(|line| line.split(" in /").next().unwrap_or(line))
        .map(|line| line.split(", /").next().unwrap_or(line))
        .map(|line| line.split(", not used").next().unwrap_or(line).to_owned())
        .filter(|line| !line.contains("freed ") && !line.contains(" free "))
        .filter(|line| line != "nothing to remove")
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn what_nobody_needs_is_removed_and_named() {
    let project = project_of_15();
    let path = project.path();
    assert_eq!(
        pgproof(path, &["server", "prune", "--dry-run"]),
        "nothing to remove\n"
    );
    let cluster = private::start(&private::options(path)).await.unwrap();
    for name in ["pgproof_0123456789abcde0", "pgproof_0123456789abcde1"] {
        private::execute(&cluster, &format!("CREATE DATABASE {name}")).await;
    }
    private::execute(
        &cluster,
        "COMMENT ON DATABASE pgproof_0123456789abcde1 IS '{\"used\": 9999999999, \"tables\": []}'",
    )
    .await;
    cluster.stop().await;
    let home = path.join(".pgproof");
    let other = |major: u32| home.join(format!("cluster-{major}"));
    for major in [14, 16] {
        std::fs::create_dir_all(other(major).join("data")).unwrap();
        std::fs::write(other(major).join("data/PG_VERSION"), format!("{major}\n")).unwrap();
    }
    std::fs::write(other(16).join("personal"), "dev\n").unwrap();
    std::fs::create_dir(other(15).join("data.damaged-1")).unwrap();
    std::fs::write(other(15).join("data.damaged-1/PG_VERSION"), "15\n").unwrap();
    std::fs::create_dir_all(path.join("cache/postgresql/.unfinished-7")).unwrap();
    std::fs::write(path.join("cache/postgresql/.unfinished-7/file"), "x").unwrap();

    let status = pgproof(path, &["server", "status"]);
    assert!(
        status.contains(
            "the project uses PostgreSQL 15 now; `pgproof server prune` removes this one"
        ) && status.contains("`pgproof server prune --all` removes this one"),
        "{status}"
    );
    let would = pgproof(path, &["server", "prune", "--dry-run"]);
    assert_eq!(
        lines(&would),
        [
            "kept the cluster of PostgreSQL 16",
            "would remove an unfinished download",
            "would remove damaged files",
            "would remove dataset pgproof_0123456789abcde0",
            "would remove the cluster of PostgreSQL 14",
        ],
        "{would}"
    );
    assert!(
        would.contains("it holds database dev; --all removes that, too"),
        "{would}"
    );
    assert!(other(14).exists(), "nothing was removed");
    let done = pgproof(path, &["server", "prune"]);
    assert_eq!(
        lines(&done),
        lines(&would.replace("would remove", "removed")),
        "{done}"
    );
    assert!(!other(14).exists() && other(16).exists());
    assert!(!other(15).join("data.damaged-1").exists());
    let all = pgproof(path, &["server", "prune", "--all"]);
    assert_eq!(
        lines(&all),
        ["removed the cluster of PostgreSQL 16"],
        "{all}"
    );
    assert!(!other(16).exists());
}

#[tokio::test]
async fn what_the_project_uses_is_removed_where_that_is_asked_for() {
    let project = project_of_15();
    let path = project.path();
    let home = path.join(".pgproof/cluster-15");
    let cluster = private::start(&private::options(path)).await.unwrap();
    std::fs::write(home.join("personal"), "dev\n").unwrap();
    let removed = |arguments: &[&str], expected: &str| {
        let shown = pgproof(path, &[&["server", "remove"], arguments].concat());
        assert_eq!(lines(&shown), [expected], "{shown}");
        shown
    };
    let kept = "kept the cluster of PostgreSQL 15";
    removed(&["--dry-run"], kept);
    let shown = removed(&[], kept);
    assert!(
        shown.contains("it holds database dev; --all removes that, too") && home.exists(),
        "{shown}"
    );
    let would = "would remove the cluster of PostgreSQL 15";
    removed(&["--dry-run", "--all"], would);
    let status = pgproof(path, &["server", "status"]);
    assert!(status.contains("PostgreSQL 15 runs"), "{status}");
    removed(&["--all"], "removed the cluster of PostgreSQL 15");
    assert!(!home.exists());
    let nothing = pgproof(path, &["server", "remove"]);
    assert_eq!(nothing, "nothing to remove\n");
    drop(cluster);
}

#[test]
fn directories_elsewhere_go_with_their_project() {
    let project = private::bare_project();
    std::fs::write(project.path().join("pgproof.toml"), "").unwrap();
    let name = format!("/tmp/pgproof-{:012x}-0", std::process::id());
    let (gone, lives) = (format!("{name}1"), format!("{name}2"));
    for (directory, origin) in [(&gone, "/nowhere/at/all"), (&lives, "/tmp")] {
        std::fs::create_dir(directory).unwrap();
        std::fs::write(Path::new(directory).join("project"), origin).unwrap();
    }
    let text = pgproof(project.path(), &["server", "prune"]);
    assert!(
        text.contains(&format!("{gone}, of /nowhere/at/all, which is gone")),
        "{text}"
    );
    assert!(!Path::new(&gone).exists());
    assert!(Path::new(&lives).exists());
    std::fs::remove_dir_all(&lives).unwrap();
}
