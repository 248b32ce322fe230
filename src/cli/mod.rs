//! The command line: what was typed (`args`), what it means (`settings`), how it ends (`exit`), and one file a command.
//! Holds no logic of its own.

pub mod args;
pub mod baseline;
pub mod changed;
pub mod commands;
pub mod committed;
mod counts;
pub mod diff_sides;
pub mod exit;
mod failures;
mod globals;
mod new_migration;
pub mod output;
pub mod profiles;
pub mod program;
pub mod reference;
pub mod revision;
pub mod saved_reports;
pub mod settings;
mod settled;
mod signals;
pub mod snapshots;
pub mod statements;
pub mod target;
mod traffic;
pub mod values;

pub use globals::{Globals, UrlSource, Verbosity};
