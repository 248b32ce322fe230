//! What a statement of a migration can do to plans beside what its locks and the schema show: whether it may change rows, and
//! whether it may change queries of tables that it does not lock. Errs towards yes. Pure.

use crate::sql::ddl::{Ddl, read};
use crate::sql::token::tokens;

/// Upper-case words of a statement; quoted names and marks are empty.
fn words(sql: &str) -> Vec<String> {
    let known = tokens(sql).into_iter().filter(|token| !token.is_trivia());
    known
        .map(|token| match token.kind {
            crate::sql::token::TokenKind::Ident => sql[token.span].to_ascii_uppercase(),
            _ => String::new(),
        })
        .collect()
}

/// Whether the statistics that a table has say less of it afterwards: its rows, their order or what is kept of them are others.
/// Columns that are new or of another type are not meant: the schema shows those.
#[must_use]
pub fn changes_rows(sql: &str) -> bool {
    let words = words(sql);
    let word = |n: usize| words.get(n).map_or("", String::as_str);
    let has = |sought: &str| words.iter().any(|word| word == sought);
    match (word(0), word(1)) {
        ("ALTER", "TABLE") => has("STATISTICS") || has("ATTACH") || has("DETACH") || has("EXECUTE"),
        ("CREATE", "INDEX" | "UNIQUE") => match read(sql) {
            // An expression's statistics are made with the table's.
            Ddl::CreateIndex { text, .. } => text.is_none_or(|text| {
                let method = sql[text.rest.clone()].to_ascii_uppercase();
                method.contains("((")
                    || text.columns.iter().any(|name| name.starts_with("expr"))
                    || method.matches('(').count() > 1
            }),
            _ => true,
        },
        ("ALTER" | "CREATE" | "DROP", what) => {
            !matches!(
                what,
                "INDEX"
                    | "TRIGGER"
                    | "CONSTRAINT"
                    | "POLICY"
                    | "SEQUENCE"
                    | "VIEW"
                    | "TYPE"
                    | "TABLE"
                    | "RULE"
                    | "DOMAIN"
                    | "SCHEMA"
            ) || has("SELECT") && what == "TABLE"
        }
        (first, _) => !matches!(
            first,
            "COMMENT"
                | "GRANT"
                | "REVOKE"
                | "SET"
                | "RESET"
                | "LOCK"
                | "BEGIN"
                | "START"
                | "COMMIT"
                | "END"
                | "SAVEPOINT"
                | "RELEASE"
                | "ROLLBACK"
                | "REINDEX"
        ),
    }
}

/// Whether queries that use none of the tables which it locks are left as they were: no function, type, setting or role of
/// theirs can be another.
#[must_use]
pub fn stays_with_its_tables(sql: &str) -> bool {
    let words = words(sql);
    let word = |n: usize| words.get(n).map_or("", String::as_str);
    match word(0) {
        "ALTER" | "DROP" => matches!(word(1), "TABLE" | "INDEX" | "TRIGGER" | "POLICY"),
        "CREATE" => matches!(
            word(1),
            "TABLE" | "INDEX" | "UNIQUE" | "TRIGGER" | "POLICY" | "SEQUENCE" | "STATISTICS"
        ),
        first => matches!(
            first,
            "COMMENT"
                | "INSERT"
                | "UPDATE"
                | "DELETE"
                | "TRUNCATE"
                | "LOCK"
                | "BEGIN"
                | "START"
                | "COMMIT"
                | "END"
                | "SAVEPOINT"
                | "RELEASE"
                | "ANALYZE"
                | "VACUUM"
                | "REINDEX"
                | "CLUSTER"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_leaves_statistics_as_they_are() {
        for sql in [
            "ALTER TABLE orders ADD COLUMN gift boolean",
            "alter table orders add constraint sane check (total > 0)",
            "CREATE INDEX CONCURRENTLY ON orders (total, id)",
            "DROP INDEX orders_total_idx",
            "COMMENT ON TABLE orders IS 'x'",
            "GRANT SELECT ON orders TO app",
            "SET LOCAL lock_timeout = '1s'",
            "CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE TABLE notes (id int REFERENCES orders)",
        ] {
            assert!(!changes_rows(sql), "{sql}");
        }
        for sql in [
            "UPDATE orders SET total = 1",
            "TRUNCATE orders",
            "DO $$ BEGIN DELETE FROM orders; END $$",
            "CREATE INDEX ON orders (lower(note))",
            "CREATE INDEX ON orders ((total + 1))",
            "CREATE STATISTICS s ON total, note FROM orders",
            "ALTER TABLE orders ALTER COLUMN total SET STATISTICS 500",
            "ALTER TABLE events ATTACH PARTITION events_1 DEFAULT",
            "WITH gone AS (DELETE FROM orders RETURNING id) SELECT 1",
            "CLUSTER orders USING orders_pkey",
            "SELECT recount()",
        ] {
            assert!(changes_rows(sql), "{sql}");
        }
    }

    #[test]
    fn functions_types_and_settings_reach_other_tables() {
        assert!(stays_with_its_tables("ALTER TABLE orders ADD COLUMN a int"));
        assert!(stays_with_its_tables(
            "/* why */ create unique index on orders (a)"
        ));
        for sql in [
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER DATABASE shop SET random_page_cost = 1",
            "ALTER TYPE mood ADD VALUE 'x'",
            "SELECT set_config('work_mem', '1MB', false)",
            "GRANT app TO me",
            "DO $$ BEGIN END $$",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "SET work_mem = '1GB'",
        ] {
            assert!(!stays_with_its_tables(sql), "{sql}");
        }
    }
}
