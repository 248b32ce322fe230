//! The reports as a whole: rendered outputs as snapshots, the JSON against its schema and back, files on disk.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod browser;
mod formats;
mod sample;

use std::io::{self, Write};
use std::path::Path;

use pgproof::finding::Severity;
use pgproof::report::terminal::{self, TerminalStyle};
use pgproof::report::{Output, Report, Summary, json, markdown, write_all};
use pgproof::run::EndedEarly;

/// The version changes with every release, and is not what the snapshots are about.
fn text_of(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    render(&mut bytes).unwrap();
    String::from_utf8(bytes)
        .unwrap()
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

fn terminal(report: &Report, style: TerminalStyle) -> String {
    text_of(|out| terminal::render(report, &style, out))
}

const PLAIN_80: TerminalStyle = TerminalStyle {
    width: 80,
    color: false,
    verbose: false,
    docs: None,
};
const PLAIN_120: TerminalStyle = TerminalStyle {
    width: 120,
    color: false,
    verbose: false,
    docs: None,
};

#[test]
fn terminal_80_columns() {
    insta::assert_snapshot!(terminal(&sample::report(), PLAIN_80));
}

#[test]
fn terminal_120_columns() {
    insta::assert_snapshot!(terminal(&sample::report(), PLAIN_120));
}

#[test]
fn terminal_verbose() {
    insta::assert_snapshot!(terminal(
        &sample::report(),
        TerminalStyle {
            verbose: true,
            ..PLAIN_120
        }
    ));
}

#[test]
fn terminal_in_colour() {
    let style = TerminalStyle {
        color: true,
        ..PLAIN_80
    };
    insta::assert_snapshot!(terminal(&sample::report(), style).replace('\u{1b}', "␛"));
}

#[test]
fn terminal_nothing_found() {
    insta::assert_snapshot!(terminal(&sample::fine(), PLAIN_80));
}

#[test]
fn terminal_a_query_that_fails() {
    insta::assert_snapshot!(terminal(&sample::failing(), PLAIN_80));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let coloured = terminal(
        &sample::report(),
        TerminalStyle {
            color: true,
            ..PLAIN_120
        },
    );
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, terminal(&sample::report(), PLAIN_120));
}

#[test]
fn rules_are_links_to_their_pages_where_the_docs_have_an_address() {
    let linked = TerminalStyle {
        color: true,
        docs: pgproof::visible::Address::of("https://docs.example/pgproof"),
        ..PLAIN_80
    };
    let text = text_of(|out| terminal::FORMAT.write(&sample::report(), &linked, out));
    let link = "\u{1b}]8;;https://docs.example/pgproof/rules/missing-index.html\u{1b}\\missing-index\u{1b}]8;;\u{1b}\\";
    assert!(text.contains(link), "{text:?}");
    assert!(!text.contains("\\x1b"), "{text:?}");
    let stripped = anstream::adapter::strip_str(&text).to_string();
    assert_eq!(stripped, terminal(&sample::report(), PLAIN_80));
}

#[test]
fn lines_fit_the_terminal() {
    for width in [60, 80, 100, 120, 200] {
        for verbose in [false, true] {
            let mut bytes = Vec::new();
            terminal::render(
                &sample::report(),
                &TerminalStyle {
                    width,
                    color: false,
                    verbose,
                    docs: None,
                },
                &mut bytes,
            )
            .unwrap();
            let text = String::from_utf8(bytes).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line:?}");
                assert_eq!(line.trim_end(), line);
            }
        }
    }
}

#[test]
fn markdown_page() {
    insta::assert_snapshot!(text_of(|out| markdown::render(&sample::report(), out)));
}

#[test]
fn markdown_fits_a_comment() {
    let text = text_of(|out| markdown::render(&sample::huge(), out));
    assert!(text.chars().count() < 65_536, "{}", text.chars().count());
    assert!(text.contains("sections are left out"));
}

#[test]
fn json_document() {
    insta::assert_snapshot!(text_of(|out| json::render(&sample::report(), out)));
}

fn schema() -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/report.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn json_is_valid_by_its_schema() {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for report in [
        sample::report(),
        sample::fine(),
        sample::failing(),
        sample::huge(),
    ] {
        let document = serde_json::from_str(&text_of(|out| json::render(&report, out))).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut wrong: serde_json::Value =
        serde_json::from_str(&text_of(|out| json::render(&sample::report(), out))).unwrap();
    wrong["queries"][0]["runs"][0]["time_s"] = 1.into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn every_key_is_described() {
    fn walk(place: &str, schema: &serde_json::Value, missing: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                for (name, property) in object
                    .get("properties")
                    .and_then(|value| value.as_object())
                    .into_iter()
                    .flatten()
                {
                    if property.get("description").is_none() && property.get("$ref").is_none() {
                        missing.push(format!("{place}.{name}"));
                    }
                }
                object
                    .iter()
                    .for_each(|(key, value)| walk(&format!("{place}.{key}"), value, missing));
            }
            serde_json::Value::Array(items) => {
                items.iter().for_each(|item| walk(place, item, missing))
            }
            _ => {}
        }
    }
    let mut missing = Vec::new();
    walk("", &schema(), &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

/// Every key that a rule, the advisor or the diff writes is in the schema with its unit.
#[test]
fn every_evidence_key_is_described() {
    let described = &schema()["$defs"]["evidence"]["properties"];
    let mut found = 0;
    for folder in ["rules", "advise", "trace", "diff"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(folder);
        for file in walkdir::WalkDir::new(root).into_iter().map(Result::unwrap) {
            if file
                .path()
                .extension()
                .is_none_or(|extension| extension != "rs")
            {
                continue;
            }
            let text = std::fs::read_to_string(file.path()).unwrap();
            let mut pieces: Vec<&str> = text.split("\", Quantity::").collect();
            pieces.pop();
            for key in pieces.iter().filter_map(|before| before.rsplit('"').next()) {
                found += 1;
                assert!(
                    described.get(key).is_some(),
                    "{}: {key:?} is not in the schema",
                    file.path().display()
                );
            }
        }
    }
    assert!(found > 10);
}

#[test]
fn json_is_read_back_as_it_was_written() {
    for report in [sample::report(), sample::fine(), sample::failing()] {
        let text = text_of(|out| json::render(&report, out));
        let saved = json::read(&text.replace("VERSION", env!("CARGO_PKG_VERSION"))).unwrap();
        assert_eq!(saved, json::SavedReport::of(&report));
        assert_eq!(saved.queries.len(), report.queries.len());
    }
}

#[test]
fn other_files_are_refused() {
    let message = |text: &str| json::read(text).unwrap_err().to_string();
    let messages = [
        message("SELECT 1"),
        message("[1, 2]"),
        message("{\"version\": 2}"),
        message("{\"version\": 1, \"tool\": {\"name\": \"pgproof\"}}"),
    ];
    insta::assert_debug_snapshot!(messages);
}

#[test]
fn the_exit_code_follows_from_the_findings() {
    let code = |report: &Report| {
        let summary = Summary::of(report);
        (summary.exit_code(), summary.exit_reason())
    };
    let mut report = sample::report();
    assert_eq!(
        code(&report),
        (1, "2 findings at or above fail-on = \"error\"".to_owned())
    );
    report.fail_on = None.into();
    assert_eq!(code(&report), (0, "fail-on = \"never\"".to_owned()));
    assert_eq!(
        code(&sample::fine()),
        (0, "nothing at or above fail-on = \"error\"".to_owned())
    );
    let mut failing = sample::failing();
    assert_eq!(code(&failing).0, 0);
    failing.fail_on = Some(Severity::Warning).into();
    assert_eq!(
        code(&failing),
        (1, "2 findings at or above fail-on = \"warning\"".to_owned())
    );
    // What ended early is told before what was found.
    failing.ended_early = Some(EndedEarly::Interrupted);
    assert_eq!(code(&failing).0, 130);
    failing.ended_early = Some(EndedEarly::ServerLost {
        reason: "terminating connection".to_owned(),
    });
    assert_eq!(code(&failing).0, 3);
}

#[test]
fn reports_go_where_they_were_sent() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let outputs: Vec<Output> = ["json=r.json", "markdown=r.md"]
        .iter()
        .map(|text| text.parse::<Output>().unwrap())
        .map(|output| Output {
            file: output.file.map(|name| directory.path().join(name)),
            ..output
        })
        .collect();
    std::fs::write(file("r.json"), "old").unwrap();
    let mut stdout = Vec::new();
    write_all(&outputs, &sample::report(), &PLAIN_80, &mut stdout).unwrap();
    assert!(String::from_utf8(stdout).unwrap().starts_with("pgproof "));
    json::read(&std::fs::read_to_string(file("r.json")).unwrap()).unwrap();
    assert!(
        std::fs::read_to_string(file("r.md"))
            .unwrap()
            .starts_with(markdown::MARKER)
    );
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        2,
        "no temporary file is left"
    );
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("taken");
    std::fs::create_dir(&target).unwrap();
    let output = Output {
        file: Some(target.clone()),
        ..("json".parse().unwrap())
    };
    let error = write_all(&[output], &sample::fine(), &PLAIN_80, &mut Vec::new()).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!(
            "cannot write the json report to {}: ",
            target.display()
        )),
        "{error}"
    );
    assert!(!error.is_usage());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_reader_that_went_away_is_told_apart() {
    struct Closed(io::ErrorKind);
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in ["terminal", "json", "markdown"] {
        let outputs = [format.parse::<Output>().unwrap()];
        let fails = |kind| {
            write_all(&outputs, &sample::report(), &PLAIN_80, &mut Closed(kind)).unwrap_err()
        };
        assert!(
            fails(io::ErrorKind::BrokenPipe).is_closed_stdout(),
            "{format}"
        );
        assert!(
            !fails(io::ErrorKind::StorageFull).is_closed_stdout(),
            "{format}"
        );
    }
}
