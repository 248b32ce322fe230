//! The lexer against the server: random text of what is hard to lex, sent to PostgreSQL, which reports how many statements it
//! was, or at which token it stopped. `PGPROOF_LEXER_TEXTS` sets how many texts each server gets.

// A server that cannot be asked fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use pgproof::sql::token::{LiteralKind, Strings, Token, TokenKind, stream};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::ErrorPosition;

use crate::support;

const PIECES: &[&str] = &[
    "'a'",
    "'it''s; x'",
    "'\\'",
    "'\\''",
    "E'a\\'; b'",
    "e'\\\\'",
    "E'a\\\n'",
    "'b\\'",
    "E'",
    "'",
    "\"",
    "\"a;b\"",
    "\"a\"\"b\"",
    "$$;$$",
    "$$",
    "$t$",
    "$t$ ; $$ ' $t$",
    "$é$;$é$",
    "U&'\\0061;'",
    "u&\"\\0061;\"",
    " UESCAPE '!'",
    "N'x;'",
    "B'01'",
    "x'1F'",
    "/*",
    "*/",
    "/* ; ' */",
    "/* /* ; */ */",
    "--",
    "-- ; '",
    "-- x\n",
    "\n",
    "\r",
    "\n\t",
    " ",
    ";",
    ";\n",
    ", ",
    "select ",
    "select 1 ",
    "1 ",
    "a$b$c",
    "a$$;",
    "é",
    "\\",
    "+",
    "-",
    "*",
    "/",
    "||",
    "(",
    ")",
    "as x ",
    "B'0';'",
    "x'0'\n'1'",
    "''",
    "'\n'",
    "E'\\",
    "u&'",
    "n'",
    "N'a\\'; b'",
    "e'a' -- c\n'\\'; '",
];

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn text(&mut self) -> String {
        let mut text = String::from("select ");
        for _ in 0..1 + self.below(9) {
            text.push_str(PIECES[self.below(PIECES.len())]);
        }
        text
    }
}

/// What the server makes of a text.
#[derive(Debug, PartialEq)]
enum Answer {
    /// It ran so many statements.
    Ran(usize),
    /// It stopped at a byte; whether because something is not closed there.
    Stopped { at: Option<usize>, unclosed: bool },
}

async fn ask(client: &tokio_postgres::Client, text: &str) -> Answer {
    match client.simple_query(text).await {
        Ok(messages) => Answer::Ran(
            messages
                .iter()
                .filter(|message| matches!(message, SimpleQueryMessage::CommandComplete(_)))
                .count(),
        ),
        Err(error) => {
            let refused = error
                .as_db_error()
                .unwrap_or_else(|| panic!("{error} of {text:?}"));
            let at = match refused.position() {
                // A wrong escape is reported where it stands within its string.
                Some(_) if refused.message().contains("Unicode escape") => None,
                Some(ErrorPosition::Original(at)) => {
                    let characters = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                    characters.into_iter().nth(*at as usize - 1)
                }
                Some(ErrorPosition::Internal { .. }) | None => None,
            };
            Answer::Stopped {
                at,
                unclosed: refused.message().starts_with("unterminated"),
            }
        }
    }
}

fn agrees(text: &str, tokens: &[Token], answer: &Answer) -> bool {
    let unclosed = tokens.iter().find(|token| token.unterminated().is_some());
    match answer {
        Answer::Ran(statements) => {
            let ours = tokens
                .split(|token| token.kind == TokenKind::Semi)
                .filter(|statement| statement.iter().any(|token| !token.is_trivia()));
            unclosed.is_none() && ours.count() == *statements
        }
        Answer::Stopped {
            at: Some(at),
            unclosed: true,
        } => unclosed.is_some_and(|token| begins(token, *at)),
        // The parser stops at the first token that it does not want, before it reads what follows.
        Answer::Stopped { at: Some(at), .. } => {
            *at == text.len()
                || tokens
                    .iter()
                    .any(|token| !token.is_trivia() && begins(token, *at))
        }
        Answer::Stopped { at: None, .. } => true,
    }
}

/// The server reads N'x' as a word and a string.
fn begins(token: &Token, at: usize) -> bool {
    let is_national = matches!(
        token.kind,
        TokenKind::Literal {
            kind: LiteralKind::NationalStr { .. }
        }
    );
    token.span.start == at || (is_national && token.span.start + 1 == at)
}

async fn compared(major: u32, texts: usize) -> usize {
    let Some(cluster) = support::cluster_of(major) else {
        return 0;
    };
    let database = support::TestDatabase::copy_of(&cluster, "template1").await;
    let session = database.session().await;
    let client = session.client();
    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ u64::from(major));
    let mut asked = 0;
    for (setting, strings) in [("on", Strings::Standard), ("off", Strings::Backslash)] {
        let set = format!("SET standard_conforming_strings = {setting}");
        client.batch_execute(&set).await.unwrap();
        client
            .batch_execute("SET escape_string_warning = off")
            .await
            .unwrap();
        for _ in 0..texts {
            let text = random.text();
            let answer = ask(client, &text).await;
            let tokens: Vec<Token> = stream(&text, 0, strings).collect();
            assert!(
                agrees(&text, &tokens, &answer),
                "PostgreSQL {major} with standard_conforming_strings = {setting}: {answer:?} of {text:?}, read as {:?}",
                tokens
                    .iter()
                    .map(|token| &text[token.span.clone()])
                    .collect::<Vec<_>>()
            );
            asked += 1;
        }
    }
    session.close().await;
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lexer_reads_what_the_server_reads() {
    let texts = std::env::var("PGPROOF_LEXER_TEXTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_500);
    for major in [support::MAJOR, 14, 18] {
        println!("PostgreSQL {major}: {} texts", compared(major, texts).await);
    }
}
