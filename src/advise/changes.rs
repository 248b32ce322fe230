//! The fixes of a report as changes of the schema: each with the statements that make it beside running traffic, what undoes
//! them, and the form for a tool that runs everything in a transaction. Pure; `migrations::new_files` lays them out.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::safer;
use crate::finding::{Finding, Fix, RuleId};
use crate::schema::{Index, RowPolicy, Schema, Table, TableKind, quote_identifier};
use crate::sql::ddl::{self, Ddl, DropText, IndexText};
use crate::sql::names::unquote_lower;
use crate::sql::statements::statements;
use crate::sql::transaction::{BlockRule, block_rule};

/// One statement and what takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Without a semicolon.
    pub up: String,
    /// `None` where nothing is left to undo once the steps before it are undone.
    pub down: Option<String>,
}

impl Step {
    /// Whether the server refuses it inside a transaction block.
    #[must_use]
    pub fn runs_alone(&self) -> bool {
        block_rule(&self.up) != BlockRule::Inside
    }
}

/// One change of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// For the name of a file: `create_idx_orders_customer_id`.
    pub title: String,
    /// The findings that it answers, one line each.
    pub reasons: Vec<String>,
    /// What makes it while others read and write, in order.
    pub online: Vec<Step>,
    /// The same for a tool that has no way out of its transaction.
    pub in_transaction: Vec<Step>,
}

/// The fixes of a report, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Extensions first, then what is added, then what goes.
    pub made: Vec<Change>,
    /// Those that nothing was measured for.
    pub unproven: Vec<Change>,
    /// Fixes that change a query or a session, not the schema: another form, `SET LOCAL`.
    pub of_queries: usize,
}

/// The changes that the findings of a report ask for. Accepted findings ask for nothing.
#[must_use]
pub fn changes(findings: &[Finding], schema: &Schema) -> Changes {
    let mut found = Changes::default();
    for finding in findings
        .iter()
        .filter(|finding| finding.suppressed.is_none())
    {
        let Some(fix) = &finding.fix else { continue };
        let made: Vec<Change> = statements(&fix.sql)
            .into_iter()
            .filter_map(|statement| change(statement, schema))
            .collect();
        if made.is_empty() {
            found.of_queries += 1;
            continue;
        }
        // That one index does the work of another shows without measuring it.
        let is_sure = fix.proof.is_some() || finding.rule == RuleId::DuplicateIndex;
        let list = match is_sure {
            true => &mut found.made,
            false => &mut found.unproven,
        };
        for change in made {
            add(list, change, reason(finding, fix));
        }
    }
    let Changes { made, unproven, .. } = &mut found;
    unproven.retain(|change| !made.iter().any(|sure| sure.online == change.online));
    made.sort_by_key(rank);
    unproven.sort_by_key(rank);
    found
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }
}

fn add(list: &mut Vec<Change>, change: Change, reason: String) {
    let known = list.iter_mut().find(|known| known.online == change.online);
    match known {
        Some(known) if known.reasons.contains(&reason) => {}
        Some(known) => known.reasons.push(reason),
        None => list.push(Change {
            reasons: vec![reason],
            ..change
        }),
    }
}

/// What others need comes first; an index goes when those that do its work are there.
fn rank(change: &Change) -> u8 {
    let first = change.online.first().map_or("", |step| step.up.as_str());
    match ddl::read(first) {
        Ddl::DropIndex { .. } => 2,
        _ if starts_with(first, &["create", "extension"]) => 0,
        _ => 1,
    }
}

fn reason(finding: &Finding, fix: &Fix) -> String {
    let query = finding
        .query
        .as_ref()
        .map(|query| format!(" {query}"))
        .unwrap_or_default();
    let measured = match fix.proof.as_ref() {
        Some(proof) => match &proof.before {
            Some(before) => format!(
                ": {} -> {}, {} -> {}",
                before.blocks, proof.after.blocks, before.time_ms, proof.after.time_ms
            ),
            None => format!(
                ": did not finish -> {}, {}",
                proof.after.blocks, proof.after.time_ms
            ),
        },
        None if finding.rule == RuleId::MissingIndex => ": not measured".to_owned(),
        None => String::new(),
    };
    format!(
        "{}{query} #{}{measured}",
        finding.rule,
        finding
            .fingerprint
            .0
            .get(..8)
            .unwrap_or(&finding.fingerprint.0)
    )
}

/// A policy in another form, and the one that it has.
fn alter_policy(statement: &str, schema: &Schema) -> Option<Change> {
    let (table, policy) = schema.tables.iter().find_map(|table| {
        let begins = |policy: &&RowPolicy| {
            let (name, table) = (quote_identifier(&policy.name), table.name.sql());
            statement.starts_with(&format!("ALTER POLICY {name} ON {table} "))
        };
        Some((table, table.policies.iter().find(begins)?))
    })?;
    let part = |keyword: &str, condition: &Option<String>| {
        let condition = condition.as_ref();
        condition.map_or_else(String::new, |condition| format!(" {keyword} ({condition})"))
    };
    let down = format!(
        "ALTER POLICY {} ON {}{}{}",
        quote_identifier(&policy.name),
        table.name.sql(),
        part("USING", &policy.using),
        part("WITH CHECK", &policy.check)
    );
    Some(whole(
        format!("policy_{}", words(&policy.name)),
        Step {
            up: statement.to_owned(),
            down: Some(down),
        },
    ))
}

fn change(statement: &str, schema: &Schema) -> Option<Change> {
    match ddl::read(statement) {
        Ddl::CreateIndex {
            text: Some(text), ..
        } => Some(create_index(statement, &text, schema)),
        Ddl::DropIndex { text, .. } => drop_index(statement, &text, schema),
        _ if starts_with(statement, &["create", "extension"]) => {
            let name = statement.split_whitespace().next_back().unwrap_or_default();
            Some(whole(
                format!("extension_{name}"),
                Step {
                    up: statement.to_owned(),
                    // Others may use it by then.
                    down: None,
                },
            ))
        }
        _ if starts_with(statement, &["alter", "policy"]) => alter_policy(statement, schema),
        _ if starts_with(statement, &["create", "statistics"]) => {
            let name = statement.split_whitespace().nth(2)?;
            Some(whole(
                format!("create_{}", words(name)),
                Step {
                    up: statement.to_owned(),
                    down: Some(format!("DROP STATISTICS IF EXISTS {name}")),
                },
            ))
        }
        _ if starts_with(statement, &["analyze"]) => Some(whole(
            words(statement),
            Step {
                up: statement.to_owned(),
                down: None,
            },
        )),
        _ => statistics_target(statement),
    }
}

/// `ALTER TABLE t ALTER COLUMN c SET STATISTICS 1000`.
fn statistics_target(statement: &str) -> Option<Change> {
    const TARGET: &str = " SET STATISTICS ";
    let (column, _) = statement.rsplit_once(TARGET)?;
    starts_with(statement, &["alter", "table"]).then(|| {
        whole(
            format!(
                "statistics_{}",
                words(column.trim_start_matches("ALTER TABLE "))
            ),
            Step {
                up: statement.to_owned(),
                down: Some(format!("{column}{TARGET}-1")),
            },
        )
    })
}

/// A change that is one statement, wherever it runs.
fn whole(title: String, step: Step) -> Change {
    Change {
        title,
        reasons: Vec::new(),
        online: vec![step.clone()],
        in_transaction: vec![step],
    }
}

fn create_index(statement: &str, text: &IndexText, schema: &Schema) -> Change {
    let name = text.name.clone().unwrap_or_default();
    let namespace = text.table.rsplit_once('.').map(|(namespace, _)| namespace);
    let qualified = qualified(namespace, &name);
    let form = safer::safer(statement, schema).map(|form| form.statements);
    let online = match form.as_deref() {
        // Of a partitioned table: dropping the parent's index drops its parts, and a part cannot be dropped by itself.
        Some(parts @ [_, _, ..]) => {
            let undone = format!("DROP INDEX IF EXISTS {qualified}");
            in_batches(parts, undone)
        }
        Some([one]) => vec![Step {
            up: one.clone(),
            down: Some(format!("DROP INDEX CONCURRENTLY IF EXISTS {qualified}")),
        }],
        Some([]) | None => vec![Step {
            up: statement.to_owned(),
            down: Some(format!("DROP INDEX IF EXISTS {qualified}")),
        }],
    };
    let plain = statement.replacen("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS ", 1);
    Change {
        title: format!("create_{name}"),
        reasons: Vec::new(),
        online,
        in_transaction: vec![Step {
            up: plain,
            down: Some(format!("DROP INDEX IF EXISTS {qualified}")),
        }],
    }
}

/// The empty parents, all partitions' parts, and then the attaching: as few switches between transactions and none as can be.
fn in_batches(parts: &[String], undone: String) -> Vec<Step> {
    let attaches = |sql: &&String| starts_with(sql, &["alter", "index"]);
    let alone = |sql: &&String| block_rule(sql) != BlockRule::Inside;
    let parents = parts.iter().filter(|sql| !alone(sql) && !attaches(sql));
    let built = parts.iter().filter(alone);
    let attached = parts.iter().filter(|sql| attaches(sql));
    let mut steps: Vec<Step> = parents
        .chain(built)
        .chain(attached)
        .map(|sql| Step {
            up: sql.clone(),
            down: None,
        })
        .collect();
    if let Some(first) = steps.first_mut() {
        first.down = Some(undone);
    }
    steps
}

fn drop_index(statement: &str, text: &DropText, schema: &Schema) -> Option<Change> {
    let [written] = text.names.as_slice() else {
        return None;
    };
    let (table, index) = find(schema, written)?;
    let partitioned = table.kind == TableKind::Partitioned;
    // Made again it is to have its partitions' parts.
    let definition = index.definition.replacen(" ON ONLY ", " ON ", 1);
    let again = if partitioned {
        definition.clone()
    } else {
        definition.replacen(" INDEX ", " INDEX CONCURRENTLY ", 1)
    };
    let online = safer::safer(statement, schema)
        .and_then(|form| form.statements.into_iter().next())
        .unwrap_or_else(|| statement.to_owned());
    let plain = format!("DROP INDEX IF EXISTS {written}");
    Some(Change {
        title: format!("drop_{}", index.name),
        reasons: Vec::new(),
        online: vec![Step {
            up: online,
            down: Some(again),
        }],
        in_transaction: vec![Step {
            up: plain,
            down: Some(definition),
        }],
    })
}

/// An index by its name as it is written, with or without its schema.
fn find<'a>(schema: &'a Schema, written: &str) -> Option<(&'a Table, &'a Index)> {
    let (namespace, name) = match written.rsplit_once('.') {
        Some((namespace, name)) => (unquote_lower(namespace), unquote_lower(name)),
        None => ("public".to_owned(), unquote_lower(written)),
    };
    let tables = schema
        .tables
        .iter()
        .filter(|table| table.name.schema == namespace);
    tables
        .flat_map(|table| table.indexes.iter().map(move |index| (table, index)))
        .find(|(_, index)| index.name == name)
}

fn qualified(namespace: Option<&str>, name: &str) -> String {
    let name = quote_identifier(name);
    match namespace {
        Some(namespace) => format!("{namespace}.{name}"),
        None => name,
    }
}

fn starts_with(statement: &str, keywords: &[&str]) -> bool {
    let mut words = statement.split_whitespace();
    keywords.iter().all(|keyword| {
        words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    })
}

/// Letters and digits, with `_` for everything between them.
#[must_use]
pub fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let parts: Vec<&str> = lower
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("_")
}

/// Fixes under names that other fixes of the report have as well get a number: pasted one after the other, each must run.
pub fn distinguish(findings: &mut [Finding]) {
    let mut name_of: BTreeMap<String, String> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for fix in findings
        .iter_mut()
        .filter_map(|finding| finding.fix.as_mut())
    {
        let written: Vec<String> = statements(&fix.sql)
            .into_iter()
            .map(str::to_owned)
            .collect();
        for statement in written {
            let Some(name) = created(&statement) else {
                continue;
            };
            let own = name_of.entry(statement.clone()).or_insert_with(|| {
                let numbered = (2..).map(|number: u32| numbered(&name, number));
                std::iter::once(name.clone())
                    .chain(numbered)
                    .find(|free| taken.insert(free.clone()))
                    .unwrap_or_else(|| name.clone())
            });
            if *own != name {
                let renamed = statement.replacen(&name, own, 1);
                fix.sql = fix.sql.replacen(&statement, &renamed, 1);
            }
        }
    }
}

/// The name, as written, of what a statement creates.
fn created(statement: &str) -> Option<String> {
    let is_created = starts_with(statement, &["create", "index"])
        || starts_with(statement, &["create", "statistics"]);
    let name = statement.split(' ').nth(2)?;
    // A quoted name may hold spaces: up to the quote that ends it.
    let name = match statement.split_once(name).map(|(before, _)| before.len()) {
        Some(start) if name.starts_with('"') => {
            let end = statement[start + 1..].find("\" ON ")?;
            statement[start..start + end + 2].to_owned()
        }
        Some(_) | None => name.to_owned(),
    };
    (is_created && !name.eq_ignore_ascii_case("on")).then_some(name)
}

fn numbered(name: &str, number: u32) -> String {
    match name.strip_suffix('"') {
        Some(open) => format!("{open}_{number}\""),
        None => format!("{name}_{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Evidence, Fingerprint, Measurement, Proof, Severity};
    use crate::schema::ServerVersion;
    use crate::units::{Millis, Pages};

    fn finding(rule: RuleId, query: &str, sql: &str, measured: bool) -> Finding {
        let measurement = Measurement {
            time_ms: Millis(2.0),
            blocks: Pages(9),
            temp_blocks: Pages(0),
            rows: 1.0,
        };
        Finding {
            rule,
            severity: Severity::Error,
            query: Some(query.to_owned()),
            location: None,
            message: String::new(),
            why: String::new(),
            advice: String::new(),
            evidence: Evidence::default(),
            fix: Some(Fix {
                sql: sql.to_owned(),
                proof: measured.then_some(Proof {
                    before: None,
                    cancelled_ms: None,
                    after: measurement,
                    index_bytes: None,
                    build_ms: None,
                }),
            }),
            fingerprint: Fingerprint::of([query]),
            suppressed: None,
            symptoms: Vec::new(),
        }
    }

    fn schema() -> Schema {
        Schema {
            server: ServerVersion(150_000),
            tables: Vec::new(),
            materialized_views: Vec::new(),
            types: Vec::new(),
        }
    }

    #[test]
    fn each_statement_once_and_only_what_was_measured() {
        let trigrams = "CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE INDEX idx_t_name_trgm ON shop.t USING gin (name gin_trgm_ops);";
        let found = changes(
            &[
                finding(
                    RuleId::MissingIndex,
                    "One",
                    "CREATE INDEX i ON t (a);",
                    true,
                ),
                finding(
                    RuleId::MissingIndex,
                    "Two",
                    "CREATE INDEX i ON t (a);",
                    true,
                ),
                finding(RuleId::MissingIndex, "Three", trigrams, true),
                finding(
                    RuleId::MissingIndex,
                    "Four",
                    "CREATE INDEX k ON t (b);",
                    false,
                ),
                finding(RuleId::QueryRewrite, "Five", "SELECT 1;", true),
                finding(
                    RuleId::SortSpill,
                    "Six",
                    "SET LOCAL work_mem = '64MB';",
                    true,
                ),
            ],
            &schema(),
        );
        let ups: Vec<&str> = found
            .made
            .iter()
            .flat_map(|change| &change.online)
            .map(|step| step.up.as_str())
            .collect();
        assert_eq!(
            ups,
            [
                "CREATE EXTENSION IF NOT EXISTS pg_trgm",
                "CREATE INDEX CONCURRENTLY i ON t (a)",
                "CREATE INDEX CONCURRENTLY idx_t_name_trgm ON shop.t USING gin (name gin_trgm_ops)",
            ]
        );
        assert_eq!(found.made[1].reasons.len(), 2);
        assert_eq!(
            found.made[2].online[0].down.as_deref(),
            Some("DROP INDEX CONCURRENTLY IF EXISTS shop.idx_t_name_trgm")
        );
        assert_eq!((found.unproven.len(), found.of_queries), (1, 2));
    }

    #[test]
    fn two_fixes_never_share_a_name() {
        let mut findings = [
            finding(
                RuleId::MissingIndex,
                "One",
                "CREATE INDEX i ON t (a);",
                true,
            ),
            finding(
                RuleId::MissingIndex,
                "Two",
                "CREATE INDEX i ON t (a DESC);",
                true,
            ),
            finding(
                RuleId::MissingIndex,
                "Three",
                "CREATE INDEX i ON t (a DESC);",
                true,
            ),
            finding(
                RuleId::RowMisestimate,
                "Four",
                "CREATE STATISTICS \"s t\" ON (lower(a)) FROM t;\nANALYZE t;",
                true,
            ),
            finding(
                RuleId::RowMisestimate,
                "Five",
                "CREATE STATISTICS \"s t\" ON (upper(a)) FROM t;\nANALYZE t;",
                true,
            ),
        ];
        distinguish(&mut findings);
        let fixes: Vec<&str> = findings
            .iter()
            .filter_map(|finding| finding.fix.as_ref())
            .map(|fix| fix.sql.as_str())
            .collect();
        assert_eq!(
            fixes,
            [
                "CREATE INDEX i ON t (a);",
                "CREATE INDEX i_2 ON t (a DESC);",
                "CREATE INDEX i_2 ON t (a DESC);",
                "CREATE STATISTICS \"s t\" ON (lower(a)) FROM t;\nANALYZE t;",
                "CREATE STATISTICS \"s t_2\" ON (upper(a)) FROM t;\nANALYZE t;",
            ]
        );
    }
}
