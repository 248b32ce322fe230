//! `pgproof server`: the seeded embedded server, for daily work.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::cli::Globals;
use crate::cli::args::{ServerArgs, ServerCommand};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::target;
use crate::db::dev::{self, Existing, State};
use crate::db::server::Cluster;
use crate::db::server::ClusterOptions;
use crate::db::server::daemon::{self, Running, Status};
use crate::db::server::prune::{self, Extent, Mode, Waste};
use crate::report::summary::plural;
use crate::results;
use crate::units::Bytes;

/// A result that was not used for so long is of an earlier state of the project.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Does what was asked with the project's server.
pub async fn run(args: &ServerArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let project = globals.project()?;
    match &args.command {
        ServerCommand::Start { fresh } => {
            let existing = if *fresh {
                Existing::Replace
            } else {
                Existing::Keep
            };
            start(&project, globals, existing).await?;
        }
        ServerCommand::Stop => stop(&project, globals)?,
        ServerCommand::Status => status(&project, globals).await?,
        ServerCommand::Prune { dry_run, all } => {
            let (mode, extent) = asked(*dry_run, *all);
            prune(&project, globals, mode, extent).await?;
        }
        ServerCommand::Remove { dry_run, all } => {
            let (mode, extent) = asked(*dry_run, *all);
            remove(&project, globals, mode, extent)?;
        }
        ServerCommand::Url => url(&project, globals).await?,
        ServerCommand::Psql { args } => return Err(psql(&project, globals, args).await?),
    }
    Ok(ExitCode::Success)
}

async fn start(project: &Project, globals: &Globals, existing: Existing) -> Result<(), CliError> {
    let cluster = seeded(project, globals, existing).await?;
    daemon::keep(&cluster)?;
    let address = cluster.loopback_url(dev::DATABASE)?.address();
    let text = format!(
        "PostgreSQL {} runs on {address}, database {}\n",
        cluster.version(),
        dev::DATABASE
    );
    cluster.stop().await;
    globals.print(&text)
}

fn stop(project: &Project, globals: &Globals) -> Result<(), CliError> {
    let options = target::cluster_options(project, globals);
    let stopped = daemon::stop(&options, &globals.progress, &globals.interrupt)?;
    if stopped.is_empty() {
        return globals.print("no server runs\n");
    }
    globals.print(
        &stopped
            .iter()
            .map(|major| format!("PostgreSQL {major} is stopped\n"))
            .collect::<String>(),
    )
}

async fn status(project: &Project, globals: &Globals) -> Result<(), CliError> {
    let found = daemon::status(&target::cluster_options(project, globals))?;
    if found.is_empty() {
        return globals.print("no server yet; `pgproof server start` makes one\n");
    }
    let mut text = String::new();
    for status in &found {
        text.push_str(&described(status, globals).await?);
    }
    globals.print(&text)
}

async fn described(status: &Status, globals: &Globals) -> Result<String, CliError> {
    let mut text = match &status.running {
        None => format!("PostgreSQL {} is stopped\n", status.major),
        Some(running) => {
            let until = if running.kept {
                "`pgproof server stop`"
            } else {
                "its last command ends"
            };
            let (major, address) = (status.major, running.url.address());
            format!(
                "PostgreSQL {major} runs on {address} until {until} (process {})\n",
                running.pid
            )
        }
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  files in {}, {}",
        status.directory.display(),
        status.size
    );
    if let Some(major) = status.replaced_by {
        let holds = if status.personal.is_empty() {
            ""
        } else {
            " --all"
        };
        let _ = writeln!(
            text,
            "  the project uses PostgreSQL {major} now; `pgproof server prune{holds}` removes this one"
        );
    }
    if let Some(running) = &status.running {
        for (name, size) in daemon::databases(running, &globals.interrupt).await? {
            let _ = writeln!(text, "  database {name}, {size}");
        }
    }
    Ok(text)
}

const fn asked(dry_run: bool, all: bool) -> (Mode, Extent) {
    let mode = if dry_run { Mode::Look } else { Mode::Remove };
    let extent = if all {
        Extent::All
    } else {
        Extent::WithoutWork
    };
    (mode, extent)
}

fn remove(
    project: &Project,
    globals: &Globals,
    mode: Mode,
    extent: Extent,
) -> Result<(), CliError> {
    let options = target::cluster_options(project, globals);
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let mut found = prune::remove(&options, mode, extent, progress, interrupt)?;
    found.extend(results_unused_for(Duration::ZERO, &options, mode));
    globals.print(&pruned(&found, mode))
}

/// Results of audits that nothing read for so long; removed unless this only looks.
fn results_unused_for(unused: Duration, options: &ClusterOptions, mode: Mode) -> Option<Waste> {
    let results = results::prune(&options.directory, unused, |path| match mode {
        Mode::Look => Ok(()),
        Mode::Remove => std::fs::remove_file(path),
    });
    (results.files > 0).then(|| Waste {
        what: plural(results.files, "result of an audit", "results of audits"),
        size: results.size,
        kept: None,
    })
}

async fn prune(
    project: &Project,
    globals: &Globals,
    mode: Mode,
    extent: Extent,
) -> Result<(), CliError> {
    let options = target::cluster_options(project, globals);
    let unused = match extent {
        Extent::WithoutWork => A_DAY,
        Extent::All => Duration::ZERO,
    };
    let results = results_unused_for(unused, &options, mode);
    let mut found = prune::prune(
        &options,
        mode,
        extent,
        &globals.progress,
        &globals.interrupt,
    )
    .await?;
    found.extend(results);
    globals.print(&pruned(&found, mode))
}

fn pruned(found: &[Waste], mode: Mode) -> String {
    let (removed, freed) = match mode {
        Mode::Remove => ("removed", "freed"),
        Mode::Look => ("would remove", "would free"),
    };
    let mut text = String::new();
    let mut sum = Bytes(0);
    for Waste { what, size, kept } in found {
        // Writing to a string cannot fail.
        let _ = match kept {
            Some(why) => writeln!(text, "kept {what} ({size}): {why}"),
            None => {
                sum.0 += size.0;
                writeln!(text, "{removed} {what} ({size})")
            }
        };
    }
    if sum.0 == 0 {
        text.push_str("nothing to remove\n");
    } else {
        let _ = writeln!(text, "{freed} {sum}");
    }
    text
}

async fn url(project: &Project, globals: &Globals) -> Result<(), CliError> {
    let found = daemon::status(&target::cluster_options(project, globals))?;
    // The configured major's, else the newest one's that runs.
    let running = found
        .iter()
        .filter(|status| {
            project
                .settings
                .server
                .version
                .is_none_or(|major| major == status.major)
        })
        .filter_map(|status| status.running.as_ref())
        .next_back()
        .ok_or_else(not_running)?;
    globals.print(&format!("{}\n", daily(running, globals).await?))
}

/// The database for daily work where there is one, with the password: that is what was asked for.
async fn daily(running: &Running, globals: &Globals) -> Result<String, CliError> {
    let made = dev::origin(&running.url, &globals.interrupt)
        .await?
        .is_some();
    let url = if made {
        running.url.with_database(dev::DATABASE)
    } else {
        running.url.clone()
    };
    Ok(url.reveal())
}

fn not_running() -> CliError {
    CliError::Environment {
        message: "the embedded server does not run".to_owned(),
        causes: Vec::new(),
        help: Some("`pgproof server start` starts it and leaves it running".to_owned()),
    }
}

/// Becomes psql; the server runs as long as psql does. Returns what went wrong.
async fn psql(project: &Project, globals: &Globals, args: &[String]) -> Result<CliError, CliError> {
    let cluster = seeded(project, globals, Existing::Keep).await?;
    let beside = cluster.binaries().join("psql");
    let program = if beside.is_file() {
        beside
    } else {
        PathBuf::from("psql")
    };
    let mut command = Command::new(program);
    command
        .arg("-d")
        .arg(cluster.url(dev::DATABASE).reveal())
        .args(args);
    Ok(cluster.become_command(&mut command).into())
}

/// The server with the database for daily work, made from the dataset where it is not there.
async fn seeded(
    project: &Project,
    globals: &Globals,
    existing: Existing,
) -> Result<Cluster, CliError> {
    let (cluster, dataset) = target::start_seeded(project, globals).await?;
    cluster.protect(dev::DATABASE, &globals.interrupt).await?;
    let state = dev::ensure(
        &cluster.url("postgres"),
        &dataset,
        existing,
        &globals.interrupt,
    )
    .await?;
    if state == State::Outdated {
        globals.progress.note(format!(
            "database {} comes from an older dataset; `pgproof server start --fresh` makes it anew and drops what was \
             changed in it",
            dev::DATABASE
        ));
    }
    Ok(cluster)
}
