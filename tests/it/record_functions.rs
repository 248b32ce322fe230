//! Loops inside functions and triggers: what a client sees as one statement. While it is recorded, and in logs of auto_explain.

#![allow(clippy::unwrap_used)]

use serde_json::Value;

use crate::record::{of_rule, pgproof, project, said};
use crate::trace::{logged, report};

/// A loop over rows, a trigger for each row, a function in SQL that is called for each row, and one with six steps.
const FUNCTIONS: &str = "
CREATE FUNCTION title_lengths(last bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  post record;
  one text;
  total bigint := 0;
BEGIN
  FOR post IN SELECT id FROM posts WHERE id <= last ORDER BY id LOOP
    SELECT title INTO one FROM posts WHERE id = post.id;
    total := total + length(one);
  END LOOP;
  RETURN total;
END $$;
CREATE TABLE changes (post_id bigint, at timestamptz);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO changes VALUES (NEW.id, now());
  RETURN NEW;
END $$;
CREATE TRIGGER changed AFTER UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE FUNCTION author_of(post bigint) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS
  'SELECT author_id FROM posts WHERE id = post';
CREATE FUNCTION six_steps(post bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR step IN 1..6 LOOP
    PERFORM title FROM posts WHERE id = post + step;
  END LOOP;
END $$;
";

const WORK: &str = r#"
psql -q -v ON_ERROR_STOP=1 -o /dev/null <<'SQL'
SELECT title_lengths(40);
SELECT title_lengths(12);
UPDATE posts SET title = title || '!' WHERE id <= 30;
SELECT count(author_of(id)) FROM posts WHERE id <= 25;
SELECT six_steps(1);
SELECT six_steps(2);
SELECT six_steps(3);
SQL
"#;

/// Place, most executions, the beginning of the statement.
const EXPECTED: [(&str, u64, &str); 3] = [
    (
        "line 8 of title_lengths(bigint)",
        40,
        "SELECT title FROM posts",
    ),
    ("line 3 of note_change()", 30, "INSERT INTO changes"),
    (
        "statement 1 of author_of",
        25,
        "SELECT author_id FROM posts",
    ),
];

fn assert_found(report: &Value) {
    let mut found: Vec<(String, u64, String)> = of_rule(report, "loop-in-function")
        .into_iter()
        .map(|found| {
            let evidence = &found["evidence"];
            let text = |key: &str| evidence[key].as_str().unwrap().to_owned();
            (
                found["message"].as_str().unwrap().to_owned(),
                evidence["calls"].as_u64().unwrap(),
                text("inner_statement"),
            )
        })
        .collect();
    found.sort_by_key(|(_, calls, _)| std::cmp::Reverse(*calls));
    assert_eq!(found.len(), EXPECTED.len(), "{found:#?}");
    for ((message, calls, statement), expected) in found.iter().zip(EXPECTED) {
        assert!(message.contains(expected.0), "{message}: {expected:?}");
        assert_eq!(*calls, expected.1, "{message}");
        assert!(statement.starts_with(expected.2), "{statement}");
    }
    let most = &found[0].0;
    assert!(most.contains("40 times (12 to 40 in 2 of them)"), "{most}");
}

#[test]
fn a_loop_inside_of_a_function_is_found_while_it_is_recorded() {
    let project = project();
    std::fs::write(project.path().join("migrations/2_functions.sql"), FUNCTIONS).unwrap();
    let record = |flags: &[&str], work: &str| -> Value {
        let arguments = [
            &["record", "--force", "--format", "json"],
            flags,
            &["--", "sh", "-ec", work],
        ]
        .concat();
        let output = pgproof(project.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let report = record(&[], WORK);
    assert_found(&report);
    assert_eq!(of_rule(&report, "incomplete-trace").len(), 0, "{report:#}");

    // A call has no plan of its own: what it executed is its own all the same.
    let called = "psql -q -o /dev/null -c \"DO 'BEGIN PERFORM title_lengths(15); END'\" -c 'SELECT count(*) FROM posts'";
    let report = record(&[], called);
    let found = of_rule(&report, "loop-in-function");
    assert_eq!(found.len(), 1, "{report:#}");
    assert_eq!(found[0]["evidence"]["calls"], 15);
    let query = found[0]["query"].as_str().unwrap();
    let of = report["queries"].as_array().unwrap().iter();
    let mut of = of.filter(|one| one["name"] == query);
    assert!(
        of.next().unwrap()["sql"]
            .as_str()
            .unwrap()
            .starts_with("DO")
    );
}

#[test]
fn a_loop_inside_of_a_function_is_found_in_logs_of_every_format() {
    let setup = "psql -q -v ON_ERROR_STOP=1 <<'SQL'\n\
         SET session_preload_libraries = '';\n\
         CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint NOT NULL, title text NOT NULL);\n\
         INSERT INTO posts SELECT n, n % 7, 'post ' || n FROM generate_series(1, 300) n;\n\
         ANALYZE;\n";
    let work = format!(
        "{setup}{FUNCTIONS}\nSQL\nexport PGOPTIONS='-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_nested_statements=on'\n{WORK}"
    );
    let mut logs = 0;
    for (version, prefix) in [(14, "%m [%p] "), (15, "%m [%p] "), (18, "%t [%p]: [%l-1] ")] {
        let Some(logged) = logged(version, &[("log_line_prefix", prefix)], &work) else {
            continue;
        };
        let endings: &[&str] = if version >= 15 {
            &[".log", ".csv", ".json"]
        } else {
            &[".log", ".csv"]
        };
        for ending in endings {
            let file = logged.file(ending).display().to_string();
            assert_found(&report(&[&file], None, logged.directory.path()));
            logs += 1;
        }
    }
    assert!(logs >= 3);
}
