//! What a CHECK says about single columns and pairs of columns, in a form that generators obey.

use super::Expression;

/// Everything that a table's constraints say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// A column against a constant or another column.
    pub comparisons: Vec<Comparison>,
    /// A column is one of these (text forms).
    pub lists: Vec<(String, Vec<String>)>,
    /// A column is none of these.
    pub excluded: Vec<(String, Vec<String>)>,
    /// A column matches a regular expression.
    pub patterns: Vec<(String, String)>,
    /// Characters of a column: at least, at most.
    pub lengths: Vec<(String, u32, u32)>,
    /// A column's case.
    pub lower: Vec<String>,
    /// See `lower`.
    pub upper: Vec<String>,
    /// Columns that must have a value.
    pub not_null: Vec<String>,
    /// Columns that must not.
    pub null: Vec<String>,
    /// Columns whose json must be of a type.
    pub json: Vec<(String, String)>,
    /// What was not understood.
    pub unsolved: Vec<String>,
}

/// `left operator right`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// A column.
    pub left: String,
    /// How it compares.
    pub relation: Relation,
    /// With what.
    pub right: Operand,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Relation {
    fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "=" => Self::Equal,
            "<>" | "!=" => Self::NotEqual,
            _ => return None,
        })
    }

    /// The same with its sides exchanged.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A constant in text form.
    Constant(String),
    /// A column, plus a constant (empty for none).
    Column { name: String, plus: Option<String> },
}

impl Facts {
    /// Adds what an expression says.
    pub fn add(&mut self, expression: &Expression) {
        match expression {
            Expression::And(items) => items.iter().for_each(|item| self.add(item)),
            other => {
                if self.fact(other).is_none() {
                    self.unsolved.push(format!("{other:?}"));
                }
            }
        }
    }

    fn fact(&mut self, expression: &Expression) -> Option<()> {
        match expression {
            Expression::Bool(true) => Some(()),
            Expression::Column(name) => {
                self.lists.push((name.clone(), vec!["true".to_owned()]));
                Some(())
            }
            Expression::IsNull { of, negated } => {
                let name = of.column()?.to_owned();
                if *negated {
                    self.not_null.push(name)
                } else {
                    self.null.push(name)
                }
                Some(())
            }
            Expression::Quantified { operator, left, array, all } => self.list(operator, left, array, *all),
            Expression::Infix { operator, left, right } => self.infix(operator, left, right),
            Expression::Not(inner) => match &**inner {
                Expression::Column(name) => {
                    self.lists.push((name.clone(), vec!["false".to_owned()]));
                    Some(())
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn list(&mut self, operator: &str, left: &Expression, array: &Expression, all: bool) -> Option<()> {
        let name = left.column()?.to_owned();
        let Expression::Array(items) = array.uncast() else { return None };
        let values = items.iter().map(Expression::literal).collect::<Option<Vec<_>>>()?;
        match (operator, all) {
            ("=", false) => self.lists.push((name, values)),
            ("<>", true) => self.excluded.push((name, values)),
            _ => return None,
        }
        Some(())
    }

    fn infix(&mut self, operator: &str, left: &Expression, right: &Expression) -> Option<()> {
        if let ("~", Some(name), Some(pattern)) = (operator, left.column(), right.literal()) {
            self.patterns.push((name.to_owned(), pattern));
            return Some(());
        }
        let relation = Relation::of(operator)?;
        if left.literal().is_some() {
            return self.compare(right, relation.flipped(), left);
        }
        self.compare(left, relation, right)
    }

    fn compare(&mut self, left: &Expression, relation: Relation, right: &Expression) -> Option<()> {
        if let Expression::Call { name, arguments } = left.uncast() {
            return self.compare_call(name, arguments, relation, right);
        }
        // `ends_at - starts_at > constant`.
        if let Expression::Infix { operator, left: minuend, right: subtrahend } = left.uncast() {
            let (from, to) = (minuend.column()?, subtrahend.column()?);
            let plus = right.literal().filter(|_| operator == "-")?;
            let right = Operand::Column { name: to.to_owned(), plus: Some(plus) };
            self.comparisons.push(Comparison { left: from.to_owned(), relation, right });
            return Some(());
        }
        let name = left.column()?.to_owned();
        if let Some(constant) = right.literal() {
            if relation == Relation::NotEqual {
                self.excluded.push((name, vec![constant]));
            } else {
                self.comparisons.push(Comparison { left: name, relation, right: Operand::Constant(constant) });
            }
            return Some(());
        }
        if let Expression::Call { name: function, arguments } = right.uncast() {
            let same = arguments.len() == 1 && arguments[0].column() == Some(&name);
            match (function.as_str(), relation, same) {
                ("lower", Relation::Equal, true) => self.lower.push(name),
                ("upper", Relation::Equal, true) => self.upper.push(name),
                _ => return None,
            }
            return Some(());
        }
        let right = column_plus(right)?;
        self.comparisons.push(Comparison { left: name, relation, right });
        Some(())
    }

    fn compare_call(
        &mut self,
        function: &str,
        arguments: &[Expression],
        relation: Relation,
        right: &Expression,
    ) -> Option<()> {
        let name = arguments.first()?.column()?.to_owned();
        let constant = right.literal();
        match function {
            "length" | "char_length" | "character_length" | "octet_length" => {
                let number: i64 = constant?.parse().ok()?;
                let number = u32::try_from(number.max(0)).ok()?;
                let (min, max) = match relation {
                    Relation::Less => (0, number.saturating_sub(1)),
                    Relation::LessOrEqual => (0, number),
                    Relation::Greater => (number.saturating_add(1), u32::MAX),
                    Relation::GreaterOrEqual => (number, u32::MAX),
                    Relation::Equal => (number, number),
                    Relation::NotEqual if number == 0 => (1, u32::MAX),
                    Relation::NotEqual => return None,
                };
                self.lengths.push((name, min, max));
            }
            "btrim" | "trim" | "ltrim" | "rtrim" if relation == Relation::NotEqual => {
                constant.filter(String::is_empty)?;
                self.lengths.push((name, 1, u32::MAX));
            }
            "lower" if relation == Relation::Equal && right.column() == Some(&name) => self.lower.push(name),
            "upper" if relation == Relation::Equal && right.column() == Some(&name) => self.upper.push(name),
            "jsonb_typeof" | "json_typeof" if relation == Relation::Equal => self.json.push((name, constant?)),
            _ => return None,
        }
        Some(())
    }
}

/// `column`, `column + constant`, `column - constant`.
fn column_plus(expression: &Expression) -> Option<Operand> {
    if let Some(name) = expression.column() {
        return Some(Operand::Column { name: name.to_owned(), plus: None });
    }
    let Expression::Infix { operator, left, right } = expression.uncast() else { return None };
    let name = left.column()?.to_owned();
    let constant = right.literal()?;
    let plus = match operator.as_str() {
        "+" => constant,
        "-" => constant.strip_prefix('-').map_or_else(|| format!("-{constant}"), str::to_owned),
        _ => return None,
    };
    Some(Operand::Column { name, plus: Some(plus) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        let mut facts = Facts::default();
        facts.add(&Expression::parse(text).unwrap());
        facts
    }

    #[test]
    fn understood() {
        let range = facts("((quantity >= 1) AND (quantity <= 20))");
        assert_eq!(range.comparisons.len(), 2);
        let list = facts("((channel)::text = ANY ((ARRAY['web'::character varying])::text[]))");
        assert_eq!(list.lists, [("channel".to_owned(), vec!["web".to_owned()])]);
        let pair = facts("(expires_at > created_at)");
        assert_eq!(pair.comparisons[0].right, Operand::Column { name: "created_at".to_owned(), plus: None });
        assert_eq!(facts("(length((code)::text) = 3)").lengths, [("code".to_owned(), 3, 3)]);
        assert_eq!(facts("(0 < price)").comparisons[0].relation, Relation::Greater);
        assert_eq!(facts("((a IS NULL) OR (b IS NULL))").unsolved.len(), 1);
    }
}
