use super::*;
use crate::plan::node::{JoinType, PerLoop};
use crate::plan::parse::{any, read as read_input};
use crate::plan::words::{ScanDirection, Strategy};
use crate::units::{Bytes, Millis};

fn plan(text: &str) -> Plan {
    any(text).unwrap().remove(0)
}

#[test]
fn a_whole_plan() {
    let plan = plan(
        r#"                        QUERY PLAN
-----------------------------------------------------------
 Limit  (cost=1.00..2.50 rows=10 width=8) (actual time=0.100..1.250 rows=7 loops=1)
   Output: o.id, (count(*)), 'a, b'::text
   Buffers: shared hit=30 read=4, local hit=1, temp read=3 written=5
   I/O Timings: shared read=0.500 write=0.100, temp read=0.200
   InitPlan 1 (returns $0)
     ->  Result  (cost=0.00..0.01 rows=1 width=4) (never executed)
   CTE recent
     ->  Index Scan Backward using "Orders_pkey" on public."Orders" o  (cost=0.29..8.31 rows=1 width=4) (actual time=0.010..0.011 rows=1.50 loops=4)
           Index Cond: (o.id = $0)
           Filter: (o.note = 'x: (y'::text)
           Rows Removed by Filter: 12
           Heap Blocks: exact=3 lossy=2
   ->  Nested Loop Left Join  (cost=0.00..1.00 rows=1 width=4)
         Join Filter: (a.x = b.x)
         ->  CTE Scan on recent r  (cost=0.00..1.00 rows=1 width=4)
         ->  Bitmap Heap Scan on b  (cost=0.00..1.00 rows=1 width=4)
               ->  Bitmap Index Scan on b_i  (cost=0.00..1.00 rows=1 width=4)
         SubPlan 2
           ->  Seq Scan on c
 Planning:
   Buffers: shared hit=9
 Planning Time: 0.300 ms
 Trigger for constraint orders_fk on "Orders": time=1.500 calls=2
 JIT:
   Functions: 3
   Timing: Generation 1.0 ms (Deform 0.5 ms), Total 5.500 ms
 Settings: work_mem = '1MB', search_path = 'a, b'
 Execution Time: 3.000 ms
(20 rows)

SELECT 1;
"#,
    );
    let kinds: Vec<&str> = plan.nodes.iter().map(|node| node.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "Limit",
            "Result",
            "Index Scan",
            "Nested Loop",
            "CTE Scan",
            "Bitmap Heap Scan",
            "Bitmap Index Scan",
            "Seq Scan"
        ]
    );
    let parents: Vec<Option<usize>> = plan
        .nodes
        .iter()
        .map(|node| node.parent.map(|id| id.0))
        .collect();
    assert_eq!(
        parents,
        [
            None,
            Some(0),
            Some(0),
            Some(0),
            Some(3),
            Some(3),
            Some(5),
            Some(3)
        ]
    );
    let relationships: Vec<Option<Relationship>> = plan
        .nodes
        .iter()
        .map(|node| node.relationship.clone())
        .collect();
    assert_eq!(
        relationships,
        [
            None,
            Some(Relationship::InitPlan),
            Some(Relationship::InitPlan),
            Some(Relationship::Outer),
            Some(Relationship::Outer),
            Some(Relationship::Inner),
            Some(Relationship::Outer),
            Some(Relationship::SubPlan),
        ]
    );
    let root = plan.root();
    assert_eq!(root.output, ["o.id", "(count(*))", "'a, b'::text"]);
    let buffers = root.buffers.unwrap();
    assert_eq!(
        (
            buffers.shared_hit,
            buffers.shared_read,
            buffers.local_hit,
            buffers.temp_written
        ),
        (30, 4, 1, 5)
    );
    assert_eq!(
        (buffers.shared_read_ms, buffers.temp_read_ms),
        (Some(Millis(0.5)), Some(Millis(0.2)))
    );
    assert_eq!(plan.nodes[1].actual.unwrap().loops, 0.0);
    let scan = &plan.nodes[2];
    assert_eq!(scan.cte(), Some("recent"));
    assert_eq!(
        (scan.index_name.as_deref(), scan.scan_direction.as_ref()),
        (Some("Orders_pkey"), Some(&ScanDirection::Backward))
    );
    let relation = scan.relation.as_ref().unwrap();
    assert_eq!(
        (
            relation.schema.as_deref(),
            &*relation.name,
            &*relation.alias
        ),
        (Some("public"), "Orders", "o")
    );
    assert_eq!(
        (scan.actual.unwrap().rows.0, scan.actual.unwrap().loops),
        (1.5, 4.0)
    );
    assert_eq!(
        scan.conditions.filter.as_deref(),
        Some("(o.note = 'x: (y'::text)")
    );
    assert_eq!(
        (
            scan.removed.filter.unwrap().0,
            scan.lossy_heap_blocks.unwrap().0
        ),
        (12.0, 2)
    );
    assert_eq!(plan.nodes[3].join_type, Some(JoinType::Left));
    assert_eq!(plan.nodes[4].cte_name.as_deref(), Some("recent"));
    assert_eq!(plan.nodes[6].index_name.as_deref(), Some("b_i"));
    assert_eq!(
        (plan.planning_ms, plan.execution_ms),
        (Some(Millis(0.3)), Some(Millis(3.0)))
    );
    assert_eq!(plan.planning_buffers.unwrap().shared_hit, 9);
    let trigger = &plan.triggers[0];
    assert_eq!(
        (
            trigger.constraint.as_deref(),
            trigger.relation.as_deref(),
            trigger.calls
        ),
        (Some("orders_fk"), Some("Orders"), 2.0)
    );
    assert_eq!(
        plan.jit,
        Some(crate::plan::Jit {
            functions: 3,
            total_ms: Some(Millis(5.5))
        })
    );
    assert_eq!(
        plan.settings,
        [
            ("work_mem".to_owned(), "1MB".to_owned()),
            ("search_path".to_owned(), "a, b".to_owned())
        ]
    );
    assert!(
        plan.nodes
            .iter()
            .all(|node| !node.extra.contains_key("Unread"))
    );
}

#[test]
fn figures_of_sorts_hashes_and_workers() {
    let plan = plan(
        r"Gather  (cost=1.00..2.00 rows=1 width=4) (actual time=1.0..2.0 rows=1 loops=1)
  Workers Planned: 2
  Workers Launched: 1
  ->  Sort  (cost=1.00..2.00 rows=1 width=4) (actual time=1.0..2.0 rows=1 loops=2)
        Sort Key: x DESC, (lower(y))
        Sort Method: external merge  Disk: 1024kB
        Worker 0:  actual time=0.5..1.5 rows=1 loops=1
          Sort Method: quicksort  Memory: 25kB
          Buffers: shared hit=3
        ->  Hash  (cost=1.00..2.00 rows=1 width=4) (actual time=1.0..2.0 rows=1 loops=2)
              Buckets: 1024 (originally 2048)  Batches: 4 (originally 1)  Memory Usage: 9kB
        ->  HashAggregate  (cost=1.00..2.00 rows=1 width=4) (actual time=1.0..2.0 rows=1 loops=2)
              Group Key: a.x, b.y
              Planned Partitions: 4  Batches: 5  Memory Usage: 64kB  Disk Usage: 128kB
        ->  Memoize  (cost=1.00..2.00 rows=1 width=4) (actual time=1.0..2.0 rows=1 loops=2)
              Cache Key: a.x
              Hits: 980  Misses: 20  Evictions: Zero  Overflows: 0  Memory Usage: 10kB
        ->  Incremental Sort  (cost=1.00..2.00 rows=1 width=4) (actual time=1.0..2.0 rows=1 loops=2)
              Full-sort Groups: 1  Sort Method: quicksort  Average Memory: 30kB  Peak Memory: 31kB
              Pre-sorted Groups: 5  Sort Methods: top-N heapsort, external merge  Average Disk: 40kB  Peak Disk: 41kB
",
    );
    let sort = &plan.nodes[1];
    assert_eq!(sort.sort_key, ["x DESC", "(lower(y))"]);
    assert!(sort.sort.as_ref().unwrap().on_disk);
    assert_eq!(sort.workers[0].actual.unwrap().loops, 1.0);
    assert_eq!(sort.workers[0].sort.as_ref().unwrap().used, Bytes(25 << 10));
    assert_eq!(sort.workers[0].buffers.unwrap().shared_hit, 3);
    let hash = plan.nodes[2].hash.unwrap();
    assert_eq!(
        (hash.batches, hash.original_batches, hash.peak_memory),
        (Some(4), Some(1), Some(Bytes(9 << 10)))
    );
    let aggregate = plan.nodes[3].hash.unwrap();
    assert_eq!(
        (aggregate.batches, aggregate.disk),
        (Some(5), Some(Bytes(128 << 10)))
    );
    assert_eq!(plan.nodes[3].strategy, Some(Strategy::Hashed));
    let memoize = plan.nodes[4].memoize.unwrap();
    assert_eq!(
        (memoize.hits, memoize.evictions, memoize.peak_memory),
        (Some(980), Some(0), Some(Bytes(10 << 10)))
    );
    let incremental = plan.nodes[5].sort.as_ref().unwrap();
    assert!(incremental.on_disk);
    assert_eq!(incremental.used, Bytes(41 << 10));
}

#[test]
fn lines_that_a_terminal_cut() {
    let plan = plan(
        " Sort  (cos\nt=32.88..32.9\n6 rows=32 wid\nth=224) (actual time=0.532..0.532 \nrows=0 loops=1)\n   Sort Key: n.nspname,\n c.relname\n   ->  Seq Scan on par\nt_0 c  (cost=0.00..29.84 rows=64 width=73\n)\n         Filter: ((relkind = ANY ('{r,p}'::\"char\"[])) AND vis\nible(oid))\n Planning Time: 0.636 ms\n",
    );
    assert_eq!(plan.root().estimate.width, 224);
    assert_eq!(plan.root().actual.unwrap().loops, 1.0);
    assert_eq!(plan.root().sort_key, ["n.nspname", "c.relname"]);
    assert_eq!(plan.nodes[1].relation.as_ref().unwrap().name, "part_0");
    assert_eq!(
        plan.nodes[1].conditions.filter.as_deref(),
        Some("((relkind = ANY ('{r,p}'::\"char\"[])) AND visible(oid))")
    );
    assert_eq!(plan.planning_ms, Some(Millis(0.636)));
}

#[test]
fn several_statements_and_what_stands_between() {
    let text = "psql> explain select 1;\n QUERY PLAN\n----\n Result\n(1 row)\n\nNOTICE: hello\n Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n   Filter: (a = 1)\n\n Delete on t\n   Delete on t1\n   ->  Seq Scan on t1\n(3 rows)\n{\"Plan\": {\"Node Type\": \"Limit\"}}\n";
    let reading = read_input(text);
    let kinds: Vec<(u32, &str)> = reading
        .plans
        .iter()
        .map(|found| (found.line, found.plan.root().kind.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (4, "Result"),
            (8, "Seq Scan"),
            (11, "ModifyTable"),
            (15, "Limit")
        ]
    );
    assert_eq!(
        reading.plans[2].plan.root().extra["Target Tables"][0],
        "Delete on t1"
    );
    assert_eq!(reading.unread, []);
}

#[test]
fn what_is_no_plan_is_told_with_its_line() {
    let refused =
        any("psql:x.sql:1: ERROR:  relation \"t\" does not exist\nLINE 1: SELECT\n").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the server refused the statement: relation \"t\" does not exist"
    );
    let statement = any("\n\nSELECT *\nFROM t\n").unwrap_err();
    assert_eq!(
        (statement.line(), statement.to_string()),
        (Some(3), "this is a statement, not its plan".to_owned())
    );
    assert!(any("").is_err());
    let json =
        any("note\n[\n{\"Plan\": {\"Node Type\": \"Seq Scan\",\n \"Plan Rows\": \"many\"}}]\n")
            .unwrap_err();
    assert_eq!(json.line(), Some(4));
    // A node without children cannot stand alone on another format's line.
    assert!(any("just some words\nand more\n").is_err());
}

#[test]
fn unknown_nodes_and_keys_are_kept() {
    let plan = plan(
        "Quantum Scan on t x  (cost=0.00..1.00 rows=1 width=4)\n  Spin: up\n  ->  Warp  (cost=0.00..1.00 rows=1 width=4)\n",
    );
    assert_eq!(
        plan.root().kind,
        NodeKind::Unknown("Quantum Scan".to_owned())
    );
    assert_eq!(plan.root().relation.as_ref().unwrap().alias, "x");
    assert_eq!(plan.root().extra["Spin"], "up");
    assert_eq!(plan.nodes[1].kind, NodeKind::Unknown("Warp".to_owned()));
}

#[test]
fn memory_that_was_not_measured_is_unknown() {
    let plan = plan(
        "Parallel Hash  (cost=1.00..2.00 rows=3 width=4) (actual time=1.0..2.0 rows=3 loops=2)\n  Buckets: 4096  Batches: 8  Memory Usage: 0kB\n",
    );
    let hash = plan.root().hash.unwrap();
    assert_eq!((hash.batches, hash.peak_memory), (Some(8), None));
}

#[test]
fn a_line_broken_inside_its_figures_keeps_them() {
    let broken = plan(
        " Sort  (cost=1.00..2.50 rows=10 width=8) (actual\ntime=0.100..1.250 rows=7 loops=1)\n   Sort Key: a\n   Buffers: shared hit=5\nread=3\n",
    );
    let actual = broken.root().actual.unwrap();
    assert_eq!(
        (actual.rows.0, actual.total),
        (7.0, Some(PerLoop(Millis(1.25))))
    );
    assert_eq!(broken.root().buffers.unwrap().shared_read, 3);
}

#[test]
fn figures_of_17_have_types() {
    let plan = plan(
        "Result  (cost=0.00..0.01 rows=1 width=4)\nPlanning:\n  Memory: used=12kB  allocated=16kB\nPlanning Time: 0.1 ms\nSerialization: time=2.500 ms  \
         output=3kB  format=text\n",
    );
    let memory = plan.planning_memory.unwrap();
    assert_eq!(
        (memory.used, memory.allocated),
        (Bytes(12 << 10), Bytes(16 << 10))
    );
    let serialization = plan.serialization.unwrap();
    assert_eq!(
        (serialization.time_ms, serialization.output),
        (Some(Millis(2.5)), Bytes(3 << 10))
    );
}
