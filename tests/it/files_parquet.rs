//! `pgproof seed --out --format parquet`: what a reader finds in the files is what the same seed loads into the server.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::basic::{LogicalType, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use pgproof::db::given;
use pgproof::export::{self, FileFormat};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::seed::Options;
use pgproof::source::Source;

use crate::support::{self, TestDatabase};

type Rows = Vec<Vec<Option<String>>>;

async fn written(
    database: &TestDatabase,
    options: &Options,
    specs: &[Source],
    directory: &Path,
) -> Vec<String> {
    let planned = given::plan_files(database.url(), specs, options, &Interrupt::new()).await;
    let (schema, plan, _) = planned.unwrap_or_else(|error| panic!("{error}"));
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let exported = export::write(
        directory,
        FileFormat::Parquet,
        &schema,
        &plan,
        &progress,
        &interrupt,
    )
    .unwrap();
    assert!(exported.files.iter().all(|file| {
        file.extension()
            .is_some_and(|extension| extension == "parquet")
    }));
    plan.tables
        .iter()
        .map(|table| table.name.name.clone())
        .collect()
}

/// The rows of a file, and for each column the SQL that shows the server's value the same way.
fn read(path: &Path) -> (Rows, Vec<(String, String)>) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let columns = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .columns()
        .iter();
    let shown = columns.map(|column| {
        let name = format!("\"{}\"", column.name().replace('"', "\"\""));
        let sql = match (column.logical_type_ref(), column.physical_type()) {
            (Some(LogicalType::Date), _) => format!("({name}::date - date '1970-01-01')::text"),
            (Some(LogicalType::Timestamp(_) | LogicalType::Time(_)), _) => {
                format!("(extract(epoch FROM {name}) * 1000000)::bigint::text")
            }
            (Some(LogicalType::Decimal(decimal)), _) => {
                format!("trunc({name} * 1e{})::text", decimal.scale)
            }
            (Some(LogicalType::Uuid), _) => format!("replace({name}::text, '-', '')"),
            (_, Physical::BOOLEAN) => format!("{name}::int::text"),
            (_, Physical::FLOAT) => format!("encode(float4send({name}), 'hex')"),
            (_, Physical::DOUBLE) => format!("encode(float8send({name}), 'hex')"),
            (None, Physical::BYTE_ARRAY) => format!("encode({name}, 'hex')"),
            _ => format!("{name}::text"),
        };
        (column.name().to_owned(), sql)
    });
    let shown = shown.collect();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        row.unwrap()
            .get_column_iter()
            .map(|(_, field)| text_of(field))
            .collect()
    });
    (rows.collect(), shown)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text_of(field: &Field) -> Option<String> {
    Some(match field {
        Field::Null => return None,
        Field::Bool(value) => i32::from(*value).to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) | Field::Date(value) => value.to_string(),
        Field::Long(value) | Field::TimestampMicros(value) | Field::TimeMicros(value) => {
            value.to_string()
        }
        Field::Float(value) => hex(&value.to_be_bytes()),
        Field::Double(value) => hex(&value.to_be_bytes()),
        Field::Decimal(value) => {
            let bytes = value.data();
            let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
            bytes
                .iter()
                .fold(sign, |number: i128, byte| number << 8 | i128::from(*byte))
                .to_string()
        }
        Field::Str(value) => value.trim_end_matches(' ').to_owned(),
        Field::Bytes(value) => hex(value.data()),
        other => panic!("{other:?}"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_files_hold_what_the_server_is_given() {
    let cluster = support::cluster();
    let database = TestDatabase::copy_of(&cluster, "template1").await;
    database.execute(include_str!("torture/schema.sql")).await;
    let options = Options {
        all_rows: Some(120),
        ..Options::default()
    };
    let directory = tempfile::tempdir().unwrap();
    written(&database, &options, &[], directory.path()).await;
    let (interrupt, progress) = (Interrupt::new(), Progress::default());
    let intent = given::plan(
        database.url(),
        &[],
        &options,
        given::Existing::Refuse,
        &interrupt,
    )
    .await
    .unwrap();
    given::fill(database.url(), &intent, &progress, &interrupt)
        .await
        .unwrap();
    let session = database.session().await;
    let (mut compared, mut kinds, mut wrong) = (0, BTreeMap::new(), Vec::new());
    // What a trigger writes is in no file.
    let own = |name: &str| !matches!(name, "audit" | "triggered");
    for table in intent
        .plan
        .tables
        .iter()
        .filter(|table| table.rows > 0 && own(&table.name.name))
    {
        let stem = match table.name.schema.as_str() {
            "public" => table.name.name.clone(),
            schema => format!("{schema}.{}", table.name.name),
        };
        let path = directory.path().join(format!("{stem}.parquet"));
        // Names that file systems refuse are written otherwise.
        if !path.is_file() {
            continue;
        }
        let (mut rows, mut columns) = read(&path);
        let type_of = |name: &str| {
            let column = table.columns.iter().find(|column| column.name == name);
            column.map_or("", |column| column.data_type.name.as_str())
        };
        // A relation's number is a name here and none there.
        for (name, sql) in columns
            .iter_mut()
            .filter(|(name, _)| type_of(name).starts_with("reg"))
        {
            *sql = format!("\"{name}\"::oid::text ");
        }
        let list: Vec<&str> = columns.iter().map(|(_, sql)| sql.as_str()).collect();
        // Of a table that others inherit from, its own rows.
        let partitioned = "SELECT relkind = 'p' FROM pg_class WHERE oid = $1";
        let partitioned = session
            .client()
            .query_one(partitioned, &[&table.oid])
            .await
            .unwrap();
        let from = if partitioned.get(0) { "" } else { "ONLY" };
        let sql = format!(
            "SELECT {} FROM {from} {}",
            list.join(", "),
            table.name.sql()
        );
        let stored = session
            .client()
            .query(&sql, &[])
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let mut stored: Rows = stored
            .iter()
            .map(|row| {
                let cell = |at| {
                    row.get::<_, Option<String>>(at)
                        .map(|text| text.trim_end_matches(' ').to_owned())
                };
                (0..row.len()).map(cell).collect()
            })
            .collect();
        for (at, (name, _)) in columns
            .iter()
            .enumerate()
            .filter(|(_, (_, sql))| sql.ends_with("\"::text"))
        {
            // There are several ways to write an interval or a document: the server's.
            let written: Vec<Option<String>> = rows.iter().map(|row| row[at].clone()).collect();
            let sql = format!(
                "SELECT value::{}::text FROM unnest($1::text[]) WITH ORDINALITY AS u(value, n) ORDER BY n",
                type_of(name)
            );
            let read = session
                .client()
                .query(&sql, &[&written])
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            for (row, read) in rows.iter_mut().zip(read) {
                row[at] = read
                    .get::<_, Option<String>>(0)
                    .map(|text| text.trim_end_matches(' ').to_owned());
            }
        }
        rows.sort();
        stored.sort();
        for (ours, theirs) in rows.iter().zip(&stored) {
            for ((ours, theirs), (column, _)) in ours.iter().zip(theirs).zip(&columns) {
                if ours != theirs {
                    wrong.push(format!(
                        "{} {column}: {ours:?} instead of {theirs:?}",
                        table.name
                    ));
                }
            }
        }
        assert_eq!(rows.len(), stored.len(), "{}", table.name);
        compared += 1;
        for column in SerializedFileReader::new(File::open(&path).unwrap())
            .unwrap()
            .metadata()
            .file_metadata()
            .schema_descr()
            .columns()
        {
            *kinds
                .entry(format!(
                    "{:?} {:?}",
                    column.physical_type(),
                    column.logical_type_ref()
                ))
                .or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(20)]);
    assert!(
        compared > 20 && kinds.len() > 15,
        "{compared} tables, {kinds:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn row_groups_are_bounded() {
    let cluster = support::cluster();
    let database = TestDatabase::copy_of(&cluster, "template1").await;
    database
        .execute("CREATE TABLE blobs (id int PRIMARY KEY, body text NOT NULL)")
        .await;
    let specs = [Source::new(
        "seeds/blobs.toml",
        "[tables.blobs]\nrows = 9000\n[tables.blobs.columns]\nbody = { generator = \"paragraph\", width = 8000 }\n",
    )];
    let directory = tempfile::tempdir().unwrap();
    written(&database, &Options::default(), &specs, directory.path()).await;
    let file =
        SerializedFileReader::new(File::open(directory.path().join("blobs.parquet")).unwrap())
            .unwrap();
    let groups = file.metadata().row_groups();
    assert!(groups.len() > 1, "{}", groups.len());
    assert!(
        groups
            .iter()
            .all(|group| group.total_byte_size() < 40 << 20)
    );
    assert_eq!(
        groups.iter().map(|group| group.num_rows()).sum::<i64>(),
        9000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_server_computes_is_refused() {
    let cluster = support::cluster();
    let database = TestDatabase::copy_of(&cluster, "template1").await;
    database
        .execute("CREATE TABLE points (id int PRIMARY KEY, label text, twice int)")
        .await;
    let plan = async |spec: &str| {
        let specs = [Source::new("seeds/points.toml", spec)];
        let planned = given::plan_files(
            database.url(),
            &specs,
            &Options::default(),
            &Interrupt::new(),
        )
        .await;
        let (schema, plan, _) = planned.unwrap_or_else(|error| panic!("{error}"));
        let directory = tempfile::tempdir().unwrap();
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        export::write(
            directory.path(),
            FileFormat::Parquet,
            &schema,
            &plan,
            &progress,
            &interrupt,
        )
    };
    let refused = plan("[tables.points.columns]\nlabel = { expression = \"md5(id::text)\" }\n")
        .await
        .unwrap_err();
    insta::assert_snapshot!(
        refused,
        @"column label of table points is SQL that only the server computes: write csv or sql, which it computes while it loads, or give the column a generator"
    );
    // Arithmetic is done here.
    plan("[tables.points.columns]\ntwice = { expression = \"id * 2\" }\n")
        .await
        .unwrap();
}
