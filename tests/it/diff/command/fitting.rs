//! Constraints that a migration adds to rows which were made without them: production's hold them already.

use super::{diff, error_of, pgproof, query, statement, write};
use crate::server::private;

const KENNEL: &str = "CREATE TABLE owners (id bigint PRIMARY KEY, name text);
CREATE TABLE pets (
    id bigint PRIMARY KEY, keeper bigint, tag text, kind text NOT NULL, room int NOT NULL, weight int, data text NOT NULL, words text NOT NULL
);
";

fn kennel() -> tempfile::TempDir {
    let project = private::project();
    let path = project.path();
    write(
        path,
        "pgproof.toml",
        "migrations = { dir = \"migrations\", layout = \"sqlx\" }\n[server]\nversion = \"15\"\n[dataset]\ntarget-size = \"2MB\"\n",
    );
    write(path, "migrations/0001_kennel.sql", KENNEL);
    write(
        path,
        "queries/pets.sql",
        "-- name: GetPet :one\nSELECT tag FROM pets WHERE id = $1;\n\n-- name: PetOfTag :one\nSELECT id FROM pets WHERE kind = $1;\n",
    );
    project
}

#[test]
fn rows_are_made_to_hold_what_a_migration_asks_of_them() {
    let project = kennel();
    let path = project.path();
    write(
        path,
        "migrations/0002_strict.sql",
        "ALTER TABLE pets ALTER COLUMN tag SET NOT NULL;
ALTER TABLE pets ADD CONSTRAINT weight_sane CHECK (weight BETWEEN 1 AND 90);
ALTER TABLE pets ADD CONSTRAINT of_keeper FOREIGN KEY (keeper) REFERENCES owners (id);
ALTER TABLE pets ADD COLUMN chip text UNIQUE;
CREATE UNIQUE INDEX pets_kind_idx ON pets (kind);
ALTER TABLE pets DROP CONSTRAINT pets_pkey, ADD PRIMARY KEY (id, room);
ALTER TABLE pets ALTER COLUMN data TYPE jsonb USING data::jsonb;
ALTER TABLE pets ALTER COLUMN words TYPE varchar(9);
",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    assert_eq!(statement(&report, 1)["scanned"][0], "table pets", "{text}");
    assert_eq!(
        statement(&report, 3)["scanned"][0],
        "foreign key of_keeper",
        "{text}"
    );
    for line in [7, 8] {
        assert_eq!(
            statement(&report, line)["rewritten"][0],
            "public.pets",
            "{text}"
        );
    }
    // What the rows had to hold is not there before the migration: the index is new.
    let cause = &query(&report, "PetOfTag")["runs"][0]["cause"];
    assert_eq!(cause["line"], 5, "{text}");
    let added: Vec<&str> = report["indexes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|index| index["name"].as_str())
        .collect();
    assert!(
        added.contains(&"pets_kind_idx") && added.contains(&"pets_chip_key"),
        "{text}"
    );
}

#[test]
fn what_the_migration_mends_itself_is_left_for_it_to_mend() {
    let project = kennel();
    let path = project.path();
    write(
        path,
        "migrations/0002_tags.sql",
        "UPDATE pets SET tag = 'none' WHERE tag IS NULL;
ALTER TABLE pets ALTER COLUMN tag SET NOT NULL;
",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    assert!(
        statement(&report, 1)["rows"].as_u64().unwrap() > 0,
        "{text}"
    );
    // No rows hold this: it is told where it fails.
    write(
        path,
        "migrations/0002_tags.sql",
        "ALTER TABLE pets ADD COLUMN chip int;\nALTER TABLE pets ADD CHECK (chip IS NOT NULL AND chip > 5);\n",
    );
    let output = pgproof(path, &["diff"]);
    let error = error_of(&output, 2);
    assert!(
        error.contains("0002_tags.sql:2") && error.contains("is violated by some row"),
        "{error}"
    );
}
