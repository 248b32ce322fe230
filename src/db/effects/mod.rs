//! What a statement would do on a given database that a rollback does not take back: locks of the session, other connections,
//! files, the server itself. Read from the server's catalogs and its plan; where the SQL text must do, because nothing was
//! planned yet, every word in it counts.
//!
//! Two questions. *Planning*: PostgreSQL runs functions that are declared IMMUTABLE or STABLE while it plans, whatever they do,
//! the functions of operators on a column's statistics, and a domain's CHECKs on parameters. *Running*: whatever the plan
//! calls, also by way of other functions, casts, operators, triggers. What the catalogs do not tell (SQL put together at run
//! time in a function that is declared STABLE) the read-only transaction bounds, and what it leaves is looked for afterwards.

mod names;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::db::explain::{Access, ExplainError, quote_literal};

/// The relations that this transaction has locked: what its statements read, by way of views and policies too.
pub(super) const RELATIONS: &str = "SELECT coalesce(json_agg(DISTINCT l.relation::int8), '[]')::text FROM pg_locks l \
     WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384";

/// Reads the answer to [`RELATIONS`].
pub(super) fn relations(answer: Option<&Vec<String>>) -> Result<Vec<u32>, ExplainError> {
    read(
        answer
            .and_then(|rows| rows.last())
            .map_or("[]", String::as_str),
    )
}

/// What a statement does that a rollback does not take back, for people; nothing for most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    reasons: BTreeSet<String>,
}

impl Effects {
    /// `it calls app.take(), which calls pg_advisory_lock(), which takes …`.
    #[must_use]
    pub fn first(&self) -> Option<String> {
        self.reasons.first().cloned()
    }
}

/// What is looked at.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) sql: &'a str,
    pub(super) relations: Vec<u32>,
    /// Types of its parameters.
    pub(super) parameters: Vec<u32>,
    pub(super) access: Access,
}

/// A function that is not the server's own.
#[derive(Debug, Clone, Deserialize)]
struct Function {
    oid: u32,
    schema: String,
    name: String,
    volatile: bool,
    /// The planner may run it.
    early: bool,
    language: String,
    /// Its SQL; the names of the built-in functions that it is another name of.
    body: String,
    /// Functions that the catalogs know it to call.
    calls: Vec<u32>,
}

/// Functions that run without being named where they run.
#[derive(Debug, Deserialize)]
struct Unnamed {
    /// Called by the views and policies of the relations.
    read: Vec<u32>,
    /// Of casts between types that are in play.
    casts: Vec<u32>,
    operators: Vec<u32>,
    /// Of the CHECKs of domains that parameters have.
    parameters: Vec<u32>,
    /// Those CHECKs.
    parameter_checks: Vec<String>,
    /// Of the CHECKs of domains that the text names.
    domains: Vec<u32>,
    /// Those CHECKs.
    domain_checks: Vec<String>,
    /// Options of foreign tables.
    foreign_options: Vec<String>,
}

/// What runs when rows of a table are written.
#[derive(Debug, Deserialize)]
struct Written {
    functions: Vec<u32>,
    texts: Vec<String>,
}

/// Looks for effects; `ask` puts one question to the server, whose search path is `pg_catalog` alone.
pub(super) struct Search<'a, A> {
    ask: &'a A,
    statement: Statement<'a>,
    functions: BTreeMap<u32, Function>,
    asked_names: BTreeSet<String>,
    asked: BTreeSet<u32>,
    unnamed: Option<Unnamed>,
}

impl<'a, A: AsyncFn(String) -> Result<Vec<String>, ExplainError>> Search<'a, A> {
    pub(super) fn new(ask: &'a A, statement: Statement<'a>) -> Self {
        Self {
            ask,
            statement,
            functions: BTreeMap::new(),
            asked_names: BTreeSet::new(),
            asked: BTreeSet::new(),
            unnamed: None,
        }
    }

    /// What planning alone would do.
    pub(super) async fn of_planning(&mut self) -> Result<Option<String>, ExplainError> {
        let sql = self.statement.sql;
        if text::has_escaped_names(sql) {
            return Ok(Some(
                "it has names with Unicode escapes (U&\"…\"), which could be any: write the names plainly".to_owned(),
            ));
        }
        let names = text::identifiers(sql);
        let answer = (self.ask)(self.unnamed_question(&names, &text::operators(sql))).await?;
        let unnamed: Unnamed = read(answer.last().map_or("null", String::as_str))?;
        let seeds = unnamed
            .read
            .iter()
            .chain(&unnamed.casts)
            .chain(&unnamed.operators)
            .chain(&unnamed.parameters)
            .copied()
            .collect();
        self.load(names.clone(), seeds).await?;
        self.load(
            text::calls(&unnamed.parameter_checks.join("\n")),
            BTreeSet::new(),
        )
        .await?;
        // Declared to depend on its arguments alone, or to change nothing: what it is at liberty to run early.
        let early = |function: &&Function| {
            function.early
                && (names.contains(&function.name)
                    || unnamed.read.contains(&function.oid)
                    || unnamed.casts.contains(&function.oid))
        };
        let always = |function: &&Function| {
            unnamed.operators.contains(&function.oid) || unnamed.parameters.contains(&function.oid)
        };
        let mut reasons = self
            .functions
            .values()
            .filter(|function| early(function) || always(function))
            .filter_map(|function| self.chain(function.oid, &mut BTreeSet::new()));
        let mut reason = reasons.next();
        if reason.is_none() {
            reason = self.in_text(&unnamed.parameter_checks.join("\n"));
        }
        self.unnamed = Some(unnamed);
        Ok(reason)
    }

    /// What running the plan would do.
    pub(super) async fn of_running(&mut self, plan: &str) -> Result<Effects, ExplainError> {
        let plan: Value = read(plan)?;
        let mut printed = String::new();
        let mut written = BTreeSet::new();
        gather(&plan, &mut printed, &mut written);
        let mut effects = Effects::default();
        self.load(text::calls(&printed), BTreeSet::new()).await?;
        effects.reasons.extend(self.in_text(&printed));
        if let Some(unnamed) = self.unnamed.take() {
            let hidden: BTreeSet<u32> = unnamed
                .casts
                .iter()
                .chain(&unnamed.operators)
                .chain(&unnamed.domains)
                .copied()
                .collect();
            let checks = unnamed.domain_checks.join("\n");
            self.load(text::calls(&checks), hidden.clone()).await?;
            effects.reasons.extend(self.in_text(&checks));
            let of = |oid: &u32| self.chain(*oid, &mut BTreeSet::new());
            effects.reasons.extend(hidden.iter().filter_map(of));
            if unnamed
                .foreign_options
                .iter()
                .any(|option| option.starts_with("program="))
            {
                effects.reasons.insert(
                    "it reads a foreign table that runs a program on the server".to_owned(),
                );
            }
        }
        if self.statement.access == Access::Writes && !written.is_empty() {
            let answer = (self.ask)(written_question(&written)).await?;
            let found: Written = read(answer.last().map_or("null", String::as_str))?;
            let texts = found.texts.join("\n");
            let functions: BTreeSet<u32> = found.functions.into_iter().collect();
            self.load(text::calls(&texts), functions.clone()).await?;
            let of = |oid: &u32| self.chain(*oid, &mut BTreeSet::new());
            effects.reasons.extend(functions.iter().filter_map(of));
            effects.reasons.extend(self.in_text(&texts));
        }
        Ok(effects)
    }

    /// The first effect of what a text calls.
    fn in_text(&self, text: &str) -> Option<String> {
        text::calls(text).iter().find_map(|name| {
            if let Some(does) = self.named(name) {
                return Some(format!("it calls {name}(), which {does}"));
            }
            let mut functions = self
                .functions
                .values()
                .filter(|function| function.name == *name);
            functions.find_map(|function| self.chain(function.oid, &mut BTreeSet::new()))
        })
    }

    /// Sequences move on where writes are allowed: that was said when they were allowed.
    fn named(&self, name: &str) -> Option<&'static str> {
        if self.statement.access == Access::Writes && name == "nextval" {
            return None;
        }
        names::effect_of(name)
    }

    /// How a function comes to an effect.
    fn chain(&self, oid: u32, seen: &mut BTreeSet<u32>) -> Option<String> {
        let function = self.functions.get(&oid).filter(|_| seen.insert(oid))?;
        let name = format!("{}.{}()", function.schema, function.name);
        if let Some(does) = self.own_effect(function) {
            return Some(format!("it calls {name}, which {does}"));
        }
        let called = text::calls(&function.body);
        let by_name = |other: &&Function| other.oid != oid && called.contains(&other.name);
        let named = self
            .functions
            .values()
            .filter(by_name)
            .map(|other| other.oid);
        let next: Vec<u32> = function.calls.iter().copied().chain(named).collect();
        let reason = next.into_iter().find_map(|next| self.chain(next, seen))?;
        Some(format!("it calls {name}; {reason}"))
    }

    /// What a function does by itself.
    fn own_effect(&self, function: &Function) -> Option<String> {
        let named = |name: &String| Some(format!("calls {name}(), which {}", self.named(name)?));
        if let Some(does) = self.named(&function.name) {
            return Some(does.to_owned());
        }
        if let Some(found) = text::identifiers(&function.body).iter().find_map(named) {
            return Some(found);
        }
        // What is declared STABLE or IMMUTABLE may only read: PostgreSQL holds PL/pgSQL and SQL to that.
        if !function.volatile {
            return None;
        }
        match function.language.as_str() {
            "sql" | "plpgsql" => text::statements(&function.body).map(str::to_owned),
            "internal" => None,
            "c" if names::HARMLESS.contains(&function.name.as_str()) => None,
            "c" => Some("is written in C and volatile: what it does is not known".to_owned()),
            other => Some(format!(
                "is written in {other} and volatile: what it does is not known"
            )),
        }
    }

    /// Reads functions by name and OID, and whatever they call.
    async fn load(
        &mut self,
        names: BTreeSet<String>,
        oids: BTreeSet<u32>,
    ) -> Result<(), ExplainError> {
        /// Deeper chains than this are nobody's.
        const DEPTH: usize = 12;
        let (mut names, mut oids) = (names, oids);
        for _ in 0..DEPTH {
            names.retain(|name| !self.asked_names.contains(name));
            oids.retain(|oid| !self.asked.contains(oid));
            if names.is_empty() && oids.is_empty() {
                break;
            }
            let answer = (self.ask)(functions_question(&names, &oids)).await?;
            self.asked_names.append(&mut names);
            self.asked.append(&mut oids);
            for row in &answer {
                let function: Function = read(row)?;
                names.extend(text::calls(&function.body));
                oids.extend(&function.calls);
                self.asked.insert(function.oid);
                self.functions.insert(function.oid, function);
            }
        }
        Ok(())
    }

    fn unnamed_question(&self, names: &BTreeSet<String>, operators: &BTreeSet<String>) -> String {
        include_str!("../sql/unnamed_functions.sql")
            .replace(":relations", &array(&self.statement.relations))
            .replace(":parameters", &array(&self.statement.parameters))
            .replace(":operators", &json(operators))
            // Last: a name may be anything, a placeholder too.
            .replace(":names", &json(names))
    }
}

fn functions_question(names: &BTreeSet<String>, oids: &BTreeSet<u32>) -> String {
    let oids: Vec<u32> = oids.iter().copied().collect();
    include_str!("../sql/called_functions.sql")
        .replace(":oids", &array(&oids))
        .replace(":names", &json(names))
}

fn written_question(tables: &BTreeSet<(String, String)>) -> String {
    include_str!("../sql/functions_of_writes.sql").replace(":tables", &json(tables))
}

fn array(oids: &[u32]) -> String {
    let texts: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!("'{{{}}}'::oid[]", texts.join(","))
}

fn json<T: serde::Serialize>(value: &T) -> String {
    // Names and numbers always have a JSON form.
    let text = serde_json::to_string(value).unwrap_or_else(|_| "[]".to_owned());
    format!("{}::json", quote_literal(&text))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ExplainError> {
    serde_json::from_str(text).map_err(|error| ExplainError::Unreadable(error.to_string()))
}

/// Every text of a plan, and the tables that it writes to.
fn gather(plan: &Value, printed: &mut String, written: &mut BTreeSet<(String, String)>) {
    match plan {
        Value::String(text) => {
            printed.push_str(text);
            printed.push('\n');
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| gather(value, printed, written)),
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            if let (Some("ModifyTable"), Some(schema), Some(table)) =
                (text("Node Type"), text("Schema"), text("Relation Name"))
            {
                written.insert((schema.to_owned(), table.to_owned()));
            }
            fields
                .values()
                .for_each(|value| gather(value, printed, written));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
