//! `pgproof trace FILE…`: server logs, recordings and spans read as what an application sent, with the plans that auto_explain
//! logged.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Instant;

use flate2::read::MultiGzDecoder;

use crate::cli::args::TraceArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::traffic::{self, Constants, Source};
use crate::cli::{Globals, baseline, output};
use crate::trace::input::{Input, InputError};
use crate::trace::logs::Seen;
use crate::trace::plans::Plans;
use crate::trace::recording::Recording;
use crate::trace::value::ValueReader;
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
            fixes: HashMap::new(),
            returned: HashMap::new(),
            before: None,
        },
    );
    if args.redact {
        traffic::redact(&mut report);
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
    report.fail_on = output::fail_on(&args.fail_on, project.as_ref());
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
    let reader = ValueReader::default().keeping(traffic::keeps(args.keep_values)?);
    let mut all = Everything {
        recording: Recording::new(reader),
        ..Everything::default()
    };
    let mut input = Input::new(reader);
    let mut seen = Counted::default();
    for file in &args.files {
        let name = match file.to_str() {
            Some("-") => "standard input".to_owned(),
            _ => file.display().to_string(),
        };
        let mut take = |one: Seen<'_>| seen.take(one, &mut all.recording, &mut all.plans);
        let failed = |error: &InputError| unreadable(&name, error);
        read(file, &name, globals, &mut |bytes| {
            input.feed(bytes, &mut take).map_err(|error| failed(&error))
        })?;
        globals.interrupt.check()?;
        input
            .end_of_file(&mut take)
            .map_err(|error| failed(&error))?;
        all.files.push(name);
    }
    input.end(&mut |one| seen.take(one, &mut all.recording, &mut all.plans));
    all.sessions = seen.sessions;
    all.inconclusive = input.gaps();
    if all.recording.losses() > 0 {
        all.inconclusive.push(format!(
            "{} executions could not be read, or are of more different statements than are kept apart",
            all.recording.losses()
        ));
    }
    if all.recording.executions() == 0 {
        all.inconclusive
            .push("no statement is in it: set log_min_duration_statement = 0".to_owned());
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
            Seen::Inside { caller, inside } => recording.inside(caller, &inside),
            Seen::Lost => recording.lost(),
            Seen::Plan { plan, text } => plans.take(*plan, text),
            Seen::Closed(session) => {
                self.open.remove(&session);
                recording.closed(session);
            }
        }
    }
}

fn unreadable(name: &str, error: &InputError) -> CliError {
    let refusal = CliError::usage(format!("{name} {error}"));
    match error {
        InputError::Unknown => refusal.help(
            "stderr with any log_line_prefix, csvlog, jsonlog and syslog are read, plain or gzipped, also as Cloud SQL, RDS, CloudNativePG, \
             Docker and Kubernetes write them; recordings of `pgproof record --save`; OTLP, Jaeger and Zipkin JSON",
        ),
        InputError::Recording(_) | InputError::Spans(_) | InputError::TooLong => refusal,
    }
}

/// Hands a file's bytes out, piece by piece; a compressed one's as they were.
fn read(
    file: &Path,
    name: &str,
    globals: &Globals,
    take: &mut dyn FnMut(&[u8]) -> Result<(), CliError>,
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
        return pieces(MultiGzDecoder::new(input), globals, cannot, take);
    }
    if magic.starts_with(&ZSTANDARD) {
        return Err(CliError::usage(format!("{name} is compressed with zstd"))
            .help(format!("zstd -dc {name} | pgproof trace -")));
    }
    pieces(input, globals, cannot, take)
}

const PIECE: usize = 256 << 10;
/// How compressed files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn pieces(
    mut input: impl Read,
    globals: &Globals,
    cannot: impl Fn(std::io::Error) -> CliError,
    take: &mut dyn FnMut(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut piece = vec![0; PIECE];
    while !globals.interrupt.is_set() {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => take(&piece[..read])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot(error)),
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
    let (queries, left_out) = traffic::write_queries(
        recording,
        match args.redact {
            true => Constants::TakenOut,
            false => Constants::AsWritten,
        },
        "the logs",
        &out,
        file,
    )?;
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
