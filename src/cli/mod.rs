//! The command line: arguments, settings, exit codes, and one file a command that wires edges to analysis.
