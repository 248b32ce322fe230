//! The tools whose migrations are read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which tool owns a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `N_x.sql`, `N_x.up.sql` and `.down.sql`.
    Sqlx,
    /// `N_x.up.sql` and `.down.sql`.
    GolangMigrate,
    /// `N_x/up.sql`, `down.sql`, `metadata.toml`.
    Diesel,
    /// `-- +goose Up`.
    Goose,
    /// `V1__x.sql`, `U2__x.sql`.
    Refinery,
    /// `V1_1__x.sql`, `R__x.sql`, `U1_1__x.sql`.
    Flyway,
    /// `-- +migrate Up`.
    SqlMigrate,
    /// `-- migrate:up`.
    Dbmate,
    /// `N_x/migration.sql`.
    Prisma,
    /// `N_x.sql` beside `atlas.sum`.
    Atlas,
    /// `N_x.sql` in the order of `meta/_journal.json`.
    Drizzle,
    /// `N_x/up.sql`, with milliseconds as version.
    Hasura,
    /// `N_x.sql` below `supabase/migrations`.
    Supabase,
    /// `N_x.sql` with `---- create above / drop below ----`.
    Tern,
    /// `--liquibase formatted sql`.
    Liquibase,
    /// `N_x.sql` with `-- Up Migration` and `-- Down Migration`.
    NodePgMigrate,
    /// One file with the whole schema.
    SchemaFile,
    /// Whatever `migrate-cmd` does.
    Command,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|layout| layout.as_str() == text)
            .ok_or_else(|| UnknownLayout(text.to_owned()))
    }
}

/// A layout that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no migration layout {0:?}; known are sqlx, golang-migrate, diesel, goose, refinery, flyway, sql-migrate, dbmate, prisma, atlas, drizzle, hasura, supabase, tern, liquibase, node-pg-migrate, schema-file"
)]
pub struct UnknownLayout(pub String);

impl Layout {
    /// Every layout that files can have.
    pub const ALL: [Self; 17] = [
        Self::Sqlx,
        Self::GolangMigrate,
        Self::Diesel,
        Self::Goose,
        Self::Refinery,
        Self::Flyway,
        Self::SqlMigrate,
        Self::Dbmate,
        Self::Prisma,
        Self::Atlas,
        Self::Drizzle,
        Self::Hasura,
        Self::Supabase,
        Self::Tern,
        Self::Liquibase,
        Self::NodePgMigrate,
        Self::SchemaFile,
    ];

    /// As it is written in pgproof.toml.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlx => "sqlx",
            Self::GolangMigrate => "golang-migrate",
            Self::Diesel => "diesel",
            Self::Goose => "goose",
            Self::Refinery => "refinery",
            Self::Flyway => "flyway",
            Self::SqlMigrate => "sql-migrate",
            Self::Dbmate => "dbmate",
            Self::Prisma => "prisma",
            Self::Atlas => "atlas",
            Self::Drizzle => "drizzle",
            Self::Hasura => "hasura",
            Self::Supabase => "supabase",
            Self::Tern => "tern",
            Self::Liquibase => "liquibase",
            Self::NodePgMigrate => "node-pg-migrate",
            Self::SchemaFile => "schema-file",
            Self::Command => "migrate-cmd",
        }
    }
}

impl Layout {
    /// How its tool is made to run a statement outside a transaction; `None` where there is no way that is known.
    #[must_use]
    pub fn without_transaction(self) -> Option<&'static str> {
        match self {
            Self::Sqlx => {
                Some("a file that begins with `-- no-transaction`, with that statement alone")
            }
            Self::GolangMigrate | Self::Prisma | Self::Hasura | Self::Supabase => {
                Some("a migration of its own, with that statement alone")
            }
            Self::Atlas => Some("a file that begins with `-- atlas:txmode none`"),
            Self::Tern => Some("a file with `---- tern: disable-tx ----`"),
            Self::Liquibase => Some("a changeset with `runInTransaction:false`"),
            Self::Diesel => Some(
                "a migration of its own with that statement alone, and `run_in_transaction = false` in metadata.toml",
            ),
            Self::Goose => Some("a file with `-- +goose NO TRANSACTION`"),
            Self::SqlMigrate => Some("a file with `-- +migrate Up notransaction`"),
            Self::Flyway => Some(
                "a file of its own: Flyway notices CONCURRENTLY, and does not mix it with others",
            ),
            Self::Dbmate => Some("`-- migrate:up transaction:false`, with that statement alone"),
            Self::Drizzle
            | Self::Refinery
            | Self::NodePgMigrate
            | Self::SchemaFile
            | Self::Command => None,
        }
    }
}
