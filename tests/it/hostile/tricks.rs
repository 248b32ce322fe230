//! The tricks: what a database's owner or a catalog's author may try against whoever audits there.

/// What must come of a trick.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expect {
    /// Planned only, with this in the reason.
    PlannedOnly(&'static str),
    /// Neither planned nor run: the message holds this.
    Refused(&'static str),
    /// It runs.
    Runs,
    /// It is planned or run, and does no harm.
    Harmless,
    /// It leaves something behind, which is named with this and taken back.
    TakenBack(&'static str),
    /// Whatever becomes of it, nothing changes.
    Anything,
}

/// One way to do harm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trick {
    pub(super) name: &'static str,
    /// Made by the database's owner beforehand.
    pub(super) setup: &'static str,
    /// The query, with its directives.
    pub(super) query: &'static str,
    pub(super) expect: Expect,
}

const fn trick(
    name: &'static str,
    setup: &'static str,
    query: &'static str,
    expect: Expect,
) -> Trick {
    Trick {
        name,
        setup,
        query,
        expect,
    }
}

use Expect::{Anything, Harmless, PlannedOnly, Refused, Runs, TakenBack};

/// What every database has: rows to delete, and a function that does as much harm as it can.
pub(super) const BASE: &str = "
CREATE TABLE victim (id bigint PRIMARY KEY, word text NOT NULL);
INSERT INTO victim SELECT i, 'w' || i FROM generate_series(1, 500) i;
CREATE SEQUENCE numbers;
CREATE SCHEMA app;
CREATE FUNCTION app.harm() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_lock(4711);
  BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch FILES/harm'''; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'ALTER ROLE hostile_MAJOR SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN DELETE FROM victim; EXCEPTION WHEN OTHERS THEN NULL; END;
  RETURN 1;
END $$;
ANALYZE victim;
";

/// Queries of a catalog on one database.
pub(super) const QUERIES: &[Trick] = &[
    // Functions of the server whose work outlives the transaction.
    trick("AdvisoryLock", "", "SELECT pg_advisory_lock(1)", PlannedOnly("pg_advisory_lock")),
    trick("AdvisoryLockShared", "", "SELECT pg_advisory_lock_shared(1)", PlannedOnly("pg_advisory_lock_shared")),
    trick("TryAdvisoryLock", "", "SELECT pg_try_advisory_lock(1, 2)", PlannedOnly("pg_try_advisory_lock")),
    trick("AdvisoryXactLock", "", "SELECT pg_advisory_xact_lock(3)", PlannedOnly("pg_advisory_xact_lock")),
    trick("AdvisoryUnlockAll", "", "SELECT pg_advisory_unlock_all()", PlannedOnly("pg_advisory_unlock_all")),
    trick("NextVal", "", "SELECT nextval('numbers')", PlannedOnly("nextval")),
    trick("SetVal", "", "SELECT setval('numbers', 1000)", PlannedOnly("setval")),
    trick("StatReset", "", "SELECT pg_stat_reset()", PlannedOnly("pg_stat_reset")),
    trick("StatResetShared", "", "SELECT pg_stat_reset_shared('bgwriter')", PlannedOnly("pg_stat_reset_shared")),
    trick("StatResetTable", "", "SELECT pg_stat_reset_single_table_counters('victim'::regclass)", PlannedOnly("pg_stat_reset_single")),
    trick("SwitchWal", "", "SELECT pg_switch_wal()", PlannedOnly("pg_switch_wal")),
    trick("RestorePoint", "", "SELECT pg_create_restore_point('hostile')", PlannedOnly("pg_create_restore_point")),
    trick("ReloadConf", "", "SELECT pg_reload_conf()", PlannedOnly("pg_reload_conf")),
    trick("RotateLog", "", "SELECT pg_rotate_logfile()", PlannedOnly("pg_rotate_logfile")),
    trick("Promote", "", "SELECT pg_promote()", PlannedOnly("pg_promote")),
    trick(
        "TerminateBackend",
        "",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'canary'",
        PlannedOnly("pg_terminate_backend"),
    ),
    trick(
        "CancelBackend",
        "",
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'canary'",
        PlannedOnly("pg_cancel_backend"),
    ),
    trick("LargeObjectImport", "", "SELECT lo_import('/etc/hostname')", PlannedOnly("lo_import")),
    trick("LargeObjectExport", "", "SELECT lo_export(1, 'FILES/export')", PlannedOnly("lo_export")),
    trick("LargeObjectCreate", "", "SELECT lo_create(424242)", PlannedOnly("lo_create")),
    trick("LargeObjectFromBytes", "", "SELECT lo_from_bytea(424243, '\\x00')", PlannedOnly("lo_from_bytea")),
    trick("ReadFile", "", "SELECT pg_read_file('postgresql.conf')", PlannedOnly("pg_read_file")),
    trick("Notify", "", "SELECT pg_notify('canary', 'hello')", PlannedOnly("pg_notify")),
    trick("SetConfig", "", "SELECT set_config('search_path', 'app', false)", PlannedOnly("set_config")),
    trick(
        "Writable",
        "",
        "SELECT set_config('transaction_read_only', 'off', true)",
        PlannedOnly("set_config"),
    ),
    trick(
        "LogicalMessage",
        "",
        "SELECT pg_logical_emit_message(false, 'hostile', 'message')",
        PlannedOnly("pg_logical_emit_message"),
    ),
    trick(
        "ReplicationSlot",
        "",
        "SELECT pg_create_physical_replication_slot('hostile_MAJOR', true)",
        PlannedOnly("pg_create_physical_replication_slot"),
    ),
    trick("ExportSnapshot", "", "SELECT pg_export_snapshot()", PlannedOnly("pg_export_snapshot")),
    trick(
        "QueryToXml",
        "",
        "SELECT query_to_xml('select pg_advisory' || '_lock(9)', true, true, '')",
        PlannedOnly("it calls"),
    ),
    trick("TextSearchStatistics", "", "SELECT * FROM ts_stat('select ''a''::tsvector')", PlannedOnly("ts_stat")),
    trick(
        "GinCleanPendingList",
        "CREATE TABLE words (w tsvector); CREATE INDEX words_idx ON words USING gin (w);",
        "SELECT gin_clean_pending_list('words_idx')",
        PlannedOnly("gin_clean_pending_list"),
    ),
    trick("DblinkExec", "-- A build whose library does not load has functions of the same names.
         DO $$ BEGIN CREATE EXTENSION dblink; EXCEPTION WHEN OTHERS THEN
           CREATE FUNCTION dblink_exec(text, text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
           CREATE FUNCTION dblink(text, text) RETURNS SETOF record LANGUAGE plpgsql AS 'BEGIN PERFORM app.harm(); END';
         END $$;", "SELECT dblink_exec('dbname=' || current_database(), 'DELETE FROM victim')", PlannedOnly("dblink_exec")),
    trick(
        "DblinkRows",
        "",
        "SELECT * FROM dblink('dbname=postgres', 'SELECT pg_advisory_lock(1)') AS found (x text)",
        PlannedOnly("dblink"),
    ),
    // Where a call can hide.
    trick("InWhere", "", "SELECT id FROM victim WHERE pg_try_advisory_lock(id)", PlannedOnly("pg_try_advisory_lock")),
    trick("InOrderBy", "", "SELECT id FROM victim ORDER BY pg_try_advisory_lock(id)", PlannedOnly("pg_try_advisory_lock")),
    trick(
        "InWith",
        "",
        "WITH held AS MATERIALIZED (SELECT pg_try_advisory_lock(8) AS ok) SELECT id FROM victim, held WHERE ok",
        PlannedOnly("pg_try_advisory_lock"),
    ),
    trick("InLateral", "", "SELECT v.id FROM victim v, LATERAL pg_try_advisory_lock(v.id) AS ok WHERE ok", PlannedOnly("pg_try_advisory_lock")),
    trick("InCase", "", "SELECT CASE WHEN id > 0 THEN pg_try_advisory_lock(id) END FROM victim", PlannedOnly("pg_try_advisory_lock")),
    trick("InExists", "", "SELECT 1 WHERE EXISTS (SELECT FROM victim WHERE pg_try_advisory_lock(id))", PlannedOnly("pg_try_advisory_lock")),
    trick("InFilter", "", "SELECT count(*) FILTER (WHERE pg_try_advisory_lock(id)) FROM victim", PlannedOnly("pg_try_advisory_lock")),
    trick(
        "InView",
        "CREATE VIEW app.quiet AS SELECT id, pg_try_advisory_lock(id) AS ok FROM victim;",
        "SELECT ok FROM app.quiet",
        PlannedOnly("pg_try_advisory_lock"),
    ),
    trick("InParameterCondition", "", "SELECT word FROM victim WHERE id = $1 AND pg_try_advisory_lock($1)", PlannedOnly("pg_try_advisory_lock")),
    trick(
        "InSqlFunction",
        "CREATE FUNCTION app.take(k bigint) RETURNS boolean LANGUAGE sql AS 'SELECT pg_try_advisory_lock(k)';",
        "SELECT app.take(id) FROM victim",
        PlannedOnly("pg_try_advisory_lock"),
    ),
    trick(
        "InAtomicFunction",
        "CREATE FUNCTION app.take_atomic(k bigint) RETURNS boolean LANGUAGE sql VOLATILE STRICT SET work_mem = '4MB'
           BEGIN ATOMIC SELECT pg_try_advisory_lock(k); END;",
        "SELECT app.take_atomic(id) FROM victim",
        PlannedOnly("app.take_atomic"),
    ),
    trick("InPlpgsql", "", "SELECT app.harm()", PlannedOnly("app.harm()")),
    trick(
        "TwoDeep",
        "CREATE FUNCTION app.outer() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';",
        "SELECT app.outer()",
        PlannedOnly("app.outer(); it calls app.harm()"),
    ),
    trick(
        "QuotedName",
        "CREATE FUNCTION app.\"Take It\"() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';",
        "SELECT app.\"Take It\"()",
        PlannedOnly("app.Take It()"),
    ),
    trick(
        "InTransitionFunction",
        "CREATE FUNCTION app.next_state(s bigint, v bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE AGGREGATE app.gather(bigint) (SFUNC = app.next_state, STYPE = bigint, INITCOND = '0');",
        "SELECT app.gather(id) FROM victim",
        PlannedOnly("app.gather()"),
    ),
    trick(
        "InOperator",
        "CREATE FUNCTION app.same(a text, b text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.harm() > 0; END';
         CREATE OPERATOR app.=~~= (LEFTARG = text, RIGHTARG = text, FUNCTION = app.same, RESTRICT = eqsel);",
        "SELECT id FROM victim WHERE word OPERATOR(app.=~~=) 'w7'",
        Refused("app.same()"),
    ),
    trick(
        "InCast",
        "CREATE TYPE app.box AS (x bigint);
         CREATE FUNCTION app.unbox(b app.box) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE CAST (app.box AS bigint) WITH FUNCTION app.unbox(app.box) AS IMPLICIT;",
        "SELECT id FROM victim WHERE id = ROW(5)::app.box",
        PlannedOnly("app.unbox()"),
    ),
    trick(
        "InDomain",
        "CREATE DOMAIN app.checked AS bigint CHECK (app.harm() > 0);",
        "SELECT id::app.checked FROM victim",
        PlannedOnly("app.harm()"),
    ),
    trick(
        "InParametersDomain",
        "",
        "SELECT word FROM victim WHERE id = $1::app.checked",
        Refused("app.harm()"),
    ),
    trick(
        "BuiltInAlias",
        "CREATE FUNCTION app.innocent(bigint) RETURNS void LANGUAGE internal AS 'pg_advisory_lock_int8';",
        "SELECT app.innocent(5)",
        PlannedOnly("pg_advisory_lock"),
    ),
    trick("AttributeNotation", "CREATE FUNCTION app.lock_row(v victim) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END'; SET search_path = public, app;", "SELECT app.lock_row(v) FROM victim v", PlannedOnly("app.lock_row()")),
    // Declared to be harmless, so that the planner runs them.
    trick(
        "FalselyImmutable",
        "CREATE FUNCTION app.constant(k bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';",
        "SELECT id FROM victim WHERE id = app.constant(5)",
        Refused("app.constant()"),
    ),
    trick(
        "FalselyStable",
        "CREATE FUNCTION app.today() RETURNS bigint STABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_lock(6); RETURN 1; END';",
        "SELECT id FROM victim WHERE id > app.today()",
        Refused("app.today()"),
    ),
    trick(
        "FalselyImmutableInView",
        "CREATE VIEW app.few AS SELECT id FROM victim WHERE id = app.constant(7);",
        "SELECT id FROM app.few",
        Refused("app.constant()"),
    ),
    trick(
        "HiddenInDynamicSql",
        "CREATE FUNCTION app.dynamic(k bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
           'BEGIN EXECUTE ''SELECT pg_adv'' || ''isory_lock(4712)''; RETURN 1; END';",
        "SELECT id FROM victim WHERE id = app.dynamic(5)",
        TakenBack("advisory lock 4712"),
    ),
    trick(
        "PreparesInDynamicSql",
        "CREATE FUNCTION app.prepares() RETURNS bigint VOLATILE LANGUAGE plpgsql AS
           'BEGIN EXECUTE ''PREPARE hostile AS SELECT 1''; RETURN 1; END';",
        "SELECT app.prepares()",
        PlannedOnly("puts together"),
    ),
    trick("UnicodeEscapes", "", "SELECT U&\"pg\\005fadvisory\\005flock\"(1)", Refused("Unicode escapes")),
    // Functions that write or run programs.
    trick(
        "CopyToProgram",
        "CREATE FUNCTION app.run() RETURNS bigint LANGUAGE plpgsql AS
           $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch FILES/program'; RETURN 1; END $$;",
        "SELECT app.run()",
        PlannedOnly("copies"),
    ),
    trick(
        "CopyToFile",
        "CREATE FUNCTION app.export() RETURNS bigint LANGUAGE sql AS
           $$ COPY (SELECT 1) TO 'FILES/file'; SELECT 1::bigint $$;",
        "SELECT app.export()",
        PlannedOnly("copies"),
    ),
    trick(
        "NotifyStatement",
        "CREATE FUNCTION app.tell() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN NOTIFY canary; RETURN 1; END';",
        "SELECT app.tell()",
        PlannedOnly("notification"),
    ),
    trick(
        "InsertsInFunction",
        "CREATE FUNCTION app.log() RETURNS bigint LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO victim VALUES (-1, 'x'); RETURN 1; END $$;",
        "SELECT app.log()",
        PlannedOnly("read-only transaction"),
    ),
    trick(
        "DefinesInFunction",
        "CREATE FUNCTION app.define() RETURNS bigint LANGUAGE plpgsql AS
           $$ BEGIN CREATE TABLE app.made (x int); RETURN 1; END $$;",
        "SELECT app.define()",
        PlannedOnly("read-only transaction"),
    ),
    trick(
        "DropsInDynamicSql",
        "CREATE FUNCTION app.drop() RETURNS bigint LANGUAGE plpgsql AS
           $$ BEGIN EXECUTE 'DROP TABLE victim'; RETURN 1; END $$;",
        "SELECT app.drop()",
        PlannedOnly("puts together"),
    ),
    trick(
        "RowLocks",
        "",
        "SELECT id FROM victim WHERE id < 10 FOR UPDATE",
        Harmless,
    ),
    trick(
        "ProgramAsTable",
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
         CREATE FOREIGN TABLE app.output (line text) SERVER files OPTIONS (program 'touch FILES/foreign; echo a');",
        "SELECT line FROM app.output WHERE line = $1",
        Anything,
    ),
    trick(
        "ProgramAsTableRead",
        "",
        "SELECT count(*) FROM app.output",
        PlannedOnly("runs a program"),
    ),
    // Statements that write.
    trick("Delete", "", "DELETE FROM victim WHERE id = 5", Harmless),
    trick("DeleteInWith", "", "WITH gone AS (DELETE FROM victim RETURNING id) SELECT count(*) FROM gone", Anything),
    trick(
        "RuleOnInsert",
        "CREATE TABLE app.ruled (x bigint); CREATE RULE also AS ON INSERT TO app.ruled DO ALSO SELECT app.harm();",
        "INSERT INTO app.ruled VALUES (1)",
        Anything,
    ),
    // By way of values.
    trick(
        "ValueSubquery",
        "",
        "-- @param id: (select app.harm())\nSELECT word FROM victim WHERE id = @id::bigint",
        Refused("app.harm()"),
    ),
    trick(
        "ValuesOfTheData",
        "CREATE TABLE quoted (word text); CREATE INDEX ON quoted (word);
         INSERT INTO quoted SELECT E'\\\\''); COMMIT; DELETE FROM victim; --' || i % 9 FROM generate_series(1, 400) i; ANALYZE quoted;",
        "SELECT * FROM quoted WHERE word = $1",
        Runs,
    ),
    trick("ParentWithEffect", "", "SELECT id, pg_try_advisory_lock(id) AS ok FROM victim ORDER BY id LIMIT 3", PlannedOnly("pg_try_advisory_lock")),
    trick(
        "ChildOfParentWithEffect",
        "",
        "-- @for-each ParentWithEffect.id -> $1\nSELECT word FROM victim WHERE id = $1",
        Harmless,
    ),
    trick(
        "HostileTextCast",
        "CREATE TYPE app.level AS ENUM ('low', 'high');
         CREATE FUNCTION app.say(l app.level) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM app.harm(); RETURN ''low''; END';
         CREATE CAST (app.level AS text) WITH FUNCTION app.say(app.level) AS ASSIGNMENT;
         CREATE TABLE app.leveled (id bigint, level app.level); INSERT INTO app.leveled SELECT i, 'low' FROM generate_series(1, 99) i; ANALYZE app.leveled;",
        "SELECT id FROM app.leveled WHERE level = $1",
        Anything,
    ),
    // What must go on working.
    trick("PlainQuery", "", "SELECT word FROM victim WHERE id = $1", Runs),
    trick(
        "HonestFunctions",
        "CREATE FUNCTION app.double(x bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 2 * x';
         CREATE FUNCTION app.word_of(k bigint) RETURNS text LANGUAGE plpgsql AS
           'DECLARE w text; BEGIN -- execute the lookup; no copy
              SELECT word INTO w FROM victim WHERE id = k; RETURN w; END';",
        "SELECT app.double(id), app.word_of(id), random(), clock_timestamp(), md5(word) FROM victim WHERE id < 20",
        Runs,
    ),
];

/// Each is a catalog of its own: pgproof may refuse to read it.
pub(super) const CATALOGS: &[Trick] = &[
    trick(
        "ContinuedEscapeString",
        "",
        "SELECT E'a'\n'b\\'\n'; COMMIT; BEGIN; DELETE FROM victim; COMMIT; --'",
        Anything,
    ),
    trick(
        "NotConformingStrings",
        "ALTER DATABASE :database SET standard_conforming_strings = off;",
        "SELECT 'a\\'; COMMIT; BEGIN; DELETE FROM victim; COMMIT; --'",
        Anything,
    ),
    trick(
        "NotConformingComment",
        "ALTER DATABASE :database SET standard_conforming_strings = off;",
        "SELECT 'a\\' /* ', 1; COMMIT; DELETE FROM victim; -- */",
        Anything,
    ),
    trick("SelectInto", "", "SELECT id INTO app.copied FROM victim", Anything),
    trick("TransactionStatement", "", "COMMIT", Anything),
    trick("Block", "", "DO $$ BEGIN DELETE FROM victim; END $$", Anything),
    trick(
        "ProcedureThatCommits",
        "CREATE PROCEDURE app.clear() LANGUAGE plpgsql AS 'BEGIN DELETE FROM victim; COMMIT; END';",
        "CALL app.clear()",
        Anything,
    ),
    trick("CopyProgramStatement", "", "COPY victim TO PROGRAM 'touch FILES/statement'", Anything),
    trick("DollarQuotes", "", "SELECT $a$ $b$; COMMIT; DELETE FROM victim; --$a$", Anything),
    trick("NestedComment", "", "SELECT 1 /* a /* b */ ; COMMIT; DELETE FROM victim; -- */", Anything),
    trick(
        "ValueSubqueryWithSeveralStatements",
        "",
        "-- @param id: (select 1) as value(v)) limit 1))::text; COMMIT; DELETE FROM victim; --)\nSELECT word FROM victim WHERE id = @id::bigint",
        Anything,
    ),
    trick(
        "ValueThatClosesItsQuotes",
        "",
        "-- @param word: 'a\\''); COMMIT; DELETE FROM victim; --'\nSELECT id FROM victim WHERE word = @word",
        Anything,
    ),
    trick(
        "NamesThatBreakOut",
        "CREATE TABLE \"x\"\"; COMMIT; DELETE FROM victim; --\" (\"id'); DELETE FROM victim; --\" bigint);
         INSERT INTO \"x\"\"; COMMIT; DELETE FROM victim; --\" SELECT generate_series(1, 50);",
        "SELECT * FROM \"x\"\"; COMMIT; DELETE FROM victim; --\" WHERE \"id'); DELETE FROM victim; --\" = $1",
        Harmless,
    ),
    // Functions and operators of the owner's that fit pgproof's own statements better than the built-in ones.
    trick(
        "BetterMatches",
        "CREATE FUNCTION public.pg_table_size(oid) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE FUNCTION public.pg_relation_size(oid) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE FUNCTION public.pg_get_indexdef(oid) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';",
        "SELECT word FROM victim WHERE id = $1",
        Runs,
    ),
    trick(
        "ShadowedCatalog",
        "CREATE FUNCTION public.format_type(oid, integer) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE FUNCTION public.pg_backend_pid() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN PERFORM app.harm(); RETURN NULL; END';
         CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE FUNCTION public.current_database() RETURNS name LANGUAGE plpgsql AS 'BEGIN RETURN app.harm(); END';
         CREATE FUNCTION public.eq(oid, oid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.harm() > 0; END';
         CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.eq);
         CREATE FUNCTION public.eq(name, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.harm() > 0; END';
         CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.eq);
         CREATE VIEW public.pg_class AS SELECT app.harm() AS oid, 'x' AS relname;
         CREATE VIEW public.pg_locks AS SELECT app.harm() AS pid, 'advisory' AS locktype;
         ALTER DATABASE :database SET search_path = public, pg_catalog;",
        "SELECT word FROM victim WHERE id > 5",
        Anything,
    ),
];
