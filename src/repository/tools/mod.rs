//! One file a tool: the files that show it, and what they say of the schema and the queries.

pub(super) mod alembic;
pub(super) mod coded;
pub(super) mod create_files;
pub(super) mod django;
pub(super) mod ecto;
pub(super) mod javascript;
pub(super) mod laravel;
pub(super) mod liquibase;
pub(super) mod query_files;
pub(super) mod rails;
pub(super) mod schema_file;
pub(super) mod sql_migrations;
pub(super) mod sqlc;
pub(super) mod sqlx;
pub(super) mod table_scripts;
pub(super) mod written;
