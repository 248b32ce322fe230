//! The rules as a user sees them: the docs are generated from the registry, and a plan needs no server.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgproof::report::rule_pages;
use pgproof::rules::{ALL, Rule};

/// The table, a page for each rule and their lines in the book's contents are what the registry says, and no page is left over.
#[test]
fn the_docs_are_those_of_the_registry() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page_of = |rule: &Rule| docs.join(format!("rules/{}.md", rule.id));
    let mut pages: Vec<(PathBuf, String)> = vec![(docs.join("rules.md"), rule_pages::table())];
    pages.extend(
        ALL.iter()
            .map(|rule| (page_of(rule), rule_pages::markdown(rule))),
    );
    let summary = docs.join("SUMMARY.md");
    let contents = std::fs::read_to_string(&summary).unwrap();
    let others = contents.lines().filter(|line| !line.contains("](rules/"));
    let mut lines: Vec<String> = Vec::new();
    for line in others {
        lines.push(line.to_owned());
        if line.contains("](rules.md)") {
            let of = |rule: &Rule| format!("  - [{0}](rules/{0}.md)", rule.id);
            lines.extend(ALL.iter().map(|rule| of(rule)));
        }
    }
    pages.push((summary, lines.join("\n") + "\n"));
    let is_written = std::env::var_os("PGPROOF_WRITE_DOCS").is_some();
    for (file, generated) in pages {
        if is_written {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &generated).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == generated,
            "{} is not what the rules say: PGPROOF_WRITE_DOCS=1 cargo test the_docs_are",
            file.display()
        );
    }
    let there = std::fs::read_dir(docs.join("rules")).unwrap();
    assert_eq!(there.count(), ALL.len());
}

fn pgproof(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_rule_is_explained_and_an_unknown_one_refused() {
    let (code, page, _) = pgproof(&["rules", "seq-scan"], "");
    assert_eq!(code, Some(0));
    assert!(page.contains("seq-scan.min-pages = 1,000 pages"), "{page}");
    let (code, _, error) = pgproof(&["rules", "seq-scna"], "");
    assert_eq!(code, Some(2));
    assert!(error.contains("seq-scan"), "{error}");
}

#[test]
fn a_plan_from_elsewhere_is_explained_without_a_server() {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus/plans/15/seq-scan/fires-equality.json");
    let text = std::fs::read_to_string(plans).unwrap();
    let plans: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (code, tree, error) = pgproof(&["explain", "-"], &plans[0]["explain"].to_string());
    // What it found fails it, as it fails an audit.
    assert_eq!(code, Some(1), "{error}");
    let words: Vec<&str> = tree.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("Seq Scan on orders o (1 row;"), "{tree}");
    assert!(
        words.contains("^ error seq-scan: orders is read row by row: 200,000 rows"),
        "{tree}"
    );
    let (code, _, error) = pgproof(&["explain", "-"], "no plan");
    assert_eq!(code, Some(2), "{error}");
}
