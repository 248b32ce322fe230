//! A recording as a report and as a query file: the same for what a proxy saw and for what logs say.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::KeepValues;
use super::exit::CliError;
use super::settings::Project;
use crate::catalog::{self, Query};
use crate::finding::{Finding, Fix, Location};
use crate::report::traffic::{Slow, Traffic};
use crate::report::{Origin, Report};
use crate::rules::{self, Policy, traffic};
use crate::run::{QueryRuns, Run};
use crate::schema::Schema;
use crate::sql::normal::normal;
use crate::trace::event::{Statement, Statements};
use crate::trace::flow::{Loop, connect};
use crate::trace::functions::FunctionLoop;
use crate::trace::growth;
use crate::trace::plans::{Longest, Plans};
use crate::trace::recording::{Recorded, Recording};
use crate::trace::scale::{self, RowsReturned};
use crate::trace::value::Keeps;
use crate::units::Millis;
use crate::write;

/// What a recording is of.
pub(super) struct Source<'a> {
    /// Files, or the command.
    pub(super) from: Vec<String>,
    /// Connections.
    pub(super) sessions: u64,
    /// Why it does not hold everything.
    pub(super) inconclusive: Vec<String>,
    /// Plans that were logged beside the statements.
    pub(super) plans: Plans,
    /// Where the application's queries and the thresholds are.
    pub(super) project: Option<&'a Project>,
    /// What foreign keys lead where.
    pub(super) schema: Option<&'a Schema>,
    /// Measured statements that take the place of loops, by the loop's form.
    pub(super) fixes: HashMap<Arc<str>, Fix>,
    /// What the same command executed where every parent has fewer rows.
    pub(super) before: Option<&'a [Recorded]>,
    /// Rows that the statements before loops return on the dataset, by their forms.
    pub(super) returned: HashMap<Arc<str>, RowsReturned>,
}

/// Everything that is found in a recording.
pub(super) fn report(recording: &Recording, source: Source<'_>) -> Report {
    let mut statements = recording.statements();
    statements.retain(|each| is_of_the_application(&each.form));
    let mut loops = recording.loops();
    loops.retain(|found| is_of_the_application(&found.child));
    if let Some(schema) = source.schema {
        connect(&mut loops, schema);
    }
    if let Some(before) = source.before {
        loops = growth::judged(loops, before, &statements);
    }
    let mut queries = Queries::of(&statements, &source);
    let mut findings = loop_findings(&loops, recording, &mut queries, &source);
    for found in recording.loops_in_functions() {
        findings.extend(function_finding(&found, &mut queries, &source));
    }
    let defaults = policy_of(source.project, None);
    findings.extend(traffic::incomplete(&source.inconclusive, &defaults));
    let slowest = slowest(&statements, &mut queries);
    let traffic = Traffic {
        from: source.from.clone(),
        executions: recording.executions(),
        statements: statements.len() as u64,
        sessions: source.sessions,
        span_ms: recording.span().map(|span| Millis(span as f64 / 1_000.0)),
        passed_over: recording.passed_over(),
        inconclusive: source.inconclusive.clone(),
        slowest,
    };
    let project = source.project;
    let mut runs = Vec::new();
    for longest in source.plans.longest_first() {
        if is_of_the_application(&longest.form) {
            plan_findings(longest, &mut queries, project, &mut runs, &mut findings);
        }
    }
    runs.sort_by_key(|runs| runs.query);
    let findings = rules::settle(findings, &queries.known, &runs);
    Report {
        origin: Origin::Trace,
        queries: queries.known,
        runs,
        findings,
        traffic: Some(traffic),
        ..Report::default()
    }
}

/// Whether it is a query that the application sends, and not a driver, a pool or a monitor.
fn is_of_the_application(form: &str) -> bool {
    catalog::has_a_plan(form) && !catalog::is_of_the_server(form)
}

fn policy_of(project: Option<&Project>, query: Option<&Query>) -> Policy {
    match (project, query) {
        (Some(project), Some(query)) => project.settings.policy_for(query),
        (Some(project), None) => project.settings.policy(),
        (None, _) => Policy::default(),
    }
}

fn loop_findings(
    loops: &[Loop],
    recording: &Recording,
    queries: &mut Queries,
    source: &Source<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for found in loops {
        let query = queries.at(&found.child);
        let parent = found
            .source
            .as_ref()
            .map(|source| queries.at(&source.parent));
        let query = &queries.known[query];
        let location = queries.location(&found.child, query);
        let policy = policy_of(source.project, Some(query));
        let named = traffic::Named {
            found,
            query,
            parent: parent.map(|parent| &queries.known[parent]),
            writes: recording.writes(found),
            saw_values: recording.saw_values(),
            at_scale: scale::calls(found, loops, &source.returned),
            site: queries.sites.get(&found.child).map(String::as_str),
            location: location.as_ref(),
        };
        let fix = source.fixes.get(&found.child).cloned();
        let finding = traffic::of_loop(&named, &policy);
        findings.extend(finding.map(|finding| Finding { fix, ..finding }));
    }
    findings
}

/// The finding on a loop inside a function; of the client's statement where that is known, else of the function's.
fn function_finding(
    found: &FunctionLoop,
    queries: &mut Queries,
    source: &Source<'_>,
) -> Option<Finding> {
    let form = found.caller.as_ref().unwrap_or(&found.form);
    let query = queries.at(form);
    let query = &queries.known[query];
    let location = queries.location(form, query);
    let policy = policy_of(source.project, Some(query));
    traffic::of_function(found, query, location, &policy)
}

/// What the rules say of the longest execution of a statement.
fn plan_findings(
    longest: Longest,
    queries: &mut Queries,
    project: Option<&Project>,
    runs: &mut Vec<QueryRuns>,
    findings: &mut Vec<Finding>,
) {
    let at = queries.at(&longest.form);
    let query = &queries.known[at];
    let number = longest.number;
    let ran = QueryRuns {
        query: at,
        runs: vec![Run::given(longest.plan, longest.text)],
        failure: None,
        notes: (number > 1)
            .then(|| format!("the longest of {number} executions that auto_explain logged"))
            .into_iter()
            .collect(),
    };
    findings.extend(rules::judge_alone(
        query,
        &ran,
        &policy_of(project, Some(query)),
    ));
    runs.push(ran);
}

fn slowest(statements: &[Recorded], queries: &mut Queries) -> Vec<Slow> {
    const SHOWN: usize = 10;
    let mut timed: Vec<(&Recorded, u64)> = statements
        .iter()
        .filter_map(|each| Some((each, each.took?)))
        .collect();
    timed.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
    let all: u64 = timed.iter().map(|(_, took)| took).sum();
    let millis = |micros: u64| Millis(micros as f64 / 1_000.0);
    let slow = |(each, took): &(&Recorded, u64)| Slow {
        query: queries.name(&each.form),
        statement: each.form.to_string(),
        executions: each.executions,
        total_ms: millis(*took),
        longest_ms: millis(each.longest),
        share: *took as f64 / all.max(1) as f64,
    };
    timed.iter().take(SHOWN).map(slow).collect()
}

/// Queries by their form: those of the project's catalog, and what else was sent.
struct Queries {
    known: Vec<Query>,
    places: HashMap<Arc<str>, usize>,
    catalog: HashMap<String, Query>,
    names: HashMap<Arc<str>, String>,
    texts: HashMap<Arc<str>, String>,
    sites: HashMap<Arc<str>, String>,
    from: PathBuf,
}

impl Queries {
    fn of(statements: &[Recorded], source: &Source<'_>) -> Self {
        // A catalog with mistakes in it has names for what is right.
        let catalog = source.project.and_then(|project| project.catalog().ok());
        let by_form = catalog.into_iter().flat_map(|catalog| catalog.queries);
        let keyed = by_form.map(|query| (normal(&query.sql).text(|_| false), query));
        let named = statements
            .iter()
            .filter_map(|each| Some((Arc::clone(&each.form), each.name.clone()?)));
        let texts = statements
            .iter()
            .map(|each| (Arc::clone(&each.form), each.text.clone()));
        let sites = statements
            .iter()
            .filter_map(|each| Some((Arc::clone(&each.form), each.site.clone()?)));
        Self {
            known: Vec::new(),
            places: HashMap::new(),
            catalog: keyed.collect(),
            names: named.collect(),
            texts: texts.collect(),
            sites: sites.collect(),
            from: PathBuf::from(source.from.first().map_or("recording", String::as_str)),
        }
    }

    /// The query of a form, among those that the report knows.
    fn at(&mut self, form: &Arc<str>) -> usize {
        if let Some(place) = self.places.get(form) {
            return *place;
        }
        let query = match self.catalog.get(&**form) {
            Some(query) => query.clone(),
            None => self.made(form),
        };
        let place = self.known.len();
        self.known.push(query);
        self.places.insert(Arc::clone(form), place);
        place
    }

    /// Its line in the catalog, else in the application, where a comment says `file:line`.
    fn location(&self, form: &Arc<str>, query: &Query) -> Option<Location> {
        if self.catalog.contains_key(&**form) {
            return Some(query.location());
        }
        let (file, line) = self.sites.get(form)?.rsplit_once(':')?;
        Some(Location {
            file: PathBuf::from(file),
            line: line.parse().ok().filter(|line| *line > 0)?,
        })
    }

    fn name(&self, form: &Arc<str>) -> String {
        match self.catalog.get(&**form) {
            Some(query) => query.name.clone(),
            None => self
                .names
                .get(form)
                .cloned()
                .unwrap_or_else(|| catalog::name_of(form)),
        }
    }

    fn made(&self, form: &Arc<str>) -> Query {
        let text = self.texts.get(form).cloned();
        let text = text.unwrap_or_else(|| form.to_string());
        Query::of_text(self.name(form), self.from.clone(), 1, text)
    }
}

/// What a command keeps of values, as it was asked to.
pub(super) fn keeps(asked: Option<KeepValues>) -> Result<Keeps, CliError> {
    let is_ci = std::env::var("CI").is_ok_and(|set| !matches!(&*set, "" | "0" | "false"));
    match asked {
        None => Ok(Keeps::Hashes),
        Some(KeepValues::Here) if is_ci => Err(CliError::usage(
            "--keep-values is refused in CI, for its files are read by others",
        )
        .help("--keep-values=anywhere keeps them all the same")),
        Some(KeepValues::Here | KeepValues::Anywhere) => Ok(Keeps::Values),
    }
}

/// Takes constants out of a report on what was sent.
pub(super) fn redact(report: &mut Report) {
    crate::report::redact(report);
    for query in &mut report.queries {
        query.source = crate::plan::condition::normalized(&query.source);
        query.sql.clone_from(&query.source);
    }
    // The statement in a loop's place has the constants of the loop's.
    for finding in &mut report.findings {
        if let Some(fix) = &mut finding.fix {
            fix.sql = normal(&fix.sql).text(|_| false);
        }
    }
}

/// Constants of a query file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Constants {
    /// Those that never changed are the author's and stay.
    AsWritten,
    /// All of them are parameters.
    TakenOut,
}

/// Writes the statements as a query file; how many there are, and what was left out.
pub(super) fn write_queries(
    recording: &Recording,
    constants: Constants,
    from: &str,
    out: &Path,
    shown: &Path,
) -> Result<(usize, Option<String>), CliError> {
    let seconds = recording.span().map(|span| span as f64 / 1_000_000.0);
    let rows = recording.statements().into_iter().map(|each| Statement {
        text: {
            let text = match constants {
                Constants::AsWritten => &*each.text,
                Constants::TakenOut => &*each.form,
            };
            match &each.name {
                Some(name) => format!("-- name: {name}\n{text}"),
                None => text.to_owned(),
            }
        },
        values: each.values,
        calls: each.executions as f64,
        total_ms: each.took.map(|took| took as f64 / 1_000.0),
        // Less than a minute says nothing of a rate.
        seconds: seconds.filter(|seconds| *seconds >= 60.0),
        line: 1,
    });
    let statements = Statements {
        from: PathBuf::from(from),
        rows: rows.collect(),
    };
    let (text, left_out) = catalog::written(&statements);
    let queries = text.matches("-- name: ").count();
    if queries > 0 {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        }
        write::text(out, &text).map_err(|error| cannot_write(shown, &error))?;
    }
    Ok((queries, left_out))
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Environment {
        message: format!("{} cannot be written", path.display()),
        causes: vec![error.to_string()],
        help: None,
    }
}
