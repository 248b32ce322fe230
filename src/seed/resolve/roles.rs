//! How many rows a table has in production when nobody says it, by its role: a list of something, things and people, what
//! each of them has, and what is written all the time. Relative to each other; [`super::sizes`] fits them to a size.

use crate::schema::{ForeignKey, KeyPart, Table};
use crate::seed::infer::names::{is_role, singular, words};

/// What a table is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// A list that does not grow: countries, states, kinds.
    List(u64),
    /// Things of their own.
    Entity(f64),
    /// So many for each row of the parent that has most.
    Child(f64),
}

/// The role of a table; `parents` says whether it references tables that are no lists.
pub(super) fn role_of(table: &Table, parents: Parents) -> Role {
    let words = words(&table.name.name);
    let noun = words.last().map(|word| singular(word)).unwrap_or_default();
    let has = |list: &[&str]| {
        words
            .iter()
            .any(|word| list.contains(&singular(word).as_str()))
    };
    if let Some(rows) = list_size(&noun, table, parents) {
        return Role::List(rows);
    }
    if has(WRITTEN_ALL_THE_TIME) {
        return match parents {
            Parents::Some => Role::Child(20.0),
            Parents::None => Role::Entity(2_000_000.0),
        };
    }
    match parents {
        Parents::None if has(OWNERS) => Role::Entity(2_000.0),
        Parents::None if is_role(&noun) => Role::Entity(100_000.0),
        Parents::None => Role::Entity(20_000.0),
        Parents::Some => Role::Child(children(&noun, table)),
    }
}

/// Whether a table holds whoever owns or uses the application: a row that migrations insert for one of them (a system user, a
/// first project) is not all of them, as what they insert into a list is.
#[must_use]
pub(crate) fn is_of_owners_or_people(table: &Table) -> bool {
    let words = words(&table.name.name);
    let noun = words.last().map(|word| singular(word)).unwrap_or_default();
    OWNERS.contains(&noun.as_str()) || is_role(&noun)
}

/// Whether a table has parents that are no lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parents {
    None,
    Some,
}

/// What grows with time, and not with the number of things.
const WRITTEN_ALL_THE_TIME: &[&str] = &[
    "log",
    "event",
    "audit",
    "history",
    "metric",
    "reading",
    "measurement",
    "sample",
    "click",
    "view",
    "impression",
    "visit",
    "hit",
    "tick",
    "trace",
    "request",
    "activity",
    "notification",
    "message",
    "ping",
    "heartbeat",
    "location",
    "position",
    "entry",
    "transaction",
    "movement",
    "change",
    "version",
    "revision",
    "archive",
];

/// Whoever owns all the rest: few, and each of them has much.
const OWNERS: &[&str] = &[
    "tenant",
    "organization",
    "organisation",
    "org",
    "company",
    "workspace",
    "team",
    "group",
    "store",
    "shop",
    "site",
    "branch",
    "school",
    "department",
    "warehouse",
    "region",
    "channel",
    "project",
    "plan",
    "vendor",
    "supplier",
    "brand",
];

/// How many a list has; `None` for what is no list.
fn list_size(noun: &str, table: &Table, parents: Parents) -> Option<u64> {
    if parents == Parents::Some {
        return None;
    }
    let known = match noun {
        "country" => 240,
        "currency" => 160,
        "language" | "locale" => 120,
        "timezone" => 400,
        "status" | "state" | "stage" | "priority" | "severity" | "type" | "kind" | "mode" => 12,
        "role" | "scope" => 16,
        "permission" | "setting" | "option" | "feature" | "flag" | "parameter" | "config" => 80,
        "category" | "topic" | "genre" | "unit" | "tax" | "rate" => 200,
        "tag" | "label" | "keyword" => 800,
        _ => 0,
    };
    let small = table.columns.len() <= SMALL_LIST && {
        let named =
            |name: &str| matches!(name, "code" | "name" | "label" | "slug" | "key" | "value");
        let timed = table
            .columns
            .iter()
            .any(|c| matches!(c.data_type.oid, 1114 | 1184));
        table.columns.iter().any(|column| named(&column.name)) && !timed && is_keyed_by_text(table)
    };
    match known {
        0 if small => Some(50),
        0 => None,
        rows => Some(rows),
    }
}

/// Columns of a small list, its key included.
const SMALL_LIST: usize = 4;

/// A primary key that is a word: `countries (code)`.
fn is_keyed_by_text(table: &Table) -> bool {
    let key = table.primary_key();
    let of_text = |name: &&str| {
        table
            .column(name)
            .is_some_and(|column| matches!(column.data_type.oid, 25 | 1042 | 1043))
    };
    key.len() == 1 && key.iter().all(of_text)
}

/// For each row of a parent.
fn children(noun: &str, table: &Table) -> f64 {
    let own = |key: &ForeignKey| {
        table.indexes.iter().any(|index| {
            index.unique
                && !index.keys.is_empty()
                && index.keys.iter().all(
                    |part| matches!(&part.part, KeyPart::Column(name) if key.columns.contains(name)),
                )
        })
    };
    if table.foreign_keys.iter().any(own)
        || matches!(
            noun,
            "profile" | "setting" | "preference" | "detail" | "credential"
        )
    {
        return 0.9;
    }
    match noun {
        "item" | "line" | "position" | "row" | "detail" | "part" | "answer" | "vote" | "like"
        | "reaction" | "attempt" | "step" => 3.0,
        "order" | "invoice" | "booking" | "post" | "comment" | "review" | "ticket" | "task"
        | "issue" | "session" | "job" | "message" | "delivery" | "shipment" | "payment" => 5.0,
        "address" | "account" | "card" | "token" | "device" | "key" | "contact" | "phone" => 1.5,
        _ => 3.0,
    }
}
