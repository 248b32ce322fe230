//! Statements that differ in constants alone, brought to one form: each constant becomes `$n`, as pg_stat_statements writes it.
//! Constants that are part of the statement's structure stay: `ORDER BY 1`, `varchar(20)`, `data -> 'key'`.

use std::ops::Range;

use super::token::{LiteralKind, Token, TokenKind, tokens};

/// A statement with its constants taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normal {
    /// Text between the constants: one piece more than there are constants.
    pub pieces: Vec<String>,
    /// As they were written, in the order of the text.
    pub constants: Vec<String>,
    /// Where in the text each of them stood.
    pub places: Vec<Range<usize>>,
    /// The highest `$n` of the statement itself.
    pub parameters: usize,
}

impl Normal {
    /// The statement; a constant for which `keep` says so stays as it was written, every other one is the next `$n`.
    #[must_use]
    pub fn text(&self, keep: impl Fn(usize) -> bool) -> String {
        let mut text = String::new();
        let mut next = self.parameters;
        for (index, piece) in self.pieces.iter().enumerate() {
            text.push_str(piece);
            match self.constants.get(index) {
                Some(constant) if keep(index) => text.push_str(constant),
                Some(_) => {
                    next += 1;
                    text.push_str(&format!("${next}"));
                }
                None => {}
            }
        }
        text
    }
}

impl Normal {
    /// Whether a constant says how many rows are wanted: it comes after LIMIT, or after FETCH FIRST or NEXT.
    #[must_use]
    pub fn is_limit(&self, index: usize) -> bool {
        let before = self.pieces.get(index).map_or("", String::as_str).trim_end();
        let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next();
        word.is_some_and(|word| {
            ["limit", "first", "next"]
                .iter()
                .any(|limit| word.eq_ignore_ascii_case(limit))
        })
    }
}

/// Types whose parentheses hold a modifier.
const MODIFIED: [&str; 14] = [
    "varchar",
    "char",
    "character",
    "varying",
    "bpchar",
    "numeric",
    "decimal",
    "bit",
    "varbit",
    "timestamp",
    "timestamptz",
    "time",
    "timetz",
    "interval",
];

/// Words after which a whole number is a position among the columns.
const POSITIONS: [&str; 2] = ["order", "group"];

/// Takes the constants out. White space and comments are brought to one blank.
#[must_use]
pub fn normal(text: &str) -> Normal {
    let all: Vec<Token> = tokens(text)
        .into_iter()
        .filter(|token| !token.is_trivia() && token.kind != TokenKind::Semi)
        .collect();
    let at = |index: usize| all.get(index).map_or("", |token| &text[token.span.clone()]);
    let mut normal = Normal {
        pieces: Vec::new(),
        constants: Vec::new(),
        places: Vec::new(),
        parameters: 0,
    };
    let mut piece = String::new();
    // Whether the list that is read is one of positions, for each depth of parentheses.
    let mut lists = vec![false];
    let mut modifier = None;
    for (index, token) in all.iter().enumerate() {
        let written = at(index);
        if index > 0 && all[index - 1].span.end < token.span.start {
            piece.push(' ');
        }
        if modifier.is_none() && is_sign(&all, text, index) {
            continue;
        }
        let lower = written.to_lowercase();
        match token.kind {
            TokenKind::OpenParen => {
                let typed = index > 0 && MODIFIED.contains(&at(index - 1).to_lowercase().as_str());
                if typed && modifier.is_none() {
                    modifier = Some(lists.len());
                }
                lists.push(false);
            }
            TokenKind::CloseParen => {
                if lists.len() > 1 {
                    lists.pop();
                }
                if modifier == Some(lists.len()) {
                    modifier = None;
                }
            }
            TokenKind::Ident if lower == "by" => {
                let listed =
                    index > 0 && POSITIONS.contains(&at(index - 1).to_lowercase().as_str());
                if let Some(list) = lists.last_mut() {
                    *list = listed;
                }
            }
            TokenKind::Ident if ENDS_LIST.contains(&lower.as_str()) => {
                if let Some(list) = lists.last_mut() {
                    *list = false;
                }
            }
            TokenKind::PositionalParam { .. } => {
                let number = written.trim_start_matches('$').parse().unwrap_or(0);
                normal.parameters = normal.parameters.max(number);
            }
            _ => {}
        }
        let is_position = matches!(
            token.kind,
            TokenKind::Literal {
                kind: LiteralKind::Int { .. }
            }
        ) && lists.last() == Some(&true)
            && (index > 0 && matches!(at(index - 1).to_lowercase().as_str(), "by" | ","));
        let is_constant = matches!(token.kind, TokenKind::Literal { .. })
            && modifier.is_none()
            && !is_position
            && !names_a_key(&all, text, index);
        if is_constant {
            let signed = index > 0 && is_sign(&all, text, index - 1);
            let first = if signed { index - 1 } else { index };
            let place = all[first].span.start..token.span.end;
            normal.pieces.push(std::mem::take(&mut piece));
            normal.constants.push(text[place.clone()].to_owned());
            normal.places.push(place);
        } else {
            piece.push_str(written);
        }
    }
    normal.pieces.push(piece);
    normal
}

/// Whether a token is the sign of the number after it, and no subtraction: `balance + -5` differs from `balance + 7` in its constant
/// alone, as it does for the server.
fn is_sign(all: &[Token], text: &str, index: usize) -> bool {
    let is_minus = all[index].kind == TokenKind::Minus;
    let is_before_number = all.get(index + 1).is_some_and(|next| {
        let is_number = matches!(
            next.kind,
            TokenKind::Literal {
                kind: LiteralKind::Int { .. } | LiteralKind::Numeric { .. }
            }
        );
        is_number && next.span.start == all[index].span.end
    });
    if !is_minus || !is_before_number {
        return false;
    }
    let Some(before) = index.checked_sub(1).map(|at| &all[at]) else {
        return false;
    };
    match before.kind {
        TokenKind::Ident => {
            let word = text[before.span.clone()].to_lowercase();
            BEFORE_VALUES.contains(&word.as_str())
        }
        TokenKind::QuotedIdent { .. }
        | TokenKind::Literal { .. }
        | TokenKind::PositionalParam { .. }
        | TokenKind::CloseParen
        | TokenKind::CloseBracket => false,
        _ => true,
    }
}

/// Words that no operand ends with.
const BEFORE_VALUES: [&str; 13] = [
    "select", "where", "and", "or", "not", "between", "when", "then", "else", "limit", "offset",
    "return", "in",
];

/// Words that end a list of positions.
const ENDS_LIST: [&str; 9] = [
    "limit",
    "offset",
    "fetch",
    "having",
    "window",
    "union",
    "for",
    "except",
    "intersect",
];

/// Whether the operator before it takes the name of a key: `->`, `->>`, `#>`, `#>>`, `?`.
fn names_a_key(all: &[Token], text: &str, index: usize) -> bool {
    let mut first = index;
    while first > 0 {
        let before = &all[first - 1];
        let sign = &text[before.span.clone()];
        let touches = all[first].span.start == before.span.end || first == index;
        if touches && sign.len() == 1 && "-><#?@|&".contains(sign) {
            first -= 1;
        } else {
            break;
        }
    }
    if first == index {
        return false;
    }
    let operator = &text[all[first].span.start..all[index - 1].span.end];
    matches!(operator, "->" | "->>" | "#>" | "#>>" | "?" | "?|" | "?&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> String {
        normal(text).text(|_| false)
    }

    #[test]
    fn statements_that_differ_in_constants_alone_are_one() {
        assert_eq!(
            whole("SELECT a\n  FROM b -- why\n WHERE c = 'x''y' AND d IN (1, 2.5);"),
            "SELECT a FROM b WHERE c = $1 AND d IN ($2, $3)"
        );
        assert_eq!(
            whole("SELECT a FROM b WHERE c = $2 AND d = $1 LIMIT 21"),
            "SELECT a FROM b WHERE c = $2 AND d = $1 LIMIT $3"
        );
    }

    #[test]
    fn the_sign_of_a_number_is_part_of_the_constant() {
        assert_eq!(
            whole("UPDATE a SET b = b + -5, c = -1.5, d = e -3 WHERE f BETWEEN -2 AND - 1"),
            "UPDATE a SET b = b + $1, c = $2, d = e -$3 WHERE f BETWEEN $4 AND - $5"
        );
        let signed = normal("SELECT a FROM b WHERE c IN (-1, 7)");
        assert_eq!(signed.constants, ["-1", "7"]);
        assert_eq!(
            whole("SELECT a::numeric(10, -2) - 1"),
            "SELECT a::numeric(10, -2) - $1"
        );
    }

    #[test]
    fn what_belongs_to_the_structure_stays() {
        for text in [
            "SELECT a, count(*) FROM b GROUP BY 1, 2 ORDER BY 2 DESC, 1",
            "SELECT a::varchar(20), b::numeric(10, 2) FROM c",
            "SELECT data->'a'->>'b', data #>> '{x,y}' FROM c WHERE data ? 'k'",
            "SELECT \"1\", $1 FROM c",
        ] {
            assert_eq!(whole(text), text);
        }
        assert_eq!(
            whole("SELECT a FROM (SELECT 1 ORDER BY 1) x WHERE b > 3 ORDER BY 1 LIMIT 5"),
            "SELECT a FROM (SELECT $1 ORDER BY 1) x WHERE b > $2 ORDER BY 1 LIMIT $3"
        );
        assert_eq!(
            whole("SELECT a FROM b WHERE c - 3 > 1 AND d < 2"),
            "SELECT a FROM b WHERE c - $1 > $2 AND d < $3"
        );
    }

    #[test]
    fn constants_can_be_kept() {
        let normal = normal("SELECT a FROM b WHERE c = 'open' AND d = 7");
        assert_eq!(normal.constants, ["'open'", "7"]);
        assert_eq!(
            normal.text(|index| index == 0),
            "SELECT a FROM b WHERE c = 'open' AND d = $1"
        );
    }

    #[test]
    fn the_size_of_a_page_is_known_by_the_word_before_it() {
        let is_limit = |text: &str| {
            let found = normal(text);
            let all = 0..found.constants.len();
            all.map(|index| found.is_limit(index)).collect::<Vec<_>>()
        };
        let text = "SELECT a FROM t WHERE b = 1 ORDER BY a LIMIT 20 OFFSET 40";
        assert_eq!(is_limit(text), [false, true, false]);
        let text = "SELECT a FROM t WHERE b = 'limit' FETCH FIRST 5 ROWS ONLY";
        assert_eq!(is_limit(text), [false, true]);
        assert_eq!(is_limit("SELECT a FROM t WHERE rate_limit = 3"), [false]);
    }
}
