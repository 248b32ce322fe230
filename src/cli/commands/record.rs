//! `pgproof record`: listens before a copy of the seeded dataset, or before a given database, while a command runs, a test suite
//! say, or until it is stopped; reports the loops in what was sent, and makes a catalog of it.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::cli::args::{RecordArgs, RowsRequest};
use crate::cli::counts;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::traffic::{self, Constants};
use crate::cli::{Globals, UrlSource, baseline, output, target};
use crate::db::clone::{Clone as DatabaseClone, databases, drop_database};
use crate::db::connect::{DatabaseUrl, Session, TlsMode, describe};
use crate::db::function_log::FunctionLog;
use crate::db::introspect;
use crate::db::prove_batches::returned::returned;
use crate::db::prove_batches::{self, KeyColumn, Looped};
use crate::db::proxy::{Certificate, ListenAt, Listening, Proxy};
use crate::finding::Fix;
use crate::interrupt::Interrupt;
use crate::report::Report;
use crate::schema::Schema;
use crate::trace::flow::{Grade, Loop, connect};
use crate::trace::plans::Plans;
use crate::trace::recording::{Recorded, Recording};
use crate::trace::scale::RowsReturned;
use crate::units::Millis;

/// Runs the command, reports what it sent, and writes it as a catalog.
pub async fn run(args: &RecordArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    // Before anything is started.
    traffic::keeps(args.keep_values)?;
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
    let (ran, project) = match globals.database()? {
        Some(database) => {
            let project = Project::load_if_there(globals.config.as_deref(), &globals.directory)?;
            (on_given(args, &database, globals).await?, project)
        }
        None => {
            let project = target::for_recording(globals.project()?, globals);
            let first = on_dataset(args, &project, globals).await?;
            let ran = if args.twice && first.ended == Ended::Status(0) {
                again(args, &project, first, globals).await?
            } else {
                first
            };
            (ran, Some(project))
        }
    };
    let project = project.as_ref();
    let root = project.map_or(&globals.directory, |project| &project.root);
    let mut report = report(&ran, project, args);
    if args.redact {
        traffic::redact(&mut report);
    }
    let over = counts::over(&ran.recording.units(), args, globals)?;
    report.findings.extend(over);
    baseline::remember(&report.findings, root, globals);
    if let Some(typed) = &args.baseline {
        let accepted = baseline::accepted(typed, root, globals)?;
        baseline::apply(&accepted, &mut report.findings, false, globals);
    }
    report.view = view;
    report.fail_on = output::fail_on(&args.fail_on, project);
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    let code = output::finish(&outputs, &report, globals)?;
    let written = traffic::write_queries(
        &ran.recording,
        match args.redact {
            true => Constants::TakenOut,
            false => Constants::AsWritten,
        },
        "recording",
        &out,
        &args.out,
    )?;
    say_what_was_written(args, written, globals);
    match ran.ended {
        Ended::Stopped | Ended::Status(0) => Ok(code),
        Ended::Status(status) => Err(did_not_finish(format!("the command ended with {status}"))),
        Ended::Signal if globals.interrupt.is_set() => Err(CliError::Interrupted),
        Ended::Signal => Err(did_not_finish(
            "the command was ended by a signal".to_owned(),
        )),
    }
}

/// How a recording came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The command ended by itself.
    Status(i32),
    /// The command was ended by a signal.
    Signal,
    /// There was no command: the user stopped listening, or the time was over.
    Stopped,
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
    ended: Ended,
    recording: Recording,
    sessions: u64,
    schema: Schema,
    /// Measured statements that take the place of loops.
    fixes: HashMap<Arc<str>, Fix>,
    /// Rows that statements before loops return on the dataset.
    returned: HashMap<Arc<str>, RowsReturned>,
    /// Why what functions executed is not known whole.
    inconclusive: Option<String>,
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
    let functions = FunctionLog::begin(&session, &maintenance, cluster.log()).await;
    session.close().await;
    let functions = functions.unwrap_or_else(|error| {
        let reason = describe(&error);
        globals.progress.note(format!(
            "statements that functions execute are not seen: {reason}"
        ));
        None
    });
    let ran = match cluster.loopback_url(copy.url().database()) {
        Ok(server) => recorded(args, &server, schema, globals).await,
        Err(error) => Err(error.into()),
    };
    let ran = match functions {
        Some(functions) => with_functions(ran, functions).await,
        None => ran,
    };
    let ran = match ran {
        Ok(ran) => {
            // Ctrl-C ended the recording, where nothing else would have; its report is what is still to come.
            let (interrupt, patience) = match ran.ended {
                Ended::Stopped => (Interrupt::new(), Duration::from_secs(15)),
                Ended::Status(_) | Ended::Signal => {
                    (globals.interrupt.clone(), Duration::from_secs(60))
                }
            };
            let end = Instant::now() + patience;
            let ran = with_fixes(ran, &copy, &interrupt, end).await;
            match ran {
                Ok(ran) => {
                    let from = (&maintenance, dataset.database.as_str());
                    Ok(at_scale(ran, from, &interrupt, end, globals).await)
                }
                Err(error) => Err(error),
            }
        }
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

/// With what functions executed meanwhile.
async fn with_functions(
    ran: Result<Ran, CliError>,
    functions: FunctionLog,
) -> Result<Ran, CliError> {
    let mut ran = match ran {
        Ok(ran) => ran,
        Err(error) => {
            // Its settings go with it; what it holds has no recording to go to.
            let _ = functions.end(&mut |_, _| {}).await;
            return Err(error);
        }
    };
    let recording = &mut ran.recording;
    let ended = functions
        .end(&mut |caller, inside| recording.inside(caller, inside))
        .await;
    ran.inconclusive = ended.unwrap_or_else(|error| {
        Some(format!(
            "the log of what functions executed cannot be read: {error}"
        ))
    });
    Ok(ran)
}

/// What one statement costs in the place of each loop that is sure, measured on the copy that the command ran on.
async fn with_fixes(
    ran: Ran,
    copy: &DatabaseClone,
    interrupt: &Interrupt,
    end: Instant,
) -> Result<Ran, CliError> {
    let mut loops = ran.recording.loops();
    connect(&mut loops, &ran.schema);
    // Values of a write are its own, wherever they come from.
    let sure = loops
        .iter()
        .filter(|found| found.grade == Grade::Proven || ran.recording.writes(found));
    let mut fixes = HashMap::new();
    let mut session = None;
    for found in sure {
        // What was recorded is reported; loops for which no time is left stay without a measurement.
        let left = end.saturating_duration_since(Instant::now());
        if interrupt.is_set() || left.is_zero() {
            break;
        }
        if session.is_none() {
            session = Some(Session::open(copy.url(), interrupt).await?);
        }
        if let Some(open) = &session {
            match tokio::time::timeout(left, proof(open, found, &ran)).await {
                Ok(Some(fix)) => {
                    fixes.insert(Arc::clone(&found.child), fix);
                }
                Ok(None) => {}
                Err(_) => {
                    // Its statement goes on until the copy is dropped.
                    session = None;
                    break;
                }
            }
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
    Ok(Ran { fixes, ..ran })
}

/// How often loops run with the rows that the dataset has for the statements before them: a test's own rows are few.
async fn at_scale(
    mut ran: Ran,
    (server, template): (&DatabaseUrl, &str),
    interrupt: &Interrupt,
    end: Instant,
    globals: &Globals,
) -> Ran {
    let loops = ran.recording.loops();
    let parents: BTreeSet<&Arc<str>> = loops
        .iter()
        .filter_map(|found| found.source.as_ref().map(|source| &source.parent))
        .collect();
    let statements = ran.recording.statements();
    let statements: Vec<(Arc<str>, String)> = statements
        .into_iter()
        .filter(|each| !each.writes && parents.contains(&each.form))
        .map(|each| (each.form, each.text))
        .collect();
    let left = end.saturating_duration_since(Instant::now());
    if statements.is_empty() || interrupt.is_set() || left.is_zero() {
        return ran;
    }
    match returned(server, template, statements, left, interrupt).await {
        Ok(returned) => ran.returned = returned,
        Err(_) if interrupt.is_set() => {}
        Err(error) => globals.progress.note(format!(
            "how often loops run with the rows of the dataset is not known: {error}"
        )),
    }
    ran
}

/// The statement in a loop's place: of a write the one by its keys alone, else the one with an array for each of its values.
async fn proof(session: &Session, found: &Loop, ran: &Ran) -> Option<Fix> {
    let looped = looped(found, ran).filter(|_| found.grade == Grade::Proven);
    if !ran.recording.writes(found) {
        return prove_batches::prove(session, &looped?).await;
    }
    if let Some(looped) = &looped
        && let Some(fix) = prove_batches::writes::prove(session, looped).await
    {
        return Some(fix);
    }
    prove_batches::own_values::prove(session, &ran.schema, &found.child, found.executions).await
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

/// Records what is sent to a database that is there already. pgproof itself only reads its catalog.
async fn on_given(
    args: &RecordArgs,
    (url, source): &(DatabaseUrl, UrlSource),
    globals: &Globals,
) -> Result<Ran, CliError> {
    if args.twice {
        return Err(
            CliError::usage("--twice makes two datasets, and a given database is one")
                .help("leave --database-url out"),
        );
    }
    let whose = match source {
        UrlSource::Environment => " (DATABASE_URL)",
        UrlSource::Flag => "",
    };
    globals.progress.note(format!(
        "before {}{whose}: what is written goes into that database; pgproof itself changes nothing in it",
        url.address()
    ));
    let session = Session::open_given(url, &globals.interrupt).await?;
    let schema = introspect::schema(&session).await?;
    session.close().await;
    recorded(args, url, schema, globals).await
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

fn report(ran: &Ran, project: Option<&Project>, args: &RecordArgs) -> Report {
    let mut inconclusive: Vec<String> = ran.inconclusive.iter().cloned().collect();
    if ran.recording.losses() > 0 {
        inconclusive.push(format!(
            "{} executions could not be read",
            ran.recording.losses()
        ));
    }
    traffic::report(
        &ran.recording,
        traffic::Source {
            from: vec![match (args.command.as_slice(), &args.listen) {
                ([], Some(at)) => format!("connections to {at}"),
                (command, _) => command.join(" "),
            }],
            sessions: ran.sessions,
            inconclusive,
            plans: Plans::default(),
            project,
            schema: Some(&ran.schema),
            fixes: ran.fixes.clone(),
            returned: ran.returned.clone(),
            before: ran.before.as_deref(),
        },
    )
}

/// Listens before `server` until the command has ended, or the recording is stopped.
async fn recorded(
    args: &RecordArgs,
    server: &DatabaseUrl,
    schema: Schema,
    globals: &Globals,
) -> Result<Ran, CliError> {
    let listening = listening(args, globals)?;
    let file = args.save.as_deref();
    let file = file.map(|file| saved(file, globals)).transpose()?;
    let proxy = Proxy::listening(server, &listening, file)
        .await
        .map_err(|error| cannot_listen(&listening, &error))?;
    let mode = match listening.tls {
        Some(_) => TlsMode::Require,
        None => TlsMode::Disable,
    };
    let url = match proxy.at() {
        ListenAt::Tcp(address) => server.behind_proxy(&reachable(*address), address.port(), mode),
        ListenAt::Socket(folder, port) => {
            server.behind_proxy(&folder.to_string_lossy(), *port, TlsMode::Disable)
        }
    };
    let ended = match args.command.as_slice() {
        [] => {
            say_where(&url, proxy.at(), globals);
            stopped(args, globals).await
        }
        command => {
            globals.progress.note(format!(
                "recording on {}: DATABASE_URL and PG* are set for {}",
                proxy.at(),
                command.first().map_or("", String::as_str)
            ));
            run_command(command, &url, globals).await?
        }
    };
    Ok(Ran {
        ended,
        sessions: proxy.sessions(),
        recording: proxy.take_recording().map_err(|error| {
            let file = args.save.as_deref().unwrap_or(Path::new(""));
            traffic::cannot_write(file, &error)
        })?,
        schema,
        fixes: HashMap::new(),
        returned: HashMap::new(),
        inconclusive: None,
        before: None,
    })
}

/// Where the proxy listens, with paths as this process sees them.
fn listening(args: &RecordArgs, globals: &Globals) -> Result<Listening, CliError> {
    let at = match &args.listen {
        None => ListenAt::ANY_PORT,
        Some(ListenAt::Socket(folder, port)) => {
            let folder = globals.directory.join(folder);
            let folder = folder.canonicalize().map_err(|error| {
                CliError::usage(format!("--listen {}: {error}", folder.display()))
                    .help("name a folder that is there; the socket's file is made in it")
            })?;
            ListenAt::Socket(folder, *port)
        }
        Some(at) => at.clone(),
    };
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(Certificate::Files(
            globals.directory.join(certificate),
            globals.directory.join(key),
        )),
        _ => args.tls.then_some(Certificate::OwnMade),
    };
    let keeps = traffic::keeps(args.keep_values)?;
    Ok(Listening { at, tls, keeps })
}

fn cannot_listen(listening: &Listening, error: &std::io::Error) -> CliError {
    CliError::Environment {
        message: format!("the recording proxy cannot listen on {}", listening.at),
        causes: vec![error.to_string()],
        help: (error.kind() == std::io::ErrorKind::AddrInUse)
            .then(|| "another program listens there; --listen takes another port".to_owned()),
    }
}

/// The address by which a program on this machine reaches a listener.
fn reachable(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "::1".to_owned(),
        _ => address.ip().to_string(),
    }
}

/// Where clients connect to, for a person who starts them. The password of pgproof's own server is part of it: without it
/// nobody could connect. That of a given database is the user's, and is not shown.
fn say_where(url: &DatabaseUrl, at: &ListenAt, globals: &Globals) {
    let database = if globals.database().is_ok_and(|given| given.is_some()) {
        format!("{url} with the database's own password")
    } else {
        url.reveal()
    };
    // A note would hide the password; where standard error is closed nobody is there to connect.
    let _ = writeln!(
        anstream::stderr(),
        "recording on {at}; connect to {database}\nCtrl-C ends the recording and writes its report"
    );
}

/// Waits until the user stops it, or the time is over.
async fn stopped(args: &RecordArgs, globals: &Globals) -> Ended {
    let over = async {
        match args.period {
            Some(period) => tokio::time::sleep(period).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = globals.interrupt.wait() => {}
        () = over => {}
    }
    Ended::Stopped
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

/// Runs it with the database in its environment.
async fn run_command(
    command: &[String],
    url: &DatabaseUrl,
    globals: &Globals,
) -> Result<Ended, CliError> {
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
                return Ok(Ended::Signal);
            };
            status
        }
    };
    let status = status.map_err(|error| CliError::Environment {
        message: format!("{program} cannot be waited for"),
        causes: vec![error.to_string()],
        help: None,
    })?;
    Ok(status.code().map_or(Ended::Signal, Ended::Status))
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
