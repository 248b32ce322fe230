//! `migrate-cmd`: migrations that only a program can apply.

use super::{CONFIGURATION, SHOP, diff, error_of, pgproof, query, shop, statement, write};

#[test]
fn a_program_migrates_and_its_failures_are_told() {
    let project = shop();
    let path = project.path();
    std::fs::remove_dir_all(path.join("migrations")).unwrap();
    write(path, "db/001.txt", SHOP);
    let bin = crate::support::binaries_of(crate::support::MAJOR).unwrap();
    let psql = bin.join("psql");
    let configure = |command: &str| {
        let rest = CONFIGURATION.split_once('\n').unwrap().1;
        write(
            path,
            "pgproof.toml",
            &format!("migrations = \"db\"\nmigrate-cmd = '{command}'\n{rest}"),
        );
    };
    let audit = || pgproof(path, &["audit", "GetOrder"]);

    configure(&format!(
        "cat db/*.txt | {} -XqAt -v ON_ERROR_STOP=1 \"$DATABASE_URL\"",
        psql.display()
    ));
    error_of(&audit(), 0);
    // The dataset follows the files that the program reads.
    write(path, "db/002.txt", "ALTER TABLE orders DROP COLUMN note;\n");
    let gone = audit();
    error_of(&gone, 1);
    let gone = String::from_utf8_lossy(&gone.stdout);
    assert!(
        gone.contains("GetOrder is not audited: column \"note\" does not exist"),
        "{gone}"
    );

    let unknown = error_of(&pgproof(path, &["diff", "--from", "1"]), 2);
    assert!(
        unknown.contains("migrate-cmd only knows the newest version") && unknown.contains("--base"),
        "{unknown}"
    );
    write(
        path,
        "db/003.txt",
        "ALTER TABLE nowhere ADD COLUMN a int;\n",
    );
    let failed = error_of(&audit(), 2);
    assert!(
        failed.contains("migrate-cmd failed")
            && failed.contains("relation \"nowhere\" does not exist"),
        "{failed}"
    );
    assert!(failed.contains("pgproof.toml:2"), "{failed}");
    configure("true");
    let nothing = error_of(&audit(), 2);
    assert!(
        nothing.contains("the database has no table") && nothing.contains("DATABASE_URL"),
        "{nothing}"
    );
    std::fs::remove_dir_all(path.join("db")).unwrap();
    let missing = error_of(&audit(), 2);
    assert!(missing.contains("cannot read db"), "{missing}");
}

/// Applies what it has not applied yet, as such programs do.
const MIGRATE: &str = "set -e
run() { PSQL -XqAt -v ON_ERROR_STOP=1 \"$DATABASE_URL\" \"$@\"; }
run -c 'CREATE TABLE IF NOT EXISTS applied (name text PRIMARY KEY)' 2>/dev/null
for file in db/*.txt; do
    if [ \"$(run -c \"SELECT count(*) FROM applied WHERE name = '$file'\")\" = 0 ]; then
        run -1 -f \"$file\" -c \"INSERT INTO applied VALUES ('$file')\"
    fi
done
";

#[test]
fn a_program_is_observed_between_two_revisions() {
    let project = shop();
    let path = project.path();
    std::fs::remove_dir_all(path.join("migrations")).unwrap();
    write(path, "db/001.txt", SHOP);
    let psql = crate::support::binaries_of(crate::support::MAJOR)
        .unwrap()
        .join("psql");
    write(
        path,
        "bin/migrate",
        &MIGRATE.replace("PSQL", &psql.display().to_string()),
    );
    let rest = CONFIGURATION.split_once('\n').unwrap().1;
    write(
        path,
        "pgproof.toml",
        &format!("migrations = \"db\"\nmigrate-cmd = \"sh bin/migrate\"\n{rest}"),
    );
    super::base::commit(path);
    let sql = "DROP INDEX orders_customer_idx;\nALTER TABLE orders ALTER COLUMN total TYPE bigint;\nSELECT pg_sleep(0.3);\n";
    write(path, "db/002.txt", sql);
    let (report, text) = diff(path, &["--base", "main", "--fail-on", "never"], 0);
    assert!(
        text.contains("migrations: migrate-cmd layout, by migrate-cmd in pgproof.toml"),
        "{text}"
    );
    let program = statement(&report, 2);
    assert_eq!(
        (&program["sql"], &program["file"]),
        (&"sh bin/migrate".into(), &"pgproof.toml".into()),
        "{text}"
    );
    assert_eq!(program["rewritten"][0], "public.orders", "{text}");
    // Its sessions are its own: who waited for them is told all the same.
    assert!(
        program["blocked"][0]["longest_ms"]
            .as_f64()
            .is_some_and(|ms| ms > 100.0),
        "{text}"
    );
    let lost = query(&report, "ListOrders");
    assert!(
        lost["verdict"].as_str().unwrap().contains("regression"),
        "{text}"
    );
    assert_eq!(lost["runs"][0]["cause"]["file"], "pgproof.toml", "{text}");
    assert!(text.contains("dropped index orders_customer_idx"), "{text}");
}
