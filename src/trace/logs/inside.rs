//! What functions execute within one statement of a session: auto_explain logs each of their statements before that one, with the
//! place in the function as its context (`auto_explain.log_nested_statements`).

use std::collections::HashMap;

use crate::trace::functions::{FunctionPlace, Inside};

/// Places that one statement is followed to.
const MOST: usize = 500;

/// Counts until the statement of the client's comes.
#[derive(Debug, Default)]
pub(super) struct Nested {
    places: HashMap<FunctionPlace, Inside>,
}

impl Nested {
    /// A statement inside of a function; one that the server made for a foreign key has no place of its own.
    pub(super) fn take(&mut self, context: &str, text: &str, took: u64) {
        let Some(place) = place(context).filter(|_| !is_of_a_foreign_key(text)) else {
            return;
        };
        if self.places.len() >= MOST && !self.places.contains_key(&place) {
            return;
        }
        let one = self.places.entry(place.clone()).or_insert_with(|| Inside {
            place,
            text: text.into(),
            times: 0,
            took: 0,
        });
        one.times += 1;
        one.took += took;
    }

    /// All of them, in the order of their places; none is left.
    pub(super) fn end(&mut self) -> Vec<Inside> {
        let mut all: Vec<Inside> = self.places.drain().map(|(_, one)| one).collect();
        all.sort_by(|a, b| a.place.cmp(&b.place));
        all
    }
}

/// The innermost function of a context: the server writes it first.
fn place(context: &str) -> Option<FunctionPlace> {
    context.lines().find_map(|line| {
        let line = line.trim();
        plpgsql(line).or_else(|| sql(line))
    })
}

/// `PL/pgSQL function total(bigint) line 6 at SQL statement`, in any language: what has the arguments, and the number behind them.
fn plpgsql(line: &str) -> Option<FunctionPlace> {
    // A statement that is quoted may speak of functions.
    let (before, rest) = line.split_once("PL/pgSQL")?;
    if before.contains('"') {
        return None;
    }
    let (function, behind) = match rest.split_once('(') {
        Some((name, behind)) => {
            let name = name.rsplit(' ').next()?;
            let (arguments, behind) = behind.split_once(')')?;
            (format!("{name}({arguments})"), behind)
        }
        None => {
            let at = rest.find(INLINE)?;
            (INLINE.to_owned(), &rest[at + INLINE.len()..])
        }
    };
    let line = number(behind)?;
    Some(FunctionPlace { function, line })
}

/// What the server calls the body of DO.
const INLINE: &str = "inline_code_block";

/// `SQL function "total" statement 1`.
fn sql(line: &str) -> Option<FunctionPlace> {
    let (function, behind) = line.strip_prefix("SQL function \"")?.split_once('"')?;
    Some(FunctionPlace {
        function: function.to_owned(),
        line: number(behind)?,
    })
}

/// The first number.
fn number(text: &str) -> Option<u32> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let digits = &text[from..];
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// The server's own queries for foreign keys name their tables with ONLY and their operators with a schema (ri_triggers.c).
fn is_of_a_foreign_key(text: &str) -> bool {
    text.contains("ONLY \"") && text.contains("OPERATOR(")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(context: &str) -> Option<(String, u32)> {
        place(context).map(|place| (place.function, place.line))
    }

    #[test]
    fn the_innermost_function_is_the_place() {
        let is = |function: &str, line| Some((function.to_owned(), line));
        let context = "SQL statement \"SELECT a FROM b\"\n\
                       \tPL/pgSQL function inner(character varying, integer) line 5 at SQL statement\n\
                       \tPL/pgSQL function shop.outer() line 3 at PERFORM";
        assert_eq!(shown(context), is("inner(character varying, integer)", 5));
        assert_eq!(
            shown("PL/pgSQL-Funktion shop.summe(bigint) Zeile 12 bei SQL-Anweisung"),
            is("shop.summe(bigint)", 12)
        );
        assert_eq!(
            shown("fonction PL/pgSQL total(bigint), ligne 4 à instruction SQL"),
            is("total(bigint)", 4)
        );
        assert_eq!(
            shown("PL/pgSQL function inline_code_block line 2 at SQL statement"),
            is("inline_code_block", 2)
        );
        assert_eq!(shown("SQL function \"total\" statement 1"), is("total", 1));
    }

    #[test]
    fn contexts_without_a_function_are_no_place() {
        for context in [
            "",
            "SQL statement \"SELECT 'PL/pgSQL function f() line 3'\"",
            "COPY t, line 7",
            "PL/pgSQL function f(",
            "SQL function \"f",
        ] {
            assert_eq!(shown(context), None, "{context}");
        }
    }

    #[test]
    fn executions_of_one_place_are_counted_and_foreign_keys_are_not() {
        let mut nested = Nested::default();
        let context = "PL/pgSQL function f() line 3 at SQL statement";
        for text in [
            "SELECT a FROM b WHERE c = x",
            "SELECT a FROM b WHERE c = x",
            "SELECT 1 FROM ONLY \"public\".\"a\" x WHERE \"id\" OPERATOR(pg_catalog.=) $1 FOR KEY SHARE OF x",
        ] {
            nested.take(context, text, 7);
        }
        let all = nested.end();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].times, all[0].took), (2, 14));
        assert!(nested.end().is_empty());
    }
}
