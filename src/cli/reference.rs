//! The reference, as Markdown, from what the program itself reads: its arguments, the keys of pgproof.toml, the environment.
//! `PGPROOF_WRITE_DOCS=1 cargo test reference` writes `docs/reference`.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};

use super::args::Args;
use super::settings::keys::KEYS;
use crate::db::connect::libpq;

/// pgproof's own variables, and those of others that it reads.
pub const VARIABLES: &[(&str, &str)] = &[
    (
        "DATABASE_URL",
        "the database, where `--database-url env` or `database-url = \"env\"` asks for it",
    ),
    (
        "PGPROOF_CACHE_DIR",
        "where downloaded servers are kept [default: the user's cache]",
    ),
    (
        "PGPROOF_PG_BIN",
        "the folder of the server's programs, before any that is found",
    ),
    ("PGPROOF_POSTGRES_URL", "where servers are downloaded from"),
    (
        "PGPROOF_DOCS_URL",
        "where `mdbook build` put the docs: on a terminal the rules of findings are links to their pages there [default: what it \
         was when pgproof was built]",
    ),
    ("XDG_CACHE_HOME", "the user's cache"),
    ("XDG_RUNTIME_DIR", "where the embedded server's socket lies"),
    ("NO_COLOR", "no colours"),
    (
        "CI",
        "where it is set, and not to false, `--keep-values` is refused",
    ),
    (
        "GITHUB_STEP_SUMMARY",
        "`--format github` appends the Markdown report to this file",
    ),
];

/// The program's arguments, as clap reads them.
#[must_use]
pub fn program() -> Command {
    let mut program = Args::command();
    program.build();
    program
}

/// Every command with its arguments and examples.
#[must_use]
pub fn commands() -> String {
    let program = program();
    let mut page = String::from("# Commands\n\nMade of the program's own arguments.\n\n");
    let _ = writeln!(page, "## Options of every command\n");
    arguments(&mut page, program.get_arguments());
    for command in program.get_subcommands() {
        describe(&mut page, command, "##");
        for inner in command.get_subcommands() {
            describe(&mut page, inner, "###");
        }
    }
    page.trim_end().to_owned() + "\n"
}

fn describe(page: &mut String, command: &Command, level: &str) {
    if command.get_name() == "help" {
        return;
    }
    let mut command = command.clone();
    let usage = command.render_usage().to_string();
    let _ = writeln!(
        page,
        "{level} {}\n\n{}.\n\n```\n{}\n```\n",
        command.get_bin_name().unwrap_or(command.get_name()),
        escaped(&text_of(command.get_about())),
        usage.trim_start_matches("Usage: ").trim()
    );
    let own = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set());
    arguments(page, own);
    let examples = text_of(command.get_after_help());
    if !examples.is_empty() {
        let _ = writeln!(page, "```text\n{examples}\n```\n");
    }
}

fn text_of(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn arguments<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let shown = arguments.filter(|argument| {
        !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
    });
    let mut rows = String::new();
    for argument in shown {
        let name = match (argument.get_long(), argument.get_short()) {
            (Some(long), Some(short)) => format!("-{short}, --{long}"),
            (Some(long), None) => format!("--{long}"),
            (None, _) => String::new(),
        };
        let takes = argument.get_num_args().is_some_and(|n| n.takes_values());
        let values: Vec<&str> = match argument.get_value_names() {
            Some(names) if takes => names.iter().map(|name| name.as_str()).collect(),
            Some(_) | None => Vec::new(),
        };
        let written = format!("{name} {}", values.join(" "));
        let help = text_of(argument.get_help());
        let of_values = |value: &clap::builder::PossibleValue| value.get_name().to_owned();
        let choices: Vec<String> = match takes {
            true => argument
                .get_possible_values()
                .iter()
                .map(of_values)
                .collect(),
            false => Vec::new(),
        };
        let choices = match choices.as_slice() {
            [] => String::new(),
            some => format!(": {}", some.join(", ")),
        };
        let _ = writeln!(
            rows,
            "| `{}` | {}{choices} |",
            written.trim().replace('|', "\\|"),
            escaped(&help.split_whitespace().collect::<Vec<_>>().join(" "))
        );
    }
    if !rows.is_empty() {
        let _ = writeln!(page, "| | |\n|---|---|\n{rows}");
    }
}

/// A line of Markdown's tables.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('*', "\\*")
}

/// Every key of pgproof.toml.
#[must_use]
pub fn configuration() -> String {
    let mut page = String::from(
        "# pgproof.toml\n\nEvery key has a default; one that is not known is an error with its line and the nearest that is.\n",
    );
    let mut section = None;
    for key in KEYS {
        if section != Some(key.section) {
            section = Some(key.section);
            match key.section {
                "" => page.push_str("\n## At the top\n"),
                named => {
                    let _ = writeln!(page, "\n## [{named}]");
                }
            }
            page.push_str("\n| key | default | |\n|---|---|---|\n");
        }
        let default = match key.default {
            "" => String::new(),
            words if words.contains(' ') || words == "none" => words.to_owned(),
            value => format!("`{value}`"),
        };
        let _ = writeln!(page, "| `{}` | {default} | {} |", key.name, key.about);
    }
    page.push_str(
        "\nThe keys of `[thresholds]` and `[rules]` are those of [the rules](../rules.md).\n",
    );
    page
}

/// Every variable of the environment.
#[must_use]
pub fn environment() -> String {
    let mut page = String::from("# Environment\n\n| variable | |\n|---|---|\n");
    for (name, about) in VARIABLES {
        let _ = writeln!(page, "| `{name}` | {about} |");
    }
    page.push_str(
        "\n## libpq's variables\n\nThey complete a database URL, as psql takes them; the URL goes before a service, a service before the environment.\n\n\
         | variable | |\n|---|---|\n",
    );
    for (name, about) in libpq::HONOURED {
        let _ = writeln!(page, "| `{name}` | {about} |");
    }
    page.push_str(
        "\nThese ask for what pgproof cannot do: it refuses to connect and names the variable, unless its value asks for nothing.\n\n\
         | variable | accepted |\n|---|---|\n",
    );
    for (name, harmless) in libpq::REFUSED {
        let harmless: Vec<String> = harmless.iter().map(|value| format!("`{value}`")).collect();
        let _ = writeln!(page, "| `{name}` | {} |", harmless.join(", "));
    }
    page
}
