//! Everything that talks to PostgreSQL: the only home of driver types.
