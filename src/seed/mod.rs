//! Seeding: from a schema and a spec to a plan, and from a plan to rows. Pure: the database side (reading the schema,
//! COPY, indexes) is `db::introspect`, `db::load` and `db::dataset`.
//!
//! A value is a function of (seed, table, column, row) and of nothing else: see [`random`]. [`resolve`] decides
//! everything that can be decided before a row is made; [`evaluate`] turns the plan into COPY BINARY rows.

pub mod check;
pub mod chunks;
pub mod clock;
pub mod curve;
pub mod describe;
pub mod distribution;
pub mod evaluate;
pub mod expression;
pub mod generators;
pub mod infer;
pub mod plan;
pub mod random;
pub mod ranks;
pub mod resolve;
pub mod spec;
pub mod staging;
pub mod types;
pub mod wishes;

pub use clock::Clock;
pub use evaluate::Evaluator;
pub use plan::SeedPlan;
pub use resolve::{DefaultRows, Options, Refusal, SeedError, resolve};
pub use spec::Spec;

/// Changes with everything that changes a byte of a dataset for an unchanged schema, spec and seed.
pub const GENERATOR_VERSION: u32 = 17;
