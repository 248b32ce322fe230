//! The reference is what the program reads: pages that are not what the code says fail here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pgproof::cli::reference;
use pgproof::db::connect::libpq;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_reference_is_the_programs_own() {
    let pages = [
        ("commands", reference::commands()),
        ("configuration", reference::configuration()),
        ("environment", reference::environment()),
    ];
    let folder = root().join("docs/reference");
    for (name, generated) in pages {
        let file = folder.join(format!("{name}.md"));
        if std::env::var_os("PGPROOF_WRITE_DOCS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, &generated).unwrap();
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == generated,
            "{} is not what the program says: PGPROOF_WRITE_DOCS=1 cargo test reference",
            file.display()
        );
    }
}

/// Every variable that the sources read by a literal name is described.
#[test]
fn every_variable_is_described() {
    let described: BTreeSet<&str> = reference::VARIABLES
        .iter()
        .chain(libpq::HONOURED)
        .map(|(name, _)| *name)
        .chain(libpq::REFUSED.iter().map(|(name, _)| *name))
        .collect();
    let name = regex::Regex::new(
        r#"(?:env::var(?:_os)?|environment|variables\.get|\.get)\(\s*"([A-Z][A-Z_0-9]+)""#,
    )
    .unwrap();
    let own = regex::Regex::new(r#""(PGPROOF_[A-Z_]+)""#).unwrap();
    // Of the system, and what other programs are given.
    let others = ["HOME", "PATH"];
    let mut missing = BTreeSet::new();
    let mut found = 0;
    for file in sources(&root().join("src")) {
        let text = fs::read_to_string(file).unwrap();
        for variable in name.captures_iter(&text).chain(own.captures_iter(&text)) {
            let variable = variable.get(1).unwrap().as_str().to_owned();
            found += 1;
            if !described.contains(variable.as_str()) && !others.contains(&variable.as_str()) {
                missing.insert(variable);
            }
        }
    }
    assert!(found > 10, "{found}");
    assert_eq!(missing, BTreeSet::new());
}

/// But for files of tests, which are not the program.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name() != Some("tests.rs".as_ref())
        {
            files.push(path);
        }
    }
    files
}

/// Every page of the docs is in the book, and every link between them leads to a file that is there.
#[test]
fn the_book_is_whole() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let link = regex::Regex::new(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)").unwrap();
    let linked = |text: &str| -> BTreeSet<String> {
        let found = link.captures_iter(text);
        found.map(|found| found[1].to_owned()).collect()
    };
    let in_book = linked(&summary);
    for folder in ["", "reference", "rules"] {
        for entry in fs::read_dir(docs.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let name = path.strip_prefix(&docs).unwrap().to_str().unwrap();
            assert!(
                name == "SUMMARY.md" || in_book.contains(name),
                "{name} is not in docs/SUMMARY.md"
            );
            let text = fs::read_to_string(&path).unwrap();
            for target in linked(&text) {
                let file = path.parent().unwrap().join(&target);
                assert!(
                    file.exists(),
                    "{name} links to {target}, which is not there"
                );
            }
        }
    }
}
