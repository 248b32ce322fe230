//! What the catalog reads: parameters, places, kinds. Mistakes are in `tests/errors.rs`, as a person sees them.

use super::*;

fn queries(text: &str) -> Vec<Query> {
    strict(parse(&[Source::new("queries/a.sql", text)])).queries
}

fn strict(catalog: Catalog) -> Catalog {
    catalog.strict().unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

/// The one query of a statement.
fn query(statement: &str) -> Query {
    queries(&format!("-- name: Q :many\n{statement}\n")).remove(0)
}

fn sql(statement: &str) -> String {
    query(statement).sql
}

#[test]
fn parameters_become_numbers() {
    let cases = [
        (
            "select * from t where a = $1 and b = $2 and c = $1",
            "select * from t where a = $1 and b = $2 and c = $1",
        ),
        ("select @a, @b, @a", "select $1, $2, $1"),
        ("select :a::text, :b", "select $1::text, $2"),
        (
            "select sqlc.arg(a), sqlc.arg('b'), sqlc.narg( a )",
            "select $1, $2, $1",
        ),
        ("select SQLC.ARG(a)::int", "select $1::int"),
        (
            "select * from t where id in (sqlc.slice('ids'))",
            "select * from t where id = ANY($1)",
        ),
        (
            "select * from t where id NOT IN ( sqlc.slice(ids) )",
            "select * from t where id <> ALL($1)",
        ),
        (
            "select * from t where id = any(sqlc.slice(ids))",
            "select * from t where id = any($1)",
        ),
        (
            "select sqlc.embed(o), o.id from orders o",
            "select o.*, o.id from orders o",
        ),
        (
            "select * from t where a=@x and b>=@y and c||@z <> ''",
            "select * from t where a=$1 and b>=$2 and c||$3 <> ''",
        ),
        (
            "select * from t limit :n offset :m",
            "select * from t limit $1 offset $2",
        ),
        (
            "select * from t where a in (:x,:y)",
            "select * from t where a in ($1,$2)",
        ),
        (
            "select distinct on (a) :x from t",
            "select distinct on (a) $1 from t",
        ),
    ];
    for (written, expected) in cases {
        assert_eq!(sql(written), expected);
    }
}

#[test]
fn what_looks_like_a_parameter_stays() {
    for statement in [
        "select '@a :b $1 sqlc.arg(x)', \"@a\", $$ @a :b $$, $tag$ ; $1 $tag$, E'it\\'s :b'",
        "select 1 /* @a /* :b */ ; */ + 2 -- @c :d $3 ;\n + 3",
        "select a::text, (a)::int[], '1'::int",
        "select a from t where tags @> '{x}' and '{x}' <@tags and doc @@ query and path @? '$.a'",
        "select @ -5, @ a, @t.a from t",
        "select arr[1:2], arr[lo:hi], arr[1:n] from t",
        "select make_interval(days := 3), f(a => 1)",
        "select json_object('a':b, 'c' : d) from t",
        "select a.sqlc.arg from a",
        "select data->>'a:b', data ? 'k', data ?| array['a'] from t",
    ] {
        let query = query(statement);
        assert_eq!(query.sql, statement);
        assert_eq!(query.parameters, []);
    }
}

#[test]
fn parameters_know_what_they_are() {
    let query =
        query("select * from t where a = sqlc.narg(x) and b in (sqlc.slice(ys)) and c = @z");
    let seen: Vec<_> = query
        .parameters
        .iter()
        .map(|p| (p.number, p.name.as_deref(), p.nullable, p.slice))
        .collect();
    assert_eq!(
        seen,
        [
            (1, Some("x"), true, false),
            (2, Some("ys"), false, true),
            (3, Some("z"), false, false)
        ]
    );
}

#[test]
fn unnamed_parameters_take_the_columns_they_meet() {
    let cases: [(&str, &[&str]); 8] = [
        (
            "select * from t where t.customer_id = $1 and $2 < total",
            &["customer_id", "total"],
        ),
        (
            "select * from t where lower(email) = lower($1) limit $2 offset ($3)::int",
            &["email", "limit", "offset"],
        ),
        (
            "select * from t where name ilike '%' || $1::text || '%'",
            &["name"],
        ),
        (
            "select * from t where id = any($1::int[]) and kind in ($2)",
            &["id", "kind"],
        ),
        ("select * from t where at between $1 and $2", &["at", "at"]),
        (
            "insert into t (a, \"B c\") values ($1, coalesce($2, 0))",
            &["a", "B c"],
        ),
        (
            "update t set a = $1, (b, c) = ($2, $3) where Id = $4",
            &["a", "b", "c", "id"],
        ),
        ("select $1::text", &["$1"]),
    ];
    for (statement, expected) in cases {
        let labels: Vec<String> = query(statement)
            .parameters
            .iter()
            .map(Parameter::label)
            .collect();
        assert_eq!(labels, expected, "{statement}");
    }
}

#[test]
fn statements_end_at_their_semicolon() {
    let text = "-- name: A :one\nselect ';', $$;$$, \";\" /* ; */ -- ;\n, 1;\n\n/* name: B :exec */\ndelete from t;\n\
                -- name: C-d_1 :many\n-- a remark\nselect 2\n";
    let seen: Vec<_> = queries(text)
        .into_iter()
        .map(|q| (q.name, q.command, q.header_line, q.line, q.source))
        .collect();
    assert_eq!(
        seen,
        [
            (
                "A".into(),
                Command::One,
                1,
                2,
                "select ';', $$;$$, \";\" /* ; */ -- ;\n, 1".into()
            ),
            ("B".into(), Command::Exec, 5, 6, "delete from t".into()),
            ("C-d_1".into(), Command::Many, 7, 9, "select 2".into()),
        ]
    );
}

#[test]
fn kinds_and_writes() {
    use StatementKind::{Delete, Insert, Merge, Select, Update, Values};
    for (statement, kind, writes) in [
        ("select 1", Select, false),
        ("(select 1) union all select 2 order by 1", Select, false),
        ("with a as (select 1) select * from a", Select, false),
        (
            "with a as (delete from t returning *) select * from a",
            Select,
            true,
        ),
        ("select * from t for update skip locked", Select, true),
        ("select * from (select * from t for share) s", Select, true),
        ("table t", Select, false),
        ("values (1), (2)", Values, false),
        ("insert into t default values", Insert, true),
        (
            "with a as (select 1 as x) insert into t select * from a on conflict do nothing",
            Insert,
            true,
        ),
        ("update t set a = 1", Update, true),
        ("delete from t using u where t.id = u.id", Delete, true),
        (
            "merge into t using u on t.id = u.id when matched then delete",
            Merge,
            true,
        ),
    ] {
        let query = query(statement);
        assert_eq!(
            (query.statement, query.writes),
            (kind, writes),
            "{statement}"
        );
    }
}

#[test]
fn server_positions_lead_back_to_the_file() {
    let text = "\n-- name: Q :many\n  select 'é', @customer_id, 'x',\n    totl, sqlc.arg(other) from t where id in (sqlc.slice(ids)) and bad\n;";
    let query = queries(text).remove(0);
    assert_eq!(
        query.sql,
        "select 'é', $1, 'x',\n    totl, $2 from t where id = ANY($3) and bad"
    );
    let position = |word: &str| {
        let offset = query.sql.find(word).unwrap();
        query.source_position(u32::try_from(query.sql[..offset].chars().count() + 1).unwrap())
    };
    assert_eq!(position("select"), (3, 3));
    assert_eq!(position("$1"), (3, 15));
    assert_eq!(position("'x'"), (3, 29));
    assert_eq!(position("totl"), (4, 5));
    assert_eq!(position("$2"), (4, 11));
    assert_eq!(position("= ANY"), (4, 43));
    assert_eq!(position("bad"), (4, 68));
    assert_eq!(query.source_position(u32::MAX), (4, 71));
    assert_eq!(query.source_position(0), (3, 3));
}

#[test]
fn directives_are_read() {
    let text = "-- name: Customers :many\nselect id, c.email as mail, count(*) from c;\n\
        -- name: Orders :many\n-- Orders of one customer.\n-- @sqlc-vet-disable\n\
        -- @param customer_id: hot    -- the largest\n-- @param $2: 'it''s -- fine'\n-- @param 3: (select max(id) from orders)\n\
        -- @budget time=50ms buffers=16MB rows=500\n-- @calls 90/min\n-- @for-each Customers.mail -> customer_id\n\
        -- @for-each Customers.count -> $4\n-- @allow seq-scan: 40 rows: small -- for ever\n\
        select * from orders where customer_id = $1 and note = $2 and id < $3 and n = $4\n-- @x = 1\n;";
    let query = queries(text).remove(1);
    let choices: Vec<_> = query.parameters.iter().map(|p| p.choice.clone()).collect();
    assert_eq!(
        choices,
        [
            ParameterChoice::Hot,
            ParameterChoice::Literal("it's -- fine".into()),
            ParameterChoice::Query("select max(id) from orders".into()),
            ParameterChoice::Auto
        ]
    );
    let budget = Budget {
        time: Some(crate::units::Millis(50.0)),
        buffers: Some(crate::units::Pages(2048)),
        rows: Some(500),
    };
    assert_eq!((query.budget, query.calls_per_second), (budget, Some(1.5)));
    assert_eq!(
        query.for_each,
        [
            ForEach {
                parent: "Customers".into(),
                column: "mail".into(),
                parameter: 1,
                line: 11
            },
            ForEach {
                parent: "Customers".into(),
                column: "count".into(),
                parameter: 4,
                line: 12
            }
        ]
    );
    let allow = Allow {
        rule: crate::finding::RuleId::SeqScan,
        reason: "40 rows: small -- for ever".into(),
        line: 13,
    };
    assert_eq!(query.allows, [allow]);
}

#[test]
fn windows_files_read_the_same() {
    let text = "-- name: A :one\r\n-- @calls 2/s\r\nselect 1,\r\n  @x;\r\n-- name: B :one\r\nselect 2;\r\n";
    let queries = queries(text);
    assert_eq!(
        (queries[0].calls_per_second, queries[1].line),
        (Some(2.0), 6)
    );
    assert_eq!(queries[0].source_position(14), (4, 3));
}

#[test]
fn the_sample_catalog_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let catalog = strict(load(root, &[QuerySource::files("queries/**/*.sql")], &[]).unwrap());
    let headers: usize = std::fs::read_dir(root.join("queries"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .map(|text| {
            text.lines()
                .filter(|line| line.starts_with("-- name:"))
                .count()
        })
        .sum();
    assert_eq!(catalog.queries.len(), headers);
}

/// Names with the place and the reason of what is left out, and the warnings.
fn outcome(catalog: &Catalog) -> (Vec<&str>, Vec<String>, Vec<String>) {
    let names = catalog.queries.iter().map(|query| query.name.as_str());
    let skipped = catalog
        .skipped
        .iter()
        .map(|skipped| format!("{}:{} {}", skipped.name, skipped.line, skipped.reason()));
    let warnings = catalog.warnings.iter().map(ToString::to_string);
    (names.collect(), skipped.collect(), warnings.collect())
}

#[test]
fn what_cannot_be_audited_stops_nothing() {
    let text = "-- name: First :one\nselect 1;\n\
        -- name: Broken :one\nselect from where;\n\
        -- name: Refresh :exec\nanalyze orders;\n\
        -- name: Empty :one\n;\n\
        -- name: :one\nselect 2;\n\
        -- name: Left :exec\n-- @skip: maintenance, run by hand\nvacuum full;\n\
        -- name: Last :one\nselect 3;\n";
    let catalog = parse(&[Source::new("queries/a.sql", text)]);
    let (names, skipped, warnings) = outcome(&catalog);
    assert_eq!(names, ["First", "Last"]);
    assert_eq!(
        skipped,
        [
            "Broken:4 syntax error at `where`: expected from item",
            "Refresh:6 ANALYZE statements cannot be audited",
            "Empty:7 query Empty has no statement",
            "queries/a.sql:10:10 this header has no name",
            "Left:13 `@skip`: maintenance, run by hand",
        ]
    );
    assert_eq!(warnings, Vec::<String>::new());
    assert!(
        catalog
            .skipped
            .iter()
            .all(|skipped| !skipped.remedy().is_empty())
    );
}

#[test]
fn a_quote_that_is_not_closed_costs_its_own_query() {
    let text = "-- name: A :one\nselect 1;\n-- name: B :one\nselect 'it;\n-- name: C :one\nselect 'x';\n\
                -- name: D :one\nselect $$;\n-- name: E :one\nselect 5;\n/* not closed\n-- name: F :one\nselect 6;\n";
    let (names, skipped) = {
        let catalog = parse(&[Source::new("a.sql", text)]);
        let (names, skipped, _) = outcome(&catalog);
        (
            names.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            skipped,
        )
    };
    assert_eq!(names, ["A", "C", "E", "F"]);
    assert_eq!(
        skipped,
        [
            "B:4 this quote is not closed",
            "D:8 this dollar-quoted string is not closed",
            "a.sql:11:11 this comment is not closed",
        ]
    );
    // A query that somebody took out stays out.
    let text = "/*\n-- name: Old :one\nselect 1;\n*/\n-- name: New :one\nselect 2;\n";
    assert_eq!(outcome(&parse(&[Source::new("a.sql", text)])).0, ["New"]);
}

#[test]
fn statements_without_a_name_are_named_by_their_place() {
    let one = Source::new("queries/reports/revenue.sql", "-- All of it.\nselect 1;\n");
    let two = Source::new(
        "queries/two.sql",
        "-- @calls 5/s\nselect 1;\n\nselect 2; select 3",
    );
    let catalog = parse(&[one, two]);
    let (names, skipped, warnings) = outcome(&catalog);
    assert_eq!(
        names,
        [
            "revenue",
            "queries/two.sql:2",
            "queries/two.sql:4",
            "queries/two.sql:4:11"
        ]
    );
    assert_eq!((skipped.len(), warnings.len()), (0, 0));
    assert_eq!(catalog.queries[1].calls_per_second, Some(5.0));
}

#[test]
fn a_name_in_two_packages_says_which() {
    let source = |path: &str| Source::new(path, "-- name: Get :one\nselect 1;\n");
    let names = |paths: &[&str]| {
        let sources: Vec<Source> = paths.iter().map(|path| source(path)).collect();
        let catalog = parse(&sources);
        let warnings = catalog.warnings.len();
        let names = catalog.queries.into_iter().map(|query| query.name);
        (names.collect::<Vec<_>>(), warnings)
    };
    let of = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&["db/billing/sql/q.sql", "db/shop/sql/q.sql"]),
        (of(&["billing/Get", "shop/Get"]), 0)
    );
    // Most tools take a folder's queries as one package.
    assert_eq!(
        names(&["q/orders.sql", "q/users.sql"]),
        (of(&["orders/Get", "users/Get"]), 1)
    );
    assert_eq!(
        names(&["q/get.sql", "q/deep/get.sql"]),
        (of(&["q/get/Get", "q/deep/get/Get"]), 0)
    );
    let twice = Source::new(
        "a.sql",
        "-- name: Get :one\nselect 1;\n-- name: Get :one\nselect 2;\n",
    );
    let catalog = parse(&[twice]);
    assert_eq!(outcome(&catalog).1, ["Get:4 a second query Get"]);
    assert_eq!(catalog.queries.len(), 1);
}

#[test]
fn a_parent_is_looked_for_nearby_first() {
    let text = "-- name: List :many\nselect id from t;\n-- name: Get :one\n-- @for-each List.id -> $1\nselect * from t where id = $1;\n";
    let catalog = parse(&[Source::new("a/q.sql", text), Source::new("b/q.sql", text)]);
    let parents: Vec<_> = catalog
        .queries
        .iter()
        .flat_map(|query| {
            query
                .for_each
                .iter()
                .map(|each| (query.name.as_str(), each.parent.as_str()))
        })
        .collect();
    assert_eq!(parents, [("a/Get", "a/List"), ("b/Get", "b/List")]);
}

#[test]
fn other_tools_headers_and_prose_are_understood() {
    let text = "# name: Hash :one\nselect 1 # 2;\n/* name: Star :exec */\ndelete from t;\n\
        -- name: get-user^\nselect 2;\n-- name: touch!\nupdate t set a = 1;\n\
        -- name: Copy :copyfrom\n-- @deprecated use Batch\n-- @param the id of the user\ninsert into t (a) values ($1);\n\
        -- name: Batch :batchexec\n-- @return nothing\ndelete from t where a = $1 and b = @b and c = sqlc.arg(c);\n";
    let catalog = parse(&[Source::new("a.sql", text)]);
    let (names, skipped, warnings) = outcome(&catalog);
    assert_eq!(
        names,
        ["Hash", "Star", "get-user", "touch", "Copy", "Batch"]
    );
    assert_eq!(skipped, Vec::<String>::new());
    // Nearly a directive of ours: said, and the query is audited.
    assert_eq!(
        warnings,
        ["a.sql:11: `@param` needs a parameter, a colon and a choice"]
    );
    let commands: Vec<Command> = catalog.queries.iter().map(|query| query.command).collect();
    assert_eq!(
        commands[2..],
        [
            Command::One,
            Command::Exec,
            Command::CopyFrom,
            Command::BatchExec
        ]
    );
}

#[test]
fn bodies_and_parentheses_keep_their_semicolons() {
    let text = "create function f() returns int begin atomic select case when true then 1 end; select 2; end;\n\
        create rule r as on insert to t do (delete from u; delete from v);\nselect 3;\n-- name: A :one\nselect (1;\n-- name: B :one\nselect 4;";
    let catalog = parse(&[Source::new("a.sql", text)]);
    let (names, skipped, _) = outcome(&catalog);
    assert_eq!(names, ["a.sql:3", "B"]);
    assert_eq!(skipped.len(), 3, "{skipped:?}");
}

#[test]
fn names_take_the_numbers_that_are_left() {
    assert_eq!(
        sql("select * from t where a = @x and b = $1 and c = sqlc.arg(y) and d = $3 and e = @x"),
        "select * from t where a = $2 and b = $1 and c = $4 and d = $3 and e = $2"
    );
}

#[test]
fn a_statement_ends_where_the_server_ends_it() {
    // The string goes on over both line breaks, so that what looks like its content is not.
    let text = "-- name: A :one\nselect E'a'\n'b\\'\n'; commit; delete from t; --' as x;\n-- name: B :one\nselect 2;\n";
    let catalog = parse(&[Source::new("a.sql", text)]);
    assert_eq!(outcome(&catalog).0, ["A", "a.sql:4", "B"]);
    assert_eq!(
        outcome(&catalog).1,
        ["a.sql:4:4 COMMIT TRANSACTION statements cannot be audited"]
    );
    assert_eq!(catalog.queries[0].source, "select E'a'\n'b\\'\n'");
    assert!(!catalog.queries[0].writes && catalog.queries[1].writes);
}

#[test]
fn excluded_queries_are_left_out_with_the_pattern() {
    let text = "-- name: A :one\nselect 1;\n-- name: B :one\nbroken;\n";
    let mut catalog = parse(&[Source::new("a.sql", text)]);
    catalog.exclude("B", |name, _| name == "B");
    catalog.exclude("a.sql", |_, file| file == Path::new("a.sql"));
    assert_eq!(
        outcome(&catalog).1,
        ["B:4 `exclude` names \"B\"", "A:2 `exclude` names \"a.sql\""]
    );
    assert!(catalog.strict().is_ok());
}

#[test]
fn a_file_that_only_makes_and_changes_tables_holds_no_queries() {
    let reasons = |text: &str| -> Vec<bool> {
        let catalog = parse(&[Source::new("log.sql", text)]);
        let skipped = catalog.skipped.iter();
        skipped.map(|one| one.mistake().is_none()).collect()
    };
    let script = "CREATE TABLE log (id int);\nALTER TABLE log ADD note text;\n";
    assert_eq!(reasons(script), [true, true]);
    assert_eq!(reasons("CREATE TABLE log (id int);\n"), [false]);
    assert_eq!(
        reasons("CREATE TABLE log (id int);\nVACUUM log;\n"),
        [false, false]
    );
}
