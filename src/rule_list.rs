//! Every rule, one line each: its file in `rules`, its name in code, its id. In the order of the documentation.

/// Calls a macro with the list.
macro_rules! for_each_rule {
    ($call:ident) => {
        $call! {
            seq_scan SeqScan "seq-scan";
            missing_index MissingIndex "missing-index";
            n_plus_one NPlusOne "n-plus-one";
            slow_query SlowQuery "slow-query";
            over_budget OverBudget "over-budget";
            timeout Timeout "timeout";
            row_misestimate RowMisestimate "row-misestimate";
            sort_spill SortSpill "sort-spill";
            hash_spill HashSpill "hash-spill";
            filtered_index_scan FilteredIndexScan "filtered-index-scan";
            wrong_order_index WrongOrderIndex "wrong-order-index";
            nested_loop_rescan NestedLoopRescan "nested-loop-rescan";
            join_filter JoinFilter "join-filter";
            repeated_subplan RepeatedSubplan "repeated-subplan";
            cartesian_join CartesianJoin "cartesian-join";
            lossy_bitmap LossyBitmap "lossy-bitmap";
            heap_fetches HeapFetches "heap-fetches";
            large_offset LargeOffset "large-offset";
            unbounded_result UnboundedResult "unbounded-result";
            unindexable_predicate UnindexablePredicate "unindexable-predicate";
            leading_wildcard LeadingWildcard "leading-wildcard";
            partition_pruning PartitionPruning "partition-pruning";
            workers_not_launched WorkersNotLaunched "workers-not-launched";
            jit_overhead JitOverhead "jit-overhead";
            unindexed_foreign_key UnindexedForeignKey "unindexed-foreign-key";
            parameter_cliff ParameterCliff "parameter-cliff";
            planning_overhead PlanningOverhead "planning-overhead";
            unused_index UnusedIndex "unused-index";
            duplicate_index DuplicateIndex "duplicate-index";
            plan_regression PlanRegression "plan-regression";
            blocking_migration BlockingMigration "blocking-migration";
            not_audited NotAudited "not-audited";
            query_rewrite QueryRewrite "query-rewrite";
            low_index_efficiency LowIndexEfficiency "low-index-efficiency";
            trigger_time TriggerTime "trigger-time";
            disabled_node DisabledNode "disabled-node";
            memoize_misses MemoizeMisses "memoize-misses";
            materialize_spill MaterializeSpill "materialize-spill";
            repeated_lateral RepeatedLateral "repeated-lateral";
            lock_wait LockWait "lock-wait";
            io_bound IoBound "io-bound";
            planning_memory PlanningMemory "planning-memory";
            top_n_sort TopNSort "top-n-sort";
            conflict_storm ConflictStorm "conflict-storm";
            stale_statistics StaleStatistics "stale-statistics";
            slow_serialization SlowSerialization "slow-serialization";
            not_proven NotProven "not-proven";
            bypassed_policies BypassedPolicies "bypassed-policies";
            per_row_policy PerRowPolicy "per-row-policy";
            duplicate_query DuplicateQuery "duplicate-query";
            loop_in_function LoopInFunction "loop-in-function";
            missing_batch MissingBatch "missing-batch";
            incomplete_trace IncompleteTrace "incomplete-trace";
            worker_skew WorkerSkew "worker-skew";
            grows_with_table GrowsWithTable "grows-with-table";
            unstable_plan UnstablePlan "unstable-plan";
        }
    };
}
pub(crate) use for_each_rule;
