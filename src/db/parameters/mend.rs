//! Other values where the server refuses the chosen ones: a text that the statement casts to an enum, an interval or json, a
//! time zone, a unit. The refusal says what is asked for; the columns that a plan shows do not.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::db::explain::{
    ExplainError, Limits, PlanChoice, Prepared, TypeInfo, TypeKind, in_transaction, quote_literal,
};
use crate::run::QueryFailure;

use super::group::tolerated;
use super::values::{array, elements};
use super::{Chosen, ParameterSet};

/// Refusals that are worth another value.
const MOST: usize = 16;
/// A slow statement is not worth so many.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was tried for a statement.
#[derive(Debug, Default)]
pub(crate) struct Mender {
    tried: HashSet<(usize, String)>,
    refusals: usize,
    since: Option<Instant>,
    /// The refusal that the last value was put in for, and the sets as they were before.
    last: Option<(String, Vec<ParameterSet>)>,
}

/// What a refusal asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// A label of this enum.
    Label(String),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// An array of whatever was given.
    Array,
    /// At most so many characters.
    Short(usize),
    /// A value of this domain, whose CHECK refuses what was tried.
    OfDomain(String),
    /// A day near now: a function of the schema's refuses others, for it has made partitions for these alone.
    Day,
}

impl Mender {
    /// Puts another value where the server refused one; `false` where nothing is left to try.
    ///
    /// # Errors
    /// [`ExplainError::Server`].
    pub(crate) async fn mend(
        &mut self,
        client: &Client,
        limits: &Limits,
        prepared: &Prepared,
        chosen: &mut Chosen,
        failure: &QueryFailure,
    ) -> Result<bool, ExplainError> {
        self.refusals += 1;
        let since = self.since.get_or_insert_with(Instant::now);
        if self.refusals > MOST || since.elapsed() > PATIENCE {
            return Ok(false);
        }
        // Where nothing came of it, it was not that parameter.
        if let Some((message, sets)) = self.last.take()
            && message == failure.message
        {
            chosen.sets = sets;
        }
        let Some(asked) = asked(failure) else {
            return Ok(false);
        };
        let refused = refused_value(&failure.message);
        let offered: Vec<String> = match &asked {
            Asked::Label(name) => labels(client, limits, name).await?,
            Asked::OneOf(values) => values.iter().map(|value| (*value).to_owned()).collect(),
            Asked::Array => refused
                .iter()
                .map(|value| array(std::slice::from_ref(value)))
                .collect(),
            Asked::Short(length) => vec!["1".chars().take(*length).collect()],
            Asked::OfDomain(name) => of_domain(client, limits, name).await?,
            Asked::Day => days(client, limits).await?,
        };
        let slots = match asked {
            Asked::Day => days_in(prepared, chosen),
            Asked::Label(_)
            | Asked::OneOf(_)
            | Asked::Array
            | Asked::Short(_)
            | Asked::OfDomain(_) => suspects(prepared, chosen, refused.as_deref()),
        };
        // One value for each parameter in turn: most refusals are about which parameter it is.
        for value in &offered {
            for &slot in &slots {
                let value = as_parameter(value, &prepared.types[slot], &asked);
                if self.tried.insert((slot, value.clone())) {
                    self.last = Some((failure.message.clone(), chosen.sets.clone()));
                    let refused = refused.as_deref().filter(|_| asked != Asked::Day);
                    replace(chosen, slot, refused, &value);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Parameters whose value may be the refused one: those that hold it, else every one; texts first, in which anything hides,
/// and of those the ones that are no column's, which were guesses.
fn suspects(prepared: &Prepared, chosen: &Chosen, refused: Option<&str>) -> Vec<usize> {
    let is_open = |slot: &usize| chosen.open.get(*slot).copied().unwrap_or(false);
    let hides = |slot: &usize| {
        matches!(
            prepared.types[*slot].kind,
            TypeKind::Text | TypeKind::Json | TypeKind::Bytea | TypeKind::Other
        )
    };
    let holds = |slot: &usize| refused.is_some_and(|refused| holds(chosen, *slot, refused));
    let open: Vec<usize> = (0..prepared.types.len()).filter(is_open).collect();
    let mut found: Vec<usize> = open.iter().copied().filter(hides).filter(holds).collect();
    if found.is_empty() {
        found = open.iter().copied().filter(holds).collect();
    }
    if found.is_empty() {
        found = open.into_iter().filter(hides).collect();
    }
    found.sort_by_key(|slot| chosen.columns.get(*slot).is_some_and(Option::is_some));
    found
}

/// Parameters that a day may be handed to.
fn days_in(prepared: &Prepared, chosen: &Chosen) -> Vec<usize> {
    let is_day = |slot: &usize| {
        let info = &prepared.types[*slot];
        let is_open = chosen.open.get(*slot).copied().unwrap_or(false);
        is_open && matches!(info.kind, TypeKind::Date | TypeKind::Timestamp)
    };
    (0..prepared.types.len()).filter(is_day).collect()
}

fn holds(chosen: &Chosen, slot: usize, refused: &str) -> bool {
    values(chosen, slot).any(|value| is_in(value, refused))
}

fn is_in(value: &str, refused: &str) -> bool {
    // Some messages fold what they quote.
    let is_it = |one: &str| one.eq_ignore_ascii_case(refused);
    is_it(value) || (value.starts_with('{') && elements(value).iter().any(|one| is_it(one)))
}

fn values(chosen: &Chosen, slot: usize) -> impl Iterator<Item = &str> {
    chosen
        .sets
        .iter()
        .filter_map(move |set| set.values.get(slot)?.as_deref())
}

/// In every set that holds the refused value; where it is not known which one it was, in all of them.
fn replace(chosen: &mut Chosen, slot: usize, refused: Option<&str>, value: &str) {
    let known = refused.filter(|refused| holds(chosen, slot, refused));
    for set in &mut chosen.sets {
        if let Some(Some(old)) = set.values.get_mut(slot)
            && known.is_none_or(|refused| is_in(old, refused))
        {
            value.clone_into(old);
        }
    }
    let mut seen: Vec<Vec<Option<String>>> = Vec::new();
    chosen.sets.retain(|set| {
        let is_new = !seen.contains(&set.values);
        seen.push(set.values.clone());
        is_new
    });
}

fn as_parameter(value: &str, info: &TypeInfo, asked: &Asked) -> String {
    let is_one_already = *asked == Asked::Array || value.starts_with("{{");
    let is_array = info.element.is_some() && !is_one_already;
    if is_array {
        array(&[value.to_owned()])
    } else {
        value.to_owned()
    }
}

/// The labels of an enum, by the name that a message calls it.
async fn labels(client: &Client, limits: &Limits, name: &str) -> Result<Vec<String>, ExplainError> {
    let statement = format!(
        "SELECT pg_catalog.json_agg(enumlabel ORDER BY enumsortorder)::pg_catalog.text FROM pg_catalog.pg_enum \
         WHERE enumtypid IN (SELECT oid FROM pg_catalog.pg_type \
           WHERE pg_catalog.format_type(oid, NULL) = {name} OR typname = {name})",
        name = quote_literal(name)
    );
    let answer = tolerated(in_transaction(client, limits, PlanChoice::Custom, &statement).await)?;
    let texts = answer.unwrap_or_default();
    let found = texts
        .first()
        .and_then(|text| serde_json::from_str(text).ok());
    Ok(found.unwrap_or_default())
}

/// A value that the data has in a column of this domain, and one that is like it and new.
async fn of_domain(
    client: &Client,
    limits: &Limits,
    name: &str,
) -> Result<Vec<String>, ExplainError> {
    let columns = format!(
        "SELECT pg_catalog.format('SELECT pg_catalog.json_agg(v)::pg_catalog.text FROM (SELECT %I::pg_catalog.text AS v FROM %I.%I \
         WHERE %I IS NOT NULL LIMIT 3) AS found', a.attname, n.nspname, c.relname, a.attname) \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT a.attisdropped AND pg_catalog.format_type(a.atttypid, NULL) = {name} \
         ORDER BY c.reltuples DESC LIMIT 1",
        name = quote_literal(name)
    );
    let found = in_transaction(client, limits, PlanChoice::Custom, &columns).await;
    let Some(statement) = tolerated(found)?.unwrap_or_default().into_iter().next() else {
        return Ok(Vec::new());
    };
    let rows = tolerated(in_transaction(client, limits, PlanChoice::Custom, &statement).await)?;
    let texts = rows.unwrap_or_default();
    let known: Option<Vec<String>> = texts
        .first()
        .and_then(|text| serde_json::from_str(text).ok());
    let known = known.unwrap_or_default();
    let new = known.iter().map(|value| format!("a{value}"));
    Ok(new.chain(known.iter().cloned()).collect())
}

/// Today, and the days about it.
async fn days(client: &Client, limits: &Limits) -> Result<Vec<String>, ExplainError> {
    let statement = "SELECT (CURRENT_DATE + day)::pg_catalog.text FROM pg_catalog.unnest('{0,1,-1}'::pg_catalog.int4[]) AS day";
    let answer = tolerated(in_transaction(client, limits, PlanChoice::Custom, statement).await)?;
    Ok(answer.unwrap_or_default())
}

/// What a refusal asks for; `None` where other values would not help.
fn asked(failure: &QueryFailure) -> Option<Asked> {
    // The last one is an array of arrays, which to_jsonb makes a list of lists.
    const JSON_LISTS: &[&str] = &["[{}]", "[]", "[1]", "{{a}}"];
    const JSON_OBJECTS: &[&str] = &["{}", "{\"a\": 1}"];
    const JSON: &[&str] = &["{}", "[{}]", "[]", "1"];
    const DATES: &[&str] = &["2025-01-01", "2025-01-01 12:00:00+00", "12:00"];
    const DOMAIN: &str = "value for domain ";
    const ANY: &[&str] = &[
        "1",
        "{}",
        "[]",
        "2025-01-01",
        "30 days",
        "true",
        "day",
        "UTC",
        "00000000-0000-4000-8000-000000000001",
        "a",
    ];
    let code = failure.code.as_deref()?;
    let message = failure.message.as_str();
    let has = |words: &str| message.contains(words);
    if let Some(rest) = message.strip_prefix("invalid input value for enum ") {
        let name = rest.split_once(": ").map_or(rest, |(name, _)| name);
        return Some(Asked::Label(unquoted(name)));
    }
    if let Some(rest) = message.strip_prefix(DOMAIN).filter(|_| code == "23514") {
        let (name, _) = rest.split_once(" violates check constraint")?;
        return Some(Asked::OfDomain(name.to_owned()));
    }
    if let Some(rest) = message.strip_prefix("invalid input syntax for type ") {
        let name = rest.split_once(':').map_or(rest, |(name, _)| name);
        return Some(Asked::OneOf(of_type(name.trim()).unwrap_or(ANY)));
    }
    let offered: &'static [&'static str] = match code {
        "22P02" if has("malformed array literal") => return Some(Asked::Array),
        "22001" => {
            let length = message.rsplit_once('(')?.1;
            let digits: String = length.chars().take_while(char::is_ascii_digit).collect();
            return Some(Asked::Short(digits.parse().ok()?));
        }
        "22P02" if has("binary digit") => &["0", "1"],
        // The type that it is a unit of may be a timestamp with time zone.
        "22023" | "0A000" if has("unit \"") || has("units \"") => &["day", "hour", "year"],
        "22023" | "22P02" | "0A000" if has("time zone") => &["UTC"],
        "22023" if has("encoding") => &["base64", "hex", "escape", "UTF8"],
        "22023" if has("scalar") || has("non-array") || has("from an object") => JSON_LISTS,
        "22023" if has("an array") || has("non-object") => JSON_OBJECTS,
        "22030" | "22032" | "22033" | "22034" => JSON,
        "22007" | "22008" => DATES,
        "22003" | "22012" | "22014" | "22016" | "2201W" | "2201X" | "2201F" | "2201E" => {
            &["1", "2"]
        }
        "2201B" | "22025" | "2200D" | "22019" => &["a"],
        "42601" if has("tsquery") => &["text"],
        "42704" if has("text search") => &["simple"],
        "42704" if has("type ") => &["text"],
        "42704" if has("large object") => return None,
        "42602" | "42P01" if failure.position.is_none() => &["pg_class"],
        "P0001" | "23514" if has("artition") => return Some(Asked::Day),
        _ if code.starts_with("22") => ANY,
        _ => return None,
    };
    Some(Asked::OneOf(offered))
}

/// Values of a type, by the name that messages call it.
pub(super) fn of_type(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "json" | "jsonb" => &["{}", "[{}]", "[]", "1"],
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" | "money"
        | "oid" | "xid" | "bit" => &["1"],
        "boolean" => &["true"],
        "uuid" => &["00000000-0000-4000-8000-000000000001"],
        "date" | "timestamp" | "timestamp without time zone" | "timestamp with time zone" => {
            &["2025-01-01"]
        }
        "time" | "time without time zone" | "time with time zone" => &["12:00"],
        "interval" => &["30 days"],
        "inet" | "cidr" => &["192.0.2.1"],
        "macaddr" | "macaddr8" => &["02:00:00:00:00:01"],
        "bytea" => &["\\x00"],
        "point" => &["(0,0)"],
        "pg_lsn" => &["0/1"],
        "tid" => &["(0,1)"],
        "jsonpath" => &["$"],
        "xml" => &["<a/>"],
        "bit varying" | "varbit" => &["1"],
        "int4range" | "int8range" | "numrange" => &["[1,10)"],
        "daterange" | "tsrange" | "tstzrange" => &["[2025-01-01,2025-02-01)"],
        "hstore" => &["a=>1"],
        "ltree" | "lquery" | "ltxtquery" => &["a"],
        "regclass" => &["pg_class"],
        "regtype" => &["text"],
        "regconfig" => &["simple"],
        "box" => &["(1,1),(0,0)"],
        "circle" => &["<(0,0),1>"],
        "polygon" | "path" => &["((0,0),(1,0),(1,1))"],
        "lseg" => &["[(0,0),(1,1)]"],
        "line" => &["{1,-1,0}"],
        _ => return None,
    })
}

/// The value that a message quotes: behind its colon, else the first one. What follows may be the server's detail.
fn refused_value(message: &str) -> Option<String> {
    let start = match message.find(": \"") {
        Some(at) => at + 3,
        None => message.find('"')? + 1,
    };
    let rest = message.get(start..)?;
    let end = rest.find("\": ").or_else(|| match rest.strip_suffix('"') {
        Some(inner) => Some(inner.len()),
        None => rest.find('"'),
    })?;
    Some(rest[..end].to_owned())
}

fn unquoted(name: &str) -> String {
    let inner = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: &str, message: &str) -> QueryFailure {
        QueryFailure {
            message: message.to_owned(),
            code: Some(code.to_owned()),
            position: None,
            hint: None,
        }
    }

    #[test]
    fn refusals_say_what_they_ask_for() {
        let enums = failure("22P02", "invalid input value for enum shop.\"Size\": \"1\"");
        assert_eq!(
            asked(&enums),
            Some(Asked::Label("shop.\"Size\"".to_owned()))
        );
        assert_eq!(refused_value(&enums.message).as_deref(), Some("1"));
        let interval = failure(
            "22007",
            "invalid input syntax for type interval: \"pgproof-absent\"",
        );
        assert_eq!(asked(&interval), Some(Asked::OneOf(&["30 days"])));
        let list = failure(
            "22P02",
            "malformed array literal: \"red\": Array value must start with \"{\" or dimension information",
        );
        assert_eq!(asked(&list), Some(Asked::Array));
        assert_eq!(refused_value(&list.message).as_deref(), Some("red"));
        let unit = failure(
            "22023",
            "unit \"utc\" not recognized for type timestamp with time zone",
        );
        assert_eq!(asked(&unit), Some(Asked::OneOf(&["day", "hour", "year"])));
        let zone = failure("22023", "time zone \"1\" not recognized");
        assert_eq!(asked(&zone), Some(Asked::OneOf(&["UTC"])));
        assert_eq!(refused_value(&zone.message).as_deref(), Some("1"));
        let long = failure("22001", "value too long for type character varying(3)");
        assert_eq!(asked(&long), Some(Asked::Short(3)));
        let domain = failure(
            "23514",
            "value for domain shop.email violates check constraint \"email_check\"",
        );
        assert_eq!(
            asked(&domain),
            Some(Asked::OfDomain("shop.email".to_owned()))
        );
        // The statement is at fault, whatever its values are.
        assert_eq!(
            asked(&failure("42703", "column \"totl\" does not exist")),
            None
        );
        assert_eq!(asked(&failure("23505", "duplicate key value")), None);
    }

    #[test]
    fn a_value_is_replaced_where_it_stands_and_sets_stay_different() {
        let set = |label: &str, values: &[&str]| super::super::ParameterSet {
            id: crate::run_id::SetId::varied(label),
            values: values
                .iter()
                .map(|value| Some((*value).to_owned()))
                .collect(),
        };
        let mut chosen = Chosen {
            sets: vec![
                set("typical", &["1", "7"]),
                set("hot", &["{\"1\",\"2\"}", "8"]),
                set("rare", &["x", "7"]),
            ],
            columns: vec![None, None],
            open: vec![true, true],
        };
        replace(&mut chosen, 0, Some("1"), "x");
        let left: Vec<_> = chosen.sets.iter().map(|set| set.values.clone()).collect();
        let values = |values: [&str; 2]| values.map(|value| Some(value.to_owned())).to_vec();
        assert_eq!(left, [values(["x", "7"]), values(["x", "8"])]);
    }
}
