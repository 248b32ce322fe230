//! `pgproof mcp`: what an assistant asks for over standard input, message by message.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const PLAN: &str = "Seq Scan on orders  (cost=0.00..25000.00 rows=5 width=40) (actual time=0.020..310.000 rows=4 loops=1)
  Filter: (customer_id = 7)
  Rows Removed by Filter: 999996
Execution Time: 310.100 ms
";

/// Sends messages, and gives the answers by their ids.
fn answered(messages: &[Value]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .arg("mcp")
        .current_dir(folder.path())
        .env_remove("DATABASE_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = server.stdin.take().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let begin = [
        json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
    ];
    let mut answers = Vec::new();
    for message in begin.iter().chain(messages) {
        writeln!(stdin, "{message}").unwrap();
        if message.get("id").is_some() {
            answers.push(serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
        }
    }
    // The client goes away: so does the server.
    drop(stdin);
    assert!(server.wait().unwrap().success());
    answers
}

fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

#[test]
fn tools_are_listed_and_a_plan_is_judged() {
    let answers = answered(&[
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }),
        call(2, "explain_plan", &json!({ "plan": PLAN })),
        call(3, "rule", &json!({ "id": "missing-index" })),
    ]);
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "pgproof");
    let tools = answers[1]["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "audit_statement",
            "audit_queries",
            "fixes",
            "explain_plan",
            "diff_migrations",
            "rule"
        ]
    );
    for tool in tools {
        let schema = jsonschema::validator_for(&tool["inputSchema"]);
        assert!(schema.is_ok(), "{tool:#}");
    }
    for (answer, part) in [(&answers[2], "customer_id"), (&answers[3], "missing-index")] {
        let result = &answer["result"];
        assert_eq!(result["isError"], false, "{answer:#}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn mistakes_are_answers_with_a_reason() {
    let answers = answered(&[
        call(1, "drop_everything", &json!({})),
        call(
            2,
            "explain_plan",
            &json!({ "plan": PLAN, "database_url": "postgres://x" }),
        ),
        call(3, "explain_plan", &json!({ "plan": "no plan at all" })),
        call(4, "audit_statement", &json!({ "sql": "SELECT 1" })),
    ]);
    let message = |at: usize| {
        answers[at]["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        message(1).contains("no tool drop_everything"),
        "{:#}",
        answers[1]
    );
    assert!(
        message(2).contains("no argument database_url"),
        "{:#}",
        answers[2]
    );
    for (at, part) in [(3, "plan"), (4, "pgproof init")] {
        let result = &answers[at]["result"];
        assert_eq!(result["isError"], true, "{:#}", answers[at]);
        assert!(
            result["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains(part),
            "{:#}",
            answers[at]
        );
    }
}
