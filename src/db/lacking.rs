//! What a schema expects and this server does not have: extensions that are not installed, settings of newer versions, roles,
//! types of other databases. An extension that nothing needs is left out; for the rest, what a person can do about it.

mod remedy;

use std::borrow::Cow;

use tokio_postgres::error::SqlState;

use super::connect::Session;
use crate::sql::statements::statements;
use crate::sql::token::{TokenKind, tokens};

pub(super) use remedy::{remedy, settings_remedy};

/// The extension that a statement makes or speaks of: `CREATE EXTENSION x`, `COMMENT ON EXTENSION x`, `ALTER EXTENSION x`.
pub(super) fn extension_of(sql: &str) -> Option<String> {
    let all = tokens(sql);
    let mut words = all
        .iter()
        .filter(|token| !token.is_trivia())
        .map(|token| (token.kind, &sql[token.span.clone()]));
    let mut word = || words.next().map(|(_, text)| text.to_ascii_lowercase());
    match word()?.as_str() {
        "create" | "alter" => (word()? == "extension").then_some(())?,
        "comment" => (word()? == "on" && word()? == "extension").then_some(())?,
        _ => return None,
    }
    let mut name = words.next()?;
    if name.1.eq_ignore_ascii_case("if") {
        name = words.nth(2)?;
    }
    match name {
        (TokenKind::QuotedIdent { .. }, text) => Some(text.trim_matches('"').to_owned()),
        (TokenKind::Ident, text) => Some(text.to_ascii_lowercase()),
        _ => None,
    }
}

/// Whether the server could make this extension.
pub(super) async fn has_extension(session: &Session, name: &str) -> bool {
    let asked = session
        .client()
        .query_opt(
            "SELECT FROM pg_catalog.pg_available_extensions WHERE name = $1",
            &[&name],
        )
        .await;
    // Where it cannot be asked, the statement itself says what is wrong.
    asked.map_or(true, |row| row.is_some())
}

/// The role that a statement makes or drops, and whether it is there afterwards.
fn role_of(sql: &str) -> Option<(String, bool)> {
    let all = tokens(sql);
    let mut words = all
        .iter()
        .filter(|token| !token.is_trivia())
        .map(|token| (token.kind, &sql[token.span.clone()]));
    let mut word = || words.next().map(|(_, text)| text.to_ascii_lowercase());
    let made = match word()?.as_str() {
        "create" => true,
        "drop" => false,
        _ => return None,
    };
    let is_role = matches!(word()?.as_str(), "role" | "user" | "group");
    let (kind, name) = words.next().filter(|_| is_role)?;
    let name = match kind {
        TokenKind::QuotedIdent { .. } => name.trim_matches('"').replace("\"\"", "\""),
        TokenKind::Ident => name.to_ascii_lowercase(),
        _ => return None,
    };
    // Nobody can call a role so without quotes.
    let is_keyword = kind == TokenKind::Ident && matches!(name.as_str(), "if" | "mapping" | "for");
    (!is_keyword).then_some((name, made))
}

/// Roles are the cluster's: another copy of the database may have made or dropped what a migration makes or drops on this one.
pub(super) fn is_done(sql: &str, roles: &[String]) -> bool {
    role_of(sql).is_some_and(|(name, made)| roles.contains(&name) == made)
}

/// The same for a statement that is about to be sent.
pub(super) async fn is_done_already(session: &Session, sql: &str) -> bool {
    if role_of(sql).is_none() {
        return false;
    }
    // Where it cannot be asked, the statement itself says what is wrong.
    roles(session).await.is_ok_and(|roles| is_done(sql, &roles))
}

/// A text without the statements that [`is_done`] of, blanked so that places stay: tools take several statements as one where a
/// file says so.
pub(super) async fn left_to_do<'s>(session: &Session, sql: &'s str) -> Cow<'s, str> {
    let of_roles: Vec<&str> = statements(sql)
        .into_iter()
        .filter(|statement| role_of(statement).is_some())
        .collect();
    if of_roles.is_empty() {
        return Cow::Borrowed(sql);
    }
    // Where they cannot be asked for, the statement itself says what is wrong.
    match roles(session).await {
        Ok(roles) => without_done(sql, &of_roles, roles),
        Err(_) => Cow::Borrowed(sql),
    }
}

fn without_done<'s>(sql: &'s str, of_roles: &[&str], mut roles: Vec<String>) -> Cow<'s, str> {
    let mut text = sql.to_owned();
    for statement in of_roles {
        let Some((name, made)) = role_of(statement) else {
            continue;
        };
        if is_done(statement, &roles) {
            let first = statement.as_ptr() as usize - sql.as_ptr() as usize;
            let place = first..first + statement.len();
            text.replace_range(place, &" ".repeat(statement.len()));
        } else if made {
            roles.push(name);
        } else {
            roles.retain(|role| *role != name);
        }
    }
    Cow::Owned(text)
}

/// Every role of the cluster.
pub(super) async fn roles(session: &Session) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = session
        .client()
        .query("SELECT rolname::text FROM pg_catalog.pg_roles", &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Names that only one extension of PostgreSQL's own has, and the extension.
const NAMES: [(&str, &str); 11] = [
    ("citext", "citext"),
    ("hstore", "hstore"),
    ("ltree", "ltree"),
    ("uuid_generate_v4", "uuid-ossp"),
    ("uuid_generate_v1", "uuid-ossp"),
    ("gen_random_bytes", "pgcrypto"),
    ("gen_salt", "pgcrypto"),
    ("gin_trgm_ops", "pg_trgm"),
    ("gist_trgm_ops", "pg_trgm"),
    ("unaccent", "unaccent"),
    ("ll_to_earth", "earthdistance"),
];

/// Extensions whose names the scripts use and that they do not make: whoever set the database up did.
pub(super) fn expected<'a>(scripts: impl Iterator<Item = &'a str>) -> Vec<&'static str> {
    let mut used: Vec<&'static str> = Vec::new();
    let mut made: Vec<String> = Vec::new();
    for text in scripts {
        let all = tokens(text);
        let words: Vec<&str> = all
            .iter()
            .filter(|token| !token.is_trivia())
            .map(|token| text[token.span.clone()].trim_matches('"'))
            .collect();
        for (at, word) in words.iter().enumerate() {
            // The function is the server's own, too; in another schema it is the extension's.
            let is_elsewhere = |at: usize| matches!(&words[..at], [.., of, "."] if !of.eq_ignore_ascii_case("pg_catalog"));
            let found = match NAMES
                .iter()
                .find(|(name, _)| word.eq_ignore_ascii_case(name))
            {
                None if word.eq_ignore_ascii_case("gen_random_uuid") && is_elsewhere(at) => {
                    Some(&("gen_random_uuid", "pgcrypto"))
                }
                found => found,
            };
            let Some((name, extension)) = found else {
                continue;
            };
            if is_made(&words[..at]) {
                made.push((*name).to_owned());
            }
            if !used.contains(extension) {
                used.push(extension);
            }
        }
        for at in 0..words.len() {
            if words[at].eq_ignore_ascii_case("extension") {
                let rest = words[at + 1..].iter().find(|word| {
                    !["if", "not", "exists"]
                        .iter()
                        .any(|other| word.eq_ignore_ascii_case(other))
                });
                made.extend(rest.map(|name| name.to_ascii_lowercase()));
            }
        }
    }
    used.retain(|extension| {
        let named = NAMES.iter().filter(|(_, own)| own == extension);
        !made.iter().any(|made| made == extension)
            && !named
                .clone()
                .any(|(name, _)| made.iter().any(|made| made == name))
    });
    used
}

/// Schemas in which the scripts make something and that they do not make themselves: a program does before it sends them.
pub(super) fn expected_schemas<'a>(scripts: impl Iterator<Item = &'a str>) -> Vec<String> {
    const KINDS: [&str; 7] = [
        "table",
        "type",
        "domain",
        "view",
        "sequence",
        "function",
        "procedure",
    ];
    // PostgreSQL's own, and what it makes in each session.
    const THERE: [&str; 4] = ["public", "pg_catalog", "pg_temp", "information_schema"];
    let (mut used, mut made): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for text in scripts {
        let all = tokens(text);
        let words: Vec<(TokenKind, &str)> = all
            .iter()
            .filter(|token| !token.is_trivia())
            .map(|token| (token.kind, &text[token.span.clone()]))
            .collect();
        let is_word = |at: usize, word: &str| {
            words
                .get(at)
                .is_some_and(|(_, text)| text.eq_ignore_ascii_case(word))
        };
        // Past IF NOT EXISTS.
        let name_at = |at: usize| if is_word(at, "if") { at + 3 } else { at };
        for at in 0..words.len() {
            if is_word(at, "schema") && at > 0 && is_word(at - 1, "create") {
                made.extend(words.get(name_at(at + 1)).and_then(identifier));
                continue;
            }
            // Whoever makes one by a string in a block may make any.
            if matches!(words[at].0, TokenKind::Literal { .. })
                && words[at].1.to_ascii_lowercase().contains("create schema")
            {
                return Vec::new();
            }
            let is_made = (1..=3).any(|before| at >= before && is_word(at - before, "create"));
            if !is_made || !KINDS.iter().any(|kind| is_word(at, kind)) {
                continue;
            }
            let name = name_at(at + 1);
            if is_word(name + 1, ".") {
                used.extend(words.get(name).and_then(identifier));
            }
        }
    }
    used.retain(|name| !made.contains(name) && !THERE.contains(&name.as_str()));
    used.sort();
    used.dedup();
    used
}

/// The name that a word is, as PostgreSQL folds it.
fn identifier((kind, text): &(TokenKind, &str)) -> Option<String> {
    match kind {
        TokenKind::QuotedIdent { .. } => Some(text.trim_matches('"').replace("\"\"", "\"")),
        TokenKind::Ident => Some(text.to_ascii_lowercase()),
        _ => None,
    }
}

/// Whether the words before a name make it: `CREATE TYPE IF NOT EXISTS shop.`.
fn is_made(before: &[&str]) -> bool {
    let before = match before {
        [rest @ .., _, "."] => rest,
        _ => before,
    };
    let is_any = |word: &str, of: &[&str]| of.iter().any(|one| word.eq_ignore_ascii_case(one));
    let kind = before
        .iter()
        .rev()
        .find(|word| !is_any(word, &["if", "not", "exists"]));
    kind.is_some_and(|word| is_any(word, &["extension", "function", "type", "domain"]))
}

/// Whether a statement sets what only newer servers know: the first lines of a dump from one. psql goes on after it.
pub(super) fn sets_what_is_not_known(sql: &str, code: Option<&SqlState>) -> bool {
    code == Some(&SqlState::UNDEFINED_OBJECT)
        && sql
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case("set "))
}

/// Whether a statement makes a replication slot, which the server here has no log for: what reads the changes is another
/// program, and no query needs it.
pub(super) fn makes_a_replication_slot(sql: &str, code: Option<&SqlState>) -> bool {
    let names_one = sql.contains("pg_create_logical_replication_slot")
        || sql.contains("pg_create_physical_replication_slot");
    code == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) && names_one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_statements_keeps_what_is_not_done() {
        let sql = "CREATE SCHEMA a;\n-- who\nCREATE ROLE app;\nDROP ROLE old;\nCREATE ROLE old;\nGRANT app TO old;";
        let of_roles: Vec<&str> = statements(sql)
            .into_iter()
            .filter(|statement| role_of(statement).is_some())
            .collect();
        let text = without_done(sql, &of_roles, vec!["app".to_owned(), "old".to_owned()]);
        assert_eq!(text.len(), sql.len());
        assert!(
            !text.contains("ROLE app") && !text.contains("who"),
            "{text}"
        );
        assert!(
            text.contains("DROP ROLE old;\nCREATE ROLE old;\nGRANT app"),
            "{text}"
        );
    }

    #[test]
    fn a_role_that_is_there_is_not_made_again() {
        let roles = ["app".to_owned(), "Head Clerk".to_owned()];
        for sql in [
            "CREATE ROLE app LOGIN",
            "create user \"Head Clerk\"",
            "DROP ROLE gone",
        ] {
            assert!(is_done(sql, &roles), "{sql}");
        }
        for sql in [
            "CREATE ROLE clerk",
            "DROP ROLE app",
            "DROP ROLE IF EXISTS gone",
            "CREATE USER MAPPING FOR app SERVER far",
            "CREATE TABLE app (id int)",
            "SELECT 1",
        ] {
            assert!(!is_done(sql, &roles), "{sql}");
        }
    }

    #[test]
    fn the_extension_of_a_statement_is_found_by_its_tokens() {
        for (sql, name) in [
            ("CREATE EXTENSION hstore", Some("hstore")),
            (
                "create extension /* x */ if not exists \"uuid-ossp\" with schema a",
                Some("uuid-ossp"),
            ),
            ("COMMENT ON EXTENSION POSTGIS IS 'maps'", Some("postgis")),
            ("ALTER EXTENSION citext UPDATE", Some("citext")),
            ("CREATE TABLE extension (id int)", None),
            ("COMMENT ON TABLE t IS 'CREATE EXTENSION x'", None),
            ("CREATE EXTENSION", None),
            ("", None),
        ] {
            assert_eq!(extension_of(sql).as_deref(), name, "{sql}");
        }
    }

    #[test]
    fn schemas_that_are_used_and_not_made_are_expected() {
        let expected = |texts: &[&str]| expected_schemas(texts.iter().copied());
        assert_eq!(
            expected(&[
                "CREATE TABLE \"Tea House\".cups (id int); CREATE UNLOGGED TABLE IF NOT EXISTS Tea.pots (id int);",
                "create or replace view tea.all_pots AS SELECT * FROM other.pots; CREATE TYPE tea.kind AS ENUM ('a');",
            ]),
            ["Tea House", "tea"]
        );
        for made in [
            "CREATE SCHEMA IF NOT EXISTS tea; CREATE TABLE tea.cups (id int);",
            "CREATE TABLE public.cups (id int); CREATE TEMP TABLE pg_temp.x (id int); CREATE TABLE cups (id int);",
            "DO $$ BEGIN EXECUTE 'CREATE SCHEMA tea'; END $$; CREATE TABLE tea.cups (id int);",
            "CREATE INDEX ON tea.cups (id); CREATE TRIGGER t BEFORE INSERT ON tea.cups EXECUTE FUNCTION f();",
        ] {
            assert_eq!(expected(&[made]), [""; 0], "{made}");
        }
    }

    #[test]
    fn extensions_that_are_used_and_not_made_are_expected() {
        let of = |sql: &str| expected([sql].into_iter());
        assert_eq!(
            of("CREATE TABLE a (b public.citext, c uuid DEFAULT uuid_generate_v4())"),
            ["citext", "uuid-ossp"]
        );
        assert_eq!(
            of("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"; SELECT uuid_generate_v4()"),
            [""; 0]
        );
        assert_eq!(
            of("CREATE DOMAIN citext AS text; CREATE TABLE a (b citext)"),
            [""; 0]
        );
        // A domain over it is no type of that name.
        assert_eq!(
            of("CREATE DOMAIN shop.email AS public.citext CHECK (VALUE ~ '@')"),
            ["citext"]
        );
        assert_eq!(
            of("CREATE TABLE a (b uuid DEFAULT public.gen_random_uuid())"),
            ["pgcrypto"]
        );
        assert_eq!(
            of("CREATE TABLE a (b uuid DEFAULT gen_random_uuid())"),
            [""; 0]
        );
        assert_eq!(of("SELECT 'citext' -- hstore"), [""; 0]);
    }
}
