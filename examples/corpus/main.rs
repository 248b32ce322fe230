//! The corpus of plans: `tests/corpus`.
//!
//! - `cargo run --example corpus -- make [--only RULE[/CASE]] URL…` makes its plans, one URL a server of 14 to 18 whose
//!   user may create databases;
//! - `cargo run --example corpus -- score [EXPLAINSQL]` prints precision and recall of the rules on it, beside those of the
//!   program `explainsql` where its path is given.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "its output is what it is for"
)]

mod case;
mod judged;
mod make;
mod score;

/// Whatever went wrong: shown, and the exit code is 1.
type Error = Box<dyn std::error::Error>;

const USAGE: &str = "usage: corpus make [--only RULE[/CASE]] URL… | corpus score [EXPLAINSQL]";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == "make" => {
            let (only, urls) = match rest {
                [flag, only, urls @ ..] if flag == "--only" => (only.as_str(), urls),
                urls => ("", urls),
            };
            if urls.is_empty() {
                return Err(USAGE.into());
            }
            make::make(only, urls).await
        }
        Some((command, rest)) if command == "score" && rest.len() < 2 => {
            score::print(rest.first().map(String::as_str))
        }
        _ => Err(USAGE.into()),
    }
}
