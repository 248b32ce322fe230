//! What functions execute while an application is recorded before a copy: the embedded server's auto_explain logs each of their
//! statements with its place, from sessions of that copy alone, and the log is read when the recording is over.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::connect::{DatabaseUrl, Session};
use crate::interrupt::Interrupt;
use crate::schema::quote_identifier;
use crate::trace::functions::Inside;
use crate::trace::logs::{Log, Seen, Sessions};

/// More is not written: what functions execute then is not seen.
const MOST_BYTES: u64 = 256 << 20;
const PIECE: usize = 256 << 10;

/// The log of a copy's sessions. The server logs until it is ended.
#[derive(Debug)]
pub struct FunctionLog {
    maintenance: DatabaseUrl,
    database: String,
    log: PathBuf,
    /// Where the log ended when it began.
    from: u64,
    was_cut: Arc<AtomicBool>,
    watching: JoinHandle<()>,
}

/// What `auto_explain` has to log; the same for every recording of a server.
const SETTINGS: [(&str, &str); 2] = [
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_nested_statements", "on"),
];

impl FunctionLog {
    /// Begins to log what functions of the session's database execute, in sessions that are opened from now on. `None` where no
    /// function of it executes anything.
    ///
    /// # Errors
    /// Where the server has no auto_explain, or refuses.
    pub async fn begin(
        session: &Session,
        maintenance: &DatabaseUrl,
        log: PathBuf,
    ) -> Result<Option<Self>, tokio_postgres::Error> {
        let client = session.client();
        let has_functions: bool = client
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
                 WHERE l.lanname IN ('plpgsql', 'sql') \
                 AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))",
                &[],
            )
            .await?
            .get(0);
        if !has_functions {
            return Ok(None);
        }
        let database = quote_identifier(session.url().database());
        // Its settings have no meaning for the server until it is loaded once.
        client.batch_execute("LOAD 'auto_explain'").await?;
        for (name, value) in SETTINGS {
            let set = format!("ALTER SYSTEM SET {name} = '{value}'");
            client.batch_execute(&set).await?;
        }
        let statements = [
            "SELECT pg_catalog.pg_reload_conf()".to_owned(),
            format!("ALTER DATABASE {database} SET session_preload_libraries = 'auto_explain'"),
            // Calls and DO have no plan: their own line says where what they executed ends.
            format!("ALTER DATABASE {database} SET log_min_duration_statement = 0"),
        ];
        for statement in &statements {
            client.batch_execute(statement).await?;
        }
        let from = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let was_cut = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(
            log.clone(),
            from + MOST_BYTES,
            maintenance.clone(),
            Arc::clone(&was_cut),
        ));
        Ok(Some(Self {
            maintenance: maintenance.clone(),
            database,
            log,
            from,
            was_cut,
            watching,
        }))
    }

    /// Ends it, and hands out what functions executed, with the client's statement that made them. Why it is not all of it, where
    /// that is so.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn end(
        self,
        take: &mut dyn FnMut(Option<&str>, &[Inside]),
    ) -> io::Result<Option<String>> {
        self.watching.abort();
        let is_on = reset(&self.maintenance, Some(&self.database)).await;
        self.read(take)?;
        let reason = if self.was_cut.load(Ordering::Relaxed) {
            Some(format!(
                "functions executed more than fits {} MB of log: what came later is not known",
                MOST_BYTES >> 20
            ))
        } else if !is_on {
            Some(
                "another recording on the same server ended the log of what functions execute"
                    .to_owned(),
            )
        } else {
            None
        };
        Ok(reason)
    }

    fn read(&self, take: &mut dyn FnMut(Option<&str>, &[Inside])) -> io::Result<()> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.from))?;
        let (mut log, mut sessions) = (Log::default(), Sessions::default());
        let mut out = |seen: Seen<'_>| match seen {
            Seen::Inside { caller, inside } => take(caller, &inside),
            // The proxy saw them.
            Seen::Executed(_) | Seen::Plan { .. } | Seen::Lost | Seen::Closed(_) => {}
        };
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => break,
                read => log.feed(&piece[..read], &mut |entry| sessions.take(entry, &mut out)),
            }
        }
        log.end(&mut |entry| sessions.take(entry, &mut out));
        sessions.end(&mut out);
        Ok(())
    }
}

/// Ends the log where it grows beyond `most`.
async fn watch(log: PathBuf, most: u64, maintenance: DatabaseUrl, was_cut: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let length = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        if length > most {
            was_cut.store(true, Ordering::Relaxed);
            reset(&maintenance, None).await;
            return;
        }
    }
}

/// Ends the log; whether it was on. Where the server is gone there is nothing to end.
async fn reset(maintenance: &DatabaseUrl, database: Option<&str>) -> bool {
    let Ok(session) = Session::open(maintenance, &Interrupt::new()).await else {
        return false;
    };
    let client = session.client();
    let is_on = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_file_settings WHERE name = 'auto_explain.log_min_duration')",
            &[],
        )
        .await
        .is_ok_and(|row| row.get(0));
    let mut statements = vec!["LOAD 'auto_explain'".to_owned()];
    statements.extend(SETTINGS.map(|(name, _)| format!("ALTER SYSTEM RESET {name}")));
    statements.push("SELECT pg_catalog.pg_reload_conf()".to_owned());
    if let Some(database) = database {
        statements.push(format!("ALTER DATABASE {database} RESET ALL"));
    }
    for statement in &statements {
        // The rest is reset all the same.
        let _ = client.batch_execute(statement).await;
    }
    session.close().await;
    is_on
}
