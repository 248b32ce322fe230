//! cornucopia and clorinde: `--! name (nullable?) : Row` above a statement with `:name` parameters.
//! <https://halcyonnouveau.github.io/clorinde/>

use super::conventions::{Convention, Found};
use super::headers::sections;
use crate::source::Source;

pub(super) const CONVENTION: Convention = Convention {
    key: "clorinde",
    tool: "clorinde or cornucopia",
    extensions: &["sql"],
    shows,
    read,
    parts: None,
};

/// A name, and behind it nothing, or its parameters and its row: `--! breaking-change` is another tool's, and prose is nobody's.
fn header(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("--!")?;
    let name = rest.trim_start();
    let after = name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && (after.trim_start().is_empty() || after.trim_start().starts_with([':', '(']));
    is_name.then_some(rest)
}

fn shows(text: &str) -> bool {
    text.lines().any(|line| header(line.trim()).is_some())
}

fn read(source: &Source) -> Vec<Found> {
    sections(source, header)
        .iter()
        .flat_map(|section| {
            let end = section
                .header
                .find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &section.header[..end.unwrap_or(section.header.len())];
            section
                .statements()
                .into_iter()
                .map(move |(line, sql)| Found::statement(name, line, sql.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_ends_where_its_types_begin() {
        let text = "--: User(name?)\n\n--! users_of (city?) : User\n-- prose\nSELECT ';' AS a\nFROM users WHERE city = :city;\n--!plain\nSELECT 1;\n";
        assert!(shows(text) && !shows("-- ! no\n--! \n--! breaking-change\nSELECT 1"));
        assert!(!shows(
            "CREATE TABLE moorings (\n  --! tells this berth from others\n  berth int);"
        ));
        let found = read(&Source::new("q.sql", text));
        assert_eq!(
            found,
            [
                Found::statement(
                    "users_of",
                    5,
                    "SELECT ';' AS a\nFROM users WHERE city = :city".to_owned()
                ),
                Found::statement("plain", 8, "SELECT 1".to_owned()),
            ]
        );
    }
}
