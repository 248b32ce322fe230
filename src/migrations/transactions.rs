//! In which transaction each statement of a script runs, by the tool's rule and by the script's own BEGIN and COMMIT. Pure.

use super::{Script, Statement};

/// What a statement that controls transactions does to the one that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    Begins,
    Ends,
    /// SAVEPOINT, ROLLBACK TO: the transaction goes on.
    Neither,
}

impl Script {
    /// For each statement the number of its transaction; `None` for one that runs by itself.
    #[must_use]
    pub fn transactions(&self) -> Vec<Option<usize>> {
        let mut number = 0;
        let mut open = self.in_one_transaction();
        let mut found = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            let control = control(statement);
            open |= control == Control::Begins;
            found.push(open.then_some(number));
            if control == Control::Ends && open {
                open = false;
                number += 1;
            }
        }
        found
    }
}

fn control(statement: &Statement) -> Control {
    if !statement.controls_transaction() {
        return Control::Neither;
    }
    let first = statement
        .sql
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or("")
        .to_ascii_lowercase();
    match first.as_str() {
        "begin" | "start" => Control::Begins,
        _ => Control::Ends,
    }
}

#[cfg(test)]
mod tests {
    use crate::migrations::{Script, TransactionRule, statements};
    use crate::source::Source;

    fn transactions(rule: TransactionRule, sql: &str) -> Vec<Option<usize>> {
        let source = Source::new("m.sql", sql);
        let statements = statements::split_range(&source, 0..source.text.len()).unwrap();
        let script = Script {
            source,
            statements,
            transaction: rule,
            program: None,
        };
        script.transactions()
    }

    #[test]
    fn the_tools_rule_and_the_scripts_own_words_decide() {
        use TransactionRule::{File, Message, Statement};
        let plain = "SELECT 1; SELECT 2;";
        assert_eq!(transactions(File, plain), [Some(0), Some(0)]);
        assert_eq!(transactions(Message, plain), [Some(0), Some(0)]);
        assert_eq!(transactions(Message, "SELECT 1"), [None]);
        assert_eq!(transactions(Statement, plain), [None, None]);
        let own =
            "SELECT 0; BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT; SELECT 9; START TRANSACTION; END";
        let found = transactions(Statement, own);
        let (first, second) = (Some(0), Some(1));
        assert_eq!(
            found,
            [None, first, first, first, first, None, second, second]
        );
        // A COMMIT ends the tool's own transaction; what follows runs by itself.
        assert_eq!(
            transactions(File, "SELECT 1; COMMIT; SELECT 2"),
            [first, first, None]
        );
    }
}
