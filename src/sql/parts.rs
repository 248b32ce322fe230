//! What comparisons of a part of a text with a constant say of the whole: `right(code, 2) = '-X'`, `starts_with(path, '/srv')`.
//! Pure.

use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode, BinOp, Expr};

use super::constants::{Column, Constant, ValueHint, literal};

/// Reads a comparison with `left`, `right` or `substr` of a column.
pub(super) fn read_comparison(
    comparison: &ast::BinExpr,
    root: &SyntaxNode,
    found: &mut Vec<Constant>,
) {
    let Some(BinOp::Eq(_)) = comparison.op() else {
        return;
    };
    let (Some(left), Some(right)) = (comparison.lhs(), comparison.rhs()) else {
        return;
    };
    for (part, constant) in [(&left, &right), (&right, &left)] {
        if let (Some((column, place)), Some(text)) = (part_of(part), literal(constant)) {
            found.push(column.constant(root, ValueHint::Like(place.pattern(&text))));
        }
    }
}

/// Reads `starts_with(column, 'text')`.
pub(super) fn read_call(call: &ast::CallExpr, root: &SyntaxNode, found: &mut Vec<Constant>) {
    let Some((name, arguments)) = named(call) else {
        return;
    };
    if let ("starts_with", [column, text]) = (name.as_str(), arguments.as_slice())
        && let (Some(column), Some(text)) = (Column::of(column), literal(text))
    {
        found.push(column.constant(root, ValueHint::Like(Place::Beginning.pattern(&text))));
    }
}

/// Where a part stands in the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    End,
}

impl Place {
    fn pattern(self, text: &str) -> String {
        match self {
            Self::Beginning => format!("{text}%"),
            Self::End => format!("%{text}"),
        }
    }
}

fn part_of(expression: &Expr) -> Option<(Column, Place)> {
    let call = match expression {
        Expr::ParenExpr(inner) => return part_of(&inner.expr()?),
        Expr::CallExpr(call) => call,
        _ => return None,
    };
    let (name, arguments) = named(call)?;
    let place = match (name.as_str(), arguments.as_slice()) {
        ("left", [_, _]) => Place::Beginning,
        ("right", [_, _]) => Place::End,
        ("substr" | "substring", [_, from, ..]) if literal(from)? == "1" => Place::Beginning,
        _ => return None,
    };
    Some((Column::of(arguments.first()?)?, place))
}

/// A function's name and its arguments.
fn named(call: &ast::CallExpr) -> Option<(String, Vec<Expr>)> {
    let name = call.expr()?.syntax().text().to_string().to_lowercase();
    let arguments = call.arg_list()?.args();
    let arguments: Option<Vec<Expr>> = arguments
        .map(|argument| argument.syntax().descendants().find_map(Expr::cast))
        .collect();
    Some((name.trim().to_owned(), arguments?))
}

#[cfg(test)]
mod tests {
    use super::super::constants::{ValueHint, of_statement};

    fn patterns(condition: &str) -> Vec<(String, String)> {
        let sql = format!("SELECT 1 FROM berths b WHERE {condition}");
        let said = of_statement(&sql).into_iter();
        said.filter_map(|constant| match constant.said {
            ValueHint::Like(pattern) => Some((constant.column, pattern)),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn a_part_tells_of_the_whole() {
        let is = |condition: &str, column: &str, pattern: &str| {
            assert_eq!(
                patterns(condition),
                [(column.to_owned(), pattern.to_owned())],
                "{condition}"
            );
        };
        is("right(b.mark, 1) = '~'", "mark", "%~");
        is("'N' = left(mark, 1)", "mark", "N%");
        is("substr(mark, 1, 2) = 'DE'", "mark", "DE%");
        is("starts_with(b.path, '/srv')", "path", "/srv%");
    }

    #[test]
    fn what_stands_in_the_middle_or_is_no_constant_tells_nothing() {
        assert_eq!(patterns("substr(mark, 3, 2) = 'DE'"), []);
        assert_eq!(patterns("right(mark, 1) <> '~'"), []);
        assert_eq!(patterns("right(mark, 1) = $1"), []);
        assert_eq!(patterns("length(mark) = 4"), []);
    }
}
