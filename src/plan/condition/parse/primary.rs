//! Operands: literals, columns, calls, parentheses, CASE, and the types that they are cast to.

use super::Parser;
use crate::plan::condition::token::Token;
use crate::plan::condition::{Expression, ExpressionKind};

impl<'a> Parser<'a> {
    /// A cast of a literal is the literal: EXPLAIN gives every one its type.
    pub(super) fn cast(&self, start: usize, operand: Expression, type_name: String) -> Expression {
        match operand.kind {
            ExpressionKind::Constant(_) => self.made(start, operand.kind),
            _ => self.made(
                start,
                ExpressionKind::Cast {
                    operand: Box::new(operand),
                    type_name,
                },
            ),
        }
    }

    pub(super) fn primary_with_cast(&mut self) -> Option<Expression> {
        let start = self.at;
        let operand = self.primary()?;
        if self.peek() == Some(&Token::Operator("::".to_owned())) {
            self.at += 1;
            let type_name = self.type_name()?;
            return Some(self.cast(start, operand, type_name));
        }
        Some(operand)
    }

    /// `character varying(80)[]`, `timestamp without time zone`, `shop."Status"`.
    pub(super) fn type_name(&mut self) -> Option<String> {
        const SECOND_WORDS: [&str; 7] = [
            "varying",
            "precision",
            "with",
            "without",
            "time",
            "zone",
            "bit",
        ];
        let start = self.at;
        matches!(self.peek(), Some(Token::Word { .. })).then_some(())?;
        self.at += 1;
        loop {
            if self.peek() == Some(&Token::Mark('.')) {
                self.at += 2;
            } else if SECOND_WORDS.iter().any(|word| self.is_word(0, word)) {
                self.at += 1;
            } else if self.peek() == Some(&Token::Mark('('))
                && matches!(self.ahead(1), Some(Token::Number(_)))
            {
                while !self.eat_mark(')') {
                    self.peek()?;
                    self.at += 1;
                }
            } else if self.peek() == Some(&Token::Mark('['))
                && self.ahead(1) == Some(&Token::Mark(']'))
            {
                self.at += 2;
            } else {
                break;
            }
        }
        (self.at <= self.tokens.len()).then(|| {
            self.text[self.tokens[start].1.start..self.tokens[self.at - 1].1.end].to_owned()
        })
    }

    pub(super) fn primary(&mut self) -> Option<Expression> {
        let start = self.at;
        let kind = match self.peek()? {
            Token::Number(number) => ExpressionKind::Constant(Some(number.clone())),
            Token::Text(text) => ExpressionKind::Constant(Some(text.clone())),
            Token::Parameter(number) => ExpressionKind::Parameter(*number),
            Token::Mark('(') => return self.parenthesized(),
            Token::Word { quoted: false, .. } if self.is_keyword_literal() => {
                let null = self.is_word(0, "NULL");
                let word = &self.text[self.tokens[start].1.clone()];
                ExpressionKind::Constant((!null).then(|| word.to_owned()))
            }
            Token::Word { quoted: false, .. } if self.is_word(0, "CASE") => return self.case(),
            Token::Word { quoted: false, .. }
                if self.is_word(0, "ARRAY") && self.ahead(1) == Some(&Token::Mark('[')) =>
            {
                return self.call(']');
            }
            Token::Word { quoted: false, .. }
                if self.is_word(0, "PARTIAL")
                    && matches!(self.ahead(1), Some(Token::Word { .. })) =>
            {
                self.at += 1;
                return self.primary();
            }
            Token::Word { .. } => return self.named(),
            Token::Operator(_) | Token::Mark(_) => return None,
        };
        self.at += 1;
        Some(self.made(start, kind))
    }

    fn is_keyword_literal(&self) -> bool {
        ["NULL", "true", "false"]
            .iter()
            .any(|word| self.is_word(0, word))
            && self.ahead(1) != Some(&Token::Mark('.'))
    }

    /// `( … )`: an expression, a row, or a reference to a subquery.
    fn parenthesized(&mut self) -> Option<Expression> {
        let start = self.at;
        let words = [
            "SubPlan",
            "InitPlan",
            "hashed",
            "alternatives",
            "CTE",
            "rescan",
            "returns",
        ];
        if words.iter().any(|word| self.is_word(1, word))
            && !matches!(self.ahead(2), Some(Token::Mark('.' | ')')))
        {
            self.skip_balanced()?;
            return Some(self.made(start, ExpressionKind::Subplan));
        }
        self.at += 1;
        let first = self.any()?;
        if self.eat_mark(')') {
            return Some(first);
        }
        let mut arguments = vec![first];
        while self.eat_mark(',') {
            arguments.push(self.any()?);
        }
        self.eat_mark(')').then_some(())?;
        Some(self.made(
            start,
            ExpressionKind::Call {
                function: "row".to_owned(),
                arguments,
            },
        ))
    }

    fn skip_balanced(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                Token::Mark('(') => open += 1,
                Token::Mark(')') => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(());
            }
        }
    }

    /// CASE … END with the expressions between its keywords.
    fn case(&mut self) -> Option<Expression> {
        let start = self.at;
        self.at += 1;
        let mut parts = Vec::new();
        loop {
            if self.eat_word("END") {
                return Some(self.made(start, ExpressionKind::Other(parts)));
            }
            if ["WHEN", "THEN", "ELSE"]
                .iter()
                .any(|word| self.eat_word(word))
            {
                continue;
            }
            parts.push(self.any()?);
        }
    }

    /// A column or a call.
    fn named(&mut self) -> Option<Expression> {
        let start = self.at;
        let column = self.column()?;
        if self.peek() == Some(&Token::Mark('(')) {
            self.at -= 1;
            let mut found = self.call(')')?;
            found.text = self.made(start, found.kind.clone()).text;
            return Some(found);
        }
        let special = [
            "current_date",
            "current_timestamp",
            "current_time",
            "current_user",
            "session_user",
            "localtimestamp",
        ];
        if let ExpressionKind::Column {
            qualifier: None,
            name,
        } = &column.kind
            && special.iter().any(|word| name.eq_ignore_ascii_case(word))
            && column.text.eq_ignore_ascii_case(name)
        {
            let kind = ExpressionKind::Call {
                function: name.to_lowercase(),
                arguments: Vec::new(),
            };
            return Some(Expression {
                text: column.text,
                kind,
            });
        }
        Some(column)
    }

    /// `name`, `alias.name`, `schema.table.name`.
    pub(super) fn column(&mut self) -> Option<Expression> {
        let start = self.at;
        let mut names = Vec::new();
        loop {
            let Token::Word { text, .. } = self.peek()? else {
                return None;
            };
            names.push(text.clone());
            self.at += 1;
            if !(self.peek() == Some(&Token::Mark('.'))
                && matches!(self.ahead(1), Some(Token::Word { .. })))
            {
                break;
            }
            self.at += 1;
        }
        let name = names.pop()?;
        Some(self.made(
            start,
            ExpressionKind::Column {
                qualifier: names.pop(),
                name,
            },
        ))
    }

    /// `name(…)` or `ARRAY[…]`, with the current token at the name; words between arguments (FROM, FOR, ORDER BY,
    /// DISTINCT…) are skipped, FILTER and OVER are read as arguments.
    fn call(&mut self, close: char) -> Option<Expression> {
        const BETWEEN: [&str; 19] = [
            "FROM", "FOR", "IN", "PLACING", "ORDER", "BY", "DISTINCT", "VARIADIC", "BOTH",
            "LEADING", "TRAILING", "USING", "ASC", "DESC", "NULLS", "FIRST", "LAST", "SIMILAR",
            "WITH",
        ];
        let start = self.at;
        let Some(Token::Word { text: function, .. }) = self.peek() else {
            return None;
        };
        self.at += 2;
        let mut arguments = Vec::new();
        while !self.eat_mark(close) {
            let argument_follows =
                !matches!(self.ahead(1), Some(Token::Mark('.' | '(' | ',' | ')')));
            if self.eat_mark(',')
                || (argument_follows && BETWEEN.iter().any(|word| self.eat_word(word)))
            {
                continue;
            }
            if self.peek() == Some(&Token::Operator("*".to_owned()))
                || self.peek() == Some(&Token::Operator("=>".to_owned()))
            {
                self.at += 1;
                continue;
            }
            let last_word = BETWEEN.iter().any(|word| self.is_word(0, word))
                && self.ahead(1) == Some(&Token::Mark(close));
            if last_word && !arguments.is_empty() {
                self.at += 1;
                continue;
            }
            // EXTRACT(year FROM at): the field is a word of the syntax, not a column.
            if let Some(Token::Word { text, .. }) = self.peek()
                && function.eq_ignore_ascii_case("extract")
                && arguments.is_empty()
            {
                self.at += 1;
                arguments
                    .push(self.made(self.at - 1, ExpressionKind::Constant(Some(text.clone()))));
                continue;
            }
            arguments.push(self.any()?);
        }
        if self.is_word(0, "FILTER") || self.is_word(0, "OVER") {
            self.at += 1;
            let Some(Token::Mark('(')) = self.peek() else {
                self.at += 1;
                (self.at <= self.tokens.len()).then_some(())?;
                return Some(self.made(
                    start,
                    ExpressionKind::Call {
                        function: function.to_lowercase(),
                        arguments,
                    },
                ));
            };
            self.skip_balanced()?;
        }
        Some(self.made(
            start,
            ExpressionKind::Call {
                function: function.to_lowercase(),
                arguments,
            },
        ))
    }
}
