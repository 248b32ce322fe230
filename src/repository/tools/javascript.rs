//! Prisma's schema without migrations, TypeORM, Knex, Sequelize, MikroORM and Drizzle's `push`: schemas that only a program of
//! the JavaScript world can make. Migrations in SQL (Prisma, Drizzle) are read by `sql_migrations`.

use std::path::Path;

use crate::repository::listing::{folder, in_folder};
use crate::repository::{Found, Listing};

/// A tool by the package that a project depends on.
struct Package {
    tool: &'static str,
    package: &'static str,
    folders: &'static [&'static str],
    command: &'static str,
}

const PACKAGES: &[Package] = &[
    Package {
        tool: "TypeORM",
        package: "\"typeorm\"",
        folders: &[
            "src/migrations",
            "src/migration",
            "migrations",
            "src/database/migrations",
        ],
        command: "npx typeorm migration:run -d src/data-source.ts",
    },
    Package {
        tool: "Knex",
        package: "\"knex\"",
        folders: &[
            "migrations",
            "src/migrations",
            "db/migrations",
            "database/migrations",
            "src/database/migrations",
        ],
        command: "npx knex migrate:latest",
    },
    Package {
        tool: "Sequelize",
        package: "\"sequelize\"",
        folders: &[
            "migrations",
            "src/migrations",
            "server/migrations",
            "db/migrations",
            "database/migrations",
        ],
        command: "npx sequelize-cli db:migrate --url \"$DATABASE_URL\"",
    },
    Package {
        tool: "MikroORM",
        package: "\"@mikro-orm/",
        folders: &["migrations", "src/migrations", "db/migrations"],
        command: "npx mikro-orm migration:up",
    },
    Package {
        tool: "Kysely",
        package: "\"kysely\"",
        folders: &[
            "migrations",
            "src/migrations",
            "src/schema/migrations",
            "db/migrations",
        ],
        command: "npx kysely migrate:latest",
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
            let migrations = package
                .folders
                .iter()
                .map(|folder| at.join(folder))
                .find(|path| has_scripts(listing, path))?;
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

fn has_scripts(listing: &Listing, folder: &Path) -> bool {
    listing.files().any(|file| {
        file.starts_with(folder)
            && file.extension().is_some_and(|extension| {
                extension == "js" || extension == "ts" || extension == "mjs" || extension == "cjs"
            })
    })
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
