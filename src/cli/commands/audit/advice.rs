//! Trying what is advised: on copies of pgproof's own only, and only while the server is there. What was measured is never
//! lost to it.

use super::place::Place;
use crate::advise::{self, AdviceBudget, Audited};
use crate::cli::exit::CliError;
use crate::db::audit::{AuditError, RunOptions};
use crate::db::prove;
use crate::db::prove_memory::prove_memory;
use crate::db::prove_policies::prove_policies;
use crate::db::prove_statistics::prove_statistics;
use crate::db::trials::Trials;
use crate::finding::Finding;
use crate::run::EndedEarly;

pub(super) struct Advice<'a, 'p> {
    pub(super) place: &'a mut Place<'p>,
    pub(super) audited: Audited<'a>,
    pub(super) options: &'a RunOptions,
    pub(super) budget: AdviceBudget,
    pub(super) ended_early: Option<EndedEarly>,
}

impl Advice<'_, '_> {
    fn may_try(&self) -> bool {
        self.ended_early.is_none() && self.place.target.is_own()
    }

    /// Other forms of queries, and indexes, built and measured where that can be.
    pub(super) async fn indexes(&mut self, findings: &mut Vec<Finding>) {
        let audited = self.audited;
        let unproven = || advise::unproven(&advise::candidates(&audited), audited);
        if !self.may_try() {
            findings.extend(unproven());
            return;
        }
        match self.proven().await {
            Ok(advice) => {
                let built = (&advice.tried[..], &advice.harmful[..]);
                advise::tell_of_trials(findings, built, &advice.findings, audited);
                advise::drop_answered(findings, &advice.chosen, &advice.used, audited.schema);
                findings.extend(advice.findings);
            }
            Err(ended) => {
                self.ended_early = Some(ended);
                findings.extend(unproven());
            }
        }
    }

    /// First by what is known; with a session once something is not.
    async fn proven(&mut self) -> Result<prove::Advice, EndedEarly> {
        loop {
            let (progress, interrupt) =
                (&self.place.globals.progress, &self.place.globals.interrupt);
            let bench = self.place.bench();
            let events = (progress, interrupt);
            let proven = prove::advise(bench, self.audited, self.options, &self.budget, events);
            match proven.await {
                Err(error) if error.wants_session() => self.connect().await?,
                proven => return proven.map_err(|error| ended(&error)),
            }
        }
    }

    /// Policies that call a function for each row.
    pub(super) async fn policies(&mut self, findings: &mut Vec<Finding>) {
        while self.may_try() {
            let proven = {
                let trials = self.trials();
                prove_policies(&trials).await
            };
            match proven {
                Err(error) if error.wants_session() => {
                    self.ended_early = self.connect().await.err();
                }
                Err(error) => self.ended_early = Some(ended(&error)),
                Ok(found) => {
                    findings.extend(found);
                    return;
                }
            }
        }
    }

    /// Memory for spills, statistics for estimates.
    pub(super) async fn memory_and_statistics(&mut self, findings: &mut [Finding]) {
        while self.may_try() {
            match self.tried(findings).await {
                // What was written into findings is written again as it is.
                Err(error) if error.wants_session() => {
                    self.ended_early = self.connect().await.err();
                }
                tried => {
                    self.ended_early = tried.err().map(|error| ended(&error));
                    return;
                }
            }
        }
    }

    async fn tried(&self, findings: &mut [Finding]) -> Result<(), AuditError> {
        let trials = self.trials();
        prove_memory(&trials, findings).await?;
        prove_statistics(&trials, findings).await
    }

    fn trials(&self) -> Trials<'_> {
        Trials {
            bench: self.place.bench(),
            audited: self.audited,
            options: self.options,
            progress: &self.place.globals.progress,
            interrupt: &self.place.globals.interrupt,
        }
    }

    async fn connect(&mut self) -> Result<(), EndedEarly> {
        match self.place.session().await {
            Ok(_) => Ok(()),
            Err(CliError::Interrupted) => Err(EndedEarly::Interrupted),
            Err(error) => Err(EndedEarly::ServerLost {
                reason: error.to_string(),
            }),
        }
    }
}

fn ended(error: &AuditError) -> EndedEarly {
    match error {
        AuditError::Interrupted(_) => EndedEarly::Interrupted,
        AuditError::Server { .. } => EndedEarly::ServerLost {
            reason: error.to_string(),
        },
    }
}
