//! A plan's rows as files: CSV, COPY BINARY, Parquet, or one script for psql. Needs no server but the one that the schema was read
//! from; every table is made by a thread of its own, in bounded memory.

mod parquet;
mod rows;
mod script;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::{Progress, Task, Unit};
use crate::schema::{Column, Schema};
use crate::seed::SeedPlan;
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::types::{TypeClass, classify};
use crate::write::whole_unsynced;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// One `.csv` a table with a header line, and a script that loads them.
    Csv,
    /// One `.copy` a table in COPY's binary format, and a script that loads them.
    Binary,
    /// One `seed.sql` that psql loads alone.
    Sql,
    /// One `.parquet` a table, for everything that is not PostgreSQL.
    Parquet,
}

impl FileFormat {
    /// All of them, as they are named on the command line.
    pub const ALL: [(&'static str, Self); 4] = [
        ("csv", Self::Csv),
        ("sql", Self::Sql),
        ("parquet", Self::Parquet),
        ("binary", Self::Binary),
    ];

    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, format)| *format)
    }

    /// The form of a table's own rows: one with a type that has no binary form is written as text.
    fn of_table(self, schema: &Schema, table: &TablePlan) -> Self {
        let unknown = |column: &Column| {
            matches!(
                classify(schema, &column.data_type).base(),
                TypeClass::Unknown(_)
            )
        };
        let odd = schema
            .table_by_oid(table.oid)
            .is_some_and(|table| table.columns.iter().any(unknown));
        match self {
            Self::Binary if odd => Self::Csv,
            other => other,
        }
    }
}

/// Why files were not written: exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file system refused.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its message.
        error: io::Error,
    },
    /// A row that no partition takes.
    #[error("row {row} of table {table} belongs to no partition")]
    MissingPartition {
        table: String,
        /// Its number.
        row: u64,
    },
    /// A column that only the server can compute, in a format that no server reads.
    #[error(
        "column {column} of table {table} is SQL that only the server computes: write csv or sql, which it computes while it \
         loads, or give the column a generator"
    )]
    Computed { table: String, column: String },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files, in the order in which they are to be loaded.
    pub files: Vec<PathBuf>,
    /// Rows in all.
    pub rows: u64,
    /// Bytes in all.
    pub bytes: u64,
}

/// Writes every planned table below `directory`, which is made where it is not there.
///
/// # Errors
/// [`ExportError`]; files that are not whole are removed.
pub fn write(
    directory: &Path,
    format: FileFormat,
    schema: &Schema,
    plan: &SeedPlan,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Exported, ExportError> {
    std::fs::create_dir_all(directory).map_err(|error| ExportError::Io {
        path: directory.to_owned(),
        error,
    })?;
    let task = progress.task("Writing rows", Unit::Rows, Some(plan.total_rows()));
    let export = Export {
        directory,
        format,
        schema,
        plan,
        task: &task,
        interrupt,
        bytes: AtomicU64::new(0),
    };
    let files = match format {
        FileFormat::Sql => vec![export.script()?],
        FileFormat::Csv | FileFormat::Binary => {
            let mut files = export.tables()?;
            files.push(export.loader()?);
            files
        }
        FileFormat::Parquet => {
            export.refuse_computed()?;
            export.tables()?
        }
    };
    Ok(Exported {
        files,
        rows: plan.total_rows(),
        bytes: export.bytes.into_inner(),
    })
}

struct Export<'a> {
    directory: &'a Path,
    format: FileFormat,
    schema: &'a Schema,
    plan: &'a SeedPlan,
    task: &'a Task,
    interrupt: &'a Interrupt,
    bytes: AtomicU64,
}

impl Export<'_> {
    /// One file a table, on all cores.
    fn tables(&self) -> Result<Vec<PathBuf>, ExportError> {
        let filled: Vec<usize> = self.filled().collect();
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<ExportError>> = Mutex::new(None);
        let threads = std::thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(filled.len().max(1));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(table) = filled.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.table(*table) {
                            failure
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .get_or_insert(error);
                            next.store(filled.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        Ok(filled
            .iter()
            .map(|table| self.directory.join(self.name(*table)))
            .collect())
    }

    /// The script that loads the tables' files.
    fn loader(&self) -> Result<PathBuf, ExportError> {
        self.file("load.sql", |out| {
            script::of_files(self.schema, self.plan, out, |table| {
                (self.name(table), self.format_of(table))
            })
        })
    }

    fn refuse_computed(&self) -> Result<(), ExportError> {
        let computed = self.filled().find_map(|table| {
            let table = &self.plan.tables[table];
            table
                .expressions
                .first()
                .map(|computed| (table.name.to_string(), computed.column.clone()))
        });
        computed.map_or(Ok(()), |(table, column)| {
            Err(ExportError::Computed { table, column })
        })
    }

    fn filled(&self) -> impl Iterator<Item = usize> {
        let tables = &self.plan.tables;
        (0..tables.len())
            .filter(|table| tables[*table].fill == Fill::Generate && tables[*table].rows > 0)
    }

    fn format_of(&self, table: usize) -> FileFormat {
        self.format.of_table(self.schema, &self.plan.tables[table])
    }

    fn name(&self, table: usize) -> String {
        file_name(&self.plan.tables, table, self.format_of(table))
    }

    fn table(&self, table: usize) -> Result<(), ExportError> {
        let name = self.name(table);
        self.task.doing(self.plan.tables[table].name.to_string());
        let mut made = Ok(());
        self.file(&name, |out| {
            made = self.rows(table, out);
            made.as_ref()
                .map_or_else(|_| Err(io::ErrorKind::Interrupted.into()), |()| Ok(()))
        })
        .map(|_| ())
        .or_else(|error| if made.is_err() { made } else { Err(error) })
    }

    fn rows(&self, table: usize, out: &mut (dyn Write + Send)) -> Result<(), ExportError> {
        let format = self.format_of(table);
        rows::write(
            self.schema,
            self.plan,
            table,
            format,
            self.task,
            self.interrupt,
            out,
        )
    }

    fn script(&self) -> Result<PathBuf, ExportError> {
        let mut made = Ok(());
        let written = self.file("seed.sql", |out| {
            script::begin(self.schema, self.plan, out)?;
            for table in self.filled() {
                script::before_rows(&self.plan.tables[table], out)?;
                made = self.rows(table, out);
                if made.is_err() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                out.write_all(b"\\.\n")?;
                script::after_rows(&self.plan.tables[table], out)?;
            }
            script::end(self.schema, self.plan, out)
        });
        written.map_err(|error| made.err().unwrap_or(error))
    }

    /// Writes a file under another name and renames it when it is whole.
    fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
    ) -> Result<PathBuf, ExportError> {
        let path = self.directory.join(name);
        let written = whole_unsynced(&path, write);
        match written {
            Ok(bytes) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                Ok(path)
            }
            Err(error) => Err(ExportError::Io { path, error }),
        }
    }
}

/// `orders.csv`, `shop.orders.csv`; characters that file systems refuse become underscores, names that are then the same
/// are numbered.
fn file_name(tables: &[TablePlan], table: usize, format: FileFormat) -> String {
    let extension = match format {
        FileFormat::Csv => "csv",
        FileFormat::Binary => "copy",
        FileFormat::Sql => "sql",
        FileFormat::Parquet => "parquet",
    };
    let plain = |name: &str| {
        name.replace(
            |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ' ')),
            "_",
        )
    };
    let stem = |table: &TablePlan| match table.name.schema.as_str() {
        "public" => plain(&table.name.name),
        schema => format!("{}.{}", plain(schema), plain(&table.name.name)),
    };
    let name = stem(&tables[table]);
    // Not every file system tells capitals apart.
    let same = tables[..table]
        .iter()
        .filter(|other| stem(other).to_lowercase() == name.to_lowercase())
        .count();
    if same == 0 {
        format!("{name}.{extension}")
    } else {
        format!("{name}-{}.{extension}", same + 1)
    }
}
