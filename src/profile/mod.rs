//! Statistics of a database as data: read by `db::profile`, printed and parsed here. Knows no server and no clock.

pub mod model;
