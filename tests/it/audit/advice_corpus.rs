//! The labelled corpus of advice: `tests/advice/*.sql`, each a schema with data, queries, and for every query what a DBA
//! would say. Precision on traps must be whole; every advised statement is run on the server.
//!
//! `cargo test --test it -- advice_corpus --nocapture` prints each case; `PGPROOF_ADVICE=traps` runs the files with that in their name. A file has its data, then a line `--- queries`, then
//! the catalog; before each query stands a line `--> ` with one of
//! - `index DEFINITION`, what follows the name in CREATE INDEX; several are joined by ` + `, alternatives by ` | `;
//! - `rewrite FORM`, another form of the query that is proven to return the same rows faster;
//! - `cause RULE`, a trap with a cause: the rule fires, and no index is advised;
//! - `none`, a trap: neither an index nor another form is advised;
//! - `quiet`, a trap: nothing at all is found, from warnings on.
//!
//! Where the answer differs between versions, a further line begins with the major: `--> 18 none`. Such a file is run on 14, 15 and
//! 18, the others on 15.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pgproof::finding::{Finding, Quantity, RuleId, Severity};

use super::{Audit, filled};
use crate::support;

/// Of the labels that name advice.
const LEAST_RECALL: f64 = 0.95;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    Index(Vec<String>),
    Rewrite(String),
    Cause(String),
    None,
    Quiet,
}

impl Label {
    fn read(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("index", definition)) => Self::Index(
                definition
                    .split(" | ")
                    .map(|one| one.trim().to_owned())
                    .collect(),
            ),
            Some(("rewrite", form)) => Self::Rewrite(form.trim().to_owned()),
            Some(("cause", rule)) => Self::Cause(rule.trim().to_owned()),
            None if text == "none" => Self::None,
            None if text == "quiet" => Self::Quiet,
            _ => panic!("no label: {text}"),
        }
    }
}

struct File {
    name: String,
    data: String,
    catalog: String,
    labels: Vec<(String, Labels)>,
}

/// What a DBA says of a query.
#[derive(Debug, Clone, Default)]
struct Labels {
    /// Where nothing else is said of the version.
    usual: Option<Label>,
    of_major: BTreeMap<u32, Label>,
}

impl Labels {
    fn read(&mut self, text: &str) {
        let major = text.split_once(' ');
        match major.and_then(|(major, rest)| Some((major.parse().ok()?, rest))) {
            Some((major, rest)) => drop(self.of_major.insert(major, Label::read(rest))),
            None => self.usual = Some(Label::read(text)),
        }
    }

    fn of(&self, major: u32) -> &Label {
        let usual = || self.usual.as_ref().unwrap();
        self.of_major.get(&major).unwrap_or_else(usual)
    }
}

impl File {
    /// The versions that it is run on.
    fn majors(&self) -> &'static [u32] {
        let differs = |(_, labels): &(String, Labels)| !labels.of_major.is_empty();
        match self.labels.iter().any(differs) {
            true => &[14, 15, 18],
            false => &[15],
        }
    }
}

fn read(path: &Path) -> File {
    let text = fs::read_to_string(path).unwrap();
    let (data, queries) = text.split_once("--- queries\n").unwrap();
    let mut labels = Vec::new();
    let mut catalog = String::new();
    let mut label = Labels::default();
    for line in queries.lines() {
        if let Some(text) = line.strip_prefix("--> ") {
            label.read(text.trim());
            continue;
        }
        if let Some(header) = line.strip_prefix("-- name: ") {
            let name = header.split(' ').next().unwrap().to_owned();
            let label = std::mem::take(&mut label);
            assert!(label.usual.is_some(), "{name} has no label");
            labels.push((name, label));
        }
        catalog.push_str(line);
        catalog.push('\n');
    }
    File {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        data: data.to_owned(),
        catalog,
        labels,
    }
}

fn files() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/advice");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
        .collect();
    paths.sort();
    // One file while a label is worked on.
    if let Ok(part) = std::env::var("PGPROOF_ADVICE") {
        paths.retain(|path| path.to_string_lossy().contains(&part));
    }
    paths.iter().map(|path| read(path)).collect()
}

/// What is advised for a query: definitions of indexes, in the order of the alphabet.
fn indexes(findings: &[Finding], query: &str) -> String {
    let own = findings.iter().filter(|finding| {
        finding.rule == RuleId::MissingIndex && finding.query.as_deref() == Some(query)
    });
    let definitions: BTreeSet<String> = own
        .filter_map(|finding| finding.fix.as_ref())
        .flat_map(|fix| fix.sql.lines())
        .filter(|line| line.starts_with("CREATE INDEX "))
        .map(|line| {
            let at = line.find(" ON ").unwrap();
            line[at + 4..].trim_end_matches(';').to_owned()
        })
        .collect();
    definitions.into_iter().collect::<Vec<_>>().join(" + ")
}

fn form(findings: &[Finding], query: &str) -> Option<String> {
    let own = findings.iter().find(|finding| {
        finding.rule == RuleId::QueryRewrite && finding.query.as_deref() == Some(query)
    })?;
    match own.evidence.get("form") {
        Some(Quantity::Text(form)) => Some(form.clone()),
        _ => None,
    }
}

fn has_rule(findings: &[Finding], query: &str, rule: &str) -> bool {
    findings.iter().any(|finding| {
        (finding.rule.as_str() == rule && finding.query.as_deref() == Some(query))
            || has_rule(&finding.symptoms, query, rule)
    })
}

/// What came, where it is not what the label says.
fn mistake(findings: &[Finding], query: &str, label: &Label) -> Option<String> {
    let advised = indexes(findings, query);
    let form = form(findings, query);
    let fits = match label {
        Label::Index(allowed) => allowed.contains(&advised) && form.is_none(),
        Label::Rewrite(wanted) => form.as_ref() == Some(wanted) && advised.is_empty(),
        Label::Cause(rule) => {
            has_rule(findings, query, rule) && advised.is_empty() && form.is_none()
        }
        Label::None => advised.is_empty() && form.is_none(),
        Label::Quiet => findings.iter().all(|finding| {
            finding.query.as_deref() != Some(query) || finding.severity == Severity::Info
        }),
    };
    let form = form.map(|form| format!("rewrite {form}"));
    let own = findings
        .iter()
        .filter(|finding| finding.query.as_deref() == Some(query));
    let rules: Vec<&str> = own.map(|finding| finding.rule.as_str()).collect();
    (!fits).then(|| format!("{query}: {label:?}, but: index {advised:?}, {form:?}, {rules:?}"))
}

#[derive(Default)]
struct Score {
    traps: usize,
    sprung: Vec<String>,
    advice: usize,
    missed: Vec<String>,
}

impl Score {
    fn add(&mut self, file: &str, label: &Label, mistake: Option<String>) {
        let mistake = mistake.map(|mistake| format!("{file}: {mistake}"));
        match label {
            Label::Index(_) | Label::Rewrite(_) => {
                self.advice += 1;
                self.missed.extend(mistake);
            }
            Label::Cause(_) | Label::None | Label::Quiet => {
                self.traps += 1;
                self.sprung.extend(mistake);
            }
        }
    }

    fn recall(&self) -> f64 {
        1.0 - self.missed.len() as f64 / self.advice.max(1) as f64
    }
}

/// Every advised index, applied as it stands: the server takes it, and no two have one name.
async fn run_statements(database: &support::TestDatabase, findings: &[Finding]) {
    let mut statements: BTreeMap<String, ()> = BTreeMap::new();
    for fix in findings
        .iter()
        .filter(|finding| finding.rule == RuleId::MissingIndex)
        .filter_map(|finding| finding.fix.as_ref())
    {
        statements.extend(fix.sql.lines().map(|line| (line.to_owned(), ())));
    }
    for statement in statements.keys() {
        database.execute(statement).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn advice_corpus() {
    let mut score = Score::default();
    for file in files() {
        for major in file.majors() {
            let Some(cluster) = support::cluster_of(*major) else {
                continue;
            };
            let database = filled(cluster, &file.data).await;
            let findings = Audit::of(&database, &file.catalog).await.findings().await;
            for (query, labels) in &file.labels {
                let label = labels.of(*major);
                let mistake = mistake(&findings, query, label);
                let said = mistake.as_deref().unwrap_or("as labelled");
                println!("{} on {major} {query}: {said}", file.name);
                score.add(&format!("{} on {major}", file.name), label, mistake);
            }
            run_statements(&database, &findings).await;
        }
    }
    println!(
        "{} traps, {} sprung; {} with advice, recall {:.3}",
        score.traps,
        score.sprung.len(),
        score.advice,
        score.recall()
    );
    assert!(score.sprung.is_empty(), "traps: {:#?}", score.sprung);
    assert!(
        score.recall() >= LEAST_RECALL,
        "missed: {:#?}",
        score.missed
    );
}
