//! Plans between migrations: snapshots, semantic comparison, what a migration does while it runs.
//! `compare` and what it rests on are pure; servers are spoken to in `db`.

pub mod blocking;
pub mod canonical;
pub mod canonicalize;
pub mod cause;
pub mod change;
pub mod compare;
pub mod effect;
pub mod extrapolate;
pub mod locks;
pub mod names;
pub mod observation;
pub mod outcome;
pub mod report;
pub mod safer;
pub mod saved;
pub mod significance;
pub mod snapshot;
pub mod specs;
pub mod traps;
pub mod upgrade;
pub mod verdict;
pub mod work;

pub use canonical::{CanonicalPlan, PlanHashes};
pub use canonicalize::canonicalize;
pub use change::Change;
pub use compare::compare;
pub use names::{Names, Renames};
