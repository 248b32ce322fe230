//! What a person can do about a refusal.

/// What a person can do about a refusal; `None` where its own words say it.
pub(in crate::db) fn remedy(code: &str, message: &str, missing: &[String]) -> Option<String> {
    if let Some(extension) = quoted(message)
        .filter(|_| message.starts_with("extension ") || message.contains("extension control file"))
    {
        return Some(install(extension));
    }
    if code == FEATURE_NOT_SUPPORTED && message.contains("ICU") {
        return Some(
            "these PostgreSQL programs were built without ICU: install PostgreSQL from the system's packages, which have it, and name \
             its major version in pgproof.toml ([server] version) or its programs in PGPROOF_PG_BIN"
                .to_owned(),
        );
    }
    if code == UNDEFINED_FILE && message.contains("could not load library") {
        return Some(
            "the extension needs a library of the system that is not installed here: install what the message names, or use the \
             system's own PostgreSQL packages, which bring it ([server] version in pgproof.toml names the major version, \
             PGPROOF_PG_BIN the programs)"
                .to_owned(),
        );
    }
    match (code, quoted(message)) {
        (UNDEFINED_OBJECT, Some(role)) if message.starts_with("role ") => Some(format!(
            "add it to pgproof.toml: [server] roles = [\"{role}\"]"
        )),
        (UNDEFINED_OBJECT, Some(name)) if message.starts_with("type ") && is_foreign(name) => {
            Some(format!(
                "{name} is no type of PostgreSQL: these files are written for another database, or the project's own program \
                 replaces it before it sends them. Set migrate-cmd to that program, or `migrations` to a dump of the schema \
                 (pg_dump --schema-only)"
            ))
        }
        (UNDEFINED_TABLE | UNDEFINED_SCHEMA, Some(_)) => Some(
            "these files do not make it: another script or program does before them. Name that script first in pgproof.toml \
             (migrations = [\"first.sql\", …]), set migrate-cmd to what makes both, or use a dump of the schema (pg_dump \
             --schema-only)"
                .to_owned(),
        ),
        (DUPLICATE_COLUMN | DUPLICATE_TABLE | DUPLICATE_OBJECT, Some(_)) => Some(
            "these files are not all meant for one database, or not in this order: the project's own program chooses. Name the right \
             ones in their order (migrations = [\"first.sql\", …]), set migrate-cmd to that program, or use a dump of the schema \
             (pg_dump --schema-only)"
                .to_owned(),
        ),
        (UNDEFINED_FUNCTION, _) if newer_function(message).is_some() => {
            newer_function(message).map(|(name, major)| {
                format!(
                    "{name} is PostgreSQL's own from {major} on: name production's major version in pgproof.toml, [server] version = \
                     \"{major}\""
                )
            })
        }
        (UNDEFINED_OBJECT | UNDEFINED_FUNCTION, _) if !missing.is_empty() =>
        {
            let called_so = |name: &&String| quoted(message) == Some(name.as_str());
            let named: Vec<&String> = match missing.iter().find(called_so) {
                Some(name) => vec![name],
                None => missing.iter().collect(),
            };
            Some(format!(
                "an extension that this server does not have may hold it: {}",
                named
                    .iter()
                    .map(|name| install(name))
                    .collect::<Vec<_>>()
                    .join("; ")
            ))
        }
        (SYNTAX_ERROR, Some("$" | ":" | "{" | "%")) => Some(
            "a placeholder (${…}, :name, {{…}}) stands here: the project's own tool fills it in before it sends the file. Set migrate-cmd in pgproof.toml to \
             that tool (it finds the database in DATABASE_URL), or `migrations` to a dump of the schema (pg_dump --schema-only)"
                .to_owned(),
        ),
        (SYNTAX_ERROR, _) => Some(
            "where production's server is newer and takes it, name its major version in pgproof.toml: [server] version = \"18\""
                .to_owned(),
        ),
        _ => None,
    }
}

/// What to do where a refused statement reads settings of the project's own: whoever applies it sets them before.
pub(in crate::db) fn settings_remedy(statement: &str) -> Option<String> {
    let names = own_settings(statement);
    let first = names.first()?;
    Some(format!(
        "it reads settings that the project's own program sets before it migrates: {}. Write them into pgproof.toml ([server] settings = \
         {{ \"{first}\" = \"…\" }}), set migrate-cmd to that program, or `migrations` to a dump of the schema (pg_dump --schema-only)",
        names.join(", ")
    ))
}

/// The names with a dot in `current_setting('app.tenant')`, each once.
fn own_settings(statement: &str) -> Vec<String> {
    let lower = statement.to_ascii_lowercase();
    let mut names: Vec<String> = Vec::new();
    for (at, word) in lower.match_indices("current_setting") {
        let rest = lower[at + word.len()..].trim_start();
        let quoted = rest.strip_prefix('(').map(str::trim_start);
        let name = quoted
            .and_then(|rest| rest.strip_prefix('\''))
            .and_then(|rest| rest.split('\'').next());
        if let Some(name) = name.filter(|name| name.contains('.'))
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// Functions that scripts use and the oldest supported server lacks, with the major that brought them (release notes of each).
const NEWER_FUNCTIONS: [(&str, u16); 12] = [
    ("uuidv7", 18),
    ("uuidv4", 18),
    ("uuid_extract_timestamp", 17),
    ("uuid_extract_version", 17),
    ("casefold", 18),
    ("array_sort", 18),
    ("array_reverse", 18),
    ("any_value", 16),
    ("random_normal", 16),
    ("array_shuffle", 16),
    ("array_sample", 16),
    ("regexp_like", 15),
];

/// Of `function uuidv7() does not exist`.
fn newer_function(message: &str) -> Option<(&'static str, u16)> {
    let name = message.strip_prefix("function ")?.split('(').next()?;
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    NEWER_FUNCTIONS
        .into_iter()
        .find(|(known, _)| *known == name)
}

const FEATURE_NOT_SUPPORTED: &str = "0A000";
const DUPLICATE_COLUMN: &str = "42701";
const DUPLICATE_TABLE: &str = "42P07";
const DUPLICATE_OBJECT: &str = "42710";
const UNDEFINED_FILE: &str = "58P01";
pub(super) const UNDEFINED_OBJECT: &str = "42704";
const UNDEFINED_FUNCTION: &str = "42883";
const UNDEFINED_TABLE: &str = "42P01";
const UNDEFINED_SCHEMA: &str = "3F000";
const SYNTAX_ERROR: &str = "42601";

fn install(extension: &str) -> String {
    format!(
        "install {extension} for this server's version (Debian and Ubuntu: apt-cache search postgresql | grep {extension}), name \
         a server that has it with [server] bin, or work on a database that has it with --database-url"
    )
}

/// The first text in double quotes.
fn quoted(message: &str) -> Option<&str> {
    message.split('"').nth(1)
}

/// Types of SQLite, MySQL, SQL Server and Oracle.
fn is_foreign(name: &str) -> bool {
    const TYPES: [&str; 16] = [
        "blob",
        "datetime",
        "tinyint",
        "mediumint",
        "nvarchar",
        "nvarchar2",
        "varchar2",
        "number",
        "longtext",
        "mediumtext",
        "tinytext",
        "longblob",
        "clob",
        "double",
        "unsigned",
        "uniqueidentifier",
    ];
    TYPES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_a_program_makes_are_named() {
        let sql = "DO $$ DECLARE a text[] = current_setting('Shop.parts', true)::text[]; b text = Current_Setting ( 'shop.kind' ); \
                   c text = current_setting('shop.parts'); d text = current_setting('work_mem'); BEGIN END $$";
        assert_eq!(own_settings(sql), ["shop.parts", "shop.kind"]);
        let remedy = settings_remedy(sql).unwrap();
        assert!(
            remedy.contains("\"shop.parts\" = ") && remedy.contains("migrate-cmd"),
            "{remedy}"
        );
        assert_eq!(settings_remedy("SELECT current_setting('work_mem')"), None);
    }

    #[test]
    fn what_is_lacking_has_a_remedy() {
        let of = |code: &str, message: &str| remedy(code, message, &[]);
        assert!(
            of("0A000", "ICU is not supported in this build")
                .is_some_and(|text| text.contains("system's packages"))
        );
        assert!(
            of("42883", "function uuidv7() does not exist")
                .is_some_and(|text| text.contains("version = \"18\""))
        );
        assert_eq!(of("42883", "function my_uuid() does not exist"), None);
        assert_eq!(of("0A000", "cannot use subquery in check constraint"), None);
        assert!(
            of(SYNTAX_ERROR, "syntax error at or near \"$\"")
                .is_some_and(|text| text.contains("placeholder"))
        );
        let role = of(UNDEFINED_OBJECT, "role \"anon\" does not exist").unwrap();
        assert!(role.contains("roles = [\"anon\"]"), "{role}");
        let foreign = of(UNDEFINED_OBJECT, "type \"blob\" does not exist").unwrap();
        assert!(
            foreign.contains("another database") && foreign.contains("migrate-cmd"),
            "{foreign}"
        );
        let extension = of("0A000", "extension \"postgis\" is not available").unwrap();
        assert!(extension.contains("install postgis"), "{extension}");
        let own = remedy(
            UNDEFINED_OBJECT,
            "type \"geometry\" does not exist",
            &["postgis".to_owned()],
        )
        .unwrap();
        assert!(own.contains("install postgis"), "{own}");
        let all = ["http".to_owned(), "vector".to_owned()];
        let own = remedy(UNDEFINED_OBJECT, "type \"vector\" does not exist", &all).unwrap();
        assert!(
            own.contains("install vector") && !own.contains("install http"),
            "{own}"
        );
        assert_eq!(of(UNDEFINED_OBJECT, "type \"mood\" does not exist"), None);
        let table = of(UNDEFINED_TABLE, "relation \"realm\" does not exist").unwrap();
        assert!(table.contains("do not make it"), "{table}");
        let twice = of("42701", "column \"a\" of relation \"b\" already exists").unwrap();
        assert!(twice.contains("not all meant for one database"), "{twice}");
        let library = of(
            "58P01",
            "could not load library \"/x/uuid-ossp.so\": libossp-uuid.so.16",
        );
        assert!(library.is_some_and(|text| text.contains("library of the system")));
        assert_eq!(of("23505", "duplicate key value"), None);
    }
}
