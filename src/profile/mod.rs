//! Statistics of a database as data: read by `db::profile`, mapped so that no value leaves, printed and parsed here. Knows no
//! server and no clock.

pub mod dump;
pub mod file;
pub mod model;
pub mod probe;
pub mod remap;
pub mod twin;
