//! Peak memory of `pgproof seed` by how much it loads: it must not grow with the rows.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MIGRATION: &str = include_str!("tables.sql");

/// Runs the program itself on a project with the two tables, `rows` rows each.
pub(crate) fn measure(directory: &Path, counts: &[u64]) {
    let project = directory.join("memory");
    let _ = std::fs::remove_dir_all(&project);
    for (name, text) in [
        ("migrations/0001_tables.sql", MIGRATION),
        ("queries/none.sql", "-- name: Nothing :one\nSELECT 1;\n"),
        ("seeds/tables.toml", include_str!("spec.toml")),
        ("pgproof.toml", ""),
    ] {
        let path = project.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    println!("Peak memory of `pgproof seed`, two tables of as many rows each");
    for rows in counts {
        for dry in [true, false] {
            if !dry && *rows > 100_000_000 {
                println!("  {rows:>13} rows, loaded   not here: the disk");
                continue;
            }
            let start = Instant::now();
            let peak = peak_of(&project, *rows, dry);
            let what = if dry { "planned" } else { "loaded" };
            println!(
                "  {rows:>13} rows, {what:8} {:7.1} MB  {:6.1} s",
                peak as f64 / 1024.0,
                start.elapsed().as_secs_f64()
            );
        }
    }
    std::fs::remove_dir_all(project).unwrap();
}

/// Kilobytes resident at most, as the kernel counts them.
fn peak_of(project: &Path, rows: u64, dry: bool) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args(["seed", "--rows", &rows.to_string()])
        .args(dry.then_some("--dry-run"));
    let mut child = command
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success(), "{ended}");
            return peak;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
            .max(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
}
