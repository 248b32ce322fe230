//! What is publicly known of a column's values: constants of the catalog's queries, predicates of partial indexes, the
//! column's default. They come in with a share, so that whoever asks for them finds rows.

use std::collections::{BTreeMap, BTreeSet};

use super::documents;
use super::values::choice_of;
use crate::plan::condition::{Expression, ExpressionKind, parse};
use crate::schema::{Column, Table, quote_identifier};
use crate::seed::check::ColumnFacts;
use crate::seed::clock::Clock;
use crate::seed::plan::{Choice, ColumnPlan, Generator, JsonShape, Scalar, ScalarSource, Weights};
use crate::seed::spec::Spec;
use crate::seed::types::{TypeClass, literal};
use crate::sql::constants::{Constant, Side, ValueHint, array_items, of_statement};
use crate::sql::documents::{Member, Step, members_of};

/// Rows with a value that a query asks for.
const ASKED_FOR: f64 = 0.1;
/// Rows with the value that new rows begin with.
const DEFAULT: f64 = 0.25;
/// Rows of a partial index: it is made for the few.
const INDEXED: f64 = 0.06;
/// Rows with a value that queries leave out.
const LEFT_OUT: f64 = 0.1;
/// What known values come to at most, where others may come too.
const MOST: f64 = 0.85;
/// So many known values of a column that is a state, a kind or the like are all of them.
const WHOLE: usize = 3;

/// What is known of one column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// Values with the share of rows that have them.
    values: BTreeMap<String, f64>,
    /// Bounds that queries put around what they search.
    bounds: Vec<(Side, String)>,
    /// Elements of lists.
    elements: Vec<String>,
    /// Lists or documents that some contain: which of the two, the column's type says.
    contained: Vec<String>,
    /// Members of documents.
    members: Vec<Member>,
    /// Paths of members that every document must have.
    needed: Vec<Vec<Step>>,
    /// Whether rows without a value are searched, and rows with one.
    absent: bool,
    present: bool,
}

impl Known {
    /// All that the catalog and the schema say of a column.
    #[must_use]
    pub fn of(table: &Table, column: &Column, constants: &[Constant]) -> Self {
        let mut known = Self::default();
        for constant in constants
            .iter()
            .filter(|constant| is_about(constant, table, column))
        {
            match &constant.said {
                ValueHint::Has(text) => known.add(text, ASKED_FOR),
                ValueHint::Excludes(text) => known.add(text, LEFT_OUT),
                ValueHint::Like(pattern) => {
                    known.add(&pattern.replace('%', "").replace('_', "a"), ASKED_FOR);
                }
                ValueHint::Lies(side, text) => known.bounds.push((*side, text.clone())),
                // Where times lie to now is the clock's.
                ValueHint::LiesOfNow(_) => {}
                ValueHint::IsNull => known.absent = true,
                ValueHint::IsPresent => known.present = true,
                ValueHint::Element(text) => known.elements.push(text.clone()),
                ValueHint::Contains(text) => known.contained.push(text.clone()),
                ValueHint::Member(member) => known.members.push(member.clone()),
            }
        }
        known.needed = needed_members(table, column);
        let predicates = table
            .indexes
            .iter()
            .filter_map(|index| index.predicate.as_ref());
        for text in predicates.flat_map(|predicate| equal_to(predicate, &column.name)) {
            known.add(&text, INDEXED);
        }
        let default = column.default.as_deref().and_then(constant_of);
        // A time as a default stands for "not yet": it is no time at which things happen.
        let is_time = ["timestamp", "date", "time"]
            .iter()
            .any(|name| column.data_type.name.starts_with(name));
        if let Some(text) = default.filter(|text| !text.is_empty() && !is_time) {
            known.add(&text, DEFAULT);
        }
        known
    }

    fn add(&mut self, text: &str, share: f64) {
        let least = self.values.entry(text.to_owned()).or_insert(share);
        *least = least.max(share);
    }

    /// Without the values: where constraints tie them to others, they come from there.
    pub fn leave_values(&mut self) {
        self.values.clear();
    }

    /// Whether values are known.
    #[must_use]
    pub fn has_values(&self) -> bool {
        !self.values.is_empty()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The share of NULL at which those who ask for NULL, and those who ask for a value, find rows.
    #[must_use]
    pub fn null_share(&self, share: f64) -> f64 {
        let least = if self.absent { ASKED_FOR } else { 0.0 };
        let most = if self.present { 1.0 - ASKED_FOR } else { 1.0 };
        share.clamp(least, most)
    }

    /// Elements of a list, each in about a fifth of the lists.
    fn enter_elements(&self, class: &TypeClass, element: &mut ColumnPlan) {
        let contained = self.contained.iter().flat_map(|text| array_items(text));
        let all: BTreeSet<String> = self.elements.iter().cloned().chain(contained).collect();
        let fits = |text: &String| literal::cell(class, text).is_some();
        let all: Vec<String> = all.into_iter().filter(fits).collect();
        if all.is_empty() {
            return;
        }
        let share = ASKED_FOR.min(MOST / all.len() as f64);
        let values: Vec<(String, f64)> = all.into_iter().map(|text| (text, share)).collect();
        mix(class, &values, &mut element.generator);
    }

    /// Members of a document.
    fn enter_members(&self, shape: &mut JsonShape, clock: Clock) {
        let contained = self.contained.iter().flat_map(|text| members_of(text));
        let said: Vec<Member> = self.members.iter().cloned().chain(contained).collect();
        if let JsonShape::Object { members, .. } | JsonShape::Numbered { members, .. } = shape {
            *members = documents::members(&said, &self.needed, clock);
        }
    }

    /// The values that the column can hold, each with a share; together at most [`MOST`].
    fn possible(&self, class: &TypeClass, facts: &ColumnFacts) -> Vec<(String, f64)> {
        let fits = |text: &str| match class.base() {
            TypeClass::Scalar(encoding) => literal::scalar(text, *encoding).is_some(),
            TypeClass::Text { .. } | TypeClass::Uuid => literal::cell(class, text).is_some(),
            // Documents, lists and the like are more than one constant of them.
            _ => false,
        };
        let mut values: Vec<(String, f64)> = self
            .values
            .iter()
            .filter(|(text, _)| fits(text) && facts.allows(text))
            .map(|(text, share)| (text.clone(), *share))
            .collect();
        let sum: f64 = values.iter().map(|(_, share)| share).sum();
        if sum > MOST {
            for (_, share) in &mut values {
                *share *= MOST / sum;
            }
        }
        values
    }

    /// Makes a generator give the known values, beside its own ones or instead of them. Returns the list where it then draws
    /// from one.
    #[must_use]
    pub fn enter(
        &self,
        column: &Column,
        class: &TypeClass,
        facts: &ColumnFacts,
        clock: Clock,
        generator: &mut Generator,
    ) -> Option<Vec<(String, f64)>> {
        match (class.base(), &mut *generator) {
            (_, Generator::Json { shape, .. }) => {
                self.enter_members(shape, clock);
                return None;
            }
            (TypeClass::Array { element: class, .. }, Generator::Array { element, .. }) => {
                self.enter_elements(class, element);
                return None;
            }
            _ => {}
        }
        if let Generator::Scalar(scalar) = generator {
            self.reach_bounds(scalar);
        }
        let values = self.possible(class, facts);
        if values.is_empty() {
            return None;
        }
        if is_state(&column.name) && values.len() >= WHOLE {
            let rounded: Vec<(String, f64)> = values
                .into_iter()
                .map(|(text, share)| (text, (share * 1000.0).round() / 1000.0))
                .collect();
            *generator = choice_of(class, &rounded).ok()?;
            return Some(rounded);
        }
        mix(class, &values, generator);
        None
    }

    /// Moves or widens a range until something lies on the side of each bound that is searched.
    fn reach_bounds(&self, scalar: &mut Scalar) {
        let parsed: Vec<(Side, i64)> = self
            .bounds
            .iter()
            .filter_map(|(side, text)| Some((*side, literal::scalar(text, scalar.encoding)?)))
            .collect();
        let (low, high) = match &mut scalar.source {
            ScalarSource::Range {
                low,
                high,
                unique: None,
            }
            | ScalarSource::LowHeavy { low, high, .. } => (low, high),
            ScalarSource::Placed {
                low,
                high,
                unique: false,
                ..
            } => (low, high),
            _ => return,
        };
        if let Some((least, most)) = reached(&parsed, (*low, *high)) {
            *low = least.max(scalar.hard.0);
            *high = most.min(scalar.hard.1).max(*low);
        }
    }
}

/// The range that has rows on the side of every bound; `None` where the given one has already.
fn reached(bounds: &[(Side, i64)], (low, high): (i64, i64)) -> Option<(i64, i64)> {
    let finds_nothing = |(side, value): &(Side, i64)| match side {
        Side::Below => *value <= low,
        Side::UpTo => *value < low,
        Side::Above => *value >= high,
        Side::From => *value > high,
    };
    if !bounds.iter().any(finds_nothing) {
        return None;
    }
    let first = bounds.iter().map(|(_, value)| *value).min()?;
    let last = bounds.iter().map(|(_, value)| *value).max()?;
    let width = high
        .saturating_sub(low)
        .max(last.saturating_sub(first))
        .max(20);
    // The one who asks for what lies below a bound means most of the rows, as does the one who asks for what lies above.
    let (only_below, only_above) = (
        bounds.iter().all(|(side, _)| side.is_below()),
        bounds.iter().all(|(side, _)| !side.is_below()),
    );
    let (before, after) = match (only_below, only_above) {
        (true, _) => (width / 20 * 19, width / 20),
        (_, true) => (width / 20, width / 20 * 19),
        (false, false) => (width / 4, width / 4),
    };
    Some((first.saturating_sub(before), last.saturating_add(after)))
}

/// The constants that queries compare a column with for equality, in order and each once.
#[must_use]
pub fn equalities(table: &Table, column: &str, constants: &[Constant]) -> BTreeSet<String> {
    let about = |constant: &&Constant| constant.column == column && is_of(constant, table);
    constants
        .iter()
        .filter(about)
        .filter_map(|constant| match &constant.said {
            ValueHint::Has(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

fn mix(class: &TypeClass, values: &[(String, f64)], generator: &mut Generator) {
    let share: f64 = values.iter().map(|(_, share)| share).sum();
    let weights = Weights::new(&values.iter().map(|(_, share)| *share).collect::<Vec<_>>());
    match generator {
        Generator::Scalar(scalar) => {
            let encoding = scalar.encoding;
            let listed: Option<Box<[i64]>> = values
                .iter()
                .map(|(text, _)| literal::scalar(text, encoding))
                .collect();
            if let Some(values) = listed {
                scalar.source = ScalarSource::Mixed {
                    values,
                    weights,
                    share,
                    rest: Box::new(scalar.source.clone()),
                };
            }
        }
        _ => {
            let cells: Option<Box<[_]>> = values
                .iter()
                .map(|(text, _)| literal::cell(class, text))
                .collect();
            if let Some(cells) = cells {
                *generator = Generator::Mixed {
                    common: Choice {
                        cells,
                        weights,
                        unique: None,
                        odometer: None,
                        quantiles: None,
                    },
                    share,
                    rest: Box::new(generator.clone()),
                };
            }
        }
    }
}

/// A state, a kind or the like: what a program distinguishes, of which there are few.
pub(in crate::seed) fn is_state(name: &str) -> bool {
    const WORDS: [&str; 18] = [
        "algorithm",
        "status",
        "state",
        "kind",
        "type",
        "mode",
        "phase",
        "stage",
        "role",
        "level",
        "priority",
        "severity",
        "visibility",
        "tier",
        "plan",
        "outcome",
        "result",
        "direction",
    ];
    let name = name.to_lowercase();
    WORDS
        .iter()
        .any(|word| name == *word || name.ends_with(&format!("_{word}")))
}

/// Whether a constant may be compared with this column: a table of its name is in reach, and has a column of that name.
/// The constants that can matter beside a spec: what it says of a column holds, whatever queries ask for. A dataset does not
/// depend on the others, and stays when a query that holds one is edited.
#[must_use]
pub fn beside_spec(constants: Vec<Constant>, spec: &Spec) -> Vec<Constant> {
    let says = |written: &[String], column: &str| {
        spec.tables.iter().any(|table| {
            let named = match table.name.text.split_once('.') {
                // A plain name in a spec is one table's alone.
                None => written.last() == Some(&table.name.text),
                Some((schema, name)) => written == [schema, name],
            };
            let mut columns = table.columns.iter();
            named
                && columns.any(|said| {
                    said.name.text == column
                        && (said.values.is_some()
                            || said.value.is_some()
                            || said.generator.is_some()
                            || said.template.is_some()
                            || said.expression.is_some())
                })
        })
    };
    let matters = |constant: &Constant| {
        let mut tables = constant.tables.iter();
        // Where times lie to now is the clock's.
        !matches!(constant.said, ValueHint::LiesOfNow(_))
            && tables.any(|table| !says(table, &constant.column))
    };
    constants.into_iter().filter(matters).collect()
}

/// Members without which a generated column would be NULL that must not be: those that the first alternative of its expression
/// asks for.
fn needed_members(table: &Table, column: &Column) -> Vec<Vec<Step>> {
    let is_needed = |generated: &&Column| {
        let given = format!("({} IS NOT NULL)", quote_identifier(&generated.name));
        let mut checks = table.checks.iter();
        generated.not_null || checks.any(|check| check.expression.contains(&given))
    };
    let expressions = table.columns.iter().filter(is_needed);
    let first_of = |expression: &String| {
        let said = of_statement(&format!("SELECT {expression} FROM {}", table.name.sql()));
        said.into_iter().find_map(|constant| match constant.said {
            ValueHint::Member(member) if constant.column == column.name => Some(member.path),
            _ => None,
        })
    };
    expressions
        .filter_map(|generated| generated.generated.as_ref())
        .filter_map(first_of)
        .collect()
}

fn is_about(constant: &Constant, table: &Table, column: &Column) -> bool {
    constant.column == column.name && is_of(constant, table)
}

fn is_of(constant: &Constant, table: &Table) -> bool {
    constant.tables.iter().any(|written| match &written[..] {
        [.., schema, name] => *name == table.name.name && *schema == table.name.schema,
        [name] => *name == table.name.name,
        [] => false,
    })
}

/// Constants that a condition compares a column with for equality.
fn equal_to(condition: &str, column: &str) -> Vec<String> {
    let mut found = Vec::new();
    parse(condition).walk(&mut |part| {
        let ExpressionKind::Operator {
            operator,
            left: Some(left),
            right,
            ..
        } = &part.kind
        else {
            return;
        };
        if operator == "=" && left.as_column().is_some_and(|(_, name)| name == column) {
            right.walk(&mut |constant| {
                if let ExpressionKind::Constant(Some(text)) = &constant.kind {
                    found.push(text.clone());
                }
            });
        }
    });
    found
}

/// A default that is a constant: `'opened'::text`, `0`.
fn constant_of(default: &str) -> Option<String> {
    let expression = parse(default);
    let Expression { kind, .. } = expression.without_casts();
    match kind {
        ExpressionKind::Constant(Some(text)) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spec_says_leaves_nothing_to_constants() {
        let text = "[tables.trips.columns]\nstate = { values = { open = 1, done = 9 } }\nkind = { null = 0.1 }\n";
        let spec = crate::seed::spec::parse(&[crate::source::Source::new("s.toml", text)]).unwrap();
        let of = |sql: &str| beside_spec(crate::sql::constants::of_all([sql].into_iter()), &spec);
        assert_eq!(of("SELECT id FROM trips WHERE state = 'lost'"), []);
        assert_eq!(of("SELECT id FROM trips WHERE kind = 'bus'").len(), 1);
        assert_eq!(of("SELECT id FROM stops WHERE state = 'lost'").len(), 1);
        assert_eq!(of("SELECT id FROM archive.trips WHERE state = 'x'"), []);
    }

    #[test]
    fn a_range_moves_to_where_it_is_searched() {
        let (low, high) = (1000, 2000);
        let near = |bounds: &[(Side, i64)]| reached(bounds, (low, high));
        assert_eq!(near(&[(Side::UpTo, 1500), (Side::Above, 1999)]), None);
        let (from, to) = near(&[(Side::UpTo, 500)]).unwrap();
        assert!(
            from < 0 && to > 500 && to < 600,
            "{from} {to}: most lie below"
        );
        let (from, to) = near(&[(Side::From, 5000), (Side::Below, 6000)]).unwrap();
        assert!(from < 5000 && to > 6000, "{from} {to}");
        assert!(
            near(&[(Side::Above, 2000)]).is_some(),
            "nothing is above the end"
        );
    }

    #[test]
    fn constants_of_conditions_and_defaults() {
        assert_eq!(
            equal_to(
                "((status = 'queued'::text) AND (kind = ANY (ARRAY['a'::text, 'b'::text])))",
                "kind"
            ),
            ["a", "b"]
        );
        assert_eq!(constant_of("'opened'::text").as_deref(), Some("opened"));
        assert_eq!(constant_of("now()"), None);
        assert!(is_state("job_state") && !is_state("estate"));
    }
}
