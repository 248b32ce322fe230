//! A profile as a text file: TOML that a person can review, in an order that makes two profiles of a database easy to compare.

mod probed;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::probed::ProbedForm;
use super::model::{
    ColumnStatistics, CommonCombination, Dependency, DistinctCombinations, ElementStatistics,
    ExtendedStatistics, IndexSize, Profile, RangeStatistics, Scope, Setting, StatementCalls,
    TableStatistics,
};
use crate::source::{Source, SourceError};

/// The format that is written; a file of a later one is refused.
const FORMAT: u32 = 1;

const HEADER: &str = "\
# Statistics of a PostgreSQL database for pgproof: sizes, shares and the shapes of distributions.
# Values are not those of the database: they were replaced in their order, but for constants of the schema and the queries.
# Times count from a day in the year 2000 on which the statistics were read, unless a column is marked `anchored`.
";

/// The file's text; the same profile gives the same text.
///
/// # Errors
/// A message where a number of it has no form in TOML, which no server's statistics have.
pub fn print(profile: &Profile) -> Result<String, String> {
    let text = toml::to_string(&FileForm::of(profile)).map_err(|error| error.to_string())?;
    Ok(format!("{HEADER}{text}"))
}

/// Reads a file.
///
/// # Errors
/// Not TOML, an unknown key, a value of the wrong kind, or a format of a later pgproof: with its line.
pub fn parse(source: &Source) -> Result<Profile, SourceError> {
    let form: FileForm = toml::from_str(&source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        SourceError::new(source, span, error.message().to_owned()).help(remedy(&source.text))
    })?;
    if form.format > FORMAT {
        let error = SourceError::new(
            source,
            0..0,
            format!(
                "the profile has format {}, this pgproof reads {FORMAT}",
                form.format
            ),
        );
        return Err(error.help("update pgproof, or make the profile again"));
    }
    Ok(form.into_profile())
}

/// What to do about a file that is no profile.
fn remedy(text: &str) -> &'static str {
    if text.contains("pg_restore_relation_stats") || text.contains("pg_restore_attribute_stats") {
        "this is what `pg_dump --statistics-only` wrote: `pgproof profile --from FILE -o shop.profile` makes a profile of it"
    } else {
        "a profile is what `pgproof profile --database-url URL -o shop.profile` writes"
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileForm {
    format: u32,
    server: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    day: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    not_read: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    database_settings: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    role_settings: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    role_in_database_settings: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    statement: Vec<StatementForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    table: Vec<TableForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StatementForm {
    text: String,
    calls: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    per_second: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mean_ms: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TableForm {
    schema: String,
    name: String,
    pages: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<f64>,
    all_visible: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    column: Vec<ColumnForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    index: Vec<IndexForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extended: Vec<ExtendedForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probed: Option<ProbedForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ColumnForm {
    name: String,
    #[serde(default, skip_serializing_if = "is_false")]
    inherited: bool,
    nulls: f64,
    width: u32,
    distinct: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<f64>,
    #[serde(default, skip_serializing_if = "is_false")]
    anchored: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    common: Vec<(String, f64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    histogram: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    elements: Option<ElementsForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ranges: Option<RangesForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ElementsForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    common: Vec<(String, f64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    frequency_bounds: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    counts: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RangesForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lengths: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bounds: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct IndexForm {
    name: String,
    pages: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    expression: Vec<ColumnForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ExtendedForm {
    schema: String,
    name: String,
    #[serde(default, skip_serializing_if = "is_false")]
    inherited: bool,
    parts: Vec<String>,
    columns: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    distinct: Vec<(Vec<usize>, f64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<(Vec<usize>, usize, f64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    common: Vec<CombinationForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    expression: Vec<ColumnForm>,
}

/// TOML has no null: which values are NULL stands beside them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CombinationForm {
    values: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nulls: Vec<usize>,
    share: f64,
    base: f64,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// The shortest decimal that is read back as the same number: 0.9 rather than 0.8999999761581421.
fn wide(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

fn wide_all(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(wide).collect()
}

fn narrow_all(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|number| *number as f32).collect()
}

fn wide_pairs(pairs: &[(String, f32)]) -> Vec<(String, f64)> {
    let pairs = pairs.iter();
    pairs
        .map(|(text, share)| (text.clone(), wide(*share)))
        .collect()
}

fn narrow_pairs(pairs: Vec<(String, f64)>) -> Vec<(String, f32)> {
    let pairs = pairs.into_iter();
    pairs.map(|(text, share)| (text, share as f32)).collect()
}

impl FileForm {
    fn of(profile: &Profile) -> Self {
        let mut form = Self {
            format: FORMAT,
            server: profile.server_major,
            schema: profile.schema.clone(),
            day: profile.day,
            not_read: profile.not_read.clone(),
            settings: BTreeMap::new(),
            database_settings: BTreeMap::new(),
            role_settings: BTreeMap::new(),
            role_in_database_settings: BTreeMap::new(),
            statement: profile.statements.iter().map(StatementForm::of).collect(),
            table: profile.tables.iter().map(TableForm::of).collect(),
        };
        for setting in &profile.settings {
            let of_role = |of: &mut BTreeMap<String, BTreeMap<String, String>>, role: &String| {
                let settings = of.entry(role.clone()).or_default();
                settings.insert(setting.name.clone(), setting.value.clone());
            };
            let (name, value) = (setting.name.clone(), setting.value.clone());
            match &setting.scope {
                Scope::Server => drop(form.settings.insert(name, value)),
                Scope::Database => drop(form.database_settings.insert(name, value)),
                Scope::Role(role) => of_role(&mut form.role_settings, role),
                Scope::RoleInDatabase(role) => of_role(&mut form.role_in_database_settings, role),
            }
        }
        form
    }

    fn into_profile(self) -> Profile {
        let flat = |scope: Scope, of: BTreeMap<String, String>| {
            of.into_iter().map(move |(name, value)| Setting {
                scope: scope.clone(),
                name,
                value,
            })
        };
        let mut settings: Vec<Setting> = flat(Scope::Server, self.settings).collect();
        settings.extend(flat(Scope::Database, self.database_settings));
        for (role, of) in self.role_settings {
            settings.extend(flat(Scope::Role(role), of));
        }
        for (role, of) in self.role_in_database_settings {
            settings.extend(flat(Scope::RoleInDatabase(role), of));
        }
        Profile {
            server_major: self.server,
            schema: self.schema,
            day: self.day,
            settings,
            tables: self.table.into_iter().map(TableForm::into_table).collect(),
            statements: self
                .statement
                .into_iter()
                .map(StatementForm::into_calls)
                .collect(),
            not_read: self.not_read,
        }
    }
}

impl StatementForm {
    fn of(calls: &StatementCalls) -> Self {
        Self {
            text: calls.text.clone(),
            calls: calls.calls,
            per_second: calls.per_second,
            mean_ms: calls.mean_ms,
        }
    }

    fn into_calls(self) -> StatementCalls {
        StatementCalls {
            text: self.text,
            per_second: self.per_second,
            calls: self.calls,
            mean_ms: self.mean_ms,
        }
    }
}

impl TableForm {
    fn of(table: &TableStatistics) -> Self {
        let index = |index: &IndexSize| IndexForm {
            name: index.name.clone(),
            pages: index.pages,
            rows: index.rows,
            expression: index.expressions.iter().map(ColumnForm::of).collect(),
        };
        Self {
            schema: table.schema.clone(),
            name: table.name.clone(),
            pages: table.pages,
            rows: table.rows,
            all_visible: table.all_visible,
            column: table.columns.iter().map(ColumnForm::of).collect(),
            index: table.indexes.iter().map(index).collect(),
            extended: table.extended.iter().map(ExtendedForm::of).collect(),
            probed: ProbedForm::of(&table.probed),
        }
    }

    fn into_table(self) -> TableStatistics {
        let index = |index: IndexForm| IndexSize {
            name: index.name,
            pages: index.pages,
            rows: index.rows,
            expressions: columns(index.expression),
        };
        TableStatistics {
            schema: self.schema,
            name: self.name,
            pages: self.pages,
            rows: self.rows,
            all_visible: self.all_visible,
            columns: columns(self.column),
            indexes: self.index.into_iter().map(index).collect(),
            extended: self
                .extended
                .into_iter()
                .map(ExtendedForm::into_extended)
                .collect(),
            probed: self.probed.map(ProbedForm::into_probed).unwrap_or_default(),
        }
    }
}

fn columns(forms: Vec<ColumnForm>) -> Vec<ColumnStatistics> {
    forms.into_iter().map(ColumnForm::into_column).collect()
}

impl ColumnForm {
    fn of(column: &ColumnStatistics) -> Self {
        let elements = |elements: &ElementStatistics| ElementsForm {
            common: wide_pairs(&elements.most_common),
            frequency_bounds: wide_all(&elements.frequency_bounds),
            counts: wide_all(&elements.counts),
        };
        let ranges = |ranges: &RangeStatistics| RangesForm {
            lengths: ranges.lengths.clone(),
            empty: ranges.empty_fraction.map(wide),
            bounds: ranges.bounds.clone(),
        };
        Self {
            name: column.column.clone(),
            inherited: column.inherited,
            nulls: wide(column.null_fraction),
            width: column.average_width,
            distinct: wide(column.distinct),
            correlation: column.correlation.map(wide),
            anchored: column.is_anchored,
            common: wide_pairs(&column.most_common),
            histogram: column.histogram.clone(),
            elements: column.elements.as_ref().map(elements),
            ranges: column.ranges.as_ref().map(ranges),
        }
    }

    fn into_column(self) -> ColumnStatistics {
        ColumnStatistics {
            column: self.name,
            inherited: self.inherited,
            null_fraction: self.nulls as f32,
            average_width: self.width,
            distinct: self.distinct as f32,
            most_common: narrow_pairs(self.common),
            histogram: self.histogram,
            correlation: self.correlation.map(|number| number as f32),
            is_anchored: self.anchored,
            elements: self.elements.map(|elements| ElementStatistics {
                most_common: narrow_pairs(elements.common),
                frequency_bounds: narrow_all(&elements.frequency_bounds),
                counts: narrow_all(&elements.counts),
            }),
            ranges: self.ranges.map(|ranges| RangeStatistics {
                lengths: ranges.lengths,
                empty_fraction: ranges.empty.map(|number| number as f32),
                bounds: ranges.bounds,
            }),
        }
    }
}

impl ExtendedForm {
    fn of(extended: &ExtendedStatistics) -> Self {
        let combination = |combination: &CommonCombination| {
            let values = combination.values.iter();
            let nulls = values
                .clone()
                .enumerate()
                .filter(|(_, value)| value.is_none());
            CombinationForm {
                nulls: nulls.map(|(at, _)| at).collect(),
                values: values
                    .map(|value| value.clone().unwrap_or_default())
                    .collect(),
                share: combination.frequency,
                base: combination.base_frequency,
            }
        };
        let distinct = extended.distinct.iter();
        let dependencies = extended.dependencies.iter();
        Self {
            schema: extended.schema.clone(),
            name: extended.name.clone(),
            inherited: extended.inherited,
            parts: extended.parts.clone(),
            columns: extended.columns,
            distinct: distinct
                .map(|one| (one.parts.clone(), one.distinct))
                .collect(),
            dependencies: dependencies
                .map(|one| (one.from.clone(), one.to, one.degree))
                .collect(),
            common: extended.most_common.iter().map(combination).collect(),
            expression: extended.expressions.iter().map(ColumnForm::of).collect(),
        }
    }

    fn into_extended(self) -> ExtendedStatistics {
        let combination = |form: CombinationForm| {
            let is_null = |at: usize| form.nulls.contains(&at);
            let values = form.values.iter().enumerate();
            CommonCombination {
                values: values
                    .map(|(at, value)| (!is_null(at)).then(|| value.clone()))
                    .collect(),
                frequency: form.share,
                base_frequency: form.base,
            }
        };
        let distinct = |(parts, distinct)| DistinctCombinations { parts, distinct };
        let dependency = |(from, to, degree)| Dependency { from, to, degree };
        ExtendedStatistics {
            schema: self.schema,
            name: self.name,
            inherited: self.inherited,
            parts: self.parts,
            columns: self.columns,
            distinct: self.distinct.into_iter().map(distinct).collect(),
            dependencies: self.dependencies.into_iter().map(dependency).collect(),
            most_common: self.common.into_iter().map(combination).collect(),
            expressions: columns(self.expression),
        }
    }
}
