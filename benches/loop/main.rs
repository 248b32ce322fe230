//! What the daily loop takes on the sample project: everything, nothing changed, one query changed, one index changed.
//! `cargo bench --bench loop`; works on a copy of the sample below Cargo's temporary directory. Shares of the whole audit in the same
//! run say more than seconds where others use the machine, too.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

type Error = Box<dyn std::error::Error>;

/// What a project is made of.
const PARTS: [&str; 4] = ["pgproof.toml", "migrations", "queries", "seeds"];
/// The sample's catalog as an editor changes it.
const EDITED: &str = "queries/orders.sql";
/// The day of the dataset, so that it lasts.
const DAY: &str = "[dataset]\ntoday = \"2026-11-01\"";

fn main() -> Result<(), Error> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("loop");
    for part in PARTS {
        let _ = fs::remove_dir_all(project.join(part));
        copy(&sample.join(part), &project.join(part))?;
    }
    edit(&project.join("pgproof.toml"), |text| {
        text.replace("[dataset]", DAY)
    })?;
    time(&project, &["seed"])?;
    println!("| audit of the sample project | | of everything |\n|---|--:|--:|");
    let everything = time(&project, &["audit", "--fresh"])?;
    let told = |what: &str, seconds: f64| {
        let share = 100.0 * seconds / everything;
        println!("| {what} | {seconds:.2} s | {share:.1} % |");
    };
    told("everything", everything);
    told("nothing changed", time(&project, &["audit"])?);
    let query = project.join(EDITED);
    edit(&query, |text| text.replacen("SELECT", "SELECT ALL", 1))?;
    told("one query changed", time(&project, &["audit"])?);
    let index = "CREATE INDEX loop_bench ON orders (status, placed_at);\n";
    fs::write(project.join("migrations/9999_loop.sql"), index)?;
    told(
        "the same with one index changed, dataset and all",
        time(&project, &["audit"])?,
    );
    told("nothing changed since", time(&project, &["audit"])?);
    Ok(())
}

/// Seconds that a command takes in the project.
fn time(project: &Path, arguments: &[&str]) -> Result<f64, Error> {
    let start = Instant::now();
    let ran = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .args(["--quiet"])
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .output()?;
    // 1: findings, which the sample has.
    if !matches!(ran.status.code(), Some(0 | 1)) {
        return Err(String::from_utf8_lossy(&ran.stderr).into_owned().into());
    }
    Ok(start.elapsed().as_secs_f64())
}

fn edit(file: &Path, change: impl Fn(&str) -> String) -> Result<(), Error> {
    let text = fs::read_to_string(file)?;
    let changed = change(&text);
    if changed == text {
        return Err(format!("{} has nothing to change", file.display()).into());
    }
    Ok(fs::write(file, changed)?)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let target: PathBuf = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else {
            let folder = if from.is_file() { to } else { &target };
            fs::create_dir_all(folder.parent().unwrap_or(to))?;
            fs::copy(entry.path(), folder)?;
        }
    }
    Ok(())
}
