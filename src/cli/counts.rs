//! Budgets of statements: `--max-queries`, and a file of how many each unit executes, in which one statement more is one line that
//! a review sees.

use std::collections::BTreeMap;
use std::path::Path;

use super::Globals;
use super::args::{Per, RecordArgs};
use super::exit::CliError;
use crate::finding::Finding;
use crate::rules::traffic::over_count;
use crate::trace::units::Total;
use crate::write;

/// Units that execute more than they may. A file of counts that is not there yet is written.
pub(super) fn over(
    units: &BTreeMap<String, Total>,
    args: &RecordArgs,
    globals: &Globals,
) -> Result<Vec<Finding>, CliError> {
    let counted: BTreeMap<&str, u64> = units
        .iter()
        .filter_map(|(name, total)| match args.per {
            Per::Unit => Some((name.as_str(), total.most)),
            // What has no name is no test's.
            Per::Test => (!name.is_empty()).then_some((name.as_str(), total.all)),
        })
        .collect();
    let mut findings = Vec::new();
    if let Some(most) = args.max_queries {
        let over = counted.iter().filter(|(_, executed)| **executed > most);
        findings.extend(over.map(|(name, executed)| over_count(name, *executed, most)));
    }
    if let Some(file) = &args.counts {
        let path = globals.directory.join(file);
        if path.exists() {
            let allowed = read(&path, file)?;
            for (name, executed) in &counted {
                if let Some(allowed) = allowed.get(*name).filter(|allowed| *executed > **allowed) {
                    findings.push(over_count(name, *executed, *allowed));
                }
            }
        } else {
            write::text(&path, text(&counted))
                .map_err(|error| super::traffic::cannot_write(file, &error))?;
            globals.progress.note(format!(
                "wrote {} ({} units); a statement more than in it fails the next run",
                file.display(),
                counted.len()
            ));
        }
    }
    Ok(findings)
}

/// `34 tests/posts.py::test_list`, by name.
fn text(counted: &BTreeMap<&str, u64>) -> String {
    let line = |(name, executed): (&&str, &u64)| {
        let name = name.replace(['\n', '\r'], " ");
        format!("{executed} {name}").trim_end().to_owned() + "\n"
    };
    counted.iter().map(line).collect()
}

fn read(path: &Path, shown: &Path) -> Result<BTreeMap<String, u64>, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("{} cannot be read: {error}", shown.display())))?;
    let mut allowed = BTreeMap::new();
    for (at, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let (number, name) = line.split_once(' ').unwrap_or((line, ""));
        let number = number.parse().map_err(|_| {
            CliError::usage(format!(
                "{}:{}: expected a number of statements and the unit's name",
                shown.display(),
                at + 1
            ))
            .help("remove the file to have it written anew")
        })?;
        allowed.insert(name.to_owned(), number);
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_unit() {
        let counted = BTreeMap::from([("", 3), ("tests/a.py::test_list", 34)]);
        assert_eq!(text(&counted), "3\n34 tests/a.py::test_list\n");
    }
}
