//! `pgproof mcp`: audits, plans and fixes for assistants, by the Model Context Protocol over standard input and output. Each call runs
//! pgproof itself as it would be typed, so that an assistant sees what a person sees and can do no more.

mod tools;

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler, ServiceExt};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use self::tools::{Invocation, TOOLS};
use crate::cli::Globals;
use crate::cli::exit::{CliError, ExitCode};

/// An answer is cut after so many bytes: an assistant has to read it.
const LONGEST: usize = 200_000;

/// Serves until the client closes its end, or Ctrl-C.
pub async fn run(globals: &Globals) -> Result<ExitCode, CliError> {
    if std::io::stdin().is_terminal() {
        globals.progress.note(
            "waiting for an assistant's client, which starts this itself (docs/assistants.md); Ctrl-C ends it".to_owned(),
        );
    }
    let program = std::env::current_exe()
        .map_err(|error| failed("pgproof does not find its own program", &error))?;
    let server = Server {
        program,
        directory: globals.directory.clone(),
        config: globals.config.clone(),
        database: globals.database_flag().map(str::to_owned),
        offline: globals.offline,
        running: Mutex::default(),
    };
    let served = server
        .serve(rmcp::transport::stdio())
        .await
        .map_err(|error| CliError::Environment {
            message: "the client did not begin as the protocol asks".to_owned(),
            causes: vec![error.to_string()],
            help: Some(
                "an assistant's client starts `pgproof mcp` itself: docs/assistants.md has the lines for its file of servers".to_owned(),
            ),
        })?;
    let stop = served.cancellation_token();
    let waiting = served.waiting();
    tokio::pin!(waiting);
    tokio::select! {
        ended = &mut waiting => {
            ended.map_err(|error| failed("the connection to the client broke", &error))?;
        }
        () = globals.interrupt.wait() => {
            stop.cancel();
            let _ = waiting.await;
        }
    }
    Ok(ExitCode::Success)
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> CliError {
    CliError::Environment {
        message: what.to_owned(),
        causes: vec![error.to_string()],
        help: None,
    }
}

struct Server {
    program: PathBuf,
    directory: PathBuf,
    config: Option<PathBuf>,
    /// `--database-url`.
    database: Option<String>,
    offline: bool,
    /// Processes of calls that have no answer yet.
    running: Mutex<BTreeSet<i32>>,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let mut config = ServerConfig::new(capabilities);
        config.server_info = Implementation::new("pgproof", env!("CARGO_PKG_VERSION"));
        config.instructions = Some(
            "pgproof runs PostgreSQL queries on a dataset of production's size and proves its fixes by measuring them. Audit a statement before \
             it is written into the code; the first call makes the dataset, which may take a minute."
                .to_owned(),
        );
        config
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = TOOLS
            .iter()
            .map(|tool| Tool::new(tool.name, tool.description, tool.schema()))
            .collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = TOOLS.iter().find(|tool| tool.name == request.name) else {
            let message = format!("there is no tool {}", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let invocation = tool
            .invocation(&request.arguments.unwrap_or_default())
            .map_err(|message| ErrorData::invalid_params(message, None))?;
        let result = match self.output(&invocation, &context).await {
            Ok(output) => answer(&output),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
        };
        Ok(result.into())
    }
}

impl Server {
    /// Runs a command to its end; a call that is cancelled ends it as Ctrl-C would, so that it cleans up.
    async fn output(
        &self,
        invocation: &Invocation,
        context: &RequestContext<RoleServer>,
    ) -> std::io::Result<Output> {
        let mut child = self.command(invocation).spawn()?;
        let process = child.id().and_then(|id| i32::try_from(id).ok());
        let _running = process.map(|process| Running::begin(self, process));
        if let Some(mut stdin) = child.stdin.take() {
            let input = invocation.input.clone().unwrap_or_default();
            // Who does not read its input says why on the other streams.
            tokio::spawn(async move {
                let _ = stdin.write_all(input.as_bytes()).await;
            });
        }
        let ended = child.wait_with_output();
        tokio::pin!(ended);
        tokio::select! {
            output = &mut ended => output,
            () = context.ct.cancelled() => {
                process.into_iter().for_each(interrupt);
                ended.await
            }
        }
    }

    fn command(&self, invocation: &Invocation) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.directory)
            .args(["--color", "never", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        if self.offline {
            command.arg("--offline");
        }
        // Not among the arguments, which every user of the machine can read.
        if let Some(database) = &self.database {
            command.args(["--database-url", "env"]);
            if database != "env" {
                command.env("DATABASE_URL", database);
            }
        }
        command.args(&invocation.arguments);
        command
    }
}

/// A process that is ended when its call is given up.
struct Running<'s> {
    server: &'s Server,
    process: i32,
}

impl<'s> Running<'s> {
    fn begin(server: &'s Server, process: i32) -> Self {
        let running = &server.running;
        running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(process);
        Self { server, process }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let running = &self.server.running;
        running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.process);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let running = self
            .running
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(running).into_iter().for_each(interrupt);
    }
}

fn interrupt(process: i32) {
    if let Some(process) = Pid::from_raw(process) {
        // It may have ended meanwhile.
        let _ = kill_process(process, Signal::INT);
    }
}

/// What a command printed: findings are an answer, not an error.
fn answer(output: &Output) -> CallToolResult {
    let printed = cut(&String::from_utf8_lossy(&output.stdout));
    let said = cut(&String::from_utf8_lossy(&output.stderr));
    let is_answer = matches!(output.status.code(), Some(0 | 1)) && !printed.is_empty();
    if is_answer {
        return CallToolResult::success(vec![ContentBlock::text(printed)]);
    }
    let texts = [said, printed].into_iter().filter(|text| !text.is_empty());
    CallToolResult::error(texts.map(ContentBlock::text).collect())
}

fn cut(text: &str) -> String {
    let text = text.trim();
    let end = text.floor_char_boundary(LONGEST);
    match text.len() > end {
        true => format!(
            "{}\n… cut after {LONGEST} of {} bytes: ask for fewer queries, or for markdown",
            &text[..end],
            text.len()
        ),
        false => text.to_owned(),
    }
}
