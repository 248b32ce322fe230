//! Synthetic data: specs, inference from the schema, generators, the COPY BINARY encoder.
