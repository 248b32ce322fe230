use super::*;

/// What is compared, then what follows FROM, without the frame.
fn shown(sql: &str) -> Option<(Vec<String>, String)> {
    let joined = Joined::of(sql)?;
    let compared = joined
        .compared
        .iter()
        .map(|compared| format!("${} {}", compared.parameter, compared.expression))
        .collect();
    let query = joined.query(&BTreeMap::new(), &[], Read::All, 9);
    let read = query
        .split_once("FROM (SELECT (")?
        .1
        .split_once(") AS met ")?
        .0;
    Some((compared, read.split_once(" FROM ")?.1.to_owned()))
}

#[test]
fn what_exists_is_looked_for_among_the_rows_of_its_subquery() {
    let (compared, from) = shown(
            "SELECT (EXISTS (SELECT 1 FROM roles r JOIN grants g ON g.role = r.name WHERE g.member = $1 AND r.right = $2 \
             AND g.team IS NULL) OR EXISTS (SELECT 1 FROM admins WHERE id = $1))::boolean",
        )
        .unwrap();
    assert_eq!(compared, ["$1 g.member", "$2 r.right"]);
    assert_eq!(
        from,
        "roles r JOIN grants g ON g.role = r.name WHERE (g.team IS NULL)"
    );
}

#[test]
fn parameters_of_two_tables_meet_in_a_row_of_their_join() {
    let (compared, from) = shown(
        "SELECT b.id FROM authors a JOIN books b ON b.author = a.id AND b.lang = $3 \
             WHERE a.name = $1 AND b.title LIKE '%' || $2 || '%' AND b.kind = 'novel'",
    )
    .unwrap();
    assert_eq!(compared, ["$3 b.lang", "$1 a.name", "$2 b.title"]);
    assert_eq!(
        from,
        "authors a JOIN books b ON b.author = a.id WHERE (b.kind = 'novel')"
    );
}

#[test]
fn optional_filters_and_keys_of_pages_are_of_the_row_too() {
    let (compared, from) = shown(
        "SELECT id FROM books WHERE ($1::text IS NULL OR lang = $1) AND (at, id) < ($2, $3) \
             AND pages BETWEEN $4 AND $5 AND kind = ANY($6)",
    )
    .unwrap();
    assert_eq!(
        compared,
        [
            "$1 lang", "$2 at", "$3 id", "$4 pages", "$5 pages", "$6 kind"
        ]
    );
    assert_eq!(from, "books");
}

#[test]
fn rows_that_a_condition_looks_for_belong_to_the_row() {
    let (compared, from) = shown(
            "SELECT b.id FROM books b WHERE b.lang = $1 AND EXISTS (SELECT 1 FROM loans l WHERE l.book = b.id AND l.reader = $2 \
             AND l.back IS NULL) AND b.author IN (SELECT a.id FROM authors a WHERE a.country = $3) AND NOT EXISTS (SELECT FROM marks \
             WHERE owner = $4)",
        )
        .unwrap();
    assert_eq!(compared, ["$1 b.lang", "$2 sought_0.c0", "$3 sought_1.c0"]);
    assert_eq!(
        from,
        "books b, LATERAL (SELECT (l.reader) AS c0 FROM loans l WHERE (l.book = b.id) AND (l.back IS NULL) LIMIT 1) AS sought_0, \
             LATERAL (SELECT (a.country) AS c0, (a.id) AS member FROM authors a) AS sought_1 WHERE ((b.author) = sought_1.member)"
    );
}

#[test]
fn the_row_that_one_value_is_of_belongs_to_the_row() {
    let (compared, from) = shown(
            "UPDATE loans SET back = now() WHERE loans.id = $1 AND loans.reader = (SELECT r.id FROM readers r WHERE r.name = $2 \
             AND r.town = (SELECT id FROM towns WHERE code = $3)) AND loans.fee = (SELECT max(fee) FROM fees WHERE kind = $4)",
        )
        .unwrap();
    assert_eq!(
        compared,
        ["$1 loans.id", "$2 sought_1.c0", "$3 sought_1.c1"]
    );
    assert_eq!(
        from,
        "loans, LATERAL (SELECT (r.name) AS c0, (sought_0.c0) AS c1, (r.id) AS member FROM readers r, \
             LATERAL (SELECT (code) AS c0, (id) AS member FROM towns) AS sought_0 WHERE ((r.town) = sought_0.member)) AS sought_1 \
             WHERE ((loans.reader) = sought_1.member)"
    );
}

#[test]
fn a_subquery_in_from_hands_out_what_its_parameters_are_compared_with() {
    let (compared, from) = shown(
            "SELECT b.id FROM books b JOIN LATERAL (SELECT l.at FROM loans l WHERE l.book = b.id AND l.reader = $1 ORDER BY l.at LIMIT 1) \
             last ON true WHERE b.lang = $2",
        )
        .unwrap();
    assert_eq!(compared, ["$1 last.asked_0", "$2 b.lang"]);
    assert_eq!(
        from,
        "books b JOIN LATERAL (SELECT l.at, (l.reader) AS asked_0 FROM loans l WHERE l.book = b.id ORDER BY l.at ) last ON true"
    );
}

#[test]
fn with_queries_hand_out_what_their_parameters_are_compared_with() {
    let sql = "WITH page AS MATERIALIZED (SELECT e.id FROM entries e JOIN balances b ON b.entry = e.id WHERE b.account = $1 \
             AND COALESCE((e.at, e.id) > ($3, $2), $2 IS NULL) LIMIT $4), counts (entry, n) AS (SELECT p.id, count(*) FROM notes n, page p \
             WHERE n.entry = p.id AND n.kind = $6 GROUP BY p.id) \
             SELECT p.id, CASE WHEN $5 THEN 1 END FROM page p JOIN counts ON counts.entry = p.id WHERE counts.n > $7";
    let (compared, from) = shown(sql).unwrap();
    assert_eq!(
        compared,
        [
            "$1 p.asked_0",
            "$3 p.asked_1",
            "$2 p.asked_2",
            "$1 counts.asked_3",
            "$3 counts.asked_4",
            "$2 counts.asked_5",
            "$6 counts.asked_6",
            "$7 counts.n"
        ]
    );
    assert_eq!(from, "page p JOIN counts ON counts.entry = p.id");
    let joined = Joined::of(sql).unwrap();
    assert_eq!(
        joined.with,
        "WITH page AS MATERIALIZED (SELECT e.id, (b.account) AS asked_0, (e.at) AS asked_1, (e.id) AS asked_2 \
             FROM entries e JOIN balances b ON b.entry = e.id WHERE true ), \
             counts (entry, n, asked_3, asked_4, asked_5, asked_6) AS (SELECT p.id, count(*), (p.asked_0) AS asked_3, (p.asked_1) AS asked_4, \
             (p.asked_2) AS asked_5, (n.kind) AS asked_6 FROM notes n, page p WHERE n.entry = p.id \
             GROUP BY p.id, (p.asked_0), (p.asked_1), (p.asked_2), (n.kind)) "
    );
    assert_eq!(
        joined.equalities(),
        ["(p.asked_0) = (counts.asked_3)"],
        "bounds are no equalities"
    );
}

#[test]
fn rows_that_a_with_query_changes_and_first_arms_are_read() {
    let joined = Joined::of(
            "WITH RECURSIVE gone AS (DELETE FROM loans WHERE id = $1 AND state = 'open' RETURNING book), walk AS (SELECT id FROM shelves \
             WHERE room = $2 UNION SELECT s.id FROM shelves s JOIN walk ON walk.id = s.above) \
             UPDATE books SET shelf = walk.id FROM gone, walk WHERE books.id = gone.book",
        )
        .unwrap();
    assert_eq!(
        joined.with,
        "WITH RECURSIVE gone AS (SELECT book, (id) AS asked_0 FROM loans WHERE (state = 'open')), \
             walk AS (SELECT id, (room) AS asked_1 FROM shelves WHERE true) "
    );
    assert_eq!(joined.from, "books, gone, walk");
    // What is inserted is not there: the rows of the query that compares most with parameters.
    let (compared, from) = shown(
            "WITH new AS (INSERT INTO notes (id) VALUES ($1) RETURNING id), a AS (SELECT 1 FROM t WHERE x = $1 AND y = $2) \
             SELECT 1 FROM new, a",
        )
        .unwrap();
    assert_eq!(
        (compared, from),
        (vec!["$1 x".to_owned(), "$2 y".to_owned()], "t".to_owned())
    );
}

#[test]
fn the_arm_that_asks_for_most_and_what_an_insert_selects_are_read() {
    let (compared, from) = shown(
            "SELECT id FROM a WHERE x = $1 UNION ALL (SELECT id FROM b WHERE x = $1 AND y = $2) UNION ALL SELECT 1",
        )
        .unwrap();
    assert_eq!(
        (compared, from),
        (vec!["$1 x".to_owned(), "$2 y".to_owned()], "b".to_owned())
    );
    let (compared, from) = shown(
            "INSERT INTO notes (id, text) SELECT $1, b.name FROM books b JOIN shelves s ON s.id = b.shelf WHERE s.room = $2 AND b.lang = $3",
        )
        .unwrap();
    assert_eq!(compared, ["$2 s.room", "$3 b.lang"]);
    assert_eq!(from, "books b JOIN shelves s ON s.id = b.shelf");
}

#[test]
fn what_equals_one_parameter_is_equal() {
    let equal = |sql: &str| Joined::of(sql).map(|joined| joined.equalities());
    assert_eq!(
        equal(
            "SELECT 1 FROM a JOIN b ON b.a = a.id AND b.tenant = $1::uuid WHERE a.tenant = $1 AND ($1::uuid IS NULL OR a.of = $1) \
                 AND a.size > $1 AND (a.x = $1 OR a.y = $1)"
        ),
        Some(vec![
            "(b.tenant) = (a.tenant)".to_owned(),
            "(b.tenant) = (a.of)".to_owned()
        ])
    );
    assert_eq!(
        equal(
            "SELECT 1 FROM a, b WHERE a.x IN ($1, $2) AND b.x = $1 + 1 AND (a.y, b.y) IN (($3, $3))"
        ),
        Some(vec!["(a.y) = (b.y)".to_owned()])
    );
}

#[test]
fn what_is_nobodys_value_is_null_in_relations() {
    let joined = Joined::of(
        "SELECT 1 FROM books b JOIN generate_series(1, $2) AS n ON true WHERE b.lang = $1",
    )
    .unwrap();
    let of = |fixed: &BTreeMap<u16, String>| joined.query(fixed, &[], Read::First(7), 1);
    assert!(of(&BTreeMap::new()).contains("generate_series(1, NULL) AS n ON true LIMIT 7"));
    let fixed = BTreeMap::from([(2, "5".to_owned())]);
    assert!(of(&fixed).contains("generate_series(1, 5) AS n"));
}

#[test]
fn writes_and_fixed_values() {
    let joined = Joined::of("DELETE FROM shop.books AS b WHERE b.lang = $1 AND b.id = $2").unwrap();
    assert_eq!(joined.target.as_deref(), Some("b"));
    let fixed = BTreeMap::from([(1, "'en'".to_owned())]);
    let query = joined.query(&fixed, &["b.id > 5".to_owned()], Read::First(7), 1);
    assert!(
        query
            .contains("FROM shop.books AS b WHERE (b.id > 5) AND (b.lang = 'en') LIMIT 7) AS met "),
        "{query}"
    );
}

#[test]
fn what_must_not_be_there_is_a_condition_on_the_rows_themselves() {
    let denied = |sql: &str| Joined::of(sql).map(|joined| joined.denied());
    assert_eq!(
        denied(
            "DELETE FROM loans WHERE book = $1 AND NOT EXISTS (SELECT 1 FROM marks WHERE book = $1)"
        ),
        Some(vec![
            "NOT EXISTS (SELECT 1 FROM marks WHERE book = (loans.book))".to_owned()
        ])
    );
    assert_eq!(
        denied(
            "SELECT 1 FROM loans l WHERE l.book = $1 AND NOT EXISTS (SELECT 1 FROM marks m WHERE m.book = $1 AND m.by = $2)"
        ),
        Some(vec![])
    );
    assert_eq!(
        denied(
            "SELECT 1 FROM loans WHERE book = $1 AND NOT EXISTS (SELECT 1 FROM marks WHERE book = $1)"
        ),
        Some(vec![])
    );
}

#[test]
fn what_has_no_relations_of_its_own_is_left_alone() {
    for sql in [
        "SELECT $1::int",
        "SELECT 1 FROM f($1)",
        "SELECT 1 FROM (SELECT 1 FROM f($1)) AS b",
        "SELECT 1 UNION SELECT 2 FROM books WHERE id > 7",
        "INSERT INTO books VALUES ($1)",
    ] {
        assert_eq!(shown(sql), None, "{sql}");
    }
}
