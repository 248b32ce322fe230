//! Everything that talks to PostgreSQL: the only home of driver types.

pub mod clone;
pub mod connect;
pub mod migrate;
pub mod server;
