//! `pgproof snapshot`: every query's canonical plan and work as files to keep beside the queries.

use crate::catalog::Query;
use crate::cli::Globals;
use crate::cli::args::SnapshotArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::snapshots::{self, Kept};
use crate::cli::target::Target;
use crate::db::comparison::{self, Known};
use crate::db::introspect;
use crate::rules::plan_regression;

/// Runs the catalog and writes its plans.
pub async fn run(args: &SnapshotArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let project = globals.project()?.with_statements(globals).await?;
    let queries = project.catalog()?.queries;
    let target = Target::open(&project, globals).await?;
    let session = target.session(globals).await?;
    let header = snapshots::header(&target, &session).await?;
    let schema = introspect::schema(&session).await?;
    let options = project.settings.audit.run_once();
    let limits_for = |query: &Query| plan_regression::limits(&project.settings.policy_for(query));
    let known = Known {
        session: &session,
        schema: &schema,
        queries: &queries,
        options,
        limits_for: &limits_for,
        progress: &globals.progress,
        interrupt: &globals.interrupt,
    };
    let kept = match args.fresh {
        true => Vec::new(),
        false => Kept::queries_if_there(&globals.directory, &args.out)?,
    };
    let kept = comparison::snapshots(&known, &kept).await?;
    session.close().await;
    target.close().await?;
    let written = snapshots::write(&globals.directory, &args.out, &header, &kept)?;
    globals.print(&format!(
        "{}: {} queries, {} new, {} changed, {} as they were, {} removed\n",
        args.out.display(),
        kept.len(),
        written.new,
        written.changed,
        written.same,
        written.removed
    ))?;
    Ok(ExitCode::Success)
}
