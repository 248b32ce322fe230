//! The lexer on any text: its tokens follow each other without a gap, whatever a backslash means. And against a throw-away
//! server, where PGPROOF_LEXER_URL names one: where the server's parser stops, a token begins.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use pgproof::sql::token::{Strings, stream};
use tokio_postgres::error::ErrorPosition;

fuzz_target!(|text: &str| {
    for strings in [Strings::Standard, Strings::Backslash] {
        let mut end = 0;
        for token in stream(text, 0, strings) {
            assert_eq!(token.span.start, end);
            assert!(text.is_char_boundary(token.span.end));
            end = token.span.end;
        }
        assert_eq!(end, text.len());
    }
    if let Some(server) = server() {
        compare(server, text);
    }
});

struct Server {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let connect = || {
        let url = std::env::var("PGPROOF_LEXER_URL").ok()?;
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let client = runtime.block_on(async {
            let connected = tokio_postgres::connect(&url, tokio_postgres::NoTls);
            let (client, connection) = connected.await.expect("the server");
            tokio::spawn(connection);
            client
        });
        Some(Server { runtime, client })
    };
    SERVER.get_or_init(connect).as_ref()
}

/// Sent in a transaction that has failed: the server parses the whole text and runs nothing of it.
fn compare(server: &Server, text: &str) {
    // White space from PostgreSQL 16 on.
    if text.contains('\u{b}') {
        return;
    }
    let _ = server.runtime.block_on(server.client.simple_query("begin; select 1 / 0"));
    let asked = format!("select {text}");
    let sent = server.client.simple_query(&asked);
    let Err(error) = server.runtime.block_on(sent) else { return };
    let Some(refused) = error.as_db_error() else { return };
    // What is wrong inside a token (an escape, say) has its place there.
    let message = refused.message();
    if !(message.starts_with("syntax error") || message.starts_with("unterminated")) {
        return;
    }
    let Some(ErrorPosition::Original(at)) = refused.position() else { return };
    let tokens: Vec<_> = stream(&asked, 0, Strings::Standard).collect();
    let mut characters = asked.char_indices().map(|(at, _)| at).chain([asked.len()]);
    let at = characters.nth(*at as usize - 1);
    let begins = |at: usize| at == asked.len() || tokens.iter().any(|token| token.span.start == at);
    // Of N'…' the server names the quote.
    let is_national = |at: usize| at > 0 && asked.as_bytes()[at - 1].eq_ignore_ascii_case(&b'n') && begins(at - 1);
    assert!(at.is_none_or(|at| begins(at) || is_national(at)), "{refused:?} of {asked:?}");
}
