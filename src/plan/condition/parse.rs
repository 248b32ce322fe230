//! Recursive descent over the words of a deparsed expression. Deparsed operators stand in parentheses, so precedence is
//! of no concern; what is not understood ends up in `Other`, never in an error.

mod primary;

use std::ops::Range;

use super::token::{self, Token};
use super::{Expression, ExpressionKind, Quantifier, Test};

/// Deeper than any real condition; keeps hostile input off the stack's end.
const MAX_DEPTH: usize = 120;

pub(super) fn expression(text: &str) -> Expression {
    let tokens = token::tokens(text);
    let mut parser = Parser {
        text,
        tokens: &tokens,
        at: 0,
        depth: 0,
    };
    match parser.any() {
        Some(found) if parser.at == tokens.len() => found,
        Some(_) | None => fallback(text, &tokens),
    }
}

/// All that can be said of a text that is no known expression: the columns and parameters in it.
fn fallback(text: &str, tokens: &[(Token, Range<usize>)]) -> Expression {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some((token, span)) = tokens.get(at) {
        let mut parser = Parser {
            text,
            tokens,
            at,
            depth: 0,
        };
        match token {
            Token::Parameter(number) => {
                parts.push(Expression {
                    text: text[span.clone()].to_owned(),
                    kind: ExpressionKind::Parameter(*number),
                });
            }
            Token::Word { .. } => {
                if let Some(column) = parser.column()
                    && (matches!(
                        column.kind,
                        ExpressionKind::Column {
                            qualifier: Some(_),
                            ..
                        }
                    ))
                {
                    parts.push(column);
                    at = parser.at;
                    continue;
                }
            }
            Token::Number(_) | Token::Text(_) | Token::Operator(_) | Token::Mark(_) => {}
        }
        at += 1;
    }
    Expression {
        text: text.trim().to_owned(),
        kind: ExpressionKind::Other(parts),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [(Token, Range<usize>)],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn ahead(&self, by: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + by).map(|(token, _)| token)
    }

    fn eat_mark(&mut self, mark: char) -> bool {
        let found = self.peek() == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }

    fn is_word(&self, by: usize, word: &str) -> bool {
        matches!(self.ahead(by), Some(Token::Word { text, quoted: false }) if text.eq_ignore_ascii_case(word))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    /// An expression from the token at `start` to the last one eaten.
    fn made(&self, start: usize, kind: ExpressionKind) -> Expression {
        let from = self.tokens[start].1.start;
        let to = self.tokens[self.at - 1].1.end;
        Expression {
            text: self.text[from..to].to_owned(),
            kind,
        }
    }

    fn any(&mut self) -> Option<Expression> {
        self.depth += 1;
        let found = if self.depth > MAX_DEPTH {
            None
        } else {
            self.or()
        };
        self.depth -= 1;
        found
    }

    fn or(&mut self) -> Option<Expression> {
        self.connected("OR", ExpressionKind::Or, Self::and)
    }

    fn and(&mut self) -> Option<Expression> {
        self.connected("AND", ExpressionKind::And, Self::not)
    }

    fn connected(
        &mut self,
        word: &str,
        kind: fn(Vec<Expression>) -> ExpressionKind,
        part: fn(&mut Self) -> Option<Expression>,
    ) -> Option<Expression> {
        let start = self.at;
        let mut parts = vec![part(self)?];
        while self.eat_word(word) {
            parts.push(part(self)?);
        }
        if parts.len() == 1 {
            parts.pop()
        } else {
            Some(self.made(start, kind(parts)))
        }
    }

    fn not(&mut self) -> Option<Expression> {
        let start = self.at;
        if self.eat_word("NOT") {
            self.depth += 1;
            let operand = if self.depth > MAX_DEPTH {
                None
            } else {
                self.not()
            };
            self.depth -= 1;
            return Some(self.made(start, ExpressionKind::Not(Box::new(operand?))));
        }
        self.operators()
    }

    /// Operands, the operators between them, and the tests after them.
    fn operators(&mut self) -> Option<Expression> {
        let start = self.at;
        let mut left = self.unary()?;
        loop {
            if self.is_word(0, "IS") {
                left = self.test(start, left)?;
                continue;
            }
            let Some(operator) = self.operator() else {
                return Some(left);
            };
            let quantifier = if self.eat_word("ANY") {
                Quantifier::Any
            } else if self.eat_word("ALL") {
                Quantifier::All
            } else {
                Quantifier::One
            };
            let right = Box::new(self.unary()?);
            let left_side = Some(Box::new(left));
            left = self.made(
                start,
                ExpressionKind::Operator {
                    operator,
                    quantifier,
                    left: left_side,
                    right,
                },
            );
        }
    }

    /// An operator, `OPERATOR(schema.=)` too.
    fn operator(&mut self) -> Option<String> {
        if let Some(Token::Operator(operator)) = self.peek()
            && operator != "::"
        {
            self.at += 1;
            return Some(operator.clone());
        }
        if self.is_word(0, "OPERATOR") && self.ahead(1) == Some(&Token::Mark('(')) {
            let mut at = self.at + 2;
            while let Some((token, _)) = self.tokens.get(at) {
                if let Token::Operator(operator) = token {
                    self.at = at + 2;
                    return Some(operator.clone());
                }
                at += 1;
            }
        }
        None
    }

    fn test(&mut self, start: usize, operand: Expression) -> Option<Expression> {
        self.at += 1;
        let negated = self.eat_word("NOT");
        if self.eat_word("DISTINCT") {
            self.eat_word("FROM");
            let right = Box::new(self.unary()?);
            let operator = if negated {
                "IS NOT DISTINCT FROM"
            } else {
                "IS DISTINCT FROM"
            }
            .to_owned();
            let left = Some(Box::new(operand));
            return Some(self.made(
                start,
                ExpressionKind::Operator {
                    operator,
                    quantifier: Quantifier::One,
                    left,
                    right,
                },
            ));
        }
        let tests = [
            ("NULL", Test::Null, Test::NotNull),
            ("TRUE", Test::True, Test::NotTrue),
            ("FALSE", Test::False, Test::NotFalse),
            ("UNKNOWN", Test::Unknown, Test::NotUnknown),
        ];
        for (word, plain, inverse) in tests {
            if self.eat_word(word) {
                let test = if negated { inverse } else { plain };
                return Some(self.made(
                    start,
                    ExpressionKind::Test {
                        operand: Box::new(operand),
                        test,
                    },
                ));
            }
        }
        // IS DOCUMENT, IS NFC NORMALIZED, IS JSON…
        while matches!(self.peek(), Some(Token::Word { quoted: false, .. })) {
            self.at += 1;
        }
        Some(self.made(start, ExpressionKind::Other(vec![operand])))
    }

    fn unary(&mut self) -> Option<Expression> {
        let start = self.at;
        if let Some(operator) = self.operator() {
            self.depth += 1;
            let operand = if self.depth > MAX_DEPTH {
                None
            } else {
                self.unary()
            };
            self.depth -= 1;
            let (right, quantifier) = (Box::new(operand?), Quantifier::One);
            return Some(self.made(
                start,
                ExpressionKind::Operator {
                    operator,
                    quantifier,
                    left: None,
                    right,
                },
            ));
        }
        let mut operand = self.primary()?;
        loop {
            if self.peek() == Some(&Token::Operator("::".to_owned())) {
                self.at += 1;
                let type_name = self.type_name()?;
                operand = self.cast(start, operand, type_name);
            } else if self.peek() == Some(&Token::Mark('[')) {
                operand = self.subscript(start, operand)?;
            } else if self.peek() == Some(&Token::Mark('.')) {
                self.at += 2;
                let kind = if operand.kind == ExpressionKind::Subplan {
                    ExpressionKind::Subplan
                } else {
                    ExpressionKind::Other(vec![operand])
                };
                (self.at <= self.tokens.len()).then_some(())?;
                operand = self.made(start, kind);
            } else if self.eat_word("COLLATE") {
                self.column()?;
                operand = self.made(start, ExpressionKind::Other(vec![operand]));
            } else if self.is_word(0, "AT") && (self.is_word(1, "TIME") || self.is_word(1, "LOCAL"))
            {
                operand = self.at_time_zone(start, operand)?;
            } else {
                return Some(operand);
            }
        }
    }

    fn subscript(&mut self, start: usize, operand: Expression) -> Option<Expression> {
        self.at += 1;
        let mut parts = vec![operand];
        while !self.eat_mark(']') {
            if !self.eat_mark(':') {
                parts.push(self.any()?);
            }
        }
        Some(self.made(start, ExpressionKind::Other(parts)))
    }

    fn at_time_zone(&mut self, start: usize, operand: Expression) -> Option<Expression> {
        self.at += 1;
        let mut arguments = vec![operand];
        if !self.eat_word("LOCAL") {
            self.at += 1;
            self.eat_word("ZONE").then_some(())?;
            arguments.push(self.primary_with_cast()?);
        }
        Some(self.made(
            start,
            ExpressionKind::Call {
                function: "timezone".to_owned(),
                arguments,
            },
        ))
    }
}
