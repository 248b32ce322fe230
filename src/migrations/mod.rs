//! A migrations directory of any tool, read into scripts and statements with that tool's transaction rules. The layouts
//! are pure: they see a [`Tree`] of files, which [`Tree::read`] takes from disk (or git, elsewhere). Nothing here speaks
//! to a server.

mod atlas;
mod command;
mod dbmate;
mod diesel;
mod drizzle;
mod goose;
mod layout;
mod liquibase;
mod new_files;
mod node_pg_migrate;
mod own_table;
mod prisma;
mod sections;
mod sql_migrate;
mod statements;
mod tern;
mod transactions;
mod tree;
mod up_down;
mod version;
mod versioned;

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::source::{Source, SourceError};

pub use command::{MigrateCommand, Program, command_history};
pub use layout::{Layout, UnknownLayout};
pub use new_files::{NewFile, NewFilesError, NewMigrations, new_migrations};
pub use own_table::{own_table, own_table_of_queries, platform};
pub use tree::Tree;

/// How a tool runs a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionRule {
    /// The tool opens a transaction around the file.
    File,
    /// The tool sends the file in one message, which the server runs as one implicit transaction.
    Message,
    /// The tool sends each statement by itself, outside a transaction.
    Statement,
}

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Without its semicolon and the comments around it.
    pub sql: String,
    /// Bytes in the file.
    pub span: Range<usize>,
    /// 1-based line of its first token.
    pub line: u32,
}

impl Statement {
    /// BEGIN, COMMIT and the like: the script itself says where its transactions are.
    #[must_use]
    pub fn controls_transaction(&self) -> bool {
        let first = self
            .sql
            .split(|c: char| !c.is_ascii_alphabetic())
            .next()
            .unwrap_or("");
        ["begin", "start", "commit", "end", "rollback", "abort"]
            .iter()
            .any(|word| first.eq_ignore_ascii_case(word))
            && !self.sql.to_ascii_lowercase().starts_with("rollback to")
    }
}

/// What is run in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file.
    pub source: Source,
    /// In order.
    pub statements: Vec<Statement>,
    /// How the owning tool runs it.
    pub transaction: TransactionRule,
    /// Set where a program does it: then the only statement is its command line.
    pub program: Option<Program>,
}

impl Script {
    /// What really happens: a script with its own BEGIN and COMMIT, or of one statement, needs no transaction around it.
    #[must_use]
    pub fn in_one_transaction(&self) -> bool {
        match self.transaction {
            TransactionRule::File => true,
            TransactionRule::Message => {
                self.statements.len() > 1
                    && !self.statements.iter().any(Statement::controls_transaction)
            }
            TransactionRule::Statement => false,
        }
    }
}

/// One step of the schema's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// As the tool orders it: `0007`, `20250102030405`, `1.2`; empty for a repeatable one.
    pub version: String,
    /// What people call it.
    pub name: String,
    /// Forward.
    pub up: Script,
    /// Back, where there is a script for it.
    pub down: Option<Script>,
}

/// A directory read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Whose layout it is.
    pub layout: Layout,
    /// What it was recognized by: shown to the user.
    pub because: String,
    /// In the order in which they are applied; never empty.
    pub migrations: Vec<Migration>,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MigrationsError {
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        path: PathBuf,
        reason: std::io::Error,
    },
    #[error("{} holds no migration: {reason}", path.display())]
    Empty { path: PathBuf, reason: String },
    #[error("{}: two migrations have version {version}: {first} and {second}", path.display())]
    DuplicateVersion {
        path: PathBuf,
        version: String,
        first: String,
        second: String,
    },
    #[error("there is no migration {wanted:?} in {}; the versions are {known}", path.display())]
    UnknownVersion {
        path: PathBuf,
        wanted: String,
        known: String,
    },
    #[error(transparent)]
    Script(#[from] SourceError),
}

/// Reads a tree by a given layout, or by the one that it shows.
///
/// # Errors
/// A tree that yields no migration, two of one version, a script that cannot be split.
pub fn history(tree: &Tree, layout: Option<Layout>) -> Result<History, MigrationsError> {
    // Files that only look like sqlx's, in no Rust project, are some program's own, and it may number two alike.
    let may_share_versions = layout.is_none() && !tree.cargo_project;
    let (layout, because) = match layout {
        Some(layout) => (layout, "set in the configuration".to_owned()),
        None => detect(tree).ok_or_else(|| unrecognized(tree))?,
    };
    let migrations = match layout {
        Layout::Sqlx | Layout::GolangMigrate => up_down::read(tree, layout)?,
        Layout::Diesel => diesel::read(tree)?,
        Layout::Goose => goose::read(tree)?,
        Layout::Refinery | Layout::Flyway => versioned::read(tree, layout)?,
        Layout::SqlMigrate => sql_migrate::read(tree)?,
        Layout::Dbmate => dbmate::read(tree)?,
        Layout::Prisma => prisma::read(tree)?,
        Layout::Atlas => atlas::read(tree)?,
        Layout::Drizzle => drizzle::read(tree)?,
        Layout::Hasura => diesel::read_hasura(tree)?,
        Layout::Supabase => up_down::read(tree, layout)?,
        Layout::Tern => tern::read(tree)?,
        Layout::Liquibase => liquibase::read(tree)?,
        Layout::NodePgMigrate => node_pg_migrate::read(tree)?,
        Layout::SchemaFile => schema_file(tree)?,
        // Only `command_history` makes one.
        Layout::Command => Vec::new(),
    };
    if migrations.is_empty() {
        let reason = format!(
            "no file fits the {layout} layout ({because}); {}",
            seen(tree)
        );
        return Err(MigrationsError::Empty {
            path: tree.root.clone(),
            reason,
        });
    }
    let mut twice = migrations
        .windows(2)
        .filter(|pair| same_version(&pair[0].version, &pair[1].version));
    let twice = twice.next();
    let is_some_programs =
        may_share_versions && matches!(layout, Layout::Sqlx | Layout::GolangMigrate);
    let is_marked = |one: &Migration| one.up.source.text.contains(OUTSIDE_TRANSACTION);
    if is_some_programs && (twice.is_some() || migrations.iter().any(is_marked)) {
        return Ok(by_name(tree, migrations));
    }
    if let Some(pair) = twice {
        return Err(MigrationsError::DuplicateVersion {
            path: tree.root.clone(),
            version: pair[0].version.clone(),
            first: pair[0].up.source.path.display().to_string(),
            second: pair[1].up.source.path.display().to_string(),
        });
    }
    Ok(History {
        layout,
        because,
        migrations,
    })
}

/// In a file of the library postgres-migrations: it runs without a transaction.
const OUTSIDE_TRANSACTION: &str = "postgres-migrations disable-transaction";

/// Files of a program that numbers two of them alike, or has marks of its own: the schema in the order of their names.
fn by_name(tree: &Tree, mut migrations: Vec<Migration>) -> History {
    migrations.sort_by(|a, b| {
        let name = |migration: &Migration| tree.name(&migration.up.source);
        (by_number(&a.version), name(a)).cmp(&(by_number(&b.version), name(b)))
    });
    for migration in &mut migrations {
        if migration.up.source.text.contains(OUTSIDE_TRANSACTION) {
            migration.up.transaction = TransactionRule::Statement;
        }
    }
    History {
        layout: Layout::SchemaFile,
        because: "numbered files of a program of the project's own".to_owned(),
        migrations,
    }
}

/// The layout that the files show, and by what.
fn detect(tree: &Tree) -> Option<(Layout, String)> {
    if tree.is_file {
        return Some((Layout::SchemaFile, "it is one file".to_owned()));
    }
    let in_folder = |name: &str| {
        tree.files
            .iter()
            .any(|file| tree.depth(file) == 1 && tree.name(file) == name)
    };
    if in_folder("migration.sql") {
        return Some((Layout::Prisma, "folders with migration.sql".to_owned()));
    }
    if in_folder("up.sql") {
        return Some(diesel::detect(tree));
    }
    if let Some(found) = drizzle::detect(tree).or_else(|| atlas::detect(tree)) {
        return Some(found);
    }
    let marked = |mark: &str| {
        tree.top_level().find(|file| {
            file.text
                .lines()
                .any(|line| line.trim_start().starts_with(mark))
        })
    };
    if let Some(file) = marked("-- +goose") {
        return Some((Layout::Goose, format!("-- +goose in {}", tree.name(file))));
    }
    if let Some(file) = marked("-- +migrate") {
        return Some((
            Layout::SqlMigrate,
            format!("-- +migrate in {}", tree.name(file)),
        ));
    }
    if let Some(file) = marked("-- migrate:up") {
        return Some((
            Layout::Dbmate,
            format!("-- migrate:up in {}", tree.name(file)),
        ));
    }
    if let Some(file) = marked(liquibase::HEADER) {
        return Some((
            Layout::Liquibase,
            format!("{} in {}", liquibase::HEADER, tree.name(file)),
        ));
    }
    if let Some(found) = node_pg_migrate::detect(tree) {
        return Some(found);
    }
    if let Some(file) = marked(tern::SEPARATOR) {
        return Some((
            Layout::Tern,
            format!("{} in {}", tern::SEPARATOR, tree.name(file)),
        ));
    }
    versioned::detect(tree).or_else(|| up_down::detect(tree))
}

fn unrecognized(tree: &Tree) -> MigrationsError {
    let reason = format!(
        "{}; set migrations = {{ dir = \"…\", layout = \"…\" }} or migrate-cmd in pgproof.toml",
        seen(tree)
    );
    MigrationsError::Empty {
        path: tree.root.clone(),
        reason,
    }
}

fn seen(tree: &Tree) -> String {
    let names: Vec<String> = tree
        .files
        .iter()
        .take(3)
        .map(|file| tree.relative(file))
        .collect();
    match tree.files.len() {
        0 => "it has no .sql file".to_owned(),
        n if n > 3 => format!("it has {} and {} more", names.join(", "), n - 3),
        _ => format!("it has {}", names.join(", ")),
    }
}

fn schema_file(tree: &Tree) -> Result<Vec<Migration>, MigrationsError> {
    tree.files
        .iter()
        .enumerate()
        .map(|(n, source)| {
            let all = 0..source.text.len();
            let statements = statements::split(source, all, statements::CopyRows::PassedOver)?;
            let up = Script {
                source: source.clone(),
                statements: without_queries(source, statements),
                transaction: TransactionRule::Statement,
                program: None,
            };
            let name = source
                .path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
            Ok(Migration {
                version: (n + 1).to_string(),
                name,
                up,
                down: None,
            })
        })
        .collect()
}

/// A schema file may hold queries, too, each under sqlc's header: those are for the catalog.
fn without_queries(source: &Source, statements: Vec<Statement>) -> Vec<Statement> {
    let mut end = 0;
    let mut kept = Vec::with_capacity(statements.len());
    for statement in statements {
        let before = source
            .text
            .get(end..statement.span.start)
            .unwrap_or_default();
        end = statement.span.end;
        let is_query = before.lines().any(|line| {
            let comment = line.trim_start().strip_prefix("--");
            comment.is_some_and(|comment| comment.trim_start().starts_with("name:"))
        });
        if !is_query {
            kept.push(statement);
        }
    }
    kept
}

/// SQL that is run by hand after a migration: statement by statement, outside a transaction, as psql does. A way back need not
/// undo it.
///
/// # Errors
/// A file that cannot be split.
pub fn manual_step(source: &Source, version: &str) -> Result<Migration, SourceError> {
    let up = script(source, TransactionRule::Statement)?;
    Ok(Migration {
        version: version.to_owned(),
        name: "by hand".to_owned(),
        down: Some(Script {
            statements: Vec::new(),
            ..up.clone()
        }),
        up,
    })
}

/// Whether two versions are one, written with or without leading zeros.
#[must_use]
pub fn is_version(a: &str, b: &str) -> bool {
    same_version(a, b)
}

/// A whole file as a script.
fn script(source: &Source, transaction: TransactionRule) -> Result<Script, SourceError> {
    Ok(Script {
        source: source.clone(),
        statements: statements::split_range(source, 0..source.text.len())?,
        transaction,
        program: None,
    })
}

/// `0007_orders` → (`0007`, `orders`); the digits are the version.
fn leading_version(name: &str) -> Option<(&str, &str)> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let (version, rest) = name.split_at(digits);
    let rest = rest.strip_prefix('_').or_else(|| rest.strip_prefix('-'))?;
    (!version.is_empty()).then_some((version, rest))
}

/// Numbers compare as numbers however many zeros they have.
fn by_number(version: &str) -> (usize, &str) {
    let significant = version.trim_start_matches('0');
    (significant.len(), significant)
}

/// Whether two versions are one: `0007` is `7`. Repeatable migrations have none.
fn same_version(a: &str, b: &str) -> bool {
    let number = |version: &str| version.bytes().all(|byte| byte.is_ascii_digit());
    !a.is_empty()
        && (a == b || (!b.is_empty() && number(a) && number(b) && by_number(a) == by_number(b)))
}

impl History {
    /// How many migrations there are up to and including a version, written with or without its leading zeros.
    ///
    /// # Errors
    /// A version that no migration has.
    pub fn position(
        &self,
        version: &str,
        root: &std::path::Path,
    ) -> Result<usize, MigrationsError> {
        self.migrations
            .iter()
            .position(|migration| same_version(&migration.version, version))
            .map(|at| at + 1)
            .ok_or_else(|| {
                let known: Vec<&str> = self.migrations.iter().map(|m| m.version.as_str()).collect();
                MigrationsError::UnknownVersion {
                    path: root.to_path_buf(),
                    wanted: version.to_owned(),
                    known: known.join(", "),
                }
            })
    }
}
