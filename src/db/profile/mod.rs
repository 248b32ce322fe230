//! A database's statistics, read in one transaction that cannot write.

mod order;
mod read;
mod rows;

pub use self::read::{ProfileError, read, remap, remapped};
