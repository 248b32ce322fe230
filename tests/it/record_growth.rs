//! Proof by growth, over twenty kinds of repeated statements: those that run once a row are found, whatever their values look
//! like, and those that run a fixed number of times are not.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::record::{pgproof, project, said};

/// Each statement names its kind by the label that it selects or writes: `g` for those that grow, `c` for those that do not.
const SCRIPT: &str = r#"
posts="SELECT p.id FROM posts p WHERE p.author_id IN (SELECT a.id FROM authors a ORDER BY a.id LIMIT 5) ORDER BY p.id"
authors="SELECT id FROM authors WHERE id % 97 = 3 ORDER BY id"
few="SELECT id FROM authors ORDER BY id LIMIT 5"
{
    echo "BEGIN;"
    echo "$posts;"
    ids=$(psql -At -c "$posts")
    for id in $ids; do echo "SELECT title AS g01_hashed FROM posts WHERE md5(id::text) = md5('$id');"; done
    for id in $ids; do echo "SELECT title AS g02_hexadecimal FROM posts WHERE to_hex(id) = '$(printf %x "$id")';"; done
    for id in $ids; do echo "SELECT title AS g03_shifted FROM posts WHERE id + 1000 = $((id + 1000));"; done
    for id in $ids; do echo "SELECT title AS g04_padded FROM posts WHERE lpad(id::text, 12, '0') = '$(printf %012d "$id")';"; done
    n=0
    for id in $ids; do echo "SELECT title AS g05_by_position FROM posts ORDER BY id OFFSET $n LIMIT 1;"; n=$((n + 1)); done
    for id in $ids; do echo "UPDATE posts SET title = 'g06_changed' WHERE id = $id;"; done
    for id in $ids; do echo "INSERT INTO events (kind, post_id) VALUES ('g07_inserted', $id);"; done
    for id in $ids; do
        echo "SAVEPOINT one;"
        echo "DELETE FROM events WHERE kind = 'g08_deleted' AND post_id = $id;"
        echo "RELEASE SAVEPOINT one;"
    done
    for id in $ids; do
        echo "SELECT author_id AS g09_first_of_a_pair FROM posts WHERE id = $id;"
        echo "SELECT length(title) AS g10_second_of_a_pair FROM posts WHERE id = $id;"
    done
    echo "$authors;"
    for author in $(psql -At -c "$authors"); do echo "SELECT count(*) AS g11_counted FROM posts WHERE author_id = $author;"; done
    for author in $(psql -At -c "$few"); do
        of="SELECT id AS of_one FROM posts WHERE author_id = $author ORDER BY id"
        echo "$of;"
        for id in $(psql -At -c "$of"); do echo "SELECT upper(title) AS g12_of_a_chain FROM posts WHERE reverse(id::text) = reverse('$id');"; done
    done

    for key in currency theme locale page zone unit; do echo "SELECT value AS c01_setting FROM settings WHERE key = '$key';"; done
    for day in 1 2 3 4 5 6 7; do echo "SELECT count(*) AS c02_weekday FROM posts WHERE id % 7 = $day - 1;"; done
    for month in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "SELECT count(*) AS c03_month FROM posts WHERE id % 12 = $month - 1;"; done
    for attempt in 1 2 3 4 5; do echo "SELECT value AS c04_retried FROM settings WHERE key = 'lock';"; done
    for poll in 1 2 3 4 5 6 7 8 9 10; do echo "SELECT count(*) AS c05_polled FROM events WHERE kind = 'new' AND post_id > $poll;"; done
    for tenant in 900001 900005 900013 900027 900044 900071; do echo "SELECT name AS c06_tenant FROM authors WHERE id = $tenant;"; done
    for hour in $(seq 0 23); do echo "SELECT count(*) AS c07_hour FROM posts WHERE id % 24 = $hour;"; done
    for author in $(psql -At -c "$few"); do echo "SELECT name AS c08_of_a_page FROM authors WHERE md5(id::text) = md5('$author');"; done
    echo "ROLLBACK;"
} > all.sql
psql -q -o /dev/null -f all.sql
"#;

#[test]
fn twenty_of_twenty_kinds_are_judged_by_how_they_grow() {
    let project = project();
    std::fs::write(
        project.path().join("migrations/1_posts.sql"),
        "CREATE TABLE authors (id bigint PRIMARY KEY, name text NOT NULL);\n\
         CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES authors, title text NOT NULL);\n\
         CREATE INDEX ON posts (author_id);\n\
         CREATE TABLE settings (key text PRIMARY KEY, value text NOT NULL);\n\
         CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, post_id bigint NOT NULL);\n",
    )
    .unwrap();
    std::fs::write(project.path().join("script.sh"), SCRIPT).unwrap();
    let arguments = [
        "record",
        "--twice",
        "--format",
        "json",
        "--",
        "sh",
        "-e",
        "script.sh",
    ];
    let output = pgproof(project.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let queries = report["queries"].as_array().unwrap();
    let text_of = |name: &Value| {
        let is_it = |query: &&Value| query["name"] == *name;
        let query = queries
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{name}"));
        query["sql"].as_str().unwrap().to_owned()
    };
    let mut grown = BTreeMap::new();
    let mut others = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        let text = text_of(&finding["query"]);
        let kinds = all_kinds().find(|kind| text.contains(kind.as_str()));
        let evidence = &finding["evidence"];
        let calls = |key: &str| evidence[key].as_u64();
        match (kinds, calls("calls_before").zip(calls("calls_after"))) {
            (Some(kind), Some((before, after))) if kind.starts_with('g') => {
                assert!(after * 2 >= before * 3, "{finding:#}");
                grown.insert(kind, after);
            }
            // What asks for one thing again and again is that, and no loop over rows.
            _ if finding["rule"] == "duplicate-query" => {}
            _ => others.push(format!("{}: {text}", finding["message"])),
        }
    }
    let expected: Vec<String> = all_kinds().filter(|kind| kind.starts_with('g')).collect();
    assert_eq!(
        grown.keys().cloned().collect::<Vec<_>>(),
        expected,
        "{report:#}"
    );
    let of_constants = |text: &&String| text.contains(" AS c0");
    let alarms: Vec<&String> = others.iter().filter(of_constants).collect();
    assert!(alarms.is_empty(), "{alarms:#?}");
}

/// `g01` to `g12`, `c01` to `c08`.
fn all_kinds() -> impl Iterator<Item = String> {
    let grow = (1..=12).map(|n| format!("g{n:02}"));
    grow.chain((1..=8).map(|n| format!("c{n:02}")))
}
