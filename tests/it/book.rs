//! The docs' commands: each is one that the program has, and those of the tutorial end as it says.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::error::ErrorKind;
use pgproof::cli::reference;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            into.push(path);
        }
    }
}

/// The lines of a page's shell blocks, a continued line as one.
fn shell_lines(page: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut is_shell, mut is_continued) = (false, false);
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_shell = !is_shell && matches!(language, "sh" | "bash" | "console");
            continue;
        }
        if !is_shell {
            continue;
        }
        let text = line.trim().trim_start_matches("$ ");
        match lines.last_mut() {
            Some(last) if is_continued => last.push_str(text.trim_end_matches('\\')),
            _ => lines.push(text.trim_end_matches('\\').to_owned()),
        }
        is_continued = text.ends_with('\\');
    }
    lines
}

/// The words of each command of a line, as a shell parts them, without comments and redirections.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in line.chars().chain([' ']) {
        if let Some(open) = quote {
            if c == open {
                quote = None;
            } else {
                word.get_or_insert_default().push(c);
            }
            continue;
        }
        match c {
            '\'' | '"' => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            '#' if word.is_none() => break,
            '|' | '&' | ';' => {
                found.last_mut().unwrap().extend(word.take());
                found.push(Vec::new());
            }
            c if c.is_whitespace() => found.last_mut().unwrap().extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    for words in &mut found {
        let end = words.iter().position(|word| word.starts_with(['>', '<']));
        words.truncate(end.unwrap_or(words.len()));
    }
    found
}

/// The arguments of a command that runs pgproof itself.
fn arguments(words: &[String]) -> Option<&[String]> {
    let is_setting = |word: &&String| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let words = &words[words.iter().take_while(is_setting).count()..];
    let words = match words.first().map(String::as_str) {
        Some("docker") => {
            let image = words
                .iter()
                .position(|word| word == "pgproof" || word == "--tag")?;
            return (words[image] == "pgproof").then_some(&words[image + 1..]);
        }
        Some("cargo") => {
            let own = words.iter().position(|word| word == "--")?;
            let is_the_program = words[1] == "run" && !words.contains(&"--example".to_owned());
            return is_the_program.then_some(&words[own + 1..]);
        }
        _ => words,
    };
    (words.first()? == "pgproof").then(|| &words[1..])
}

#[test]
fn the_docs_name_commands_that_there_are() {
    let mut files = vec![root().join("README.md")];
    pages(&root().join("docs"), &mut files);
    pages(&root().join("examples"), &mut files);
    let inline = regex::Regex::new(r"`pgproof ([a-z]+)([^`]*)`").unwrap();
    let program = reference::program();
    let names: Vec<&str> = program
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        let page = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root()).unwrap().display();
        for line in shell_lines(&page) {
            for words in commands(&line) {
                let Some(given) = arguments(&words) else {
                    continue;
                };
                seen += 1;
                let all = std::iter::once("pgproof").chain(given.iter().map(String::as_str));
                // What is left out of a line stands for whatever belongs there.
                let all = all.filter(|word| *word != "…");
                if let Err(error) = program.clone().try_get_matches_from(all)
                    && !matches!(
                        error.kind(),
                        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
                    )
                {
                    wrong.push(format!("{name}: {line}\n{error}"));
                }
            }
        }
        for found in inline.captures_iter(&page) {
            if !names.contains(&&found[1]) {
                wrong.push(format!("{name}: {}", &found[0]));
            }
        }
    }
    assert!(seen > 60, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// On a twentieth of the sample's rows: which findings there are is the sample's own test.
#[test]
fn the_tutorial_ends_as_it_says() {
    let directory = tempfile::tempdir().unwrap();
    for part in ["migrations", "queries", "seeds"] {
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(root().join(part)).arg(directory.path());
        assert!(copy.status().unwrap().success());
    }
    let configuration = fs::read_to_string(root().join("pgproof.toml")).unwrap();
    let smaller = configuration.replace("scale = 1.0", "scale = 0.05");
    assert_ne!(configuration, smaller);
    fs::write(directory.path().join("pgproof.toml"), smaller).unwrap();
    let page = fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let mut ran = Vec::new();
    for line in shell_lines(&page) {
        let expected = i32::from(line.contains("# exit code 1"));
        for words in commands(&line) {
            let Some(given) = arguments(&words) else {
                continue;
            };
            let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
                .args(given)
                .current_dir(directory.path())
                .env_remove("DATABASE_URL")
                .env("NO_COLOR", "1")
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            // One query of a twentieth may be fine.
            let is_one = given[0] == "explain" && output.status.code() == Some(0);
            assert!(
                is_one || output.status.code() == Some(expected),
                "{line}\n{said}"
            );
            ran.push(given.join(" "));
        }
    }
    assert!(ran.len() >= 9, "{ran:?}");
    assert!(directory.path().join("report.html").exists());
    assert!(!directory.path().join(".pgproof/cluster-15").exists());
}
