//! A table's rows into a writer.

use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::ControlFlow;

use super::parquet::ParquetFile;
use super::{ExportError, FileFormat};
use crate::interrupt::Interrupt;
use crate::progress::Task;
use crate::schema::Schema;
use crate::seed::chunks::{self, Chunk};
use crate::seed::encode::{HEADER, TRAILER};
use crate::seed::infer::types::{TypeClass, classify};
use crate::seed::{SeedPlan, text};

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
    let columns: Vec<(TypeClass, u32)> =
        planned.columns.iter().map(|column| (classify(schema, &column.data_type), column.data_type.oid)).collect();
    let spare: RefCell<Vec<Vec<u8>>> = RefCell::default();
    let mut lines = Vec::new();
    let mut failure: Option<io::Error> = None;
    let mut put = |bytes: &[u8]| -> ControlFlow<()> {
        match out.write_all(bytes) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let opened = match format {
        FileFormat::Binary => put(HEADER),
        FileFormat::Csv => put(header(plan, table).as_bytes()),
        FileFormat::Sql | FileFormat::Parquet => ControlFlow::Continue(()),
    };
    let emit = |mut chunk: Chunk| {
        if interrupt.is_set() {
            return ControlFlow::Break(());
        }
        lines.clear();
        let flow = match format {
            FileFormat::Binary => put(&chunk.bytes),
            FileFormat::Csv => {
                text::csv_lines(&chunk.bytes, &columns, &mut lines);
                put(&lines)
            }
            FileFormat::Sql | FileFormat::Parquet => {
                text::copy_lines(&chunk.bytes, &columns, &mut lines);
                put(&lines)
            }
        };
        task.advance(chunk.rows);
        chunk.bytes.clear();
        spare.borrow_mut().push(chunk.bytes);
        flow
    };
    if opened.is_continue() {
        let buffer = || spare.borrow_mut().pop().unwrap_or_default();
        chunks::generate(plan, table, 0..planned.rows, buffer, emit)
            .map_err(|homeless| ExportError::Homeless { table: planned.name.to_string(), row: homeless.row })?;
    }
    interrupt.check()?;
    let failed = |error| ExportError::Io { path: planned.name.to_string().into(), error };
    if let Some(error) = failure {
        return Err(failed(error));
    }
    if format == FileFormat::Binary {
        out.write_all(TRAILER).map_err(failed)?;
    }
    Ok(())
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
    let failed = |error| ExportError::Io { path: planned.name.to_string().into(), error };
    let mut file = ParquetFile::new(schema, planned, out).map_err(failed)?;
    let mut failure: Option<io::Error> = None;
    let spare: RefCell<Vec<Vec<u8>>> = RefCell::default();
    let emit = |mut chunk: Chunk| {
        if interrupt.is_set() {
            return ControlFlow::Break(());
        }
        if let Err(error) = file.rows(&chunk.bytes) {
            failure = Some(error);
            return ControlFlow::Break(());
        }
        task.advance(chunk.rows);
        chunk.bytes.clear();
        spare.borrow_mut().push(chunk.bytes);
        ControlFlow::Continue(())
    };
    let buffer = || spare.borrow_mut().pop().unwrap_or_default();
    chunks::generate(plan, table, 0..planned.rows, buffer, emit)
        .map_err(|homeless| ExportError::Homeless { table: planned.name.to_string(), row: homeless.row })?;
    interrupt.check()?;
    match failure {
        Some(error) => Err(failed(error)),
        None => file.finish().map_err(failed),
    }
}

fn header(plan: &SeedPlan, table: usize) -> String {
    let names: Vec<String> = plan.tables[table]
        .columns
        .iter()
        .map(|column| match column.name.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", column.name.replace('"', "\"\"")),
            false => column.name.clone(),
        })
        .collect();
    format!("{}\n", names.join(","))
}
