//! The ZAP handler: says of each peer that wants to come in whether it may (rfc.zeromq.org/spec/27).
//!
//! libzmq asks for one by a fixed name in the socket's context, and each socket here has a context of
//! its own, so each secured socket has a handler of its own. It is served by the socket's owner, like
//! the socket. Every request is answered, whatever it says: 200 for a key that the gate admits, 400
//! for anything that does not authenticate here, 500 for what is no proper request.
//!
//! Who comes in gets a user id that no other connection has: a serial number, a space, and the key.

use ::zmq::{Context, DONTWAIT, POLLIN, Socket, SocketType};
use std::sync::Arc;

use crate::curve::{DOMAIN, Gate, PublicKey};
use crate::notices::Notices;
use crate::socket::Error;
use crate::wait::PollSet;
use crate::zmq::{broken, receive};

const ENDPOINT: &str = "inproc://zeromq.zap.01";
const VERSION: &[u8] = b"1.0";

/// The kind of the notices that are told from here.
const REFUSED: &str = "refused clients";

pub(crate) struct Zap {
    socket: Socket,
    gate: Arc<dyn Gate>,
    notices: Notices,
    next_serial: u64,
}

/// What a request is answered with.
struct Verdict {
    code: &'static str,
    text: String,
    user: Option<PublicKey>,
}

impl Zap {
    pub(crate) fn open(
        context: &Context,
        gate: Arc<dyn Gate>,
        notices: Notices,
    ) -> Result<Self, Error> {
        let socket = context.socket(SocketType::REP).map_err(broken)?;
        socket.set_linger(0).map_err(broken)?;
        socket.bind(ENDPOINT).map_err(broken)?;
        Ok(Self {
            socket,
            gate,
            notices,
            next_serial: 1,
        })
    }

    /// Answers every request that is there; calls `before` ahead of each.
    pub(crate) fn serve(&mut self, mut before: impl FnMut(u64)) -> Result<(), Error> {
        while let Some(request) = receive(&self.socket)? {
            before(self.next_serial);
            let frames = request.slices();
            let reply = self.answer(&frames);
            // The asking connection may be gone meanwhile; a REP socket drops the answer then.
            self.socket
                .send_multipart(reply, DONTWAIT)
                .map_err(broken)?;
        }
        Ok(())
    }

    /// The serial number that the next connection gets; all before it have a lower one.
    pub(crate) fn next_serial(&self) -> u64 {
        self.next_serial
    }

    pub(crate) fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        set.add_zmq(&self.socket, POLLIN);
    }

    /// The reply to a request, frame by frame.
    fn answer(&mut self, request: &[&[u8]]) -> Vec<Vec<u8>> {
        let verdict = judge(&*self.gate, request);
        if verdict.user.is_none() {
            let address = String::from_utf8_lossy(request.get(3).copied().unwrap_or_default());
            let shown: String = address
                .chars()
                .take(64)
                .flat_map(char::escape_debug)
                .collect();
            self.notices.tell(REFUSED, || {
                format!("client at {shown:?} refused: {}", verdict.text)
            });
        }
        let user = verdict.user.map(|key| {
            let serial = self.next_serial;
            self.next_serial += 1;
            format!("{serial} {key}")
        });
        vec![
            VERSION.to_vec(),
            request.get(1).copied().unwrap_or_default().to_vec(),
            verdict.code.as_bytes().to_vec(),
            verdict.text.into_bytes(),
            user.unwrap_or_default().into_bytes(),
            Vec::new(),
        ]
    }
}

fn judge(gate: &dyn Gate, request: &[&[u8]]) -> Verdict {
    let [version, _, domain, _, _, mechanism, credentials @ ..] = request else {
        return failed("a request of too few frames");
    };
    if *version != VERSION {
        return failed("a request of another version than 1.0");
    }
    if *domain != DOMAIN.as_bytes() {
        return refused("another domain");
    }
    match (*mechanism, credentials) {
        (b"CURVE", [key]) => match <[u8; 32]>::try_from(*key) {
            Ok(key) => ask(gate, PublicKey::from_bytes(key)),
            Err(_) => failed("a CURVE key that has not 32 bytes"),
        },
        (b"CURVE", _) => failed("CURVE without exactly one key"),
        (b"NULL", []) => refused("it has no key (NULL); only CURVE comes in here"),
        (b"PLAIN", [_, _]) => refused("it has a password (PLAIN); only CURVE comes in here"),
        (b"NULL" | b"PLAIN", _) => failed("a wrong number of credentials"),
        _ => refused("an unknown mechanism; only CURVE comes in here"),
    }
}

fn ask(gate: &dyn Gate, key: PublicKey) -> Verdict {
    match gate.admit(&key) {
        Ok(()) => Verdict {
            code: "200",
            text: "OK".to_owned(),
            user: Some(key),
        },
        Err(reason) => refused(&reason),
    }
}

/// It was understood, and may not come in.
fn refused(text: &str) -> Verdict {
    Verdict {
        code: "400",
        text: text.to_owned(),
        user: None,
    }
}

/// It was not understood.
fn failed(text: &str) -> Verdict {
    Verdict {
        code: "500",
        text: text.to_owned(),
        user: None,
    }
}

/// Who sent a message at a secured socket: one connection of the owner of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User {
    /// The connection: one that came later has a higher number, at the same socket.
    pub connection: u64,
    /// The key.
    pub key: PublicKey,
}

impl User {
    /// Reads what [`Zap`] gave as user id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (serial, key) = text.split_once(' ')?;
        Some(Self {
            connection: serial.parse().ok()?,
            key: key.parse().ok()?,
        })
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
