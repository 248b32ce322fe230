use super::*;

#[test]
fn a_constant_that_is_put_together_with_others_is_no_statement() {
    let code = "package a\nimport \"database/sql\"\nconst (\n  base = `SELECT * FROM jobs WHERE deleted_at IS NULL`\n  \
                    whole = `SELECT id FROM jobs`\n  joined = `SELECT 1 FROM jobs`\n)\n\
                    func page() { q := fmt.Sprintf(paged, base, filter); run(q); use(whole); run(joined + tail) }\n";
    let shown: Vec<_> = statements(code)
        .into_iter()
        .map(|one| {
            (
                one.name,
                matches!(
                    one.what,
                    crate::catalog::sources::conventions::What::Statement { .. }
                ),
            )
        })
        .collect();
    let expected = [("base", false), ("whole", true), ("joined", false)];
    assert_eq!(shown, expected.map(|(name, is)| (name.to_owned(), is)));
}
#[test]
fn constants_of_constants_are_known() {
    let code = "package a\nconst berths = `SELECT id, free\nFROM berths`\nconst (\n  freeBerths = berths + ` WHERE free`\n\
                    \x20 cte = `with b as (select 1)`\n  ofCte = cte + `\nselect * from b where c = $1`\n)\n\
                    func List(r own.Reader) {\n  r.Ask(ctx, freeBerths)\n  r.Query(ctx, berths + \" WHERE id = $1\", id)\n}\n";
    assert_eq!(
        found(code),
        [
            known("freeBerths", 5, "SELECT id, free\nFROM berths WHERE free"),
            known(
                "ofCte",
                7,
                "with b as (select 1)\nselect * from b where c = $1"
            ),
            known("List", 12, "SELECT id, free\nFROM berths WHERE id = $1"),
        ]
    );
}

#[test]
fn whole_statements_are_read_where_they_are_handed_to_methods_of_the_projects_own() {
    let code = "package a\nvar prepared = map[string]string{\n  \"last\": \"SELECT max(id) FROM berths WHERE harbour = $1\",\n}\n\
                    func (s *Store) Free(ctx context.Context) error {\n  if err := s.ask(ctx, &rows, \"SELECT id FROM berths WHERE free = ?\", true); err != nil {\n\
                    \x20   return errors.Wrap(err, \"delete from berths\")\n  }\n  return s.run(ctx, \"DELETE FROM berths WHERE id in @ids\")\n}\n\
                    func Title() string { return i18n(\"Select the berths from the list\") }\n";
    assert!((CONVENTION.shows)(code));
    assert_eq!(
        found(code),
        [
            known(
                "prepared",
                3,
                "SELECT max(id) FROM berths WHERE harbour = $1"
            ),
            known("Free", 6, "SELECT id FROM berths WHERE free = $1"),
            known(
                "Free",
                9,
                "DELETE FROM berths WHERE id in (sqlc.slice('ids'))"
            ),
        ]
    );
}

#[test]
fn files_of_other_databases_alone_hold_none() {
    let code = "package a\nimport \"github.com/mattn/go-sqlite3\"\nconst a = `SELECT a FROM b WHERE c = 1`\n";
    assert_eq!(found(code), []);
}

fn found(code: &str) -> Vec<(String, u32, Option<String>)> {
    statements(code)
        .into_iter()
        .map(|one| {
            let sql = match one.what {
                crate::catalog::sources::conventions::What::Statement { sql, .. } => Some(sql),
                crate::catalog::sources::conventions::What::Unknown { .. } => None,
            };
            (one.name, one.line, sql)
        })
        .collect()
}

fn known(name: &str, line: u32, sql: &str) -> (String, u32, Option<String>) {
    (name.to_owned(), line, Some(sql.to_owned()))
}

fn named(name: &str, line: u32) -> (String, u32, Option<String>) {
    (name.to_owned(), line, None)
}

#[test]
fn texts_of_calls_are_read_by_hand_or_by_name() {
    let code = "package a\nimport \"database/sql\"\nconst byCity = `\n  SELECT id FROM users WHERE city = $1`\n\
                    func (r *Repo) Users(ctx context.Context) {\n  r.db.QueryContext(ctx, byCity, city)\n\
                    \x20 c.Query(\"page\")\n  r.db.GetContext(ctx, &u, \"SELECT a \" +\n    \"FROM b WHERE c = ?\", c)\n}\n\
                    func Remove(db *sql.DB) error {\n  q := \"DELETE FROM users WHERE id = $1\"\n  _, err := db.Exec(q, id)\n  return err\n}\n";
    assert!((CONVENTION.shows)(code));
    assert_eq!(
        found(code),
        [
            known("Users", 4, "\n  SELECT id FROM users WHERE city = $1"),
            known("Users", 8, "SELECT a \nFROM b WHERE c = $1"),
            known("Remove", 12, "DELETE FROM users WHERE id = $1"),
        ]
    );
}

#[test]
fn what_is_put_together_is_named_at_its_call() {
    let code = "package a\nfunc List(db DB, city string) {\n  q := \"SELECT id FROM users\"\n  if city != \"\" {\n    q += \" WHERE city = $1\"\n  }\n\
                    \x20 db.Query(q, city)\n  db.Query(fmt.Sprintf(\"SELECT a FROM %s\", t))\n  db.Query(\"SELECT a FROM \" + t)\n\
                    \x20 query, args, _ := builder.ToSql()\n  db.Query(query, args...)\n  cache.Get(key)\n}\n\
                    const template = \"SELECT a FROM %s\"\nconst pattern = \"SELECT a FROM b WHERE c LIKE '%s'\"\n";
    assert_eq!(
        found(code),
        [
            named("List", 7),
            named("List", 8),
            named("List", 9),
            named("template", 14),
            known("pattern", 15, "SELECT a FROM b WHERE c LIKE '%s'"),
        ]
    );
}

#[test]
fn what_a_builder_goes_on_with_is_no_statement_yet() {
    let code = "package a\nfunc Moor(db DB, id int) {\n  q := builder.New(`UPDATE berths SET free = false`)\n  q.Add(\"WHERE id = ?\", id)\n  db.Exec(q.String(), q.Args...)\n}\n\
                func FreeAll(db DB) {\n  q := builder.New(`UPDATE berths SET free = true`)\n  log.Print(\"where all are free\")\n  db.Exec(q.String())\n}\n";
    assert_eq!(
        found(code),
        [
            named("Moor", 5),
            known("FreeAll", 8, "UPDATE berths SET free = true"),
            // What the builder gives is not followed.
            named("FreeAll", 10),
        ]
    );
}

#[test]
fn what_a_tool_generated_or_a_test_sends_is_read_where_it_comes_from() {
    let generated = "// Code generated by sqlc. DO NOT EDIT.\npackage a\nfunc A(db DB) { db.Query(\"SELECT 1 FROM a\") }\n";
    assert_eq!(found(generated), []);
    assert_eq!(
        found("package a\nconst a = `-- name: A :one\nSELECT 1 FROM a`\n"),
        []
    );
    let source = Source::new(
        "a_test.go",
        "package a\nfunc A(db DB) { db.Query(\"SELECT 1 FROM a\") }\n",
    );
    assert_eq!((CONVENTION.read)(&source), []);
}

#[test]
fn broken_code_is_read_to_its_end() {
    for code in [
        "func",
        "func (",
        "x.Query(",
        "x.Query(q",
        "x.Query(\"SELECT 1",
        "const x =",
        "}",
        ".Get(,",
    ] {
        let _ = statements(code);
    }
}
