//! The `pgproof` binary. What it does is compiled with the library: a future that is first polled here would be compiled here, after it.

fn main() -> std::process::ExitCode {
    pgproof::cli::program::main()
}
