//! New migrations in the layout of a directory: the files that its tool would apply next, with what undoes them. Each tool's
//! rules are those by which its directory is read, and what is written here is read back before anything is on the disk.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::tree::Tree;
use super::version::Versions;
use super::{History, Layout, MigrationsError, history};
use crate::advise::changes::{Change, Step, words};
use crate::source::Source;
use crate::units::UnixSeconds;

/// A file that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Below the project's directory.
    pub path: PathBuf,
    pub text: String,
}

/// Migrations to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMigrations {
    pub files: Vec<NewFile>,
    /// What else the tool requires.
    pub note: Option<&'static str>,
}

/// Why no migration can be written.
#[derive(Debug, thiserror::Error)]
pub enum NewFilesError {
    #[error("{layout} migrations cannot be written: {reason}")]
    Layout {
        layout: Layout,
        reason: &'static str,
    },
    #[error("the directory would not read as it should with the new migrations: {0}")]
    Misread(String),
    #[error(transparent)]
    Migrations(#[from] MigrationsError),
}

/// How a layout takes statements that run outside a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Any number in one file, sent one by one.
    OneFile,
    /// One file of such statements, others in another.
    OneFileOfAKind,
    /// Each in a migration of its own.
    OneEach,
    /// Nowhere: everything runs in a transaction.
    Nowhere,
}

/// The files for a list of changes.
///
/// # Errors
/// A layout that new files do not extend, or a directory that they would not fit in.
pub fn new_migrations(
    tree: &Tree,
    own: &History,
    changes: &[Change],
    now: UnixSeconds,
) -> Result<NewMigrations, NewFilesError> {
    let layout = own.layout;
    let room = room(layout)?;
    let mut versions = Versions::after(own, now).ok_or(NewFilesError::Layout {
        layout,
        reason: "the versions of its files are no numbers that a next one follows",
    })?;
    let writer = Writer::new(tree, own);
    let files: Vec<NewFile> = bundles(changes, room)
        .iter()
        .flat_map(|bundle| writer.files(&versions.next(), bundle))
        .collect();
    read_back(tree, own, &files, changes, room)?;
    Ok(NewMigrations {
        files,
        note: note(layout),
    })
}

fn room(layout: Layout) -> Result<Room, NewFilesError> {
    let refused = |reason| Err(NewFilesError::Layout { layout, reason });
    match layout {
        Layout::Goose | Layout::SqlMigrate | Layout::Atlas | Layout::Tern | Layout::Liquibase => {
            Ok(Room::OneFile)
        }
        Layout::Flyway => Ok(Room::OneFileOfAKind),
        Layout::Sqlx
        | Layout::GolangMigrate
        | Layout::Diesel
        | Layout::Dbmate
        | Layout::Prisma
        | Layout::Hasura
        | Layout::Supabase => Ok(Room::OneEach),
        Layout::Refinery | Layout::NodePgMigrate => Ok(Room::Nowhere),
        Layout::Drizzle => refused(
            "its journal lists them: `drizzle-kit generate --custom` makes an empty one, and `--format sql` the statements",
        ),
        Layout::SchemaFile => {
            refused("a schema file has none; `--format sql` gives the statements")
        }
        Layout::Command => {
            refused("a program owns them (migrate-cmd); `--format sql` gives the statements")
        }
    }
}

fn note(layout: Layout) -> Option<&'static str> {
    match layout {
        Layout::Atlas => Some("run `atlas migrate hash`, so that atlas.sum knows the file"),
        Layout::Flyway => Some(
            "Flyway's own lock is a transaction that CONCURRENTLY waits for: set flyway.postgresql.transactional.lock=false",
        ),
        Layout::Refinery | Layout::NodePgMigrate => Some(
            "its tool runs every migration in a transaction, where CONCURRENTLY cannot run: on tables in use run the statements of \
             `--format sql` first, and the migration finds the indexes there",
        ),
        _ => None,
    }
}

/// The steps of one migration.
#[derive(Debug, Clone, Default)]
struct Bundle<'a> {
    title: String,
    reasons: Vec<&'a str>,
    steps: Vec<&'a Step>,
}

impl Bundle<'_> {
    fn runs_alone(&self) -> bool {
        self.steps.iter().any(|step| step.runs_alone())
    }
}

fn bundles(changes: &[Change], room: Room) -> Vec<Bundle<'_>> {
    let mut bundles: Vec<Bundle<'_>> = Vec::new();
    for change in changes {
        let steps = match room {
            Room::Nowhere => &change.in_transaction,
            Room::OneFile | Room::OneFileOfAKind | Room::OneEach => &change.online,
        };
        for (at, step) in steps.iter().enumerate() {
            let fits = bundles.last().is_some_and(|last| match room {
                Room::OneFile | Room::Nowhere => true,
                Room::OneFileOfAKind => last.runs_alone() == step.runs_alone(),
                Room::OneEach => !last.runs_alone() && !step.runs_alone(),
            });
            if !fits {
                bundles.push(Bundle::default());
            }
            let Some(bundle) = bundles.last_mut() else {
                continue;
            };
            bundle.steps.push(step);
            let title = match at {
                0 => words(&change.title),
                _ => format!("{}_{}", words(&change.title), at + 1),
            };
            match bundle.title.is_empty() {
                true => bundle.title = title,
                false if bundle.title == title => {}
                false => "pgproof_fixes".clone_into(&mut bundle.title),
            }
            for reason in &change.reasons {
                if !bundle.reasons.contains(&reason.as_str()) {
                    bundle.reasons.push(reason);
                }
            }
        }
    }
    bundles
}

/// Where the files of a directory stand, and how they are called.
struct Writer {
    layout: Layout,
    directory: PathBuf,
    /// sqlx: `N_x.up.sql` and `N_x.down.sql`. Flyway: `U1__x.sql`.
    has_ways_back: bool,
}

impl Writer {
    fn new(tree: &Tree, own: &History) -> Self {
        let newest = own
            .migrations
            .iter()
            .rev()
            .find(|migration| !migration.version.is_empty());
        let file = newest.map_or(tree.root.as_path(), |migration| {
            migration.up.source.path.as_path()
        });
        let parent = file.parent().unwrap_or(&tree.root);
        let directory = match own.layout {
            Layout::Diesel | Layout::Hasura | Layout::Prisma => parent.parent().unwrap_or(parent),
            _ => parent,
        };
        let mut ups = own.migrations.iter().map(|migration| &migration.up.source);
        let has_ways_back = match own.layout {
            Layout::Sqlx => ups.any(|up| up.path.to_string_lossy().ends_with(".up.sql")),
            Layout::Flyway => own
                .migrations
                .iter()
                .any(|migration| migration.down.is_some()),
            _ => true,
        };
        Self {
            layout: own.layout,
            directory: directory.to_path_buf(),
            has_ways_back,
        }
    }

    fn files(&self, version: &str, bundle: &Bundle<'_>) -> Vec<NewFile> {
        let stem = format!("{version}_{}", short(&bundle.title));
        let file = |name: &str, text: String| NewFile {
            path: self.directory.join(name),
            text,
        };
        let alone = bundle.runs_alone();
        let (up, down) = (up(bundle), down(bundle));
        let head = |mark: &str| {
            if alone {
                format!("{mark}\n")
            } else {
                String::new()
            }
        };
        match self.layout {
            Layout::Sqlx if !self.has_ways_back => {
                let text = head("-- no-transaction") + &up + &commented(&down);
                vec![file(&format!("{stem}.sql"), text)]
            }
            Layout::Sqlx => vec![
                file(&format!("{stem}.up.sql"), head("-- no-transaction") + &up),
                file(
                    &format!("{stem}.down.sql"),
                    head("-- no-transaction") + &down,
                ),
            ],
            Layout::GolangMigrate => vec![
                file(&format!("{stem}.up.sql"), up),
                file(&format!("{stem}.down.sql"), down),
            ],
            Layout::Diesel | Layout::Hasura => {
                let mut files = vec![
                    file(&format!("{stem}/up.sql"), up),
                    file(&format!("{stem}/down.sql"), down),
                ];
                if alone && self.layout == Layout::Diesel {
                    let text = "run_in_transaction = false\n".to_owned();
                    files.push(file(&format!("{stem}/metadata.toml"), text));
                }
                files
            }
            Layout::Prisma => vec![file(
                &format!("{stem}/migration.sql"),
                up + &commented(&down),
            )],
            Layout::Goose => {
                let text = head("-- +goose NO TRANSACTION")
                    + &format!("-- +goose Up\n{up}\n-- +goose Down\n{down}");
                vec![file(&format!("{stem}.sql"), text)]
            }
            Layout::SqlMigrate => {
                let option = if alone { " notransaction" } else { "" };
                let text =
                    format!("-- +migrate Up{option}\n{up}\n-- +migrate Down{option}\n{down}");
                vec![file(&format!("{stem}.sql"), text)]
            }
            Layout::Dbmate => {
                let option = if alone { " transaction:false" } else { "" };
                let text = format!("-- migrate:up{option}\n{up}\n-- migrate:down{option}\n{down}");
                vec![file(&format!("{stem}.sql"), text)]
            }
            Layout::Atlas => {
                let text = head("-- atlas:txmode none\n") + &up + &commented(&down);
                vec![file(&format!("{stem}.sql"), text)]
            }
            Layout::Tern => {
                let text = head("---- tern: disable-tx ----")
                    + &format!("{up}\n{}\n{down}", super::tern::SEPARATOR);
                vec![file(&format!("{stem}.sql"), text)]
            }
            Layout::Flyway => {
                let name = |prefix| format!("{prefix}{version}__{}.sql", short(&bundle.title));
                let mut files = vec![file(&name('V'), up)];
                if self.has_ways_back {
                    files.push(file(&name('U'), down));
                }
                files
            }
            Layout::Refinery => {
                let name = format!("V{version}__{}.sql", short(&bundle.title));
                vec![file(&name, up)]
            }
            Layout::Liquibase => vec![file(&format!("{stem}.sql"), changesets(version, bundle))],
            Layout::NodePgMigrate => {
                let text = format!("-- Up Migration\n{up}\n-- Down Migration\n{down}");
                vec![file(&format!("{stem}.sql"), text)]
            }
            // A supabase migration has no way back; the others were refused.
            Layout::Supabase | Layout::Drizzle | Layout::SchemaFile | Layout::Command => {
                vec![file(&format!("{stem}.sql"), up + &commented(&down))]
            }
        }
    }
}

/// File names have 255 bytes, and people read them.
fn short(title: &str) -> &str {
    const MOST: usize = 80;
    title.get(..MOST).unwrap_or(title)
}

fn up(bundle: &Bundle<'_>) -> String {
    let mut text = String::new();
    for reason in &bundle.reasons {
        let _ = writeln!(text, "-- {}", one_line(reason));
    }
    for step in &bundle.steps {
        let _ = writeln!(text, "{};", step.up);
    }
    text
}

/// In the other direction, from the last one. Some tools refuse a file without a statement.
fn down(bundle: &Bundle<'_>) -> String {
    let undone = bundle
        .steps
        .iter()
        .rev()
        .filter_map(|step| step.down.as_deref());
    let text = String::from_iter(undone.map(|sql| format!("{sql};\n")));
    match text.is_empty() {
        true => "SELECT 1; -- undone with the migration before it, or left as it is\n".to_owned(),
        false => text,
    }
}

fn commented(down: &str) -> String {
    let lines = down
        .lines()
        .filter(|line| !line.starts_with("SELECT 1"))
        .map(|line| format!("-- {line}\n"));
    let lines = String::from_iter(lines);
    match lines.is_empty() {
        true => String::new(),
        false => format!("\n-- Taken back by:\n{lines}"),
    }
}

fn changesets(version: &str, bundle: &Bundle<'_>) -> String {
    let mut text = format!("{}\n", super::liquibase::HEADER);
    for reason in &bundle.reasons {
        let _ = writeln!(text, "-- {}", one_line(reason));
    }
    for (at, step) in bundle.steps.iter().enumerate() {
        let option = if step.runs_alone() {
            " runInTransaction:false"
        } else {
            ""
        };
        let back = step.down.as_deref().unwrap_or("empty");
        let _ = writeln!(
            text,
            "\n--changeset pgproof:{version}-{}{option}\n{};\n--rollback {}",
            at + 1,
            step.up,
            one_line(back)
        );
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads the directory with the new files in it: each statement must be there, behind all that was, and none that refuses a
/// transaction in one.
fn read_back(
    tree: &Tree,
    own: &History,
    files: &[NewFile],
    changes: &[Change],
    room: Room,
) -> Result<(), NewFilesError> {
    let misread = |text: String| Err(NewFilesError::Misread(text));
    let mut all = tree.files.clone();
    for file in files {
        if all.iter().any(|known| known.path == file.path) {
            return misread(format!("{} is there already", file.path.display()));
        }
        all.push(Source::new(&file.path, file.text.as_str()));
    }
    let whole = Tree::new(
        &tree.root,
        tree.is_file,
        all,
        tree.cargo_project,
        tree.go_project,
    );
    let read = history(&whole, Some(own.layout))?;
    let is_new = |path: &Path| files.iter().any(|file| file.path == path);
    let versioned = read
        .migrations
        .iter()
        .filter(|migration| !migration.version.is_empty());
    let new: Vec<_> = versioned
        .skip_while(|migration| !is_new(&migration.up.source.path))
        .collect();
    if let Some(other) = new
        .iter()
        .find(|migration| !is_new(&migration.up.source.path))
    {
        return misread(format!("{} comes after them", other.version));
    }
    let mut statements = Vec::new();
    for migration in &new {
        let up = &migration.up;
        for (statement, transaction) in up.statements.iter().zip(up.transactions()) {
            let sql = statement.sql.as_str();
            let step = Step {
                up: sql.to_owned(),
                down: None,
            };
            if transaction.is_some() && step.runs_alone() {
                return misread(format!("`{sql}` would run in a transaction"));
            }
            statements.push(sql);
        }
    }
    let bundles = bundles(changes, room);
    let meant = bundles
        .iter()
        .flat_map(|bundle| &bundle.steps)
        .map(|step| step.up.as_str());
    match statements.iter().copied().eq(meant) {
        true => Ok(()),
        false => misread("their statements are not read as they are meant".to_owned()),
    }
}

#[cfg(test)]
mod tests;
