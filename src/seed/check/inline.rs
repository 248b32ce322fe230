//! Functions of the schema's own in a constraint: where the body is one expression, it takes the call's place, and what
//! follows from constants alone is computed. Never runs anything, and never guesses what a body of several steps does.

use crate::seed::expression::Expression;
use crate::seed::expression::value::{concatenated, text_function};

/// A function whose body may be one expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub schema: String,
    /// Unquoted.
    pub name: String,
    /// Names of its arguments, empty where they have none.
    pub arguments: Vec<String>,
    /// As `pg_proc.prosrc` has it, or `pg_get_function_sqlbody`.
    pub body: String,
}

/// Calls inside of calls are looked into so often.
const DEPTH: usize = 8;
/// A larger expression is left as it was.
const MOST_PARTS: usize = 400;

/// The expression with the functions' bodies in place of their calls; `None` where there is no such call, or no such body.
#[must_use]
pub fn inlined(expression: &str, functions: &[Function]) -> Option<String> {
    let named = |function: &&Function| expression.contains(&function.name);
    functions.iter().find(named)?;
    let mut inlined = Expression::parse(expression).ok()?;
    let mut changed = false;
    for _ in 0..DEPTH {
        let mut once = false;
        inlined = inlined.rewritten(&mut |part| match called(&part, functions) {
            Some(body) => {
                once = true;
                body
            }
            None => part,
        });
        changed |= once;
        let mut parts = 0;
        inlined.visit(&mut |_| parts += 1);
        if !once || parts > MOST_PARTS {
            break;
        }
    }
    let inlined = inlined.rewritten(&mut folded);
    let shown = format!("({inlined})");
    // What cannot be written so that it is read as the same is not said at all.
    (changed && Expression::parse(&shown).as_ref() == Ok(&inlined)).then_some(shown)
}

/// The body of a call with its arguments put in.
fn called(call: &Expression, functions: &[Function]) -> Option<Expression> {
    let Expression::Call { name, arguments } = call else {
        return None;
    };
    let (schema, name) = name
        .rsplit_once('.')
        .map_or((None, name.as_str()), |(schema, name)| (Some(schema), name));
    let mut candidates = functions.iter().filter(|function| {
        function.name == name
            && function.arguments.len() == arguments.len()
            && schema.is_none_or(|schema| schema == function.schema)
    });
    let (function, None) = (candidates.next()?, candidates.next()) else {
        return None;
    };
    let body = body(&function.body)?;
    let mut unknown = false;
    let put = body.rewritten(&mut |part| {
        let Expression::Column(column) = &part else {
            return part;
        };
        let bare = column.strip_prefix(&format!("{name}.")).unwrap_or(column);
        let numbered = bare
            .strip_prefix('$')
            .and_then(|number| number.parse::<usize>().ok()?.checked_sub(1));
        let at = numbered.or_else(|| {
            function
                .arguments
                .iter()
                .position(|argument| argument == bare)
        });
        match at.and_then(|at| arguments.get(at)) {
            Some(argument) => argument.clone(),
            None => {
                unknown = true;
                part
            }
        }
    });
    (!unknown).then_some(put)
}

/// `SELECT …`, `RETURN …`, `BEGIN ATOMIC SELECT …; END`, and `BEGIN RETURN …; END` of PL/pgSQL, where it is one expression.
fn body(text: &str) -> Option<Expression> {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("--") {
                ""
            } else {
                line
            }
        })
        .collect();
    let text = lines.join("\n");
    let mut rest = text.trim().trim_end_matches(';').trim_end();
    if let Some(inner) = word(rest, "begin") {
        let end = inner
            .len()
            .checked_sub(3)
            .filter(|at| inner.is_char_boundary(*at))?;
        let inner = inner[..end]
            .trim_end()
            .strip_suffix(';')
            .filter(|_| inner[end..].eq_ignore_ascii_case("end"))?;
        rest = word(inner, "atomic").unwrap_or(inner);
    }
    let expression = word(rest, "select").or_else(|| word(rest, "return"))?;
    Expression::parse(expression).ok()
}

/// What follows a keyword with which the text begins.
fn word<'t>(text: &'t str, keyword: &str) -> Option<&'t str> {
    let text = text.trim_start();
    let (head, rest) = text.split_at_checked(keyword.len())?;
    let ends = rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_');
    (head.eq_ignore_ascii_case(keyword) && ends).then(|| rest.trim_start())
}

/// A function of constants alone as its value.
fn folded(part: Expression) -> Expression {
    let value = match &part {
        Expression::Infix {
            operator,
            left,
            right,
        } if operator == "||" => left
            .text()
            .zip(right.text())
            .map(|(left, right)| concatenated(left, right)),
        Expression::Call { name, arguments } => {
            let texts: Option<Vec<&str>> = arguments.iter().map(Expression::text).collect();
            texts.and_then(|texts| text_function(name, &texts))
        }
        _ => None,
    };
    value.map_or(part, Expression::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, arguments: &[&str], body: &str) -> Function {
        let arguments = arguments.iter().map(|name| (*name).to_owned()).collect();
        Function {
            schema: "public".to_owned(),
            name: name.to_owned(),
            arguments,
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_body_of_one_expression_takes_the_place_of_its_call() {
        let functions = [
            function(
                "is_marked",
                &["string"],
                "\n-- both\nselect starts_with(string, u&'\\fffe') and is_short($1);\n",
            ),
            function(
                "is_short",
                &["t"],
                "BEGIN\n RETURN length(is_short.t) < 9;\nEND;",
            ),
            function(
                "mark",
                &["string"],
                "select concat(U&'\\fffe', trim(both '. ' from string))",
            ),
            function("positive", &[""], "RETURN ($1 > 0)"),
            function(
                "stored",
                &["id"],
                "SELECT true FROM things WHERE things.id = stored.id",
            ),
            function(
                "several",
                &["a"],
                "BEGIN IF a > 1 THEN RETURN true; END IF; RETURN false; END",
            ),
        ];
        let of = |text: &str| inlined(text, &functions);
        assert_eq!(
            of("(public.is_marked(VALUE))").as_deref(),
            Some("(starts_with(value, '\u{fffe}') AND (length(value) < 9))")
        );
        assert_eq!(
            of("((code)::text = mark('. none'::text))").as_deref(),
            Some("(code::text = '\u{fffe}none')")
        );
        assert_eq!(
            of("(positive(a) OR (b = 1))").as_deref(),
            Some("((a > 0) OR (b = 1))")
        );
        for other in [
            "(stored(id))",
            "(several(a))",
            "(app.positive(a))",
            "(length(a) > 1)",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
