//! Folders of SQL migrations, of any tool whose layout pgproof reads: Atlas, dbmate, diesel, Drizzle, Flyway, golang-migrate,
//! goose, Hasura, Liquibase, node-pg-migrate, Prisma, refinery, sql-migrate, sqlx, Supabase, tern.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::schema_file::is_foreign;
use crate::migrations::{self, Layout, MigrationsError, Tree};
use crate::repository::listing::folder;
use crate::repository::{Found, Listing, SchemaSource, is_aside, names_postgres, tables};
use crate::source::SourceError;

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut folders: BTreeSet<PathBuf> = listing.files().filter_map(migrations_folder).collect();
    join_nested(listing, &mut folders);
    let releases = by_release(&mut folders);
    let trees = numbered_trees(listing);
    folders.retain(|path| !trees.iter().any(|(tree, _)| path.starts_with(tree)));
    folders
        .into_iter()
        .filter_map(|path| of_folder(listing, &path))
        .chain(
            releases
                .iter()
                .filter_map(|releases| of_releases(listing, releases)),
        )
        .chain(
            trees
                .iter()
                .filter_map(|(path, files)| of_files(listing, TREE, path, files.clone())),
        )
        .collect()
}

/// Flyway looks into the folders below its locations, too: `V1__a.sql` and `V2__b.sql` in folders beside each other are one
/// schema, unless each folder is for another database or they number alike.
fn join_nested(listing: &Listing, folders: &mut BTreeSet<PathBuf>) {
    let mut above: BTreeMap<PathBuf, Vec<(PathBuf, Vec<String>)>> = BTreeMap::new();
    for path in folders.iter() {
        let location = path.ancestors().skip(1).take(2).find(|above| {
            let name = above.file_name().unwrap_or_default().to_string_lossy();
            name.to_ascii_lowercase().contains("migrat")
        });
        let versions = versions_of(listing, path);
        if let (Some(location), Some(versions)) = (location, versions) {
            let parts = above.entry(location.to_path_buf()).or_default();
            parts.push((path.clone(), versions));
        }
    }
    for (location, parts) in above {
        let mut seen = BTreeSet::new();
        let is_new = |version: &String| seen.insert(version.clone());
        let are_new = parts.iter().flat_map(|(_, all)| all).all(is_new);
        let is_for_one = |(path, _): &(PathBuf, Vec<String>)| {
            let below = path.strip_prefix(&location).unwrap_or(path);
            is_aside(below) || names_postgres(below)
        };
        if parts.len() > 1 && are_new && !parts.iter().any(is_for_one) {
            folders.retain(|path| !parts.iter().any(|(part, _)| part == path));
            folders.insert(location);
        }
    }
}

/// The versions of a folder of Flyway's files; `None` where it holds another SQL file, or none.
fn versions_of(listing: &Listing, path: &Path) -> Option<Vec<String>> {
    let files = listing
        .files()
        .filter(|file| folder(file) == path && file.extension().is_some_and(|own| own == "sql"));
    let version = |file: &Path| {
        let name = file.file_name()?.to_str()?;
        let (version, _) = name.split_once("__")?;
        let is_flyways = version.starts_with(['V', 'R', 'U']);
        // Repeatable files have no version: their names tell them apart.
        let key = if version == "R" { name } else { version };
        is_flyways.then(|| key.to_owned())
    };
    let versions: Option<Vec<String>> = files.map(version).collect();
    versions.filter(|versions| !versions.is_empty())
}

/// Takes out folders that hold one release each (`0.9`, `0.10`, `v1.2`) and returns them by the folder above: alone, none of
/// them is a schema.
fn by_release(folders: &mut BTreeSet<PathBuf>) -> Vec<Vec<PathBuf>> {
    let mut above: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in folders.iter().filter(|path| release(path).is_some()) {
        above
            .entry(folder(path).to_path_buf())
            .or_default()
            .push(path.clone());
    }
    let mut all: Vec<Vec<PathBuf>> = above
        .into_values()
        .filter(|paths| paths.len() > 1)
        .collect();
    for paths in &mut all {
        paths.sort_by_key(|path| release(path));
        folders.retain(|path| !paths.contains(path));
    }
    all
}

/// `v1.10` → `[1, 10]`.
fn release(path: &Path) -> Option<Vec<u32>> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_prefix(['v', 'V']).unwrap_or(name);
    let numbers: Option<Vec<u32>> = name.split('.').map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() > 1)
}

fn of_releases(listing: &Listing, releases: &[PathBuf]) -> Option<Found> {
    let above = folder(releases.first()?);
    let mut files = Vec::new();
    for path in releases {
        let mut scripts: Vec<PathBuf> = listing
            .files()
            .filter(|file| folder(file) == path && is_up(file))
            .map(Path::to_path_buf)
            .collect();
        scripts.sort();
        files.extend(scripts);
    }
    of_files(listing, "SQL migrations by release", above, files)
}

/// How a tree of numbered folders is called.
const TREE: &str = "SQL files in numbered folders";

/// Folders below which every SQL file, and every folder on the way to it, begins with a number (`10_data/04_tables/01_users.sql`),
/// with their files in that order. Alone, none of the folders below is a schema.
fn numbered_trees(listing: &Listing) -> Vec<(PathBuf, Vec<PathBuf>)> {
    let scripts: Vec<&Path> = listing
        .files()
        .filter(|file| file.extension().is_some_and(|own| own == "sql"))
        .collect();
    let is_tree = |above: &Path| {
        let mut folders = BTreeSet::new();
        scripts
            .iter()
            .filter(|file| file.starts_with(above))
            .all(|file| {
                let below = file.strip_prefix(above).unwrap_or(file);
                folders.insert(folder(below));
                below.components().all(|part| {
                    let name = part.as_os_str().to_string_lossy();
                    number_of(&name).is_some()
                })
            })
            && folders.len() > 1
    };
    let is_numbered = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        number_of(&name).is_some()
    };
    let homes: BTreeSet<&Path> = scripts
        .iter()
        .filter(|file| is_numbered(file) && is_numbered(folder(file)))
        .map(|file| folder(file))
        .collect();
    let mut trees: BTreeSet<PathBuf> = BTreeSet::new();
    for home in homes {
        // The outermost one: the folders inside are its parts.
        let all = home.ancestors().skip(1);
        let outermost = all.filter(|above| is_tree(above)).last();
        trees.extend(outermost.map(Path::to_path_buf));
    }
    let in_order = |tree: PathBuf| {
        let mut files: Vec<PathBuf> = scripts
            .iter()
            .filter(|file| file.starts_with(&tree))
            .map(|file| file.to_path_buf())
            .collect();
        files.sort_by_key(|file| {
            let below = file.strip_prefix(&tree).unwrap_or(file);
            let names = below.components().map(|part| {
                let name = part.as_os_str().to_string_lossy().into_owned();
                (number_of(&name), name)
            });
            names.collect::<Vec<_>>()
        });
        (tree, files)
    };
    trees.into_iter().map(in_order).collect()
}

/// `04_tables` → 4. Longer numbers are times, which tools give to single migrations.
fn number_of(name: &str) -> Option<u32> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let is_parted = |rest: &str| rest.is_empty() || rest.starts_with(['_', '-', ' ']);
    (1..=4)
        .contains(&digits)
        .then(|| name.split_at(digits))
        .filter(|(_, rest)| is_parted(rest))
        .and_then(|(number, _)| number.parse().ok())
}

fn of_files(
    listing: &Listing,
    tool: &'static str,
    above: &Path,
    files: Vec<PathBuf>,
) -> Option<Found> {
    let text: String = files.iter().filter_map(|file| listing.text(file)).collect();
    let makes_tables = text.to_ascii_lowercase().contains("create table");
    (makes_tables && !is_foreign(&text)).then(|| Found {
        tool,
        by: above.to_path_buf(),
        schema: Some(SchemaSource::NumberedFiles(files)),
        queries: Vec::new(),
        note: None,
    })
}

fn is_up(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".sql") && !name.ends_with(".down.sql")
}

/// The folder of migrations that a file may belong to: its own, or the one above for `N_x/up.sql`.
fn migrations_folder(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    if name == "up.sql" || name == "migration.sql" {
        return Some(folder(folder(file)).to_path_buf());
    }
    let numbered = name.ends_with(".sql")
        && (name.starts_with(|c: char| c.is_ascii_digit())
            || name
                .strip_prefix(['V', 'R', 'U'])
                .is_some_and(|rest| rest.contains("__")));
    // `migrations/x.sql`, and `migrations/postgres/x.sql` of a project for several databases.
    let in_migrations = name.ends_with(".sql")
        && folder(file).ancestors().take(2).any(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            name.to_ascii_lowercase().contains("migrat")
        });
    (numbered || in_migrations).then(|| folder(file).to_path_buf())
}

fn of_folder(listing: &Listing, path: &Path) -> Option<Found> {
    let root = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let tree = match Tree::read(listing.root(), root) {
        Ok(tree) => tree,
        Err(MigrationsError::Script(error)) => {
            let found = with_mistake(root, &error);
            let count = tables::count(listing, found.schema.as_ref()?);
            return count.is_some_and(|count| count > 0).then_some(found);
        }
        Err(_) => return None,
    };
    if tree.files.iter().any(|file| is_foreign(&file.text)) {
        return None;
    }
    match migrations::history(&tree, None) {
        Ok(history) => {
            let makes_tables = history.migrations.iter().any(|migration| {
                migration.up.statements.iter().any(|statement| {
                    let sql = statement.sql.to_ascii_lowercase();
                    sql.contains("create") && sql.contains("table")
                })
            });
            makes_tables.then(|| Found::files(name(history.layout), root, None))
        }
        // A folder of migrations with a mistake in it is still the project's; the mistake is what a person has to see.
        Err(MigrationsError::Script(error)) => Some(with_mistake(root, &error)),
        Err(error @ MigrationsError::DuplicateVersion { .. }) => {
            let mut found = Found::files("SQL migrations", root, None);
            found.note = Some(error.to_string());
            Some(found)
        }
        Err(
            MigrationsError::Unreadable { .. }
            | MigrationsError::Empty { .. }
            | MigrationsError::UnknownVersion { .. },
        ) => None,
    }
}

fn with_mistake(root: &Path, error: &SourceError) -> Found {
    let mut found = Found::files("SQL migrations", root, None);
    let (line, _) = error.source_file.line_column(error.span.start);
    let help = error.help.as_ref().map(|help| format!("; {help}"));
    found.note = Some(format!(
        "{}:{line}: {}{}",
        error.source_file.path.display(),
        error.message,
        help.unwrap_or_default()
    ));
    found
}

/// The tool's own name.
fn name(layout: Layout) -> &'static str {
    match layout {
        Layout::Sqlx => "SQL migrations in sqlx's form",
        Layout::GolangMigrate => "golang-migrate",
        Layout::Diesel => "diesel",
        Layout::Goose => "goose",
        Layout::Refinery => "refinery",
        Layout::Flyway => "Flyway",
        Layout::SqlMigrate => "sql-migrate",
        Layout::Dbmate => "dbmate",
        Layout::Prisma => "Prisma",
        Layout::Atlas => "Atlas",
        Layout::Drizzle => "Drizzle",
        Layout::Hasura => "Hasura",
        Layout::Supabase => "Supabase",
        Layout::Tern => "tern",
        Layout::Liquibase => "Liquibase (SQL)",
        Layout::NodePgMigrate => "node-pg-migrate",
        // A folder, in the order of its files' names.
        Layout::SchemaFile => "numbered SQL files",
        Layout::Command => "a program",
    }
}
