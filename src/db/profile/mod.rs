//! A database's statistics, read in one transaction that cannot write.

mod order;
mod probe;
mod read;
mod rows;

pub use self::read::{ProfileError, probed, read, remap, remapped};
