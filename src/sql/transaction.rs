//! Which statements PostgreSQL accepts inside a transaction block: the callers of `PreventInTransactionBlock` in its sources
//! (`utility.c`, `dbcommands.c`, `indexcmds.c`, `tablecmds.c`, `subscriptioncmds.c`, `vacuum.c`, `cluster.c`), and those that
//! may end their transaction themselves.

use squawk_syntax::ast::{
    AlterDatabaseAction, AlterSubscriptionAction, AlterTableAction, Commit, DetachPartitionOption,
    DiscardTarget, Reindex, ReindexOption, ReindexTarget, Rollback, Stmt,
};

use super::tree::read_statement;

/// How a statement stands to a transaction block around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockRule {
    /// Runs inside one.
    Inside,
    /// Refused inside one.
    Outside,
    /// Refused inside one where the table or index is partitioned, which the text does not show: REINDEX, CLUSTER.
    OutsideIfPartitioned,
    /// Code that may COMMIT or ROLLBACK, which only works outside one: CALL, DO.
    MayEndIt,
}

/// The rule for a statement. What is not understood is run as it is most often meant: inside.
#[must_use]
pub fn block_rule(sql: &str) -> BlockRule {
    read_statement(sql, of_statement).unwrap_or(BlockRule::Inside)
}

/// Whether the statement changes what holds for its session or transaction, and reads nothing for it. SET CONSTRAINTS may check rows.
#[must_use]
pub fn sets_alone(sql: &str) -> bool {
    read_statement(sql, |statement| {
        matches!(
            statement,
            Stmt::Set(_)
                | Stmt::Reset(_)
                | Stmt::SetRole(_)
                | Stmt::ResetRole(_)
                | Stmt::SetSessionAuth(_)
                | Stmt::SetTransaction(_)
                | Stmt::ResetSessionAuth(_)
        )
    })
    .unwrap_or(false)
}

fn of_statement(statement: &Stmt) -> BlockRule {
    let outside = match statement {
        Stmt::Call(_) | Stmt::Do(_) => return BlockRule::MayEndIt,
        Stmt::AlterDatabase(alter) => {
            matches!(alter.action(), Some(AlterDatabaseAction::SetTablespace(_)))
        }
        Stmt::AlterSubscription(alter) => match alter.action() {
            Some(
                AlterSubscriptionAction::RefreshPublication(_)
                | AlterSubscriptionAction::SetPublication(_)
                | AlterSubscriptionAction::AddPublication(_)
                | AlterSubscriptionAction::DropSubscriptionPublication(_),
            ) => true,
            Some(_) | None => false,
        },
        Stmt::AlterTable(alter) => alter.actions().any(|action| match action {
            AlterTableAction::DetachPartition(detach) => matches!(
                detach.detach_partition_option(),
                Some(DetachPartitionOption::DetachConcurrently(_))
            ),
            _ => false,
        }),
        // Without a table: every table that was clustered before, in transactions of their own.
        Stmt::Cluster(cluster) => {
            if cluster.table_name_ref().is_some() || cluster.cluster_legacy().is_some() {
                return BlockRule::OutsideIfPartitioned;
            }
            true
        }
        Stmt::Commit(commit) => matches!(commit, Commit::CommitPrepared(_)),
        Stmt::CreateIndex(create) => create.concurrently_token().is_some(),
        Stmt::Discard(discard) => {
            matches!(discard.discard_target(), Some(DiscardTarget::DiscardAll(_)))
        }
        Stmt::DropIndex(drop) => drop.concurrently_token().is_some(),
        Stmt::Reindex(reindex) => return of_reindex(reindex),
        Stmt::Rollback(rollback) => matches!(rollback, Rollback::RollbackPrepared(_)),
        Stmt::AlterSystem(_)
        | Stmt::CreateDatabase(_)
        | Stmt::CreateSubscription(_)
        | Stmt::CreateTablespace(_)
        | Stmt::DropDatabase(_)
        | Stmt::DropSubscription(_)
        | Stmt::DropTablespace(_)
        | Stmt::Vacuum(_) => true,
        _ => false,
    };
    if outside {
        BlockRule::Outside
    } else {
        BlockRule::Inside
    }
}

fn of_reindex(reindex: &Reindex) -> BlockRule {
    match reindex.reindex_target() {
        _ if reindexes_concurrently(reindex) => BlockRule::Outside,
        Some(
            ReindexTarget::ReindexTargetDatabase(_)
            | ReindexTarget::ReindexTargetSchema(_)
            | ReindexTarget::ReindexTargetSystem(_),
        ) => BlockRule::Outside,
        Some(ReindexTarget::ReindexTargetIndex(_) | ReindexTarget::ReindexTargetTable(_))
        | None => BlockRule::OutsideIfPartitioned,
    }
}

/// `REINDEX INDEX CONCURRENTLY`, or `REINDEX (CONCURRENTLY) INDEX`.
pub(super) fn reindexes_concurrently(reindex: &Reindex) -> bool {
    let by_keyword = match reindex.reindex_target() {
        Some(ReindexTarget::ReindexTargetDatabase(target)) => target.concurrently_token(),
        Some(ReindexTarget::ReindexTargetIndex(target)) => target.concurrently_token(),
        Some(ReindexTarget::ReindexTargetSchema(target)) => target.concurrently_token(),
        Some(ReindexTarget::ReindexTargetSystem(target)) => target.concurrently_token(),
        Some(ReindexTarget::ReindexTargetTable(target)) => target.concurrently_token(),
        None => None,
    };
    let by_option = reindex
        .reindex_option_list()
        .into_iter()
        .flat_map(|list| list.reindex_options())
        .any(|option| match option {
            ReindexOption::ReindexOptionConcurrently(option) => {
                let text = squawk_syntax::ast::AstNode::syntax(&option)
                    .text()
                    .to_string()
                    .to_ascii_lowercase();
                !["false", "off", "0", "no"]
                    .iter()
                    .any(|value| text.split_whitespace().nth(1) == Some(value))
            }
            ReindexOption::ReindexOptionTablespace(_) | ReindexOption::ReindexOptionVerbose(_) => {
                false
            }
        });
    by_keyword.is_some() || by_option
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_nothing() {
        for sql in [
            "SET LOCAL lock_timeout = '1s'",
            "set transaction isolation level serializable",
            "RESET search_path",
            "SET ROLE app",
            "RESET ROLE",
            "SET SESSION AUTHORIZATION DEFAULT",
        ] {
            assert!(sets_alone(sql), "{sql}");
        }
        for sql in [
            "SET CONSTRAINTS ALL IMMEDIATE",
            "SELECT set_config('search_path', '', false)",
            "SHOW work_mem",
            "ALTER ROLE app SET work_mem = '1MB'",
        ] {
            assert!(!sets_alone(sql), "{sql}");
        }
    }

    #[test]
    fn what_the_server_refuses_inside_a_block() {
        for sql in [
            "VACUUM",
            "VACUUM (FULL, ANALYZE) t",
            "CREATE DATABASE d",
            "DROP DATABASE IF EXISTS d",
            "ALTER DATABASE d SET TABLESPACE fast",
            "CREATE TABLESPACE fast LOCATION '/fast'",
            "DROP TABLESPACE fast",
            "ALTER SYSTEM SET work_mem = '64MB'",
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            "DROP INDEX CONCURRENTLY IF EXISTS i",
            "REINDEX INDEX CONCURRENTLY i",
            "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
            "REINDEX SCHEMA shop",
            "REINDEX DATABASE shop",
            "CLUSTER",
            "DISCARD ALL",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p",
            "DROP SUBSCRIPTION s",
            "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
            "ALTER TABLE IF EXISTS events DETACH PARTITION e CONCURRENTLY",
            "ALTER TABLE ONLY shop.events DETACH PARTITION shop.e CONCURRENTLY",
            "COMMIT PREPARED 'x'",
            "ROLLBACK PREPARED 'x'",
        ] {
            assert_eq!(block_rule(sql), BlockRule::Outside, "{sql}");
        }
    }

    #[test]
    fn what_runs_inside_a_block() {
        for sql in [
            "CREATE TABLE concurrently_used (vacuum int)",
            "ALTER TABLE t ADD COLUMN a int",
            "ALTER TABLE events DETACH PARTITION e",
            "ALTER TABLE events DETACH PARTITION e FINALIZE",
            "ALTER DATABASE d SET work_mem = '1MB'",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "CREATE INDEX i ON concurrently (a)",
            "COMMENT ON TABLE t IS 'CREATE INDEX CONCURRENTLY'",
            "DISCARD PLANS",
            "ALTER SUBSCRIPTION s DISABLE",
            "ANALYZE t",
            "this is no SQL",
        ] {
            assert_eq!(block_rule(sql), BlockRule::Inside, "{sql}");
        }
        for sql in [
            "REINDEX INDEX i",
            "REINDEX (CONCURRENTLY false) INDEX i",
            "CLUSTER t USING i",
        ] {
            assert_eq!(block_rule(sql), BlockRule::OutsideIfPartitioned, "{sql}");
        }
        for sql in ["CALL f()", "DO $$ BEGIN COMMIT; END $$"] {
            assert_eq!(block_rule(sql), BlockRule::MayEndIt, "{sql}");
        }
    }
}
