//! What an assistant can ask for: each tool is a command of pgproof with the arguments that it may choose, and no others.

use serde_json::{Map, Value, json};

/// A command to run for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invocation {
    /// After the global options.
    pub(super) arguments: Vec<String>,
    /// What it reads from standard input.
    pub(super) input: Option<String>,
}

pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// Its arguments as a JSON Schema's `properties`.
    properties: fn() -> Value,
    required: &'static [&'static str],
    invocation: fn(&Arguments<'_>) -> Result<Invocation, String>,
}

/// A line a tool.
pub(super) const TOOLS: [Tool; 6] = [
    Tool {
        name: "audit_statement",
        description: "Runs one SQL statement, which may be in no file yet, on the project's dataset of production's size: its plan, what is wrong with it, and \
                      fixes that were built and measured. Parameters may be written as $1, or named as :name.",
        properties: || json!({ "sql": text("The statement"), "format": format() }),
        required: &["sql"],
        invocation: |arguments| {
            Ok(Invocation {
                arguments: audit(arguments, vec!["-".to_owned()])?,
                input: Some(arguments.text("sql")?.ok_or("sql is missing")?.to_owned()),
            })
        },
    },
    Tool {
        name: "audit_queries",
        description: "Audits queries of the project's catalog: all of them, those that are named (names, patterns like 'Search*', query files), or those that \
                      changed since a git revision. An unchanged query is known from before.",
        properties: || {
            json!({
                "queries": { "type": "array", "items": { "type": "string" }, "description": "Names, patterns or files; all queries where it is left out" },
                "changed_since": text("A git revision: only queries whose text, tables or indexes changed since"),
                "format": format(),
            })
        },
        required: &[],
        invocation: |arguments| {
            let mut chosen = Vec::new();
            if let Some(revision) = arguments.text("changed_since")? {
                chosen.push(format!("--changed={revision}"));
            }
            let queries = arguments.texts("queries")?;
            if !queries.is_empty() {
                chosen.push("--".to_owned());
                chosen.extend(queries);
            }
            Ok(Invocation {
                arguments: audit(arguments, chosen)?,
                input: None,
            })
        },
    },
    Tool {
        name: "fixes",
        description: "The SQL of every fix that the audit of the catalog proved: indexes and settings, ready to paste, each with what it was measured to save.",
        properties: || json!({}),
        required: &[],
        invocation: |_| Ok(Invocation::of(&["audit", "--format", "sql"])),
    },
    Tool {
        name: "explain_plan",
        description: "Judges a plan that EXPLAIN printed, in any format of psql or a driver: the tree with times, rows against estimates, pages, and findings. No \
                      database is asked.",
        properties: || json!({ "plan": text("The plan as it was printed"), "format": format() }),
        required: &["plan"],
        invocation: |arguments| {
            Ok(Invocation {
                arguments: vec![
                    "explain".to_owned(),
                    "--format".to_owned(),
                    arguments.format()?.to_owned(),
                    "-".to_owned(),
                ],
                input: Some(arguments.text("plan")?.ok_or("plan is missing")?.to_owned()),
            })
        },
    },
    Tool {
        name: "diff_migrations",
        description: "Rehearses the project's newest migrations on the dataset, under traffic: the locks that they take and for how long, which queries wait, and \
                      how the plan of each query changes.",
        properties: || {
            json!({
                "from": text("The version before the first migration; the one before the newest where it is left out"),
                "to": text("The last migration's version; the newest where it is left out"),
                "format": format(),
            })
        },
        required: &[],
        invocation: |arguments| {
            let mut typed = vec![
                "diff".to_owned(),
                "--format".to_owned(),
                arguments.format()?.to_owned(),
            ];
            for key in ["from", "to"] {
                if let Some(version) = arguments.text(key)? {
                    typed.push(format!("--{key}={version}"));
                }
            }
            Ok(Invocation {
                arguments: typed,
                input: None,
            })
        },
    },
    Tool {
        name: "rule",
        description: "What a rule of a finding means: when it fires, why it matters, what to do, with an example. Without an id: all rules.",
        properties: || json!({ "id": text("The rule's id, e.g. missing-index") }),
        required: &[],
        invocation: |arguments| {
            let mut typed = vec!["rules".to_owned()];
            if let Some(id) = arguments.text("id")? {
                typed.extend(["--".to_owned(), id.to_owned()]);
            }
            Ok(Invocation {
                arguments: typed,
                input: None,
            })
        },
    },
];

impl Invocation {
    fn of(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            input: None,
        }
    }
}

impl Tool {
    /// The JSON Schema of its arguments.
    pub(super) fn schema(&self) -> Map<String, Value> {
        let schema = json!({
            "type": "object",
            "properties": (self.properties)(),
            "required": self.required,
            "additionalProperties": false,
        });
        match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }

    /// The command for a call.
    ///
    /// # Errors
    /// An argument that the tool does not have, or of another type, in words.
    pub(super) fn invocation(&self, arguments: &Map<String, Value>) -> Result<Invocation, String> {
        let known = (self.properties)();
        if let Some(unknown) = arguments
            .keys()
            .find(|key| known.get(key.as_str()).is_none())
        {
            return Err(format!("{} has no argument {unknown}", self.name));
        }
        (self.invocation)(&Arguments(arguments))
    }
}

/// What a call brings.
struct Arguments<'a>(&'a Map<String, Value>);

impl<'a> Arguments<'a> {
    fn text(&self, key: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{key} has to be a string")),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let wrong = || format!("{key} has to be a list of strings");
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list
                .iter()
                .map(|text| text.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    fn format(&self) -> Result<&'static str, String> {
        match self.text("format")? {
            None | Some("markdown") => Ok("markdown"),
            Some("json") => Ok("json"),
            Some(_) => Err("format has to be markdown or json".to_owned()),
        }
    }
}

fn audit(arguments: &Arguments<'_>, chosen: Vec<String>) -> Result<Vec<String>, String> {
    let mut typed = vec![
        "audit".to_owned(),
        "--format".to_owned(),
        arguments.format()?.to_owned(),
    ];
    typed.extend(chosen);
    Ok(typed)
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn format() -> Value {
    json!({ "type": "string", "enum": ["markdown", "json"], "description": "markdown to read (the default), json with every number and plan" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(name: &str, arguments: &Value) -> Result<Invocation, String> {
        let tool = TOOLS.iter().find(|tool| tool.name == name).unwrap();
        tool.invocation(arguments.as_object().unwrap())
    }

    #[test]
    fn a_call_is_a_command_with_the_arguments_that_it_may_choose() {
        let statement = called("audit_statement", &json!({ "sql": "SELECT 1" })).unwrap();
        assert_eq!(statement.arguments, ["audit", "--format", "markdown", "-"]);
        assert_eq!(statement.input.as_deref(), Some("SELECT 1"));
        let queries =
            json!({ "queries": ["--allow-writes"], "changed_since": "main", "format": "json" });
        assert_eq!(
            called("audit_queries", &queries).unwrap().arguments,
            [
                "audit",
                "--format",
                "json",
                "--changed=main",
                "--",
                "--allow-writes"
            ]
        );
    }

    #[test]
    fn what_a_tool_does_not_have_is_refused() {
        for (name, arguments) in [
            ("audit_statement", json!({})),
            ("audit_statement", json!({ "sql": 1 })),
            ("audit_queries", json!({ "queries": "ListOrders" })),
            ("audit_queries", json!({ "format": "html" })),
            ("fixes", json!({ "database_url": "postgres://" })),
        ] {
            assert!(called(name, &arguments).is_err(), "{name} {arguments}");
        }
    }
}
