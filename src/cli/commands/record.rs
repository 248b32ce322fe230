//! `pgproof record -- CMD`: runs a command, a test suite say, against a copy of the seeded dataset, and makes a catalog of what
//! it sent.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::catalog;
use crate::cli::Globals;
use crate::cli::args::RecordArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::target;
use crate::db::clone::{Clone as DatabaseClone, databases, drop_database};
use crate::db::connect::{DatabaseUrl, Session};
use crate::db::introspect;
use crate::db::proxy::Proxy;
use crate::db::server::Cluster;
use crate::trace::event::{Statement, Statements};
use crate::trace::flow::{Grade, Loop, connect};
use crate::trace::recording::Recorded;
use crate::units::Millis;
use crate::write;

/// Runs the command and writes what it sent.
pub async fn run(args: &RecordArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let out = globals.directory.join(&args.out);
    if out.exists() && !args.force {
        return Err(
            CliError::usage(format!("{} is there already", args.out.display()))
                .help("--force overwrites it; --out names another file"),
        );
    }
    let project = target::for_recording(globals.project()?, globals);
    let (cluster, dataset) = target::start_seeded(&project, globals).await?;
    let maintenance = cluster.url("postgres");
    let copy = DatabaseClone::of(&maintenance, &dataset.database, &globals.interrupt).await?;
    let before = databases(&maintenance).await?;
    let session = Session::open(copy.url(), &globals.interrupt).await?;
    let schema = introspect::schema(&session).await?;
    session.close().await;
    let mut ran = recorded(args, &cluster, copy.url().database(), globals).await;
    if let Ok(ran) = &mut ran {
        connect(&mut ran.recording.loops, &schema);
    }
    // A test suite's own databases are nobody's once it is over.
    let dropped = drop_new(&maintenance, &before, globals).await;
    let closed = copy.discard().await;
    cluster.stop().await;
    let Ran { status, recording } = ran?;
    let written = write(args, &out, &recording, globals);
    dropped?;
    closed?;
    written?;
    match status {
        Some(0) => Ok(ExitCode::Success),
        Some(code) => Err(CliError::Environment {
            message: format!("the command ended with {code}"),
            causes: Vec::new(),
            help: Some("what it sent until then was recorded".to_owned()),
        }),
        None if globals.interrupt.is_set() => Err(CliError::Interrupted),
        None => Err(CliError::Environment {
            message: "the command was ended by a signal".to_owned(),
            causes: Vec::new(),
            help: Some("what it sent until then was recorded".to_owned()),
        }),
    }
}

/// What a run of the command gave.
struct Ran {
    status: Option<i32>,
    recording: Summary,
}

struct Summary {
    statements: Vec<Recorded>,
    loops: Vec<Loop>,
    executions: u64,
    lost: u64,
    sessions: u64,
}

async fn recorded(
    args: &RecordArgs,
    cluster: &Cluster,
    database: &str,
    globals: &Globals,
) -> Result<Ran, CliError> {
    let server = cluster.loopback_url(database)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let proxy = Proxy::before(address)
        .await
        .map_err(|error| CliError::Environment {
            message: "no port for the recording proxy".to_owned(),
            causes: vec![error.to_string()],
            help: None,
        })?;
    let url = server.with_port(proxy.port());
    globals.progress.note(format!(
        "recording on 127.0.0.1:{}: DATABASE_URL and PG* are set for {}",
        proxy.port(),
        args.command.first().map_or("", String::as_str)
    ));
    let status = run_command(&args.command, &url, globals).await?;
    let recording = proxy.recording();
    Ok(Ran {
        status,
        recording: Summary {
            statements: recording.statements(),
            loops: recording.loops(),
            executions: recording.executions(),
            lost: recording.losses(),
            sessions: proxy.sessions(),
        },
    })
}

/// Runs it with the database in its environment; `None` where a signal ended it.
async fn run_command(
    command: &[String],
    url: &DatabaseUrl,
    globals: &Globals,
) -> Result<Option<i32>, CliError> {
    /// So long a command has to end after Ctrl-C, which a terminal sends to it, too.
    const GRACE: Duration = Duration::from_secs(5);
    let Some((program, arguments)) = command.split_first() else {
        return Err(CliError::usage("there is no command to record")
            .help("give it after --, as in `pgproof record -- npm test`"));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(&globals.directory)
        .envs(url.variables())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| CliError::usage(format!("{program} cannot be run: {error}")))?;
    let waited = globals.interrupt.race(child.wait()).await;
    let status = match waited {
        Ok(status) => status,
        Err(_) => {
            let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await else {
                // What it sent so far is kept.
                let _ = child.kill().await;
                return Ok(None);
            };
            status
        }
    };
    let status = status.map_err(|error| CliError::Environment {
        message: format!("{program} cannot be waited for"),
        causes: vec![error.to_string()],
        help: None,
    })?;
    Ok(status.code())
}

/// Drops the databases that came since; pgproof's own are other commands' business.
async fn drop_new(
    maintenance: &DatabaseUrl,
    before: &BTreeSet<String>,
    globals: &Globals,
) -> Result<(), CliError> {
    let now = databases(maintenance).await?;
    let new = now
        .difference(before)
        .filter(|name| !name.starts_with("pgproof"));
    for name in new {
        drop_database(maintenance, name).await?;
        globals
            .progress
            .note(format!("dropped {name}, which the command made"));
    }
    Ok(())
}

fn write(
    args: &RecordArgs,
    out: &Path,
    recording: &Summary,
    globals: &Globals,
) -> Result<(), CliError> {
    let rows = recording.statements.iter().map(|each| Statement {
        text: each.text.clone(),
        calls: each.executions as f64,
        total_ms: None,
        seconds: None,
        line: 1,
    });
    let statements = Statements {
        from: PathBuf::from("recording"),
        rows: rows.collect(),
    };
    let (text, left_out) = catalog::written(&statements);
    let queries = text.matches("-- name: ").count();
    if queries > 0 {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        }
        write::text(out, &text).map_err(|error| cannot_write(&args.out, &error))?;
    }
    globals.print(&summary(args, recording, queries, left_out.as_deref()))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Environment {
        message: format!("{} cannot be written", path.display()),
        causes: vec![error.to_string()],
        help: None,
    }
}

/// Loops whose values were seen to come from another statement's rows, and rows that were fetched again and again.
fn loops_in_words(recording: &Summary) -> String {
    const SHOWN: usize = 10;
    let mut text = String::new();
    let has_a_plan = |found: &&Loop| catalog::has_a_plan(&found.child);
    let loops: Vec<&Loop> = recording.loops.iter().filter(has_a_plan).collect();
    for found in loops.iter().take(SHOWN) {
        let _ = writeln!(text, "{}\n    {}", found.heading(), shortened(&found.child));
        if let Some(source) = &found.source {
            let _ = writeln!(
                text,
                "  {}\n    {}",
                source.in_words(),
                shortened(&source.parent)
            );
        }
        if found.grade != Grade::Repeated {
            let _ = writeln!(
                text,
                "  {} round trips where one would do: {} at 0.5 ms each, {} at 5 ms",
                found.executions,
                Millis(found.executions as f64 * 0.5),
                Millis(found.executions as f64 * 5.0)
            );
        }
    }
    if loops.len() > SHOWN {
        let _ = writeln!(text, "and {} loops more", loops.len() - SHOWN);
    }
    if recording.lost > 0 && loops.is_empty() {
        text.push_str(
            "whether there are loops is not known: not all that was sent could be read\n",
        );
    }
    text
}

/// The beginning of a statement, in one line.
fn shortened(text: &str) -> String {
    const MOST: usize = 90;
    let mut characters = text.chars();
    let beginning: String = characters.by_ref().take(MOST).collect();
    match characters.next() {
        Some(_) => format!("{beginning}…"),
        None => beginning,
    }
}

/// What was recorded, which statements came as in a loop, and what to do next.
fn summary(
    args: &RecordArgs,
    recording: &Summary,
    queries: usize,
    left_out: Option<&str>,
) -> String {
    /// From so many executions on.
    const LOOP: u64 = 5;
    const SHOWN: usize = 5;
    let mut text = format!(
        "{} executions in {} sessions, {queries} queries\n",
        recording.executions, recording.sessions
    );
    if let Some(left_out) = left_out {
        let _ = writeln!(text, "{left_out}");
    }
    if recording.lost > 0 {
        let _ = writeln!(
            text,
            "{} executions could not be read: the recording is not complete",
            recording.lost
        );
    }
    text.push_str(&loops_in_words(recording));
    let is_known = |each: &Recorded| {
        recording
            .loops
            .iter()
            .any(|found| *found.child == *each.form)
    };
    let mut rows: Vec<&Recorded> = recording
        .statements
        .iter()
        .filter(|each| each.longest_loop >= LOOP && catalog::has_a_plan(&each.text))
        .filter(|each| !is_known(each))
        .collect();
    rows.sort_by_key(|each| std::cmp::Reverse(each.longest_loop));
    if !rows.is_empty() {
        text.push_str("executed again and again by one session, as a loop would; one statement for all of them may do:\n");
    }
    for each in rows.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "  {:>6} times  {}",
            each.longest_loop,
            shortened(&each.text)
        );
    }
    if queries == 0 {
        text.push_str(
            "no query was sent: does the command take its database from DATABASE_URL or PGHOST, PGPORT, PGUSER, PGPASSWORD and \
             PGDATABASE?\n",
        );
    } else {
        let out = args.out.display();
        let _ = writeln!(text, "wrote {out}\nnext: pgproof audit {out}");
    }
    text
}
