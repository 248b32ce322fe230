//! `pgproof record -- CMD`: runs a command, a test suite say, against a copy of the seeded dataset, reports the loops in what it
//! sent, and makes a catalog of it.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::cli::args::{RecordArgs, RowsRequest};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::{Globals, baseline, output, target};
use crate::cli::{counts, traffic};
use crate::db::clone::{Clone as DatabaseClone, databases, drop_database};
use crate::db::connect::{DatabaseUrl, Session};
use crate::db::introspect;
use crate::db::prove_batches::{self, KeyColumn, Looped};
use crate::db::proxy::Proxy;
use crate::db::server::Cluster;
use crate::finding::Fix;
use crate::report::Report;
use crate::schema::Schema;
use crate::trace::flow::{Grade, Loop, connect};
use crate::trace::plans::Plans;
use crate::trace::recording::{Recorded, Recording};
use crate::units::Millis;

/// Runs the command, reports what it sent, and writes it as a catalog.
pub async fn run(args: &RecordArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let view = output::view(&args.view)?;
    let out = globals.directory.join(&args.out);
    for file in std::iter::once(&args.out).chain(&args.save) {
        if globals.directory.join(file).exists() && !args.force {
            return Err(
                CliError::usage(format!("{} is there already", file.display()))
                    .help("--force overwrites it; --out and --save name other files"),
            );
        }
    }
    let project = globals.project()?;
    let first = on_dataset(args, &project, globals).await?;
    let ran = if args.twice && first.status == Some(0) {
        again(args, &project, first, globals).await?
    } else {
        first
    };
    let mut report = report(&ran, &project, args);
    let over = counts::over(&ran.recording.units(), args, globals)?;
    report.findings.extend(over);
    baseline::remember(&report.findings, &project.root, globals);
    if let Some(typed) = &args.baseline {
        let accepted = baseline::accepted(typed, &project.root, globals)?;
        baseline::apply(&accepted, &mut report.findings, false, globals);
    }
    report.view = view;
    report.fail_on = output::fail_on(args.fail_on, Some(&project));
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    let code = output::finish(&outputs, &report, globals)?;
    let written = traffic::write_queries(&ran.recording, "recording", &out, &args.out)?;
    say_what_was_written(args, written, globals);
    match ran.status {
        Some(0) => Ok(code),
        Some(status) => Err(did_not_finish(format!("the command ended with {status}"))),
        None if globals.interrupt.is_set() => Err(CliError::Interrupted),
        None => Err(did_not_finish(
            "the command was ended by a signal".to_owned(),
        )),
    }
}

fn did_not_finish(message: String) -> CliError {
    CliError::Environment {
        message,
        causes: Vec::new(),
        help: Some("what it sent until then was recorded".to_owned()),
    }
}

/// What a run of the command gave.
struct Ran {
    status: Option<i32>,
    recording: Recording,
    sessions: u64,
    schema: Schema,
    /// Measured statements that take the place of loops.
    fixes: HashMap<Arc<str>, Fix>,
    /// What the run before it executed, on a dataset with fewer rows.
    before: Option<Vec<Recorded>>,
}

/// Runs the command on a copy of a project's dataset.
async fn on_dataset(
    args: &RecordArgs,
    project: &Project,
    globals: &Globals,
) -> Result<Ran, CliError> {
    let (cluster, dataset) = target::start_seeded(project, globals).await?;
    let maintenance = cluster.url("postgres");
    let copy = DatabaseClone::of(&maintenance, &dataset.database, &globals.interrupt).await?;
    let before = databases(&maintenance).await?;
    let session = Session::open(copy.url(), &globals.interrupt).await?;
    let schema = introspect::schema(&session).await?;
    session.close().await;
    let ran = recorded(args, &cluster, copy.url().database(), schema, globals).await;
    let ran = match ran {
        Ok(ran) => with_fixes(ran, &copy, globals).await,
        Err(error) => Err(error),
    };
    // A test suite's own databases are nobody's once it is over.
    let dropped = drop_new(&maintenance, &before, globals).await;
    let closed = copy.discard().await;
    cluster.stop().await;
    let ran = ran?;
    dropped?;
    closed?;
    Ok(ran)
}

/// What one statement costs in the place of each loop that is sure, measured on the copy that the command ran on.
async fn with_fixes(ran: Ran, copy: &DatabaseClone, globals: &Globals) -> Result<Ran, CliError> {
    let mut loops = ran.recording.loops();
    connect(&mut loops, &ran.schema);
    let sure = loops
        .iter()
        .filter(|found| found.grade == Grade::Proven && !ran.recording.writes(found));
    let mut fixes = HashMap::new();
    let mut session = None;
    for found in sure {
        globals.interrupt.check()?;
        let Some(looped) = looped(found, &ran) else {
            continue;
        };
        if session.is_none() {
            session = Some(Session::open(copy.url(), &globals.interrupt).await?);
        }
        if let Some(session) = &session
            && let Some(fix) = prove_batches::prove(session, &looped).await
        {
            fixes.insert(Arc::clone(&found.child), fix);
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
    Ok(Ran { fixes, ..ran })
}

/// A loop with the column that its keys come from; `None` where either is not known.
fn looped(found: &Loop, ran: &Ran) -> Option<Looped> {
    let (table, attribute) = found.source.as_ref()?.origin;
    let table = ran.schema.table_by_oid(table)?;
    let mut columns = table.columns.iter();
    let column = columns.find(|column| column.number == attribute)?;
    Some(Looped {
        sql: ran.recording.with_key(found)?,
        keys: KeyColumn {
            table: (table.name.schema.clone(), table.name.name.clone()),
            column: column.name.clone(),
            type_name: column.data_type.name.clone(),
        },
        number: found.executions,
    })
}

/// Runs the command once more, where every parent has more rows.
async fn again(
    args: &RecordArgs,
    project: &Project,
    first: Ran,
    globals: &Globals,
) -> Result<Ran, CliError> {
    let mut larger = project.clone();
    larger.settings.rows.extend(more_rows(&first.schema));
    globals
        .progress
        .note("once more, on a dataset with more rows for every parent".to_owned());
    let second = on_dataset(args, &larger, globals).await?;
    Ok(Ran {
        before: Some(first.recording.statements()),
        ..second
    })
}

/// Rows of each table for the second dataset: a table that references none has twice as many, one that references those four
/// times, so that each parent has twice the children.
fn more_rows(schema: &Schema) -> Vec<RowsRequest> {
    /// A chain longer than this has its share of more rows in its first links.
    const DEEPEST: u32 = 3;
    let depths = schema.depths_of_references();
    let tables = schema.tables.iter().zip(depths);
    tables
        .filter(|(table, _)| table.partition_of.is_none() && !is_of_a_tool(&table.name.name))
        .filter_map(|(table, depth)| {
            let rows = table.stats.rows.filter(|rows| *rows >= 1.0)?;
            let factor = 2_u32.pow((depth + 1).min(DEEPEST));
            Some(RowsRequest {
                table: Some(table.name.to_string()),
                rows: (rows * f64::from(factor)) as u64,
            })
        })
        .collect()
}

/// Where a migration tool keeps what it did.
fn is_of_a_tool(table: &str) -> bool {
    table.contains("migration") || table.contains("schema_version") || table.starts_with("flyway_")
}

fn report(ran: &Ran, project: &Project, args: &RecordArgs) -> Report {
    let mut inconclusive = Vec::new();
    if ran.recording.losses() > 0 {
        inconclusive.push(format!(
            "{} executions could not be read",
            ran.recording.losses()
        ));
    }
    traffic::report(
        &ran.recording,
        traffic::Source {
            from: vec![args.command.join(" ")],
            sessions: ran.sessions,
            inconclusive,
            plans: Plans::default(),
            project: Some(project),
            schema: Some(&ran.schema),
            fixes: ran.fixes.clone(),
            before: ran.before.as_deref(),
        },
    )
}

async fn recorded(
    args: &RecordArgs,
    cluster: &Cluster,
    database: &str,
    schema: Schema,
    globals: &Globals,
) -> Result<Ran, CliError> {
    let server = cluster.loopback_url(database)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let file = args.save.as_deref();
    let file = file.map(|file| saved(file, globals)).transpose()?;
    let proxy = Proxy::saving(address, file)
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
    Ok(Ran {
        status,
        sessions: proxy.sessions(),
        recording: proxy.take_recording().map_err(|error| {
            let file = args.save.as_deref().unwrap_or(Path::new(""));
            traffic::cannot_write(file, &error)
        })?,
        schema,
        fixes: HashMap::new(),
        before: None,
    })
}

/// The file that a recording is saved to, which nobody else may read.
fn saved(file: &Path, globals: &Globals) -> Result<File, CliError> {
    let path = globals.directory.join(file);
    // A file that was there would keep its mode.
    let _ = std::fs::remove_file(&path);
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
        .open(path)
        .map_err(|error| traffic::cannot_write(file, &error))
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

fn say_what_was_written(
    args: &RecordArgs,
    (queries, left_out): (usize, Option<String>),
    globals: &Globals,
) {
    if let Some(left_out) = left_out {
        globals.progress.note(left_out);
    }
    if queries == 0 {
        globals.progress.note(
            "no query was sent: does the command take its database from DATABASE_URL or PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE?",
        );
        return;
    }
    let out = args.out.display();
    globals.progress.note(format!(
        "wrote {out} ({queries} queries); next: pgproof audit {out}"
    ));
}
