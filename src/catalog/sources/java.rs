//! Statements in Java and Kotlin: JPA's and Spring's native queries, and texts handed to jOOQ, JDBC templates and Jdbi, or kept
//! as constants.
//! <https://docs.spring.io/spring-data/jpa/reference/jpa/query-methods.html>

use std::collections::BTreeSet;

use super::code::{self, Language, Placed, Text, Value};
use super::conventions::{Convention, Found};
use super::placeholders::{lists, question_marks};
use super::sqlalchemy::is_statement;
use super::whole::{self, assigned_name, is_surely_a_statement};
use crate::source::Source;
use crate::sql::token::tokens;

pub(super) const JPA: Convention = Convention {
    key: "jpa",
    tool: "JPA native queries",
    extensions: &["java", "kt"],
    shows: |text| {
        text.contains("nativeQuery")
            || text.contains("@NativeQuery")
            || text.contains("@NamedNativeQuery")
            || text.contains("createNativeQuery(")
    },
    read: read_jpa,
    parts: None,
};

pub(super) const JDBC: Convention = Convention {
    key: "jdbc",
    tool: "SQL handed to jOOQ, JDBC or Jdbi",
    extensions: &["java", "kt"],
    shows: |text| {
        let uses = [
            "org.jooq",
            "JdbcTemplate",
            "JdbcClient",
            "org.jdbi",
            "java.sql.",
        ];
        let may = uses.iter().any(|word| text.contains(word)) || whole::may_hold_statements(text);
        may && !calls_of(text, Language::Java).is_empty()
    },
    read: read_jdbc,
    parts: None,
};

/// Methods whose first argument is a statement.
const METHODS: [&str; 17] = [
    "fetch",
    "fetchOne",
    "fetchMany",
    "fetchLazy",
    "resultQuery",
    "query",
    "queryForObject",
    "queryForList",
    "queryForMap",
    "queryForStream",
    "update",
    "batchUpdate",
    "execute",
    "prepareStatement",
    "createQuery",
    "createUpdate",
    "sql",
];

/// Annotations whose value is one: Jdbi's, Micronaut's.
const ANNOTATIONS: [&str; 3] = ["SqlQuery", "SqlUpdate", "SqlBatch"];

fn language(source: &Source) -> Language {
    let extension = source
        .path
        .extension()
        .unwrap_or_default()
        .to_string_lossy();
    Language::of(&extension).unwrap_or(Language::Java)
}

fn read_jpa(source: &Source) -> Vec<Found> {
    let pieces = code::pieces(&source.text, language(source));
    let mut found = Vec::new();
    for at in 0..pieces.len() {
        if pieces[at].is_sign('@')
            && let Some(annotation) = Annotation::read(&pieces, at + 1)
        {
            found.extend(annotation.native(&pieces));
        }
        if pieces[at].is_word("createNativeQuery")
            && pieces.get(at + 1).is_some_and(|p| p.is_sign('('))
        {
            let name = method_before(&pieces, at);
            found.extend(of_value(
                name,
                code::value_at(&pieces, at + 2).map(|(value, _)| value),
            ));
        }
    }
    found
}

/// `@Query(value = "…", nativeQuery = true)`.
struct Annotation<'a> {
    name: &'a str,
    /// Places of its arguments.
    from: usize,
    to: usize,
}

impl<'a> Annotation<'a> {
    fn read(pieces: &'a [Placed], at: usize) -> Option<Self> {
        const NAMES: [&str; 3] = ["Query", "NativeQuery", "NamedNativeQuery"];
        let name = pieces.get(at)?.word().filter(|word| NAMES.contains(word))?;
        let from = at + 1;
        if !pieces.get(from)?.is_sign('(') {
            return None;
        }
        let mut depth = 0_usize;
        let to = (from..pieces.len()).find(|at| {
            if pieces[*at].is_sign('(') {
                depth += 1;
            } else if pieces[*at].is_sign(')') {
                depth -= 1;
            }
            depth == 0
        })?;
        Some(Self { name, from, to })
    }

    fn native(&self, pieces: &[Placed]) -> Option<Found> {
        let inside = &pieces[self.from + 1..self.to];
        let says_native = inside.windows(3).any(|three| {
            three[0].is_word("nativeQuery") && three[1].is_sign('=') && three[2].is_word("true")
        });
        if self.name == "Query" && !says_native {
            return None;
        }
        let key = if self.name == "NamedNativeQuery" {
            "query"
        } else {
            "value"
        };
        let at = inside
            .windows(2)
            .position(|two| two[0].is_word(key) && two[1].is_sign('='))
            .map_or(0, |at| at + 2);
        let name = if self.name == "NamedNativeQuery" {
            named(inside).unwrap_or_default()
        } else {
            method_after(pieces, self.to)
        };
        of_value(name, code::value_at(inside, at).map(|(value, _)| value))
    }
}

/// `name = "User.byCity"`.
fn named(inside: &[Placed]) -> Option<String> {
    let at = inside
        .windows(2)
        .position(|two| two[0].is_word("name") && two[1].is_sign('='))?;
    match code::value_at(inside, at + 2)?.0 {
        Value::Known(text) => Some(text.value),
        Value::Dynamic(_) => None,
    }
}

fn of_value(name: String, value: Option<Value>) -> Option<Found> {
    Some(match value? {
        Value::Known(text) => of_text(name, &text),
        Value::Dynamic(line) => Found::dynamic(name, line),
    })
}

/// Spring's expressions (`#{#entityName}`, `:#{#user.id}`) are filled in at run time.
fn of_text(name: String, text: &Text) -> Found {
    if text.value.contains("#{") {
        return Found::dynamic(name, text.line);
    }
    let sql = text.value.replace("\\:", ":");
    Found::statement(name, text.line, lists(&question_marks(&sql)))
}

/// The first word with an opening parenthesis: the method under the annotation.
fn method_after(pieces: &[Placed], at: usize) -> String {
    let mut depth = 0_usize;
    for at in at + 1..pieces.len().saturating_sub(1) {
        if pieces[at].is_sign('@') {
            continue;
        }
        if pieces[at].is_sign('{') || pieces[at].is_sign(';') {
            break;
        }
        if pieces[at].is_sign(')') {
            depth = depth.saturating_sub(1);
        } else if pieces[at].is_sign('(') {
            depth += 1;
        }
        let after_at = at > 0 && pieces[at - 1].is_sign('@');
        if depth == 0
            && !after_at
            && pieces[at + 1].is_sign('(')
            && let Some(word) = pieces[at].word()
        {
            return word.to_owned();
        }
    }
    String::new()
}

/// The method that a call stands in: the last `name(…) {` before it.
pub(super) fn method_before(pieces: &[Placed], at: usize) -> String {
    const NOT: [&str; 10] = [
        "if",
        "for",
        "while",
        "switch",
        "catch",
        "try",
        "synchronized",
        "async",
        "function",
        "await",
    ];
    let mut before = at;
    while let Some(brace) = pieces[..before]
        .iter()
        .rposition(|piece| piece.is_sign('{'))
    {
        before = brace;
        let mut depth = 0_usize;
        let mut back = brace;
        while back > 0 {
            back -= 1;
            if pieces[back].is_sign(')') {
                depth += 1;
            } else if pieces[back].is_sign('(') {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            } else if depth == 0 && (pieces[back].is_sign(';') || pieces[back].is_sign('}')) {
                break;
            }
        }
        let name = back.checked_sub(1).and_then(|at| pieces[at].word());
        if let Some(name) = name.filter(|name| pieces[back].is_sign('(') && !NOT.contains(name)) {
            return name.to_owned();
        }
    }
    String::new()
}

fn read_jdbc(source: &Source) -> Vec<Found> {
    calls_of(&source.text, language(source))
}

fn calls_of(text: &str, language: Language) -> Vec<Found> {
    let pieces = code::pieces(text, language);
    let mut found = Vec::new();
    for at in 0..pieces.len() {
        let Some(word) = pieces[at].word() else {
            continue;
        };
        let opened = pieces.get(at + 1).is_some_and(|piece| piece.is_sign('('));
        let before = at.checked_sub(1).map(|at| &pieces[at]);
        let is_call = METHODS.contains(&word) && before.is_some_and(|piece| piece.is_sign('.'));
        let is_annotation =
            ANNOTATIONS.contains(&word) && before.is_some_and(|piece| piece.is_sign('@'));
        if !opened || !(is_call || is_annotation) {
            continue;
        }
        if let Some((Value::Known(text), _)) = code::value_at(&pieces, at + 2)
            && is_statement(&text.value)
        {
            let name = if is_annotation {
                method_after(&pieces, at + 1)
            } else {
                method_before(&pieces, at)
            };
            found.push(match part_of_jooq(&text.value) {
                Some(part) => Found::template(name, text.line, part),
                None => of_text(name, &text),
            });
        }
    }
    let read: BTreeSet<u32> = found.iter().map(|one| one.line).collect();
    found.extend(elsewhere(&pieces, &read));
    found.sort_by_key(|one| one.line);
    found
}

/// Whole statements that are constants, or handed to methods of the project's own. Those of JPA are read as JPA's.
fn elsewhere(pieces: &[Placed], read: &BTreeSet<u32>) -> Vec<Found> {
    let is_jpas = |at: usize| {
        let from = at.saturating_sub(MOST_PIECES_OF_AN_ANNOTATION);
        pieces[from..at]
            .iter()
            .rev()
            .take_while(|piece| !piece.is_sign(';') && !piece.is_sign('{'))
            .any(|piece| {
                piece.word().is_some_and(|word| {
                    word.contains("Query") || word == "Formula" || word == "SQLRestriction"
                })
            })
    };
    whole::texts(pieces, |text| {
        !read.contains(&text.line)
            && !text.value.contains("#{")
            && !is_of_entities(&text.value)
            && part_of_jooq(&text.value).is_none()
            && is_surely_a_statement(&lists(&question_marks(&text.value)))
    })
    .into_iter()
    .filter(|one| !is_jpas(one.at))
    .map(|one| {
        let name = match assigned_name(pieces, one.at) {
            Some(name) if name.chars().any(char::is_uppercase) => name.to_owned(),
            Some(_) | None => method_before(pieces, one.at),
        };
        match one.is_part {
            true => Found::dynamic(name, one.text.line),
            false => of_text(name, &one.text),
        }
    })
    .collect()
}

/// JPQL and HQL name entities: `select h from Harbour h where h.code = :code`.
fn is_of_entities(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut after_from = lower.match_indices("from ").filter_map(|(at, from)| {
        let mut name = text.get(at + from.len()..)?.trim_start().chars();
        Some((name.next()?, name.next()?))
    });
    after_from.any(|(first, second)| first.is_uppercase() && second.is_lowercase())
}

/// How far before its text an annotation begins at most.
const MOST_PIECES_OF_AN_ANNOTATION: usize = 12;

/// `{0}` in jOOQ's plain SQL, outside of quotes: any part of a statement.
fn part_of_jooq(sql: &str) -> Option<&str> {
    tokens(sql).iter().find_map(|token| {
        let rest = &sql[token.span.start..];
        let number = rest.strip_prefix('{')?.split_once('}')?.0;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| &rest[..number.len() + 2])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_queries_are_read_and_those_of_jpql_are_not() {
        let code = "interface Users extends JpaRepository<User, Long> {\n  @Query(\"select u from User u\")\n  List<User> all();\n\
                    \x20 @Query(value = \"SELECT * FROM users \" +\n      \"WHERE city = ?1 AND id IN :ids\", nativeQuery = true)\n  @Transactional(readOnly = true)\n\
                    \x20 List<User> byCity(@Param(\"x\") String city);\n  @NativeQuery(\"SELECT 1 FROM t WHERE a = :a\")\n  int one();\n\
                    \x20 @Query(nativeQuery = true, value = \"SELECT * FROM #{#entityName}\")\n  List<User> any();\n}\n";
        assert!((JPA.shows)(code));
        let found = read_jpa(&Source::new("U.java", code));
        assert_eq!(
            found,
            [
                Found::statement(
                    "byCity",
                    4,
                    "SELECT * FROM users \nWHERE city = $1 AND id IN (sqlc.slice('ids'))"
                        .to_owned()
                ),
                Found::statement("one", 8, "SELECT 1 FROM t WHERE a = :a".to_owned()),
                Found::dynamic("any", 10),
            ]
        );
    }

    #[test]
    fn texts_of_calls_are_named_by_their_method() {
        let code = "class A {\n  private final JdbcTemplate t;\n  List<B> find(int id) {\n    if (x) {\n      return t.query(\"\"\"\n        SELECT a FROM b\n        WHERE id = ?\"\"\", m, id);\n    }\n    log.update(\"progress\");\n  }\n}";
        assert!((JDBC.shows)(code));
        let found = read_jdbc(&Source::new("A.java", code));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].name.as_str(), found[0].line), ("find", 6));
    }

    #[test]
    fn constants_and_what_the_projects_own_methods_take_are_read() {
        assert!(is_of_entities(
            "select h from Harbour h where h.code = :code"
        ));
        assert!(!is_of_entities("SELECT a FROM BERTHS WHERE id = 1"));
        let code = "class A extends Base {\n  private static final String BY_CODE =\n    \"SELECT id FROM harbours \" +\n    \"WHERE code = ?\";\n\
                    \x20 static final String BERTHS = \"SELECT id FROM berths WHERE free = true\";\n  List<B> find(int id) {\n    log.info(\"SELECT id FROM berths WHERE id = 1\");\n\
                    \x20   return ask(conn, \"DELETE FROM berths WHERE id = ?\", q -> q.bind(id)) + more(BERTHS + tail);\n  }\n}";
        assert!((JDBC.shows)(code));
        let found = read_jdbc(&Source::new("A.java", code));
        assert_eq!(
            found,
            [
                Found::statement(
                    "BY_CODE",
                    3,
                    "SELECT id FROM harbours \nWHERE code = $1".to_owned()
                ),
                Found::dynamic("BERTHS", 5),
                Found::statement("find", 8, "DELETE FROM berths WHERE id = $1".to_owned()),
            ]
        );
    }
}
