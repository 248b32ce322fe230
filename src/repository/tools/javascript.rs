//! Prisma's schema without migrations, TypeORM, Knex, Sequelize, MikroORM, Kysely, node-pg-migrate and db-migrate: schemas that only a program of
//! the JavaScript world can make. Migrations in SQL (Prisma, Drizzle) are read by `sql_migrations`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::repository::listing::{folder, in_folder};
use crate::repository::{Found, Listing, is_aside};

/// A tool by the package that a project depends on.
struct Package {
    tool: &'static str,
    package: &'static str,
    /// Words of which each of its migrations has one.
    marks: &'static [&'static str],
    command: &'static str,
}

const PACKAGES: &[Package] = &[
    Package {
        tool: "TypeORM",
        package: "\"typeorm\"",
        marks: &["MigrationInterface", "queryRunner"],
        command: "npx typeorm migration:run -d src/data-source.ts",
    },
    Package {
        tool: "Knex",
        package: "\"knex\"",
        marks: &["knex"],
        command: "npx knex migrate:latest",
    },
    Package {
        tool: "Sequelize",
        package: "\"sequelize\"",
        marks: &["queryInterface", "QueryInterface"],
        command: "npx sequelize-cli db:migrate --url \"$DATABASE_URL\"",
    },
    Package {
        tool: "MikroORM",
        package: "\"@mikro-orm/",
        marks: &["@mikro-orm/migrations", "addSql"],
        command: "npx mikro-orm migration:up",
    },
    Package {
        tool: "Kysely",
        package: "\"kysely\"",
        marks: &["kysely", "Kysely"],
        command: "npx kysely migrate:latest",
    },
    Package {
        tool: "node-pg-migrate",
        package: "\"node-pg-migrate\"",
        marks: &["pgm"],
        command: "npx node-pg-migrate up",
    },
    Package {
        tool: "db-migrate",
        package: "\"db-migrate\"",
        marks: &["runSql", "createTable", "addColumn"],
        command: "npx db-migrate up",
    },
];

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut all: Vec<Found> = listing
        .named(&["package.json"])
        .filter_map(|file| of_package(listing, file))
        .collect();
    all.extend(prisma(listing));
    all
}

fn of_package(listing: &Listing, file: &Path) -> Option<Found> {
    let text = listing.text(file)?;
    let at = folder(file);
    PACKAGES
        .iter()
        .filter(|package| text.contains(package.package))
        .find_map(|package| {
            let migrations = migrations(listing, at, package)?;
            let mut found = Found::program(
                package.tool,
                file,
                migrations,
                in_folder(at, package.command),
            );
            let another = ["mysql", "mariadb", "sqlite", "mssql"]
                .iter()
                .find(|driver| text.contains(**driver));
            let names_ours = text.contains("postgres") || text.contains("\"pg\"");
            if let (Some(driver), false) = (another, names_ours) {
                found.note = Some(format!(
                    "package.json names a driver of {driver} and none of PostgreSQL: these migrations are another database's"
                ));
                return Some(found);
            }
            found.note = Some(
                "the project's packages have to be installed, and its configuration has to take the database from DATABASE_URL"
                    .to_owned(),
            );
            Some(found)
        })
}

/// The folder of a package's migrations: called so, below the package, with scripts that have the tool's words; the one with
/// the most, so that a plugin's few are not taken for them.
fn migrations(listing: &Listing, package: &Path, tool: &Package) -> Option<PathBuf> {
    let is_called_so = |file: &Path| {
        let name = folder(file).file_name().unwrap_or_default();
        name.to_string_lossy()
            .to_ascii_lowercase()
            .contains("migration")
    };
    let mut folders: BTreeMap<&Path, usize> = BTreeMap::new();
    let scripts = listing.files().filter(|file| {
        file.starts_with(package) && is_script(file) && is_called_so(file) && !is_aside(file)
    });
    for file in scripts {
        let text = listing.text(file).unwrap_or_default();
        if tool.marks.iter().any(|mark| text.contains(mark)) {
            *folders.entry(folder(file)).or_default() += 1;
        }
    }
    let most = folders
        .iter()
        .max_by_key(|(path, count)| (**count, std::cmp::Reverse(path.components().count())))?;
    Some(most.0.to_path_buf())
}

fn is_script(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    ["js", "ts", "mjs", "cjs"].contains(&extension.as_ref())
}

/// A schema.prisma of PostgreSQL that has no migrations beside it.
fn prisma(listing: &Listing) -> Vec<Found> {
    listing
        .files()
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "prisma")
        })
        .filter(|file| {
            listing
                .text(file)
                .is_some_and(|text| text.contains("datasource ") && text.contains("\"postgresql\""))
        })
        .filter(|file| {
            !folder(file)
                .ancestors()
                .any(|above| listing.has_folder(&above.join("migrations")))
        })
        .map(|file| {
            Found::program(
                "Prisma",
                file,
                file,
                format!(
                    "npx prisma db push --skip-generate --schema '{}'",
                    file.display()
                ),
            )
        })
        .collect()
}
