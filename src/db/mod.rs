//! Everything that talks to PostgreSQL: the only home of driver types.

pub mod audit;
pub mod clone;
pub mod connect;
pub mod explain;
pub mod introspect;
pub mod lock_watch;
pub mod migrate;
pub mod migration_observer;
mod parameters;
pub mod prove;
pub mod server;
pub mod traffic;
