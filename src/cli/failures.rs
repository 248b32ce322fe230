//! What a failure of the edges means to the one who typed the command: whose mistake it is, and so the exit code.

use super::exit::CliError;
use crate::db::audit::AuditError;
use crate::db::clone::CloneError;
use crate::db::comparison::CompareError;
use crate::db::connect::{ConnectError, UrlError};
use crate::db::copied::CopyOfGivenError;
use crate::db::dataset::DatasetError;
use crate::db::explain::ExplainError;
use crate::db::given::GivenError;
use crate::db::introspect::IntrospectError;
use crate::db::lab::outlook::OutlookError;
use crate::db::lab::{FileError, LabError};
use crate::db::load::LoadError;
use crate::db::migrate::MigrateError;
use crate::db::migration_observer::ObserveError;
use crate::db::server::ServerError;
use crate::export::ExportError;
use crate::interrupt::Interrupted;
use crate::migrations::MigrationsError;
use crate::plan::parse::PlanParseError;
use crate::report::ReportError;
use crate::seed::resolve::SeedError;

impl From<Interrupted> for CliError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<UrlError> for CliError {
    fn from(error: UrlError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ConnectError> for CliError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Interrupted(_) => Self::Interrupted,
            other => Self::environment(&other),
        }
    }
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Interrupted(_) => Self::Interrupted,
            ServerError::Connect(error) => error.into(),
            other if other.is_configuration() => Self::usage(other.to_string()),
            other => Self::environment(&other),
        }
    }
}

impl From<CloneError> for CliError {
    fn from(error: CloneError) -> Self {
        match error {
            CloneError::Interrupted(_) => Self::Interrupted,
            CloneError::Connect(error) => error.into(),
            other => Self::environment(&other),
        }
    }
}

impl From<CopyOfGivenError> for CliError {
    fn from(error: CopyOfGivenError) -> Self {
        match error {
            CopyOfGivenError::Interrupted(_) => Self::Interrupted,
            CopyOfGivenError::Connect(error) => error.into(),
            CopyOfGivenError::Clone(error) => error.into(),
            other => Self::environment(&other),
        }
    }
}

impl From<MigrateError> for CliError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Interrupted(_) => Self::Interrupted,
            MigrateError::Connect(error) => error.into(),
            MigrateError::Statement(error) => error.into(),
            other if other.is_configuration() => Self::usage(other.to_string()),
            other => Self::environment(&other),
        }
    }
}

impl From<MigrationsError> for CliError {
    fn from(error: MigrationsError) -> Self {
        match error {
            MigrationsError::Script(mistake) => mistake.into(),
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<SeedError> for CliError {
    fn from(error: SeedError) -> Self {
        match error {
            SeedError::Spec(mistake) => mistake.into(),
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<ExplainError> for CliError {
    fn from(error: ExplainError) -> Self {
        Self::environment(&error)
    }
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Interrupted(_) => Self::Interrupted,
            other => Self::environment(&other),
        }
    }
}

impl From<PlanParseError> for CliError {
    fn from(error: PlanParseError) -> Self {
        let place = error
            .line()
            .map(|line| format!("line {line}: "))
            .unwrap_or_default();
        Self::usage(format!("{place}{error}")).help(error.remedy())
    }
}

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        match error {
            closed if closed.is_closed_stdout() => Self::StdoutClosed,
            typed if typed.is_usage() => Self::usage(typed.to_string()),
            other => Self::environment(&other),
        }
    }
}

impl From<IntrospectError> for CliError {
    fn from(error: IntrospectError) -> Self {
        Self::environment(&error)
    }
}

impl From<DatasetError> for CliError {
    fn from(error: DatasetError) -> Self {
        match error {
            DatasetError::Spec(mistakes) => mistakes.into(),
            DatasetError::Plan(errors) => seed_errors(errors),
            DatasetError::Migrate(error) => error.into(),
            DatasetError::Connect(error) => error.into(),
            DatasetError::Introspect(error) => error.into(),
            DatasetError::Clone(error) => error.into(),
            DatasetError::Interrupted(_) | DatasetError::Load(LoadError::Interrupted(_)) => {
                Self::Interrupted
            }
            other if other.is_configuration() => Self::usage(other.to_string()),
            other => Self::environment(&other),
        }
    }
}

impl From<LabError> for CliError {
    fn from(error: LabError) -> Self {
        match error {
            LabError::Connect(error) => error.into(),
            LabError::Clone(error) => error.into(),
            LabError::Interrupted(_) => Self::Interrupted,
            large @ LabError::TooLarge { .. } => {
                Self::usage(large.to_string()).help("plan at a smaller size, or partition the table")
            }
            LabError::File(error @ FileError::NotSparse { .. }) => Self::environment(&error).help(
                "put the project on a file system with sparse files: ext4, xfs, btrfs, tmpfs, overlay and APFS have them",
            ),
            other => Self::environment(&other),
        }
    }
}

impl From<OutlookError> for CliError {
    fn from(error: OutlookError) -> Self {
        match error {
            OutlookError::Lab(error) => error.into(),
            OutlookError::Server(error) => error.into(),
        }
    }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Interrupted(_) => Self::Interrupted,
            other => Self::environment(&other),
        }
    }
}

impl From<GivenError> for CliError {
    fn from(error: GivenError) -> Self {
        match error {
            GivenError::Spec(mistakes) => mistakes.into(),
            GivenError::Plan(errors) => seed_errors(errors),
            GivenError::Connect(error) => error.into(),
            GivenError::Introspect(error) => error.into(),
            GivenError::Interrupted(_) => Self::Interrupted,
            other if other.is_configuration() => Self::usage(other.to_string()),
            other => Self::environment(&other),
        }
    }
}

/// Mistakes with a line are shown with it; all others are listed in one message.
fn seed_errors(errors: Vec<SeedError>) -> CliError {
    let mut mistakes = Vec::new();
    let mut others = Vec::new();
    for error in errors {
        match error {
            SeedError::Spec(mistake) => mistakes.push(mistake),
            other => others.push(other.to_string()),
        }
    }
    match (mistakes.is_empty(), others.is_empty()) {
        (true, _) => CliError::usage(others.join("\n")),
        (false, true) => mistakes.into(),
        (false, false) => CliError::Seeds {
            sources: mistakes,
            unsolved: others.join("\n"),
        },
    }
}

impl From<CompareError> for CliError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Interrupted(_) => Self::Interrupted,
            CompareError::Connect(error) => error.into(),
            CompareError::Clone(error) => error.into(),
            CompareError::Audit(error) => error.into(),
            CompareError::Migrate(error) => error.into(),
            CompareError::Embedded(error) => error.into(),
            CompareError::Observe(
                ObserveError::Statement(mistake)
                | ObserveError::Unfit(mistake)
                | ObserveError::Deadlock(mistake),
            ) => mistake.into(),
            CompareError::Observe(ObserveError::Interrupted(_)) => Self::Interrupted,
            other => Self::environment(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::ExitCode;
    use crate::source::{Source, SourceError};

    #[test]
    fn failures_end_with_their_code() {
        let code = |error: CliError| error.exit_code();
        let mistake =
            || SourceError::new(&Source::new("migrations/1.sql", "x"), 0..1, "syntax error");
        let closed = ReportError::Stdout {
            format: &crate::report::json::FORMAT,
            source: std::io::Error::from(std::io::ErrorKind::BrokenPipe),
        };
        assert_eq!(
            code(MigrateError::Statement(mistake()).into()),
            ExitCode::Usage
        );
        assert_eq!(
            code(ServerError::UnsupportedMajor { major: 9 }.into()),
            ExitCode::Usage
        );
        assert_eq!(code(ServerError::NoAccount.into()), ExitCode::Environment);
        assert_eq!(code(closed.into()), ExitCode::Success);
        let nested = MigrateError::Connect(ConnectError::Interrupted(Interrupted));
        assert_eq!(CliError::from(nested), CliError::Interrupted);
        assert_eq!(
            CliError::from(CloneError::Interrupted(Interrupted)),
            CliError::Interrupted
        );
    }
}
