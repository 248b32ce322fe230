//! The client's half.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::frames::{Body, Frame, Frames};
use super::{Expected, LONGEST, MOST_NAMES, Prepared, Seen, Shared, text_of};
use crate::trace::event::{Executed, Values};
use crate::trace::value::{Keeps, Value};

/// Reads one client's bytes, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Frontend {
    /// Bytes of a startup packet that is not whole yet.
    startup: Vec<u8>,
    /// Whether the startup packet went by: messages have a type from then on.
    started: bool,
    frames: Frames,
    statements: Named<Arc<Prepared>>,
    portals: Named<Portal>,
}

/// Statements or portals by their names.
#[derive(Debug)]
struct Named<T> {
    /// The one without a name: most clients use no other portal.
    unnamed: Option<T>,
    others: HashMap<Vec<u8>, T>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self {
            unnamed: None,
            others: HashMap::new(),
        }
    }
}

impl<T> Named<T> {
    fn get(&self, name: &[u8]) -> Option<&T> {
        match name {
            [] => self.unnamed.as_ref(),
            name => self.others.get(name),
        }
    }

    fn get_mut(&mut self, name: &[u8]) -> Option<&mut T> {
        match name {
            [] => self.unnamed.as_mut(),
            name => self.others.get_mut(name),
        }
    }

    fn remove(&mut self, name: &[u8]) {
        match name {
            [] => self.unnamed = None,
            name => drop(self.others.remove(name)),
        }
    }

    /// Keeps it in the place of what had its name; of too many names the last are not kept.
    fn keep(&mut self, name: &[u8], what: T) {
        if name.is_empty() {
            self.unnamed = Some(what);
        } else if let Some(known) = self.others.get_mut(name) {
            *known = what;
        } else if self.others.len() < MOST_NAMES {
            self.others.insert(name.to_vec(), what);
        }
    }
}

/// A statement with its values.
#[derive(Debug, Clone)]
struct Portal {
    prepared: Arc<Prepared>,
    parameters: Vec<Value>,
    kept: Vec<Option<String>>,
    /// Formats of the columns that it gives.
    formats: Vec<i16>,
    was_executed: bool,
}

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 22;
/// No startup packet is as long: this is no client of PostgreSQL's.
const LONGEST_STARTUP: usize = 10_000;

impl Frontend {
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        shared: &mut Shared,
        take: &mut impl FnMut(Seen),
    ) {
        while !self.started && !bytes.is_empty() && !shared.is_opaque {
            // The length alone, then the packet.
            let length = self.startup.get(..4).and_then(|head| head.try_into().ok());
            let wanted = length.map_or(4, |head| (u32::from_be_bytes(head) as usize).max(8));
            let taken = wanted.saturating_sub(self.startup.len()).min(bytes.len());
            self.startup.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.startup[0] == TLS_HANDSHAKE || wanted > LONGEST_STARTUP {
                shared.is_opaque = true;
            } else if length.is_some() && self.startup.len() == wanted {
                self.start(shared);
            }
        }
        if shared.is_opaque || bytes.is_empty() {
            return;
        }
        let Self {
            frames,
            statements,
            portals,
            ..
        } = self;
        let mut names = Names {
            statements,
            portals,
        };
        frames.feed(bytes, LONGEST, is_read, &mut |frame| match frame {
            Frame::Message(kind, body) => {
                if names.message(kind, Body(body), shared, take).is_none() {
                    shared.confuse(take);
                    take(Seen::Lost);
                }
            }
            Frame::TooLong(_) => {
                shared.confuse(take);
                take(Seen::Lost);
            }
        });
    }

    fn start(&mut self, shared: &mut Shared) {
        let packet = std::mem::take(&mut self.startup);
        let code = packet.get(4..8).and_then(|code| code.try_into().ok());
        match code.map(u32::from_be_bytes) {
            // The client goes on as the server answers.
            Some(SSL_REQUEST | GSS_REQUEST) => shared.short_answers += 1,
            Some(CANCEL_REQUEST) | None => shared.is_opaque = true,
            Some(_) => self.started = true,
        }
    }
}

/// Messages that say what is executed, or that the server answers; all others are passed over.
fn is_read(kind: u8) -> bool {
    matches!(kind, b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'S' | b'F')
}

struct Names<'f> {
    statements: &'f mut Named<Arc<Prepared>>,
    portals: &'f mut Named<Portal>,
}

impl Names<'_> {
    fn message(
        &mut self,
        kind: u8,
        mut body: Body<'_>,
        shared: &mut Shared,
        take: &mut impl FnMut(Seen),
    ) -> Option<()> {
        match kind {
            b'Q' => {
                let text = text_of(body.string()?);
                let executed = shared.sent(text, Values::InText);
                shared.expect(Expected::Query(Box::new(executed)), take);
            }
            b'P' => {
                let name = body.string()?;
                let text = body.string()?;
                let before = self.statements.get(name).map(|before| &before.text);
                let prepared = Prepared {
                    text: match before.filter(|before| before.as_bytes() == text) {
                        Some(same) => Arc::clone(same),
                        None => text_of(text),
                    },
                    types: body.list(Body::u32).unwrap_or_default(),
                    described: OnceLock::new(),
                    columns: OnceLock::new(),
                };
                self.statements.keep(name, Arc::new(prepared));
                shared.expect(Expected::Done, take);
            }
            b'B' => {
                self.bind(body, shared)?;
                shared.expect(Expected::Done, take);
            }
            b'D' => {
                let of = body.byte()?;
                let name = body.string()?;
                let statement = match of {
                    b'S' => self.statements.get(name).cloned(),
                    _ => self
                        .portals
                        .get(name)
                        .map(|portal| Arc::clone(&portal.prepared)),
                };
                shared.expect(Expected::Description(statement), take);
            }
            b'E' => self.execute(body.string()?, shared, take),
            b'C' => {
                let of = body.byte()?;
                let name = body.string()?;
                match of {
                    b'S' => self.statements.remove(name),
                    _ => self.portals.remove(name),
                }
                shared.expect(Expected::Done, take);
            }
            // Sync; a function call is answered as a Sync is.
            _ => shared.expect(Expected::Ready, take),
        }
        Some(())
    }

    fn bind(&mut self, mut body: Body<'_>, shared: &Shared) -> Option<()> {
        let portal = body.string()?;
        let Some(prepared) = self.statements.get(body.string()?) else {
            self.portals.remove(portal);
            return Some(());
        };
        let formats = body.list(Body::i16)?;
        let types = prepared.described.get().unwrap_or(&prepared.types);
        let mut at = 0;
        let mut kept = Vec::new();
        let parameters = body.list(|body| {
            let format = format_of(&formats, at);
            let type_oid = types.get(at).copied().unwrap_or(0);
            at += 1;
            let value = body.value()?;
            if shared.reader.keeps() == Keeps::Values {
                kept.push(shared.reader.kept(value, format, type_oid));
            }
            Some(shared.reader.wire(value, format, type_oid))
        })?;
        let bound = Portal {
            prepared: Arc::clone(prepared),
            parameters,
            kept,
            formats: body.list(Body::i16)?,
            was_executed: false,
        };
        self.portals.keep(portal, bound);
        Some(())
    }

    fn execute(&mut self, portal: &[u8], shared: &mut Shared, take: &mut impl FnMut(Seen)) {
        // Without its name it may be one that SQL declared, or one too many.
        let Some(portal) = self.portals.get_mut(portal) else {
            shared.confuse(take);
            take(Seen::Lost);
            return;
        };
        let text = Arc::clone(&portal.prepared.text);
        let executed = Executed {
            parameters: portal.parameters.clone(),
            kept: portal.kept.clone(),
            continues: std::mem::replace(&mut portal.was_executed, true),
            ..shared.sent(text, Values::Bound)
        };
        let expected = Expected::Rows(
            Box::new(executed),
            Some(Arc::clone(&portal.prepared)),
            portal.formats.clone(),
        );
        shared.expect(expected, take);
    }
}

/// The format of a value: none given is text, one holds for all.
pub(super) fn format_of(formats: &[i16], at: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        each => each.get(at).copied().unwrap_or(0),
    }
}
