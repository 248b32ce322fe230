//! The server's half: its answers, in the order in which they are waited for.

use std::sync::Arc;

use super::frames::{Body, Frame, Frames};
use super::frontend::format_of;
use super::{Expected, LONGEST, MOST_ROWS, MOST_VALUES, Seen, Shared};
use crate::trace::event::{Column, Rows};

/// Reads one server's bytes, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Backend {
    frames: Frames,
    /// The rows that are coming.
    rows: Option<Rows>,
    /// Types of parameters, until the description that they belong to.
    types: Option<Vec<u32>>,
}

/// Messages that answer, parameters and notices; copied data is passed over.
fn is_read(kind: u8) -> bool {
    matches!(
        kind,
        b'1' | b'2'
            | b'3'
            | b'T'
            | b't'
            | b'n'
            | b'D'
            | b'C'
            | b'I'
            | b's'
            | b'S'
            | b'E'
            | b'Z'
            | b'N'
    )
}

impl Backend {
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        shared: &mut Shared,
        take: &mut impl FnMut(Seen),
    ) {
        while shared.short_answers > 0 && !shared.is_opaque {
            let Some((answer, rest)) = bytes.split_first() else {
                return;
            };
            shared.short_answers -= 1;
            bytes = rest;
            // Yes: what follows is encrypted.
            shared.is_opaque = *answer != b'N';
        }
        if shared.is_opaque || shared.is_confused {
            return;
        }
        let Self {
            frames,
            rows,
            types,
        } = self;
        let mut answers = Answers {
            rows,
            types,
            shared,
        };
        frames.feed(bytes, LONGEST, is_read, &mut |frame| {
            if answers.shared.is_confused {
                return;
            }
            let understood = match frame {
                Frame::Message(kind, body) => answers.message(kind, Body(body), take),
                // One row too wide to be read is counted; its values are not known.
                Frame::TooLong(b'D') => answers.row(None),
                Frame::TooLong(b'N') => Some(()),
                Frame::TooLong(_) => None,
            };
            if understood.is_none() {
                answers.shared.confuse(take);
            }
        });
    }
}

struct Answers<'b> {
    rows: &'b mut Option<Rows>,
    types: &'b mut Option<Vec<u32>>,
    shared: &'b mut Shared,
}

impl Answers<'_> {
    fn message(&mut self, kind: u8, mut body: Body<'_>, take: &mut impl FnMut(Seen)) -> Option<()> {
        match kind {
            b'1' | b'2' | b'3' => match self.shared.expected.front()? {
                Expected::Done => self.shared.expected.pop_front().map(drop),
                _ => None,
            },
            b't' => {
                *self.types = Some(body.list(Body::u32)?);
                Some(())
            }
            b'n' => self.described(Arc::default()),
            b'T' => self.columns(body),
            b'D' => self.row(Some(body)),
            // ParameterStatus: the server reports what is set.
            b'S' => {
                if body.string()? == b"application_name" {
                    let name = String::from_utf8_lossy(body.string()?);
                    self.shared.application = (!name.is_empty()).then(|| name.into());
                }
                Some(())
            }
            b'N' => {
                if let Some(name) = test_of_notice(body) {
                    self.shared.application = Some(name);
                }
                Some(())
            }
            b'C' | b'I' | b's' => self.complete(take),
            b'E' => {
                self.failed(take);
                Some(())
            }
            _ => self.ready(take),
        }
    }

    fn columns(&mut self, mut body: Body<'_>) -> Option<()> {
        // A statement is described as it was the first time.
        if let Some(Expected::Description(Some(prepared))) = self.shared.expected.front()
            && prepared.columns.get().is_some()
        {
            return self.described(Arc::default());
        }
        let columns = body.list(|body| {
            Some(Column {
                name: String::from_utf8_lossy(body.string()?).into_owned(),
                origin: (body.u32()?, body.i16()?),
                type_oid: body.u32()?,
                format: {
                    body.bytes(6)?;
                    body.i16()?
                },
            })
        })?;
        let columns: Arc<[Column]> = columns.into();
        if let Some(Expected::Query(_)) = self.shared.expected.front() {
            *self.rows = Some(rows_of(columns));
            return Some(());
        }
        self.described(columns)
    }

    /// What stands first waits for a description, or something was not understood.
    fn described(&mut self, columns: Arc<[Column]>) -> Option<()> {
        let types = self.types.take();
        let Expected::Description(of) = self.shared.expected.front()? else {
            return None;
        };
        let of = of.clone();
        self.shared.expected.pop_front();
        if let Some(prepared) = of {
            if let Some(types) = types {
                let _ = prepared.described.set(types);
            }
            let _ = prepared.columns.set(columns);
        }
        Some(())
    }

    fn row(&mut self, body: Option<Body<'_>>) -> Option<()> {
        let (columns, formats): (Arc<[Column]>, &[i16]) = match self.shared.expected.front()? {
            Expected::Query(_) => (Arc::clone(&self.rows.as_ref()?.columns), &[]),
            Expected::Rows(_, prepared, formats) => {
                // A client may know the columns from an earlier session of its own.
                let known = prepared
                    .as_ref()
                    .and_then(|prepared| prepared.columns.get());
                (known.cloned().unwrap_or_default(), formats)
            }
            _ => return None,
        };
        let in_query = matches!(self.shared.expected.front(), Some(Expected::Query(_)));
        let rows = self
            .rows
            .get_or_insert_with(|| rows_of(Arc::clone(&columns)));
        rows.count += 1;
        let Some(mut body) = body else {
            return Some(());
        };
        if rows.count > MOST_ROWS as u64 || rows.count as usize * columns.len().max(1) > MOST_VALUES
        {
            return Some(());
        }
        let reader = &self.shared.reader;
        let mut at = 0;
        let values = body.list(|body| {
            let column = columns.get(at);
            let format = match (in_query, column) {
                (true, Some(column)) => column.format,
                _ => format_of(formats, at),
            };
            at += 1;
            let type_oid = column.map_or(0, |column| column.type_oid);
            Some(reader.wire(body.value()?, format, type_oid))
        })?;
        if rows.values.len() < values.len() {
            rows.values.resize_with(values.len(), Vec::new);
        }
        for (column, value) in rows.values.iter_mut().zip(values) {
            column.push(value);
        }
        Some(())
    }

    fn complete(&mut self, take: &mut impl FnMut(Seen)) -> Option<()> {
        let rows = self.rows.take();
        let done = self.shared.tick();
        match self.shared.expected.front_mut()? {
            Expected::Query(executed) => {
                executed.results.extend(rows);
                return Some(());
            }
            Expected::Rows(executed, ..) => executed.results.extend(rows),
            _ => return None,
        }
        if let Some(Expected::Rows(mut executed, ..)) = self.shared.expected.pop_front() {
            self.shared.done(&mut executed, done);
            take(Seen::Executed(executed));
        }
        Some(())
    }

    /// What was sent after the statement that failed is not done, up to the next Sync.
    fn failed(&mut self, take: &mut impl FnMut(Seen)) {
        *self.rows = None;
        *self.types = None;
        let done = self.shared.tick();
        let mut is_first = true;
        while let Some(expected) = self.shared.expected.pop_front() {
            match expected {
                Expected::Ready => {
                    self.shared.expected.push_front(Expected::Ready);
                    return;
                }
                Expected::Query(mut executed) => {
                    executed.failed = true;
                    self.shared.expected.push_front(Expected::Query(executed));
                    return;
                }
                Expected::Rows(mut executed, ..) => {
                    // Those after the first were never begun.
                    if is_first {
                        executed.failed = true;
                        self.shared.done(&mut executed, done);
                        take(Seen::Executed(executed));
                    }
                }
                Expected::Done | Expected::Description(_) => {}
            }
            is_first = false;
        }
    }

    fn ready(&mut self, take: &mut impl FnMut(Seen)) -> Option<()> {
        *self.rows = None;
        let done = self.shared.tick();
        match self.shared.expected.pop_front() {
            // After the startup nobody asked for it.
            None | Some(Expected::Ready) => Some(()),
            Some(Expected::Query(mut executed)) => {
                self.shared.done(&mut executed, done);
                take(Seen::Executed(executed));
                Some(())
            }
            Some(other) => {
                self.shared.expected.push_front(other);
                None
            }
        }
    }
}

/// The name in `RAISE NOTICE 'pgproof: test=…'`: a test that cannot set application_name says so what it is.
fn test_of_notice(mut body: Body<'_>) -> Option<Arc<str>> {
    const MARK: &str = "pgproof: test=";
    loop {
        match body.byte()? {
            0 => return None,
            b'M' => {
                let message = String::from_utf8_lossy(body.string()?);
                let name = message.strip_prefix(MARK)?.trim();
                return (!name.is_empty()).then(|| name.into());
            }
            _ => {
                body.string()?;
            }
        }
    }
}

/// None yet.
fn rows_of(columns: Arc<[Column]>) -> Rows {
    Rows {
        values: vec![Vec::new(); columns.len()],
        columns,
        count: 0,
    }
}
