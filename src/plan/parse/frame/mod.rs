//! What clients put around a plan: psql's tables and records, markup, quotations of mails and comments, the rows of drivers,
//! the quotes of a CSV cell. Takes it off and keeps the numbers of the lines; reads nothing.

mod cell_quotes;
mod markup;
mod prefix;
mod psql;
mod rows;

use std::borrow::Cow;

pub(super) use rows::json_of_python;

/// A line of the input without its frame.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// From 0.
    pub(super) index: usize,
    /// Its text; empty where it was frame alone.
    pub(super) text: Cow<'a, str>,
    /// A heading, a row count or a client's word: what came before has ended.
    pub(super) ends: bool,
}

const BORDERS: [char; 3] = ['|', '│', '║'];

/// The lines of an input without what clients, markup and quotations put around them.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    if let Some(rows) = rows::lines(text) {
        return rows;
    }
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| Line {
            index,
            text: Cow::Borrowed(line),
            ends: false,
        })
        .collect();
    let lines = markup::cells(prefix::unquoted(lines));
    psql::cells(cell_quotes::unquoted(lines))
}

/// `QUERY PLAN`, with or without borders, dashes and quotes.
fn is_heading(line: &str) -> bool {
    let line = line.trim();
    let frame = |c: char| c == '-' || c == '"' || c.is_whitespace() || BORDERS.contains(&c);
    line.contains("QUERY PLAN") && line.trim_matches(frame) == "QUERY PLAN"
}

fn is_ruler(line: &str) -> bool {
    let line = line.trim();
    line.chars().nth(2).is_some()
        && line.chars().all(|c| {
            c == '-' || c == '+' || c == '|' || c == '\u{200b}' || ('─'..='╬').contains(&c)
        })
}

/// `(7 rows)`, in whatever language.
fn is_count(line: &str) -> bool {
    let inner = line
        .trim()
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    inner
        .and_then(|inner| inner.split_once(' '))
        .is_some_and(|(number, word)| {
            !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && word.chars().all(char::is_alphabetic)
        })
}

/// What psql and its like say after a plan.
fn is_client_word(line: &str) -> bool {
    let line = line.trim();
    line == "EXPLAIN" || (line.starts_with("Time: ") && line.contains(" ms"))
}

#[cfg(test)]
mod tests {
    use crate::plan::parse::any;

    #[test]
    fn psql_frames_are_taken_off() {
        let plain = "               QUERY PLAN               \n----------------------------------------\n [                                     +\n   {                                   +\n     \"Plan\": {                         +\n       \"Node Type\": \"Result\"           +\n     }                                 +\n   }                                   +\n ]\n(1 row)\n";
        assert_eq!(any(plain).map(|plans| plans.len()), Ok(1));
        let bordered = "+----------------+\n|   QUERY PLAN   |\n+----------------+\n| [{\"Plan\": {\"Node Type\": \"Result\"}}] |\n+----------------+\n(1 row)\n";
        assert_eq!(any(bordered).map(|plans| plans.len()), Ok(1));
        assert!(any("hello").is_err());
    }

    #[test]
    fn quotes_of_a_cell_are_taken_off() {
        let cell = "\"QUERY PLAN\"\n\"[\n  {\n    \"\"Plan\"\": {\"\"Node Type\"\": \"\"Result\"\"}\n  }\n]\"\n";
        assert_eq!(any(cell).map(|plans| plans.len()), Ok(1));
        let rows = "\"Seq Scan on \"\"T\"\" t  (cost=0.00..1.00 rows=1 width=4)\"\n\"  Filter: (\"\"A\"\" = 1)\"\n";
        let plans = any(rows).unwrap();
        assert_eq!(plans[0].root().relation.as_ref().unwrap().name, "T");
        assert_eq!(
            plans[0].root().conditions.filter.as_deref(),
            Some("(\"A\" = 1)")
        );
    }

    /// A plan of three lines in every frame must come out as these nodes.
    fn is_limit_over_scan(text: &str) {
        let reading = crate::plan::parse::read(text);
        assert_eq!(reading.unread, [], "{text}");
        assert_eq!(reading.plans.len(), 1, "{text}");
        let plan = &reading.plans[0].plan;
        let labels: Vec<String> = plan.nodes.iter().map(crate::plan::label).collect();
        assert_eq!(labels, ["Limit", "Seq Scan on visits v"], "{text}");
        assert_eq!(
            plan.nodes[1].conditions.filter.as_deref(),
            Some("(place = 'x & y'::text)"),
            "{text}"
        );
        assert_eq!(plan.nodes[1].estimate.rows.0, 7.0, "{text}");
        assert_eq!(plan.gaps, [], "{text}");
    }

    const LINES: [&str; 3] = [
        "Limit  (cost=0.00..3.50 rows=1 width=9)",
        "  ->  Seq Scan on visits v  (cost=0.00..35.00 rows=7 width=9)",
        "        Filter: (place = 'x & y'::text)",
    ];

    fn each(of: impl Fn(usize, &str) -> String) -> String {
        LINES
            .iter()
            .enumerate()
            .map(|(at, line)| of(at, line))
            .collect()
    }

    #[test]
    fn quotations_and_lists() {
        for mark in [
            "> ", ">> ", "> > ", "-- ", "# ", "// ", " * ", "- ", "+", "% ",
        ] {
            is_limit_over_scan(&each(|_, line| format!("{mark}{line}\n")));
        }
        is_limit_over_scan(&each(|at, line| format!("{:>3}: {line}\n", at + 9)));
        is_limit_over_scan(
            "They wrote:\n> Limit  (cost=0.00..3.50 rows=1\nwidth=9)\n>   ->  Seq Scan on visits v  (cost=0.00..35.00\n> rows=7 width=9)\n>         \
             Filter: (place = 'x & y'::text)\n",
        );
    }

    #[test]
    fn rows_of_drivers() {
        let rust = each(|_, line| format!("{{\"QUERY PLAN\": {line:?}}}, "));
        is_limit_over_scan(&format!("[{}]", rust.trim_end_matches(", ")));
        is_limit_over_scan(&format!("[{}]", each(|_, line| format!("({line:?},), "))));
        is_limit_over_scan(&each(|_, line| format!("{{\"QUERY PLAN\"=>{line:?}}}\n")));
        is_limit_over_scan(&format!(
            "array(3) {{\n{}}}\n",
            each(|at, line| format!(
                "  [{at}]=>\n  array(1) {{\n    [\"QUERY PLAN\"]=>\n    string({}) {line:?}\n  }}\n",
                line.len()
            ))
        ));
        is_limit_over_scan(&format!(
            "QUERY PLAN |\n-----------+\n{}",
            each(|_, line| format!("{line:70}|\n"))
        ));
        let python = "[([{'Plan': {'Node Type': 'Limit', 'Parallel Aware': False, 'Plans': [{'Node Type': 'Seq Scan', 'Relation Name': 'visits', \
                      'Alias': 'v', 'Plan Rows': 7, 'Filter': \"(place = 'x & y'::text)\"}]}, 'Planning Time': 0.2}],)]";
        is_limit_over_scan(python);
    }

    #[test]
    fn markup_and_entities() {
        let encoded = |line: &str| {
            line.replace('&', "&amp;")
                .replace('>', "&gt;")
                .replace('\'', "&#39;")
        };
        is_limit_over_scan(&each(|_, line| format!("{}\n", encoded(line))));
        is_limit_over_scan(&format!(
            "<pre>{}</pre>\n",
            each(|_, line| format!("{}<br>\n", encoded(line)))
        ));
    }

    #[test]
    fn records_of_pg_store_plans() {
        let plan = each(|at, line| {
            format!(
                "{}| {line}{}\n",
                if at == 0 { "plan     " } else { "         " },
                if at < 2 { "   +" } else { "" }
            )
        });
        is_limit_over_scan(&format!(
            "-[ RECORD 1 ]----------\nqueryid  | 41\n{plan}calls    | 5\n"
        ));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        use crate::plan::Gap;
        use crate::plan::parse::{PlanParseError, read};
        let gaps = |text: &str| read(text).plans[0].plan.gaps.clone();
        let cut = format!("{}\n{}\n{}\n", LINES[0], &LINES[1][..50], LINES[2]);
        assert!(
            matches!(&gaps(&cut)[..], [Gap::CutLine { line: 2, .. }]),
            "{cut}"
        );
        assert_eq!(gaps(&format!("{}\n", LINES[1])), [Gap::NoBeginning]);
        let strange = format!("{}\n  *** what is this\n", LINES[0]);
        assert!(matches!(&gaps(&strange)[..], [Gap::Line { line: 2, .. }]));
        let lost = format!("=> {}\n=> {}\n", LINES[0], LINES[1]);
        assert!(matches!(
            &read(&lost).unread[..],
            [PlanParseError::NotUnderstood {
                line: 1,
                count: 2,
                ..
            }]
        ));
        let mysql = "-> Limit: 5 row(s)  (cost=0.35 rows=1)\n    -> Table scan on visits  (cost=0.35 rows=1)\n";
        assert!(matches!(
            any(mysql),
            Err(PlanParseError::OtherServer {
                server: "MySQL or MariaDB",
                ..
            })
        ));
    }

    #[test]
    fn motions_of_greenplum_are_nodes() {
        let text = " Gather Motion 4:1  (slice1; segments: 4)  (cost=0.00..9.00 rows=1 width=8)\n   ->  Seq Scan on visits  (cost=0.00..9.00 rows=1 \
                    width=8)\n";
        let plans = any(text).unwrap();
        assert_eq!(plans[0].root().kind.as_str(), "Gather Motion");
        assert_eq!(plans[0].root().extra["Slice"], "slice1; segments: 4");
    }
}
