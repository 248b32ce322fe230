//! `pgproof trace FILE…`: server logs read as what an application sent, with the plans that auto_explain logged.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Instant;

use flate2::read::MultiGzDecoder;

use crate::cli::args::TraceArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::traffic::{self, Source};
use crate::cli::{Globals, baseline, output};
use crate::report;
use crate::trace::logs::{Log, Seen, Sessions};
use crate::trace::plans::Plans;
use crate::trace::recording::Recording;
use crate::units::Millis;

/// Reads the logs and reports what is in them.
pub fn run(args: &TraceArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let view = output::view(&args.view)?;
    let project = Project::load_if_there(globals.config.as_deref(), &globals.directory)?;
    if let Some(file) = &args.write_queries
        && globals.directory.join(file).exists()
        && !args.force
    {
        return Err(
            CliError::usage(format!("{} is there already", file.display()))
                .help("--force overwrites it"),
        );
    }
    let read = read_all(args, globals)?;
    let mut report = traffic::report(
        &read.recording,
        Source {
            from: read.files,
            sessions: read.sessions,
            inconclusive: read.inconclusive,
            plans: read.plans,
            project: project.as_ref(),
            schema: None,
            before: None,
        },
    );
    if args.redact {
        report::redact(&mut report);
    }
    if let Some(project) = &project {
        baseline::remember(&report.findings, &project.root, globals);
    }
    if let Some(typed) = &args.baseline {
        let root = project
            .as_ref()
            .map_or(&globals.directory, |project| &project.root);
        let accepted = baseline::accepted(typed, root, globals)?;
        baseline::apply(&accepted, &mut report.findings, false, globals);
    }
    report.view = view;
    report.fail_on = output::fail_on(args.fail_on, project.as_ref());
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    let code = output::finish(&outputs, &report, globals)?;
    write_queries(args, &read.recording, globals)?;
    Ok(code)
}

/// What all files together came to.
#[derive(Default)]
struct Everything {
    recording: Recording,
    plans: Plans,
    files: Vec<String>,
    sessions: u64,
    inconclusive: Vec<String>,
}

fn read_all(args: &TraceArgs, globals: &Globals) -> Result<Everything, CliError> {
    let _reading = crate::interrupt::reading();
    let mut all = Everything::default();
    let mut sessions = Sessions::default();
    let mut seen = Counted::default();
    let mut unread = 0;
    for file in &args.files {
        let name = match file.to_str() {
            Some("-") => "standard input".to_owned(),
            _ => file.display().to_string(),
        };
        let mut log = Log::default();
        let mut take = |entry: &crate::trace::logs::Entry<'_>| {
            sessions.take(entry, &mut |one| {
                seen.take(one, &mut all.recording, &mut all.plans);
            });
        };
        read(file, &name, globals, &mut |bytes| {
            log.feed(bytes, &mut take)
        })?;
        if log.format().is_none() {
            return Err(not_a_log(&name));
        }
        log.end(&mut take);
        unread += log.unread();
        all.files.push(name);
    }
    sessions.end(&mut |one| seen.take(one, &mut all.recording, &mut all.plans));
    all.sessions = seen.sessions;
    all.inconclusive = sessions.doubts().in_words();
    if unread > 0 {
        all.inconclusive
            .push(format!("{unread} lines or records could not be read"));
    }
    if all.recording.losses() > 0 {
        all.inconclusive.push(format!(
            "{} executions are of more different statements than are kept apart",
            all.recording.losses()
        ));
    }
    if all.recording.executions() == 0 {
        all.inconclusive
            .push("the log holds no statement: set log_min_duration_statement = 0".to_owned());
    }
    Ok(all)
}

/// Counts sessions, of which logs of years hold millions.
#[derive(Default)]
struct Counted {
    open: HashSet<u64>,
    sessions: u64,
}

impl Counted {
    fn take(&mut self, seen: Seen<'_>, recording: &mut Recording, plans: &mut Plans) {
        match seen {
            Seen::Executed(executed) => {
                self.sessions += u64::from(self.open.insert(executed.session));
                recording.take(&executed);
            }
            Seen::Plan { plan, text } => plans.take(*plan, text),
            Seen::Closed(session) => {
                self.open.remove(&session);
                recording.closed(session);
            }
        }
    }
}

fn not_a_log(name: &str) -> CliError {
    CliError::usage(format!("{name} is no log of PostgreSQL that is known")).help(
        "stderr with any log_line_prefix, csvlog, jsonlog and syslog are read, plain or gzipped, also as Cloud SQL, RDS, CloudNativePG, \
         Docker and Kubernetes write them",
    )
}

/// Hands a file's bytes out, piece by piece; a compressed one's as they were.
fn read(
    file: &Path,
    name: &str,
    globals: &Globals,
    take: &mut dyn FnMut(&[u8]),
) -> Result<(), CliError> {
    let cannot = |error: std::io::Error| CliError::usage(format!("{name} cannot be read: {error}"));
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(globals.directory.join(file)).map_err(cannot)?)
    };
    let mut input = BufReader::with_capacity(PIECE, input);
    let magic = std::io::BufRead::fill_buf(&mut input).map_err(cannot)?;
    if magic.starts_with(&GZIP) {
        return pieces(MultiGzDecoder::new(input), globals, take).map_err(cannot);
    }
    if magic.starts_with(&ZSTANDARD) {
        return Err(CliError::usage(format!("{name} is compressed with zstd"))
            .help(format!("zstd -dc {name} | pgproof trace -")));
    }
    pieces(input, globals, take).map_err(cannot)
}

const PIECE: usize = 256 << 10;
/// How compressed files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn pieces(
    mut input: impl Read,
    globals: &Globals,
    take: &mut dyn FnMut(&[u8]),
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    while !globals.interrupt.is_set() {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => take(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write_queries(
    args: &TraceArgs,
    recording: &Recording,
    globals: &Globals,
) -> Result<(), CliError> {
    let Some(file) = &args.write_queries else {
        return Ok(());
    };
    let out = globals.directory.join(file);
    let (queries, left_out) = traffic::write_queries(recording, "the logs", &out, file)?;
    if let Some(left_out) = left_out {
        globals.progress.note(left_out);
    }
    if queries > 0 {
        globals.progress.note(format!(
            "wrote {} ({queries} queries); next: pgproof audit {}",
            file.display(),
            file.display()
        ));
    } else {
        globals.progress.note("no query to write".to_owned());
    }
    Ok(())
}
