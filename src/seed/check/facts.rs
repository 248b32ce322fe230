//! Facts by column: what the atoms that hold together say about each.

use super::Atom;
use super::linear::{Linear, NOW, negative};
use crate::seed::expression::value::number;
use crate::seed::expression::{Arithmetic, Relation};

/// Atoms that hold together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// In no order.
    pub atoms: Vec<Atom>,
}

/// What is said about one column alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnFacts {
    /// It is in each of these lists.
    pub lists: Vec<Vec<String>>,
    /// It is none of these.
    pub excluded: Vec<String>,
    /// `column relation constant`.
    pub limits: Vec<(Relation, String)>,
    /// Regular expressions, and whether it must not match.
    pub patterns: Vec<(String, bool)>,
    /// A pattern of a part, and one that this part matches, or must not.
    pub parts: Vec<(String, String, bool)>,
    /// Characters: at least, at most.
    pub length: Option<(u32, u32)>,
    /// Elements: at least, at most.
    pub items: Option<(u32, u32)>,
    /// No element is one of these.
    pub no_elements: Vec<String>,
    /// Each element is in each of these lists.
    pub only_elements: Vec<Vec<String>>,
    /// These elements are among them.
    pub contains: Vec<String>,
    /// Without capitals.
    pub lower: bool,
    /// Without small letters.
    pub upper: bool,
    /// `json_typeof`.
    pub json_type: Option<String>,
    /// Members of the json object.
    pub json_keys: Vec<String>,
    /// A multiple of this.
    pub grain: Option<String>,
    /// `Some(true)`: NULL; `Some(false)`: not.
    pub null: Option<bool>,
    /// Both were said.
    pub contradiction: bool,
}

/// Whether a column can be NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nullability {
    Nullable,
    NotNull,
}

impl Facts {
    /// What is said about one column.
    #[must_use]
    pub fn of(&self, name: &str) -> ColumnFacts {
        let mut facts = ColumnFacts::default();
        for atom in &self.atoms {
            facts.add(name, atom);
        }
        facts
    }

    /// Comparisons of several columns.
    pub fn sums(&self) -> impl Iterator<Item = &Linear> {
        self.atoms.iter().filter_map(|atom| match atom {
            Atom::Compare(linear) if linear.terms.len() > 1 => Some(linear),
            _ => None,
        })
    }

    /// What was not understood.
    pub fn opaque(&self) -> impl Iterator<Item = &str> {
        self.atoms.iter().filter_map(|atom| match atom {
            Atom::Opaque(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

impl ColumnFacts {
    fn add(&mut self, name: &str, atom: &Atom) {
        match atom {
            Atom::In {
                column,
                values,
                negated,
            } if column == name => {
                if *negated {
                    self.excluded.extend(values.iter().cloned())
                } else {
                    self.lists.push(values.clone())
                }
            }
            Atom::Null { column, negated } if column == name => {
                self.contradiction |= self.null == Some(*negated);
                self.null = Some(!negated);
            }
            Atom::Matches {
                column,
                pattern,
                negated,
            } if column == name => {
                self.patterns.push((pattern.clone(), *negated));
            }
            Atom::Part {
                column,
                part,
                pattern,
                negated,
            } if column == name => {
                self.parts.push((part.clone(), pattern.clone(), *negated));
            }
            Atom::Length { column, min, max } if column == name => {
                narrow(&mut self.length, *min, *max)
            }
            Atom::Items { column, min, max } if column == name => {
                narrow(&mut self.items, *min, *max)
            }
            Atom::Elements {
                column,
                values,
                only,
            } if column == name => {
                if *only {
                    self.only_elements.push(values.clone());
                } else {
                    self.no_elements.extend(values.iter().cloned());
                }
            }
            Atom::Contains { column, values } if column == name => {
                self.contains.extend(values.iter().cloned());
            }
            Atom::Lower { column } if column == name => self.lower = true,
            Atom::Upper { column } if column == name => self.upper = true,
            Atom::JsonType { column, kind } if column == name => {
                self.contradiction |= self.json_type.as_ref().is_some_and(|other| other != kind);
                self.json_type = Some(kind.clone());
            }
            Atom::JsonKey { column, key } if column == name => self.json_keys.push(key.clone()),
            Atom::Grain { column, unit } if column == name => self.grain = Some(unit.clone()),
            Atom::Compare(linear) => self.limit(name, linear),
            Atom::False => self.contradiction = true,
            Atom::In { .. }
            | Atom::Null { .. }
            | Atom::Matches { .. }
            | Atom::Part { .. }
            | Atom::Length { .. }
            | Atom::Items { .. }
            | Atom::Elements { .. }
            | Atom::Contains { .. }
            | Atom::Lower { .. }
            | Atom::Upper { .. }
            | Atom::JsonType { .. }
            | Atom::JsonKey { .. }
            | Atom::Grain { .. }
            | Atom::NotEmpty { .. }
            | Atom::RangeEnd { .. }
            | Atom::Within { .. }
            | Atom::Opaque(_) => {}
        }
    }

    fn limit(&mut self, name: &str, linear: &Linear) {
        let [(column, times)] = linear.terms.as_slice() else {
            return;
        };
        if column != name {
            return;
        }
        let constant = linear.constant.clone().unwrap_or_else(|| "0".to_owned());
        let (relation, constant) = match times {
            1 => (linear.relation, constant),
            -1 => (
                linear.relation.flipped(),
                if constant == NOW {
                    constant
                } else {
                    negative(&constant)
                },
            ),
            times => {
                let Some(constant) = number(&constant) else {
                    return;
                };
                let relation = if *times < 0 {
                    linear.relation.flipped()
                } else {
                    linear.relation
                };
                let quotient = Arithmetic::Divide.numbers(constant, *times as f64);
                (relation, quotient.to_string())
            }
        };
        self.limits.push((relation, constant));
    }

    /// Whether a value (text form) is allowed by the lists and by limits that are numbers.
    #[must_use]
    pub fn allows(&self, value: &str) -> bool {
        let same = |other: &String| {
            other == value || Relation::Equal.of_constants(other, value) == Some(true)
        };
        self.lists.iter().all(|list| list.iter().any(same))
            && !self.excluded.iter().any(same)
            && self
                .limits
                .iter()
                .all(|(relation, constant)| relation.of_constants(value, constant).unwrap_or(true))
    }

    /// Whether nothing can be meant by all of this.
    #[must_use]
    pub fn is_impossible(&self, nullability: Nullability) -> bool {
        let must_be_null = self.null == Some(true);
        if self.contradiction || (must_be_null && nullability == Nullability::NotNull) {
            return true;
        }
        // A column that is NULL meets every other condition.
        if must_be_null {
            return false;
        }
        if let Some((first, _)) = self.lists.split_first()
            && !first.iter().any(|value| self.allows(value))
        {
            return true;
        }
        if self.length.is_some_and(|(min, max)| min > max)
            || self.items.is_some_and(|(min, max)| min > max)
        {
            return true;
        }
        let limits = |wanted: fn(&Relation) -> bool| {
            self.limits
                .iter()
                .filter(move |(relation, _)| wanted(relation))
                .filter_map(|(_, constant)| number(constant))
        };
        let least = limits(|r| matches!(r, Relation::Greater | Relation::GreaterOrEqual))
            .fold(f64::MIN, f64::max);
        let most = limits(|r| matches!(r, Relation::Less | Relation::LessOrEqual))
            .fold(f64::MAX, f64::min);
        least > most
    }
}

fn narrow(limit: &mut Option<(u32, u32)>, min: u32, max: u32) {
    let (low, high) = limit.unwrap_or((0, u32::MAX));
    *limit = Some((low.max(min), high.min(max)));
}
