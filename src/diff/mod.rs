//! Plans between migrations: snapshots, semantic comparison, what a migration does while it runs.
