//! The index advisor: candidates from plans, chosen and proven by building them.
