//! N+1 detection over captured statements.
