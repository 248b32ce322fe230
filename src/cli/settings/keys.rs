//! Every key of pgproof.toml: it drives what an unknown key is answered with, and the reference.

#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its table; empty for the top level.
    pub section: &'static str,
    /// As it is written.
    pub name: &'static str,
    /// What holds where it is not written.
    pub default: &'static str,
    /// What it says.
    pub about: &'static str,
}

const fn key(
    section: &'static str,
    name: &'static str,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key {
        section,
        name,
        default,
        about,
    }
}

/// Every key but those of `[thresholds]` and `[rules]`, which are the rules'.
pub const KEYS: &[Key] = &[
    key(
        "",
        "migrations",
        "\"migrations\"",
        "the folder or file of the schema; `{ dir = \"…\", layout = \"…\" }` names the tool's layout",
    ),
    key(
        "",
        "migrate-cmd",
        "none",
        "a command that migrates the database in `DATABASE_URL` and `PG*`, for what is not plain SQL",
    ),
    key(
        "",
        "queries",
        "[\"queries/**/*.sql\"]",
        "where queries live: patterns of files, and sources such as `{ sqlc = \"sqlc.yaml\" }`",
    ),
    key("", "exclude", "[]", "queries to leave out, by name or path"),
    key("", "seeds", "[\"seeds/*.toml\"]", "patterns of seed files"),
    key(
        "",
        "fail-on",
        "\"error\"",
        "from which severity on findings fail the command: `\"error\"`, `\"warning\"`, `\"never\"`; in a list with rules whose warnings do as well: `[\"error\", \"not-audited\"]`",
    ),
    key(
        "",
        "baseline",
        "none",
        "a file of accepted findings, which do not count",
    ),
    key(
        "",
        "database-url",
        "none",
        "`\"env\"`: the database in `DATABASE_URL` instead of the embedded server",
    ),
    key("", "server", "", "the embedded server"),
    key("", "dataset", "", "the data"),
    key("", "audit", "", "how queries are run"),
    key("", "diff", "", "what runs between migrations"),
    key(
        "",
        "thresholds",
        "",
        "limits of rules: `seq-scan.min-pages = 1000`; each rule's page in docs/rules has its own",
    ),
    key(
        "",
        "rules",
        "",
        "severities of rules: `seq-scan = \"warning\"`, or `\"off\"`",
    ),
    key(
        "",
        "override",
        "[]",
        "`[[override]]`: thresholds and severities for some queries",
    ),
    key(
        "server",
        "version",
        "the newest that is found",
        "the major version of PostgreSQL, `\"14\"` to `\"18\"`",
    ),
    key(
        "server",
        "bin",
        "looked for",
        "the folder of the server's programs",
    ),
    key(
        "server",
        "settings",
        "{}",
        "settings of production: `{ work_mem = \"4MB\", random_page_cost = 1.1 }`",
    ),
    key(
        "server",
        "roles",
        "[]",
        "roles that migrations expect to be there",
    ),
    key(
        "dataset",
        "scale",
        "1.0",
        "multiplies every table's rows, and with them target-size",
    ),
    key("dataset", "seed", "42", "the same seed makes the same rows"),
    key(
        "dataset",
        "target-size",
        "none",
        "the size that tables come to whose rows nobody said, e.g. `\"1GB\"`",
    ),
    key(
        "dataset",
        "profile",
        "none",
        "a file of `pgproof profile`: rows, planner settings and calls are production's",
    ),
    key(
        "dataset",
        "today",
        "the day of the command",
        "the day that inferred times end with, e.g. `2026-01-31`",
    ),
    key("audit", "runs", "3", "how often each query is measured"),
    key("audit", "timeout", "\"30s\"", "when a query is cancelled"),
    key(
        "audit",
        "role",
        "none",
        "the role that queries run as, with its rights and policies",
    ),
    key(
        "audit",
        "settings",
        "{}",
        "`SET LOCAL` before each query: `{ \"app.tenant\" = \"42\" }`",
    ),
    key(
        "diff",
        "after",
        "{}",
        "SQL to run after a migration: `{ \"0042\" = \"backfill.sql\" }`",
    ),
];

/// The names of a table's keys.
pub(super) fn of(section: &str) -> Vec<&'static str> {
    let own = KEYS.iter().filter(|key| key.section == section);
    own.map(|key| key.name).collect()
}
