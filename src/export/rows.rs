//! A table's rows into a writer.

use std::io::Write;

use super::parquet::ParquetFile;
use super::{ExportError, FileFormat};
use crate::interrupt::Interrupt;
use crate::progress::Task;
use crate::schema::Schema;
use crate::seed::SeedPlan;
use crate::seed::chunks::{Chunks, MissingPartition};
use crate::seed::types::binary::{HEADER, TRAILER};
use crate::seed::types::{TypeClass, classify, lines};

/// Writes all rows; CSV with a header line, the others as COPY reads them.
pub(super) fn write(
    schema: &Schema,
    plan: &SeedPlan,
    table: usize,
    format: FileFormat,
    task: &Task,
    interrupt: &Interrupt,
    out: &mut (dyn Write + Send),
) -> Result<(), ExportError> {
    let planned = &plan.tables[table];
    if format == FileFormat::Parquet {
        return parquet(schema, plan, table, task, interrupt, out);
    }
    let columns: Vec<(TypeClass, u32)> = planned
        .columns
        .iter()
        .map(|column| (classify(schema, &column.data_type), column.data_type.oid))
        .collect();
    let failed = |error| ExportError::Io {
        path: planned.name.to_string().into(),
        error,
    };
    let mut lines = Vec::new();
    match format {
        FileFormat::Binary => out.write_all(HEADER),
        FileFormat::Csv => out.write_all(header(plan, table).as_bytes()),
        FileFormat::Sql | FileFormat::Parquet => Ok(()),
    }
    .map_err(failed)?;
    each_chunk(plan, table, task, interrupt, |rows| {
        lines.clear();
        let bytes = match format {
            FileFormat::Binary => rows,
            FileFormat::Csv => {
                lines::csv_lines(rows, &columns, &mut lines);
                &lines
            }
            FileFormat::Sql | FileFormat::Parquet => {
                lines::copy_lines(rows, &columns, &mut lines);
                &lines
            }
        };
        out.write_all(bytes).map_err(failed)
    })?;
    if format == FileFormat::Binary {
        out.write_all(TRAILER).map_err(failed)?;
    }
    Ok(())
}

/// All rows of a table, chunk by chunk.
fn each_chunk(
    plan: &SeedPlan,
    table: usize,
    task: &Task,
    interrupt: &Interrupt,
    mut put: impl FnMut(&[u8]) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let planned = &plan.tables[table];
    let missing_partition = |MissingPartition { row }| ExportError::MissingPartition {
        table: planned.name.to_string(),
        row,
    };
    let mut chunks = Chunks::new(plan, table, 0..planned.rows);
    let mut spare: Option<Vec<u8>> = None;
    while let Some(mut chunk) = chunks
        .next(|| spare.take().unwrap_or_default())
        .map_err(missing_partition)?
    {
        interrupt.check()?;
        put(&chunk.bytes)?;
        task.advance(chunk.rows);
        chunk.bytes.clear();
        spare = Some(chunk.bytes);
    }
    Ok(interrupt.check()?)
}

/// The same as a Parquet file.
fn parquet(
    schema: &Schema,
    plan: &SeedPlan,
    table: usize,
    task: &Task,
    interrupt: &Interrupt,
    out: &mut (dyn Write + Send),
) -> Result<(), ExportError> {
    let planned = &plan.tables[table];
    let failed = |error| ExportError::Io {
        path: planned.name.to_string().into(),
        error,
    };
    let mut file = ParquetFile::new(schema, planned, out).map_err(failed)?;
    each_chunk(plan, table, task, interrupt, |rows| {
        file.rows(rows).map_err(failed)
    })?;
    file.finish().map_err(failed)
}

fn header(plan: &SeedPlan, table: usize) -> String {
    let names: Vec<String> = plan.tables[table]
        .columns
        .iter()
        .map(
            |column| match column.name.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", column.name.replace('"', "\"\"")),
                false => column.name.clone(),
            },
        )
        .collect();
    format!("{}\n", names.join(","))
}
