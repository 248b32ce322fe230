//! Trying what is advised: on copies of pgproof's own, on a given database as far as it was agreed to, and only while the server is there. What was measured is never
//! lost to it.

use super::consent::{self, Prove};
use super::place::Place;
use crate::advise::planned::{self, PlannedTrial};
use crate::advise::{self, AdviceBudget, Audited, Candidate};
use crate::cli::exit::CliError;
use crate::db::audit::{AuditError, RunOptions};
use crate::db::explain::ExplainError;
use crate::db::hypothetical::{self, HypoPg};
use crate::db::prove::{self, Intent};
use crate::db::prove_memory::prove_memory;
use crate::db::prove_policies::prove_policies;
use crate::db::prove_statistics::prove_statistics;
use crate::db::trials::Trials;
use crate::finding::{Finding, Quantity, RuleId};
use crate::run::EndedEarly;

pub(super) struct Advice<'a, 'p> {
    pub(super) place: &'a mut Place<'p>,
    pub(super) audited: Audited<'a>,
    pub(super) options: &'a RunOptions,
    pub(super) budget: AdviceBudget,
    pub(super) prove: Prove,
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
            match self.on_given_database(findings).await {
                Ok(advised) => findings.extend(advised),
                Err(ended) => {
                    self.ended_early = Some(ended);
                    findings.extend(unproven());
                }
            }
            return;
        }
        match self.proven().await {
            Ok(advice) => {
                let built = (&advice.tried[..], &advice.harmful[..]);
                advise::tell_of_trials(findings, built, &advice.findings, audited);
                advise::drop_answered(findings, &advice.chosen, &advice.used, audited.schema);
                let mut advised = advice.findings;
                if let Some(original) = self.place.target.original() {
                    say_how(&mut advised, &format!("built on a copy of {original}"));
                }
                findings.extend(advised);
            }
            Err(ended) => {
                self.ended_early = Some(ended);
                findings.extend(unproven());
            }
        }
    }

    /// On a given database: built and rolled back where that was agreed to, else planned where HypoPG is, else guessed by the
    /// statistics. Each finding says which.
    async fn on_given_database(
        &mut self,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Finding>, EndedEarly> {
        let audited = self.audited;
        let mut left = advise::candidates(&audited);
        let mut advised = Vec::new();
        if self.ended_early.is_none() && !left.is_empty() {
            self.connect().await?;
            advised.extend(self.built_there(&mut left, findings).await?);
            advised.extend(self.planned_there(&mut left).await?);
        }
        let mut guesses = advise::unproven(&left, audited);
        say_how(&mut guesses, "not built");
        advised.extend(guesses);
        Ok(advised)
    }

    /// `--prove`: takes what was built out of `left`.
    async fn built_there(
        &mut self,
        left: &mut Vec<Candidate>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Finding>, EndedEarly> {
        if self.prove == Prove::No {
            return Ok(Vec::new());
        }
        let runs = prove::repeatable(self.audited.queries, self.audited.runs);
        let audited = Audited {
            runs: &runs,
            ..self.audited
        };
        let mut candidates = advise::candidates(&audited);
        candidates.retain(|candidate| prove::may_be_built(candidate, audited.schema));
        let (globals, bench) = (self.place.globals, self.place.bench());
        if candidates.is_empty() {
            globals
                .progress
                .note("--prove: no query that ran here asks for an index, so that none is built");
            return Ok(Vec::new());
        }
        let blockers = prove::blockers(bench, &candidates, self.options);
        let blockers = blockers.await.map_err(|error| lost(&error))?;
        if !blockers.is_empty() {
            let reasons: Vec<String> = blockers.iter().map(ToString::to_string).collect();
            globals.progress.note(format!(
                "--prove builds nothing here: {}",
                reasons.join("; ")
            ));
            return Ok(Vec::new());
        }
        let intent = Intent::of(&candidates, self.options);
        match consent::confirm(self.prove, &intent, globals) {
            Ok(true) => {}
            Ok(false) => return Ok(Vec::new()),
            Err(_) => return Err(EndedEarly::Interrupted),
        }
        let events = (&globals.progress, &globals.interrupt);
        let how = (self.options, &self.budget);
        let advice = prove::advise_given(bench, audited, &candidates, how, events)
            .await
            .map_err(|error| ended(&error))?;
        let built = (&advice.tried[..], &advice.harmful[..]);
        advise::tell_of_trials(findings, built, &advice.findings, audited);
        advise::drop_answered(findings, &advice.chosen, &advice.used, audited.schema);
        left.retain(|candidate| {
            let is_built = |built: &Candidate| built.index == candidate.index;
            !advice.tried.iter().any(is_built)
        });
        let mut advised = advice.findings;
        say_how(
            &mut advised,
            "built in the database itself, in a transaction that rolled back",
        );
        Ok(advised)
    }

    /// Takes what HypoPG planned out of `left`.
    async fn planned_there(
        &mut self,
        left: &mut Vec<Candidate>,
    ) -> Result<Vec<Finding>, EndedEarly> {
        let bench = self.place.bench();
        let found = HypoPg::of(bench, self.options).await;
        let Some(hypopg) = found.map_err(|error| lost(&error))? else {
            return Ok(Vec::new());
        };
        let (audited, options) = (self.audited, self.options);
        let events = (&self.place.globals.progress, &self.place.globals.interrupt);
        let trials = hypothetical::planned(&hypopg, bench, audited, left, options, events).await;
        let trials = trials.map_err(|error| ended(&error))?;
        left.retain(|candidate| {
            let is_planned = |trial: &PlannedTrial| trial.candidate == *candidate;
            !trials.iter().any(is_planned)
        });
        let mut chosen = planned::choose(&trials, &audited);
        hypothetical::planned_together(&hypopg, bench, audited, &mut chosen, options)
            .await
            .map_err(|error| ended(&error))?;
        let mut advised = planned::findings(&chosen, audited);
        say_how(
            &mut advised,
            "planned on a hypothetical index (HypoPG), not built",
        );
        Ok(advised)
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

/// Each index says how it was tried.
fn say_how(findings: &mut [Finding], how: &str) {
    for finding in findings {
        if finding.rule == RuleId::MissingIndex {
            finding.evidence =
                std::mem::take(&mut finding.evidence).with("proof", Quantity::Text(how.to_owned()));
        }
    }
}

fn lost(error: &ExplainError) -> EndedEarly {
    EndedEarly::ServerLost {
        reason: error.to_string(),
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
