//! Everything that talks to PostgreSQL: the only home of driver types.

pub mod audit;
pub mod clone;
pub mod comparison;
pub mod connect;
mod copy;
pub mod dataset;
pub mod dev;
mod effects;
pub mod explain;
pub mod given;
pub mod introspect;
mod lease;
pub mod load;
pub mod lock_watch;
pub mod migrate;
pub mod migration_observer;
mod parameters;
mod probe;
pub mod prove;
pub mod prove_memory;
pub mod prove_rewrites;
pub mod prove_statistics;
pub mod server;
pub mod statements;
mod stored;
pub mod traffic;
pub mod trials;
