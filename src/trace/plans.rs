//! Plans that auto_explain logged: of each statement the one that took longest.

use std::collections::HashMap;
use std::sync::Arc;

use crate::plan::Plan;
use crate::sql::normal::normal;

/// Statements whose plans are kept.
const MOST: usize = 500;

/// The plan of a statement that took longest.
#[derive(Debug)]
pub struct Longest {
    /// With `$n` for every constant.
    pub form: Arc<str>,
    /// As it was read.
    pub plan: Plan,
    /// As it was written.
    pub text: String,
    /// How many plans of the statement there were.
    pub number: u64,
}

/// Plans so far.
#[derive(Debug, Default)]
pub struct Plans {
    by_form: HashMap<Arc<str>, Longest>,
    /// Plans of statements beyond those that are kept.
    left_out: u64,
}

impl Plans {
    /// Takes a plan.
    pub fn take(&mut self, plan: Plan, text: &str) {
        let statement = plan.query_text.as_deref().unwrap_or_default();
        let form: Arc<str> = normal(statement).text(|_| false).into();
        let took = |plan: &Plan| plan.execution_ms.map_or(0.0, |took| took.0);
        if let Some(known) = self.by_form.get_mut(&form) {
            known.number += 1;
            if took(&plan) > took(&known.plan) {
                known.plan = plan;
                text.clone_into(&mut known.text);
            }
        } else if self.by_form.len() < MOST {
            let longest = Longest {
                form: Arc::clone(&form),
                plan,
                text: text.to_owned(),
                number: 1,
            };
            self.by_form.insert(form, longest);
        } else {
            self.left_out += 1;
        }
    }

    /// The plans, those that took longest first.
    #[must_use]
    pub fn longest_first(self) -> Vec<Longest> {
        let mut plans: Vec<Longest> = self.by_form.into_values().collect();
        plans.sort_by(|a, b| {
            let took = |kept: &Longest| kept.plan.execution_ms.map_or(0.0, |took| took.0);
            took(b).total_cmp(&took(a)).then(a.form.cmp(&b.form))
        });
        plans
    }

    /// Plans that were not kept, for there were too many different statements.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}
